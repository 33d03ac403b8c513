//! Counters: a number and its copy, changed together by transactions.

use super::{Checked, Worker, Workload, check_keys, worker};
use crate::{
    client::{Done, Reply},
    history::{Call, Outcome},
    ops::{Op, Register},
};
use rand::Rng;
use serde_json::{Value, json};

const CALLS: u64 = 200;
const COUNTERS: u64 = 2;

/// See the head of this file.
#[derive(Debug)]
pub struct Counter;

/// What a transaction that reads both has found: values and their versions.
struct Both {
    values: [Option<u64>; 2],
    versions: [u64; 2],
}

fn names(key: &str) -> [String; 2] {
    [format!("{key}/count"), format!("{key}/copy")]
}

/// Entries of a transaction's answer that belong to our two keys.
fn both(key: &str, answer: &Value) -> Both {
    let mut out = Both { values: [None; 2], versions: [0; 2] };
    for row in answer["Results"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let row = &row["KV"];
        if let Some(at) = names(key).iter().position(|n| row["Key"] == n.as_str()) {
            out.values[at] = Some(worker::number(row).unwrap_or(u64::MAX));
            out.versions[at] = row["ModifyIndex"].as_u64().unwrap_or(0);
        }
    }
    out
}

impl Counter {
    fn read(worker: &mut Worker<'_>, key: &str) -> Option<Both> {
        // Lists, since reading a key that is not there fails the whole transaction.
        let ops = names(key).map(|n| json!({"KV": {"Verb": "get-tree", "Key": n}}));
        let path = format!("/v1/txn?{}", worker.shared.linear);
        let mut found = None;
        worker.call(key, ("PUT", &path, &json!(ops).to_string()), |reply| {
            let (value, copy, outcome, note) = match reply.read() {
                Err(why) => (None, None, Outcome::Fail, why),
                Ok((answer, _)) => {
                    let read = both(key, &answer.unwrap_or_default());
                    let [value, copy] = read.values;
                    found = Some(read);
                    (value, copy, Outcome::Ok, String::new())
                }
            };
            (Op::Pair { value, copy }, outcome, note)
        });
        found
    }
}

impl Workload for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn about(&self) -> &'static str {
        "transactions happen wholly or not at all, and no increment is lost"
    }

    fn step(&self, worker: &mut Worker<'_>) {
        let key = worker.key("counter", COUNTERS, CALLS);
        let Some(read) = Self::read(worker, &key) else { return };
        if worker.rng.random_range(0..100) < 30 {
            return;
        }
        let old = read.values[0];
        let new = old.map_or(1, |n| n.wrapping_add(1));
        let ops: Vec<Value> = names(&key)
            .iter()
            .zip(read.versions)
            .map(|(n, index)| json!({"KV": {"Verb": "cas", "Key": n, "Value": worker::encode(new), "Index": index}}))
            .collect();
        worker.call(&key, ("PUT", "/v1/txn", &json!(ops).to_string()), |reply: Reply| {
            let op = |done| Op::Cas { old, new, done };
            match reply.done() {
                Done::Yes(_) => (op(true), Outcome::Ok, String::new()),
                // A version was another one.
                Done::No(409, _) => (op(false), Outcome::Ok, String::new()),
                Done::No(status, text) => (op(true), Outcome::Fail, format!("{status}: {text}")),
                Done::Unknown(text) => (op(true), Outcome::Info, text),
            }
        });
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(std::sync::atomic::Ordering::Relaxed) / CALLS;
        for server in 0..worker.shared.cluster.servers.len() {
            worker.ask(server);
            for n in 0..=rounds {
                for which in 0..COUNTERS {
                    Self::read(worker, &format!("{}counter/{n}-{which}", worker.shared.prefix));
                }
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        check_keys(calls, &Register, |_| true, &[])
    }
}
