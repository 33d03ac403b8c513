//! Watches: entries under a prefix come and go, and clients follow them by blocking queries.

use super::{Broken, Checked, Worker, Workload};
use crate::{
    history::{Call, Outcome, by_key},
    ops::Op,
    rules,
};
use rand::Rng;
use serde_json::Value;
use std::time::Duration;

const CALLS: u64 = 300;
const KEYS: u64 = 6;
const WAIT: Duration = Duration::from_millis(400);

/// See the head of this file.
#[derive(Debug)]
pub struct Watch;

/// The number at the end of a key, and the value of its entry, so that a change that keeps the index is one. What is no number was
/// not written by us, which no history allows.
fn entry(row: &Value) -> (u64, u64) {
    let key = row["Key"].as_str().and_then(|k| k.rsplit('/').next()?.parse().ok());
    (key.unwrap_or(u64::MAX), super::worker::number(row).unwrap_or(u64::MAX))
}

impl Watch {
    fn read(worker: &mut Worker<'_>, key: &str, after: u64) -> Option<u64> {
        let how = match after {
            0 => worker.shared.linear.to_owned(),
            n => format!("index={n}&wait={}ms", WAIT.as_millis()),
        };
        let path = format!("/v1/kv/{key}/?recurse&{how}");
        let wait = if after == 0 { Duration::ZERO } else { WAIT };
        let said = worker.call_for(key, ("GET", &path, ""), wait, |reply, epoch| match reply.read() {
            Err(why) => (Op::List { entries: Vec::new(), index: 0, after, epoch }, Outcome::Fail, why),
            Ok((rows, index)) => {
                let rows = rows.as_ref().and_then(|r| r.as_array()).map(Vec::as_slice).unwrap_or_default();
                let entries = rows.iter().map(entry).collect();
                (Op::List { entries, index, after, epoch }, Outcome::Ok, String::new())
            }
        });
        match said {
            (Op::List { index, .. }, Outcome::Ok, _) => Some(index),
            _ => None,
        }
    }
}

impl Workload for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn about(&self) -> &'static str {
        "the index of a prefix never goes back, and its content never changes without it: watchers miss nothing"
    }

    fn step(&self, worker: &mut Worker<'_>) {
        let key = worker.key("watch", 1, CALLS);
        match worker.rng.random_range(0..100) {
            0..20 => {
                Self::read(worker, &key, 0);
            }
            20..45 => {
                let mut index = Self::read(worker, &key, 0);
                for _ in 0..3 {
                    if let Some(after) = index.filter(|_| !worker.stopped()) {
                        index = Self::read(worker, &key, after);
                    }
                }
            }
            45..75 => {
                let value = worker.value();
                let path = format!("/v1/kv/{key}/{}", worker.rng.random_range(0..KEYS));
                worker.write(&key, ("PUT", &path, &value.to_string()), |_| Op::Write { value });
            }
            _ => {
                let path = format!("/v1/kv/{key}/{}", worker.rng.random_range(0..KEYS));
                worker.write(&key, ("DELETE", &path, ""), |_| Op::Delete);
            }
        }
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(std::sync::atomic::Ordering::Relaxed) / CALLS;
        for server in 0..worker.shared.cluster.servers.len() {
            worker.ask(server);
            for n in 0..=rounds {
                Self::read(worker, &format!("{}watch/{n}-0", worker.shared.prefix), 0);
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        let mut out = Checked::default();
        for (key, calls) in by_key(calls) {
            let of = calls.len();
            let all = [rules::values_begun, rules::indexes_grow, rules::contents];
            for found in all.into_iter().filter_map(|rule| rule(&calls)) {
                let (key, what) = (key.clone(), found.what);
                out.broken.push(Broken { key, what, calls: found.calls, of });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_that_nobody_wrote_are_broken_promises() {
        assert_eq!(entry(&json!({"Key": "jepsen/watch/0-0/4", "Value": "MTI="})), (4, 12));
        let strange = entry(&json!({"Key": "jepsen/watch/0-0/4", "Value": null}));
        assert_eq!(strange, (4, u64::MAX));
        let op = Op::List { entries: vec![strange], index: 5, after: 0, epoch: None };
        let (key, note, outcome) = ("k".to_owned(), String::new(), Outcome::Ok);
        let call = Call { client: 0, key, op, outcome, start: 0, end: 1, server: 0, note };
        assert_eq!(Watch.check(&[call]).broken.len(), 1);
    }
}
