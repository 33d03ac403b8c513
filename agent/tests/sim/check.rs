//! What must hold, noted while a history runs and checked after it.

use catalog::{Store, run_query};
use parking_lot::Mutex;
use raft::{RaftStatus, ServerId};
use std::{collections::BTreeMap, hash::Hasher};
use tokio::time::Instant;
use types::{
    PeerName, Str, Tenancy,
    query::{Query, QueryResult},
};

/// The key that every write sets besides its own.
pub const REGISTER: &str = "register";

#[derive(Clone, Debug)]
pub enum Done {
    /// A write, acknowledged with its index, or with unknown outcome.
    Write { name: String, index: Option<u64> },
    /// A write that was answered with "not applied".
    Refused { name: String },
    /// The lock was given to a session.
    Locked { session: Str, index: u64 },
    /// A session begins to give the lock back: from here on another may have it.
    Released { session: Str },
    /// A linearizable read of the register: its modify index and value.
    Read { index: u64, value: String },
}

#[derive(Clone, Debug)]
pub struct Event {
    pub start: Instant,
    pub end: Instant,
    pub done: Done,
}

#[derive(Default)]
pub struct Journal(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    failures: Vec<String>,
    leaders: BTreeMap<u64, ServerId>,
    digests: BTreeMap<u64, (ServerId, u64)>,
    events: Vec<Event>,
    trace: Vec<String>,
}

/// Create index, modify index and value of a key.
pub fn get(store: &Store, key: &str) -> Option<(u64, u64, String)> {
    let query = Query::KvGet { tenancy: Tenancy::default(), key: Str::new(key) };
    match run_query(store, &query, &[]).0 {
        QueryResult::Kv(Some(e)) => {
            Some((e.index.create, e.index.modify, String::from_utf8_lossy(&e.value).into_owned()))
        }
        _ => None,
    }
}

/// A number for the whole state: the bytes of its rows, in order.
fn digest(store: &Store) -> u64 {
    let tenancy = Tenancy::default();
    let mut sum = std::hash::DefaultHasher::new();
    let queries = [
        Query::KvList { tenancy: tenancy.clone(), prefix: Str::default() },
        Query::Nodes { tenancy: tenancy.clone(), peer: PeerName::default() },
        Query::Services { tenancy: tenancy.clone(), peer: PeerName::default() },
        Query::ChecksInState { tenancy, peer: PeerName::default(), state: Str::new("any") },
        Query::CaRoots,
        Query::Autopilot,
    ];
    for query in &queries {
        let (result, index) = run_query(store, query, &[]);
        sum.write(format!("{result:?} {index}").as_bytes());
    }
    sum.finish()
}

impl Journal {
    pub fn fail(&self, text: String) {
        self.note(&format!("FAILED {text}"));
        let failures = &mut self.0.lock().failures;
        if failures.len() < 20 {
            failures.push(text);
        }
    }

    pub fn failures(&self) -> Vec<String> {
        self.0.lock().failures.clone()
    }

    /// One line of the history.
    pub fn note(&self, text: &str) {
        self.0.lock().trace.push(text.to_owned());
    }

    /// What happened to the machines, a line each.
    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    /// What the applications did, and what came of it.
    pub fn operations(&self, since: Instant) -> Vec<String> {
        let at = |instant: Instant| (instant - since).as_micros();
        let line = |e: &Event| format!("{}..{} us {:?}", at(e.start), at(e.end), e.done);
        self.0.lock().events.iter().map(line).collect()
    }

    /// One operation of an application.
    pub fn event(&self, event: Event) {
        self.0.lock().events.push(event);
    }

    /// Acknowledged writes and finished reads.
    pub fn counts(&self) -> (usize, usize) {
        let inner = self.0.lock();
        let acked = |e: &&Event| matches!(e.done, Done::Write { index: Some(_), .. });
        let read = |e: &&Event| matches!(e.done, Done::Read { .. });
        (inner.events.iter().filter(acked).count(), inner.events.iter().filter(read).count())
    }

    /// One leader a term.
    pub fn status(&self, id: ServerId, s: &RaftStatus) {
        if s.is_leader() {
            let other = *self.0.lock().leaders.entry(s.term).or_insert(id);
            if other != id {
                self.fail(format!("{other} and {id} both lead in term {}", s.term));
            }
        }
    }

    /// The index of one start of a server only grows, and no two servers have different states at one index.
    pub fn look(&self, id: ServerId, last: &mut u64, store: &Store) {
        let index = store.index();
        if index < *last {
            self.fail(format!("{id} went back from index {last} to {index}"));
        }
        *last = index;
        let now = digest(store);
        let (other, known) = *self.0.lock().digests.entry(index).or_insert((id, now));
        if known != now {
            self.fail(format!("{id} and {other} have different states at index {index}"));
        }
    }

    /// Reads and writes took effect in one order, the log's, that agrees with real time; nothing acknowledged is missing.
    pub fn verify(&self, store: &Store) {
        let events = self.0.lock().events.clone();
        let mut acked: BTreeMap<u64, &str> = BTreeMap::new();
        for e in &events {
            match &e.done {
                Done::Write { name, index: Some(index) } => {
                    acked.insert(*index, name);
                    match get(store, name) {
                        Some((create, ..)) if create == *index => {}
                        other => {
                            self.fail(format!(
                                "write {name} was acknowledged at {index}, now it is {other:?}"
                            ));
                        }
                    }
                }
                Done::Refused { name } if get(store, name).is_some() => {
                    self.fail(format!("write {name} was called not applied, and is there"));
                }
                _ => {}
            }
        }
        // Nobody has the lock before the one who had it began to give it back.
        let mut held: Vec<(u64, &Str, Instant)> = Vec::new();
        for e in &events {
            if let Done::Locked { session, index } = &e.done {
                held.push((*index, session, e.end));
            }
        }
        held.sort_by_key(|(index, ..)| *index);
        for pair in held.windows(2) {
            let [(first, holder, _), (second, next, at)] = pair else { continue };
            let released = events.iter().any(|e| {
                matches!(&e.done, Done::Released { session } if session == *holder) && e.start <= *at
            });
            if !released || first == second {
                self.fail(format!("{next} got the lock at {second} while {holder} had it since {first}"));
            }
        }
        for e in &events {
            let (at, what, is_write) = match &e.done {
                Done::Read { index, value } => {
                    if let Some(name) = acked.get(index)
                        && name != value
                    {
                        self.fail(format!("a read saw {value} at {index}, where {name} was written"));
                    }
                    (*index, format!("read of {value}"), false)
                }
                Done::Write { index: Some(index), name } => (*index, format!("write {name}"), true),
                _ => continue,
            };
            for earlier in events.iter().filter(|o| o.end < e.start) {
                let before = match &earlier.done {
                    Done::Read { index, .. } | Done::Write { index: Some(index), .. } => *index,
                    _ => continue,
                };
                if before > at || (is_write && before == at) {
                    self.fail(format!("{what} took effect at {at}, after {:?} had ended", earlier.done));
                }
            }
        }
    }
}
