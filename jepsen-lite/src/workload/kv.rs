//! Registers: keys that are read, written, replaced by `cas` and deleted, by linearizable and by stale reads.

use super::{Checked, Worker, Workload, check_keys, worker};
use crate::{
    client::Reply,
    history::{Call, Outcome},
    ops::{Mode, Op, Register},
    rules,
};
use rand::Rng;

/// Keys in use at a time, and calls until they change: short histories are quick to check.
const KEYS: u64 = 3;
const CALLS: u64 = 240;

const RULES: [super::Rule; 4] =
    [rules::values_begun, rules::versions, rules::indexes_grow, rules::versions_grow];

/// See the head of this file.
#[derive(Debug)]
pub struct Kv;

/// Reads the answer to a read of one key.
pub(super) fn read_op(reply: Reply, mode: Mode, epoch: Option<u32>) -> worker::Said {
    match reply.read() {
        Ok((None, index)) => {
            (Op::Read { value: None, version: 0, index, mode, epoch }, Outcome::Ok, String::new())
        }
        Ok((Some(rows), index)) => {
            let row = &rows[0];
            let version = row["ModifyIndex"].as_u64().unwrap_or(0);
            // What is no number was not written by us, which no history allows.
            let value = Some(worker::number(row).unwrap_or(u64::MAX));
            (Op::Read { value, version, index, mode, epoch }, Outcome::Ok, String::new())
        }
        Err(why) => (Op::Read { value: None, version: 0, index: 0, mode, epoch }, Outcome::Fail, why),
    }
}

impl Kv {
    fn read(worker: &mut Worker<'_>, key: &str, mode: Mode) -> worker::Said {
        let how = if mode == Mode::Stale { "stale" } else { worker.shared.linear };
        let path = format!("/v1/kv/{key}?{how}");
        let wait = std::time::Duration::ZERO;
        worker.call_for(key, ("GET", &path, ""), wait, |reply, epoch| read_op(reply, mode, epoch))
    }
}

impl Workload for Kv {
    fn name(&self) -> &'static str {
        "kv"
    }

    fn about(&self) -> &'static str {
        "keys are linearizable registers; stale reads show what was written; indexes grow and name one version"
    }

    fn step(&self, worker: &mut Worker<'_>) {
        let key = worker.key("kv", KEYS, CALLS);
        match worker.rng.random_range(0..100) {
            0..30 => {
                Self::read(worker, &key, Mode::Linear);
            }
            30..45 => {
                Self::read(worker, &key, Mode::Stale);
            }
            45..65 => {
                let value = worker.value();
                let path = format!("/v1/kv/{key}");
                worker.write(&key, ("PUT", &path, &value.to_string()), |_| Op::Write { value });
            }
            65..69 => {
                worker.write(&key, ("DELETE", &format!("/v1/kv/{key}"), ""), |_| Op::Delete);
            }
            _ => {
                let read = Self::read(worker, &key, Mode::Linear);
                let (Op::Read { value: old, version, .. }, Outcome::Ok, _) = read else { return };
                let new = worker.value();
                let path = format!("/v1/kv/{key}?cas={version}");
                worker.write(&key, ("PUT", &path, &new.to_string()), |done| Op::Cas { old, new, done });
            }
        }
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(std::sync::atomic::Ordering::Relaxed) / CALLS;
        let servers = worker.shared.cluster.servers.len();
        for server in 0..servers {
            worker.ask(server);
            for n in 0..=rounds {
                for which in 0..KEYS {
                    let key = format!("{}kv/{n}-{which}", worker.shared.prefix);
                    Self::read(worker, &key, Mode::Linear);
                }
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        let linear = |op: &Op| !matches!(op, Op::Read { mode: Mode::Stale, .. });
        check_keys(calls, &Register, linear, &RULES)
    }
}
