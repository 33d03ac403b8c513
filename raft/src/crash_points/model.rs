//! What the disk must hold.

use crate::kinds::{Entry, LogId, SnapshotMeta, StoredMembership, Vote};
use catalog::{Store, snapshot::Writer};
use std::{collections::BTreeMap, fmt};

/// The whole state as bytes.
pub fn bytes_of(store: &Store) -> Vec<u8> {
    Writer::new(store.clone()).flatten().collect()
}

/// What was answered.
#[derive(Clone, Default, PartialEq)]
pub struct Held {
    pub vote: Option<Vote>,
    pub purged: Option<LogId>,
    pub log: BTreeMap<u64, Entry>,
    pub snapshot: Option<(SnapshotMeta, Vec<u8>)>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positions: Vec<_> =
            self.log.values().map(|e| (e.log_id.leader_id.term, e.log_id.index)).collect();
        let snapshot = self.snapshot.as_ref().map(|(meta, bytes)| (meta.last_log_id, bytes.len()));
        write!(
            f,
            "vote {:?}, purged {:?}, entries {positions:?}, snapshot {snapshot:?}",
            self.vote, self.purged
        )
    }
}

impl Held {
    pub fn last(&self) -> Option<LogId> {
        self.log.values().next_back().map(|e| e.log_id).or(self.purged)
    }
    pub fn snapshot_id(&self) -> Option<LogId> {
        self.snapshot.as_ref().and_then(|(meta, _)| meta.last_log_id)
    }
    /// What a start makes of it: entries that contradict the snapshot, or end before it, were not decided or are not needed.
    fn started(mut self) -> Self {
        let Some(decided) = self.snapshot_id() else { return self };
        if self.log.get(&decided.index).is_some_and(|e| e.log_id != decided) {
            self.log.retain(|index, _| *index < decided.index);
        }
        if self.last().is_none_or(|last| last.index < decided.index) {
            self.log.clear();
            self.purged = Some(decided);
        }
        self
    }
}

/// A server that does everything at once and never fails.
#[derive(Clone, Default)]
pub struct Model {
    pub held: Held,
    pub committed: Option<LogId>,
    /// State and members at that point.
    pub store: Store,
    pub members: StoredMembership,
    /// States at all points that were applied up to.
    pub states: BTreeMap<u64, Vec<u8>>,
}

impl Model {
    /// The state machine's state must be the one at `applied`.
    pub fn check_state(&self, applied: Option<&LogId>, store: &Store) -> Result<(), String> {
        let Some(applied) = applied else { return Ok(()) };
        // A point at which the script never stopped is compared when the rest was applied.
        match self.states.get(&applied.index) {
            Some(expected) if *expected != bytes_of(store) => Err(format!("another state at {applied:?}")),
            None if self.committed.as_ref() == Some(applied) => Err(format!("no state at {applied:?}")),
            _ => Ok(()),
        }
    }
}

/// The model that `found` is the disk of.
pub fn resolve(found: &Held, before: &Model, after: &Model) -> Result<Model, String> {
    for model in [after, before] {
        let expected = model.held.clone().started();
        if expected == *found {
            return Ok(Model { held: expected, ..model.clone() });
        }
    }
    Err(format!("found   {found:?}\n  before {:?}\n  after  {:?}", before.held, after.held))
}
