//! Sets: unique keys under a prefix, which are only added.

use super::{Broken, Checked, Worker, Workload};
use crate::{
    history::{Call, Outcome, by_key},
    ops::Op,
    rules,
};
use rand::Rng;
use serde_json::Value;

const CALLS: u64 = 600;

/// See the head of this file.
#[derive(Debug)]
pub struct Set;

/// The number at the end of a name. What has none was not added by us, which no history allows.
fn element(name: &Value) -> u64 {
    name.as_str().and_then(|n| n.rsplit('/').next()?.parse().ok()).unwrap_or(u64::MAX)
}

impl Set {
    fn read(worker: &mut Worker<'_>, key: &str) {
        let path = format!("/v1/kv/{key}/?keys&{}", worker.shared.linear);
        worker.call(key, ("GET", &path, ""), |reply| match reply.read() {
            Err(why) => (Op::All { elements: Default::default() }, Outcome::Fail, why),
            Ok((rows, _)) => {
                let names = rows.as_ref().and_then(|r| r.as_array()).map(Vec::as_slice).unwrap_or_default();
                (Op::All { elements: names.iter().map(element).collect() }, Outcome::Ok, String::new())
            }
        });
    }
}

impl Workload for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn about(&self) -> &'static str {
        "acknowledged keys are in every later list of their prefix, and what was listed once stays"
    }

    fn step(&self, worker: &mut Worker<'_>) {
        let key = worker.key("set", 1, CALLS);
        if worker.rng.random_range(0..100) < 10 {
            return Self::read(worker, &key);
        }
        let element = worker.value();
        // Some of a size that fills the log.
        let body = "x".repeat(if element.is_multiple_of(20) { 60_000 } else { 50 });
        worker.write(&key, ("PUT", &format!("/v1/kv/{key}/{element}"), &body), |_| Op::Add { element });
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(std::sync::atomic::Ordering::Relaxed) / CALLS;
        for server in 0..worker.shared.cluster.servers.len() {
            worker.ask(server);
            for n in 0..=rounds {
                Self::read(worker, &format!("{}set/{n}-0", worker.shared.prefix));
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        let mut out = Checked::default();
        for (key, calls) in by_key(calls) {
            if let Some(found) = rules::set(&calls) {
                let of = calls.len();
                out.broken.push(Broken { key, what: found.what, calls: found.calls, of });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_gave_are_elements_too() {
        assert_eq!(element(&"jepsen/set/0-0/17".into()), 17);
        assert_eq!(element(&"jepsen/set/0-0/".into()), u64::MAX);
        assert_eq!(element(&Value::Null), u64::MAX);
    }
}
