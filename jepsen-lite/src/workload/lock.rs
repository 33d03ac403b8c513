//! Locks: clients with sessions take a lock, write what only its holder may write, and give it back, or end their session,
//! or let it run out.

use super::{Broken, Checked, Worker, Workload, check_keys, worker};
use crate::{
    client::{Done, Reply},
    history::{Call, Outcome, by_key},
    ops::{Lock, Op},
    rules,
};
use anyhow::{Result, bail};
use rand::Rng;
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};

const CALLS: u64 = 220;
/// Node of the sessions: no agent has its name, so none takes it down.
const NODE: &str = "jepsen-sessions";
const TRIES: usize = 12;
/// The shortest that there is.
const TTL: Duration = Duration::from_secs(10);
/// Of the sessions that are destroyed while they hold a lock that rests then.
const DELAY: Duration = Duration::from_secs(2);
const DELAYED: &str = "delayed";

/// See the head of this file.
#[derive(Debug)]
pub struct Locks {
    name: &'static str,
    about: &'static str,
    /// Locks in use at a time.
    width: u64,
    /// Sessions end more often than locks are given back, and some run out.
    sessions_end: bool,
}

/// Clients that give locks back.
pub const LOCK: Locks = Locks {
    name: "lock",
    about: "one holder at a time, a growing token for each, and no guarded write but by the holder",
    width: 1,
    sessions_end: false,
};
/// Clients whose sessions end.
pub const SESSION: Locks = Locks {
    name: "session",
    about: "locks are free after their session ended and never before; an ended session gets nothing",
    width: 3,
    sessions_end: true,
};

struct Session {
    number: u64,
    id: String,
    born: u64,
    ttl: bool,
}

impl Locks {
    fn create(&self, worker: &mut Worker<'_>, delay: Duration) -> Option<Session> {
        let ttl = self.sessions_end && delay.is_zero() && worker.rng.random_range(0..100) < 30;
        let delay = format!("{}s", delay.as_secs());
        let mut body =
            json!({"Node": NODE, "LockDelay": delay, "Behavior": "release", "Checks": [], "NodeChecks": []});
        if ttl {
            body["TTL"] = json!(format!("{}s", TTL.as_secs()));
        }
        let born = worker.shared.now();
        let Done::Yes(text) = worker.send("PUT", "/v1/session/create", &body.to_string()).done() else {
            return None;
        };
        let id = serde_json::from_str::<Value>(&text).ok()?["ID"].as_str()?.to_owned();
        let number = worker.value();
        worker.shared.sessions.lock().insert(id.clone(), number);
        Some(Session { number, id, born, ttl })
    }

    /// A call on the lock that answers `true` or `false`. That a session is not there any more is a no, too.
    fn call(
        worker: &mut Worker<'_>,
        key: &str,
        verb: &str,
        s: &Session,
        op: impl Fn(bool) -> Op,
    ) -> Option<bool> {
        let path = format!("/v1/kv/{key}?{verb}={}", s.id);
        let said =
            worker.call(key, ("PUT", &path, &s.number.to_string()), |reply: Reply| match reply.done() {
                Done::Yes(text) => (op(text == "true"), Outcome::Ok, String::new()),
                Done::Unknown(text) | Done::No(500, text) if text.contains("invalid session") => {
                    (op(false), Outcome::Ok, text)
                }
                Done::No(status, text) => (op(true), Outcome::Fail, format!("{status}: {text}")),
                Done::Unknown(text) => (op(true), Outcome::Info, text),
            });
        match said {
            (Op::Acquire { done, .. } | Op::Release { done, .. }, Outcome::Ok, _) => Some(done),
            _ => None,
        }
    }

    /// A session that tries a lock once and is destroyed: if it held it, nobody gets it for a while.
    fn delayed(&self, worker: &mut Worker<'_>) {
        let key = worker.key(DELAYED, 1, CALLS);
        let Some(session) = self.create(worker, DELAY) else { return };
        let number = session.number;
        Self::call(worker, &key, "acquire", &session, |done| Op::Acquire { session: number, done });
        Self::destroy(worker, &key, &session);
    }

    fn guarded(worker: &mut Worker<'_>, key: &str, s: &Session) {
        let value = worker.value();
        let body = json!([
            {"KV": {"Verb": "check-session", "Key": key, "Session": s.id}},
            {"KV": {"Verb": "set", "Key": format!("{key}-guarded"), "Value": worker::encode(value)}},
        ]);
        let op = |done| Op::Guarded { session: s.number, done };
        worker.call(key, ("PUT", "/v1/txn", &body.to_string()), |reply: Reply| match reply.done() {
            Done::Yes(_) => (op(true), Outcome::Ok, String::new()),
            Done::No(409, _) => (op(false), Outcome::Ok, String::new()),
            // It changes nothing that the lock knows of.
            Done::No(_, text) | Done::Unknown(text) => (op(true), Outcome::Fail, text),
        });
    }

    fn holder(worker: &mut Worker<'_>, key: &str) {
        let path = format!("/v1/kv/{key}?{}", worker.shared.linear);
        let shared = worker.shared;
        worker.call(key, ("GET", &path, ""), |reply| match reply.read() {
            Err(why) => (Op::Holder { session: None, token: 0 }, Outcome::Fail, why),
            Ok((rows, _)) => {
                let row = rows.as_ref().map(|r| &r[0]);
                let id = row.and_then(|r| r["Session"].as_str()).filter(|id| !id.is_empty());
                // A session that nobody made holds nothing.
                let session = id.map(|id| shared.sessions.lock().get(id).copied().unwrap_or(u64::MAX));
                let token = row.and_then(|r| r["LockIndex"].as_u64()).unwrap_or(0);
                (Op::Holder { session, token }, Outcome::Ok, String::new())
            }
        });
    }

    fn destroy(worker: &mut Worker<'_>, key: &str, s: &Session) {
        let path = format!("/v1/session/destroy/{}", s.id);
        let session = s.number;
        worker.write(key, ("PUT", &path, ""), |_| Op::Destroy { session });
    }
}

impl Workload for Locks {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn prepare(&self, worker: &mut Worker<'_>) -> Result<()> {
        let body = json!({"Node": NODE, "Address": "192.0.2.2"}).to_string();
        if let other @ (Done::No(..) | Done::Unknown(_)) =
            worker.send("PUT", "/v1/catalog/register", &body).done()
        {
            bail!("the node of the sessions cannot be registered: {other:?}");
        }
        let Some(session) = self.create(worker, Duration::ZERO) else {
            bail!("the servers make no session: does this build have /v1/session/create?");
        };
        worker.send("PUT", &format!("/v1/session/destroy/{}", session.id), "");
        Ok(())
    }

    fn step(&self, worker: &mut Worker<'_>) {
        if self.sessions_end && worker.rng.random_range(0..100) < 40 {
            return self.delayed(worker);
        }
        let key = worker.key(self.name, self.width, CALLS);
        let Some(session) = self.create(worker, Duration::ZERO) else { return };
        let number = session.number;
        if session.ttl {
            let earliest = session.born + u64::try_from(TTL.as_micros()).unwrap_or(0);
            worker.note(&key, Op::Expire { session: number }, earliest);
        }
        let mut given = None;
        for _ in 0..TRIES {
            given =
                Self::call(worker, &key, "acquire", &session, |done| Op::Acquire { session: number, done });
            worker.shared.calls.fetch_add(1, Ordering::Relaxed);
            if given != Some(false) || worker.stopped() {
                break;
            }
            worker.rest();
        }
        if given == Some(true) {
            Self::holder(worker, &key);
            Self::guarded(worker, &key, &session);
            worker.rest();
            Self::guarded(worker, &key, &session);
            if !self.sessions_end || worker.rng.random_range(0..100) < 20 {
                Self::call(worker, &key, "release", &session, |done| Op::Release { session: number, done });
                Self::guarded(worker, &key, &session);
            }
        } else {
            Self::holder(worker, &key);
        }
        if session.ttl {
            // Nobody ends it: it runs out, between once and twice its time later.
            return;
        }
        Self::destroy(worker, &key, &session);
        Self::holder(worker, &key);
        Self::guarded(worker, &key, &session);
        if worker.rng.random_range(0..100) < 30 {
            Self::call(worker, &key, "acquire", &session, |done| Op::Acquire { session: number, done });
        }
    }

    fn finish(&self, worker: &mut Worker<'_>) {
        let rounds = worker.shared.calls.load(Ordering::Relaxed) / CALLS;
        for server in 0..worker.shared.cluster.servers.len() {
            worker.ask(server);
            for n in 0..=rounds {
                for which in 0..self.width {
                    Self::holder(worker, &format!("{}{}/{n}-{which}", worker.shared.prefix, self.name));
                }
            }
        }
    }

    fn check(&self, calls: &[Call<Op>]) -> Checked {
        let delayed = |c: &Call<Op>| c.key.contains(DELAYED);
        let (delayed, plain): (Vec<_>, Vec<_>) = calls.iter().cloned().partition(delayed);
        let mut out = check_keys(&plain, &Lock, |_| true, &[]);
        // Refusals are explained by the lock-delay; all else is as with other locks.
        let given = |op: &Op| !matches!(op, Op::Acquire { done: false, .. });
        let resting = check_keys(&delayed, &Lock, given, &[]);
        out.broken.extend(resting.broken);
        out.undecided.extend(resting.undecided);
        for (key, calls) in by_key(&delayed) {
            let micros = u64::try_from(DELAY.as_micros()).unwrap_or(0);
            if let Some(found) = rules::lock_delay(&calls, micros) {
                out.broken.push(Broken { key, what: found.what, calls: found.calls, of: calls.len() });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_that_rest_have_one_holder_too() {
        let call = |op, start| {
            let (key, note, outcome) = (format!("{DELAYED}/0-0"), String::new(), Outcome::Ok);
            Call { client: 0, key, op, outcome, start, end: start + 1, server: 0, note }
        };
        let acquire = |session, done, start| call(Op::Acquire { session, done }, start);
        let destroy = |session, start| call(Op::Destroy { session }, start);
        let broken = |calls: &[Call<Op>]| SESSION.check(calls).broken.len();
        // Nobody holds it, it rests: to refuse is right.
        assert_eq!(broken(&[acquire(1, true, 0), destroy(1, 2), acquire(2, false, 4)]), 0);
        assert_eq!(broken(&[acquire(1, true, 0), acquire(2, true, 2)]), 1, "two holders");
        assert_eq!(broken(&[destroy(1, 0), acquire(1, true, 2)]), 1, "an ended session");
    }
}
