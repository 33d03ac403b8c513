//! Registrations: a service that is registered, changed and taken out, and looked for on every server.

use super::{Checked, Worker, Workload, check_keys};
use crate::{
    history::{Call, Outcome},
    ops::{Mode, Op, Register},
    rules,
};
use rand::Rng;
use std::time::Duration;

const NAMES: u64 = 2;
const CALLS: u64 = 200;
const NODE: &str = "jepsen-node";

/// See the head of this file.
#[derive(Debug)]
pub struct Registration;

/// A service's name may not have slashes.
fn service(key: &str) -> String {
    key.replace('/', "-")
}

impl Registration {
    fn read(worker: &mut Worker<'_>, key: &str) {
        let path = format!("/v1/catalog/service/{}?{}", service(key), worker.shared.linear);
        worker.call_for(key, ("GET", &path, ""), Duration::ZERO, |reply, epoch| {
            let op = |value, index| Op::Read { value, version: 0, index, mode: Mode::Linear, epoch };
            match reply.read() {
                Err(why) => (op(None, 0), Outcome::Fail, why),
                Ok((rows, index)) => {
                    let row = rows.as_ref().and_then(|r| r.get(0));
                    let value = row.map(|r| {
                        r["ServiceMeta"]["value"].as_str().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX)
                    });
                    (op(value, index), Outcome::Ok, String::new())
                }
            }
        });
    }
}

impl Workload for Registration {
    fn name(&self) -> &'static str {
        "register"
    }

    fn about(&self) -> &'static str {
        "a registration is in every later read on every server, and gone after its deregistration"
    }

    fn step(&self, worker: &mut Worker<'_>) {
        let key = worker.key("service", NAMES, CALLS);
        let name = service(&key);
        match worker.rng.random_range(0..100) {
            0..50 => Self::read(worker, &key),
            50..85 => {
                let value = worker.value();
                let body = serde_json::json!({
                    "Node": NODE, "Address": "192.0.2.1",
                    "Service": {"ID": name, "Service": name, "Port": 80, "Meta": {"value": value.to_string()}},
                });
                let request = ("PUT", "/v1/catalog/register", &*body.to_string());
                worker.write(&key, request, |_| Op::Write { value });
            }
            _ => {
                let body = serde_json::json!({"Node": NODE, "ServiceID": name}).to_string();
                worker.write(&key, ("PUT", "/v1/catalog/deregister", &body), |_| Op::Delete);
            }
        }
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(std::sync::atomic::Ordering::Relaxed) / CALLS;
        for server in 0..worker.shared.cluster.servers.len() {
            worker.ask(server);
            for n in 0..=rounds {
                for which in 0..NAMES {
                    Self::read(worker, &format!("{}service/{n}-{which}", worker.shared.prefix));
                }
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        check_keys(calls, &Register, |_| true, &[rules::indexes_grow])
    }
}
