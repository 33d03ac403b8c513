//! What must hold, checked while a history runs and after it.

use catalog::{ChangeSet, Store, run_query};
use parking_lot::Mutex;
use raft::{Observer, RaftStatus, ServerId};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;
use types::{
    Str, Tenancy,
    query::{Query, QueryResult},
};

/// The key that every write sets besides its own.
pub const REGISTER: &str = "register";

#[derive(Clone, Debug)]
pub enum Done {
    /// A write, acknowledged with its index, or with unknown outcome.
    Write { name: String, index: Option<u64> },
    /// A read of the register: its modify index and value.
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
    digests: BTreeMap<u64, u64>,
    events: Vec<Event>,
}

pub fn get(store: &Store, key: &str) -> Option<(u64, u64, String)> {
    let query = Query::KvGet { tenancy: Tenancy::default(), key: Str::new(key) };
    match run_query(store, &query, &[]).0 {
        QueryResult::Kv(Some(e)) => {
            Some((e.index.create, e.index.modify, String::from_utf8_lossy(&e.value).into_owned()))
        }
        _ => None,
    }
}

fn digest(store: &Store) -> u64 {
    let query = Query::KvList { tenancy: Tenancy::default(), prefix: Str::default() };
    let QueryResult::KvList(all) = run_query(store, &query, &[]).0 else { return 0 };
    let mut sum = crc32fast::Hasher::new();
    for e in &all {
        sum.update(e.key.as_bytes());
        sum.update(&e.value);
        sum.update(&e.index.modify.to_le_bytes());
    }
    u64::from(sum.finalize()) << 20 | all.len() as u64
}

impl Journal {
    pub fn fail(&self, text: String) {
        let failures = &mut self.0.lock().failures;
        if failures.len() < 20 {
            failures.push(text);
        }
    }
    pub fn failures(&self) -> Vec<String> {
        self.0.lock().failures.clone()
    }
    pub fn event(&self, event: Event) {
        self.0.lock().events.push(event);
    }
    pub fn count(&self) -> usize {
        self.0.lock().events.len()
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
    /// Reads and writes take effect in one order, the log's, that agrees with real time; nothing acknowledged is missing.
    pub fn verify(&self, store: &Store) {
        let events = self.0.lock().events.clone();
        let mut acked: BTreeMap<u64, &str> = BTreeMap::new();
        for e in &events {
            if let Done::Write { name, index: Some(index) } = &e.done {
                acked.insert(*index, name);
                match get(store, name) {
                    Some((create, ..)) if create == *index => {}
                    other => {
                        self.fail(format!("write {name} was acknowledged at {index}, now it is {other:?}"));
                    }
                }
            }
        }
        for e in &events {
            let (at, what) = match &e.done {
                Done::Read { index, value } => {
                    if let Some(name) = acked.get(index)
                        && name != value
                    {
                        self.fail(format!("a read saw {value} at {index}, where {name} was written"));
                    }
                    (*index, format!("read of {value}"))
                }
                Done::Write { index: Some(index), name } => (*index, format!("write {name}")),
                Done::Write { index: None, .. } => continue,
            };
            for earlier in events.iter().filter(|o| o.end < e.start) {
                let (before, strict) = match &earlier.done {
                    Done::Read { index, .. } => (*index, matches!(e.done, Done::Write { .. })),
                    Done::Write { index: Some(index), .. } => (*index, matches!(e.done, Done::Write { .. })),
                    Done::Write { index: None, .. } => continue,
                };
                if before > at || (strict && before == at) {
                    self.fail(format!("{what} took effect at {at}, after {:?} had ended", earlier.done));
                }
            }
        }
    }
}

/// Listens to one incarnation of a server.
pub struct Ear {
    pub journal: Arc<Journal>,
    pub id: ServerId,
    pub last: Mutex<u64>,
}

impl Observer for Ear {
    fn published(&self, store: Arc<Store>, changes: &ChangeSet) {
        self.look(&store, !changes.is_empty());
    }
    fn replaced(&self, store: Arc<Store>) {
        self.look(&store, true);
    }
}

impl Ear {
    /// The index only grows, and no two servers have different states at one index.
    fn look(&self, store: &Store, changed: bool) {
        let index = store.index();
        let mut last = self.last.lock();
        if index < *last {
            self.journal.fail(format!("{} went back from index {last} to {index}", self.id));
        }
        *last = index;
        if changed {
            let now = digest(store);
            let known = *self.journal.0.lock().digests.entry(index).or_insert(now);
            if known != now {
                self.journal.fail(format!("{} has another state at index {index}", self.id));
            }
        }
    }
}
