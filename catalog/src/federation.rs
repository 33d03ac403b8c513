//! The mesh gateways of every datacenter.

use crate::{changes::ChangeSet, topic::Topic};
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    Str,
    record::{FederationState, RaftIndex},
};

/// One row for each datacenter, by folded name.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct FederationTable {
    rows: OrdMap<Str, Arc<FederationState>>,
    /// Last change.
    pub index: u64,
    /// Last removal.
    pub extinct: u64,
}

impl FederationTable {
    pub fn get(&self, key: &Str) -> Option<&Arc<FederationState>> {
        self.rows.get(key)
    }

    pub fn rows(&self) -> impl Iterator<Item = &Arc<FederationState>> {
        self.rows.values()
    }

    pub fn set(&mut self, index: u64, state: &FederationState, changes: &mut ChangeSet) {
        let mut row = state.clone();
        let key = row.key();
        row.index =
            RaftIndex { create: self.rows.get(&key).map_or(index, |r| r.index.create), modify: index };
        if row.primary_modify_index == 0 {
            row.primary_modify_index = index;
        }
        self.rows.insert(key, Arc::new(row));
        self.index = index;
        changes.touch(Topic::FederationStates);
    }

    pub fn delete(&mut self, index: u64, key: &Str, changes: &mut ChangeSet) {
        if self.rows.remove(key).is_some() {
            (self.index, self.extinct) = (index, index);
            changes.touch(Topic::FederationStates);
        }
    }

    pub fn restore(&mut self, row: Arc<FederationState>) {
        self.rows.insert(row.key(), row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_creation_and_the_primarys_index() {
        let (mut table, mut changes) = (FederationTable::default(), ChangeSet::new());
        let mut state = FederationState { datacenter: "DC2".into(), ..FederationState::default() };
        table.set(5, &state, &mut changes);
        assert!(changes.touches(&Topic::FederationStates));
        let row = table.get(&"dc2".into()).unwrap();
        assert_eq!((row.index.create, row.index.modify, row.primary_modify_index), (5, 5, 5));
        state.primary_modify_index = 77;
        table.set(9, &state, &mut changes);
        let row = table.get(&"dc2".into()).unwrap();
        assert_eq!((row.index.create, row.index.modify, row.primary_modify_index), (5, 9, 77));
        changes.clear();
        table.delete(11, &"dc3".into(), &mut changes);
        assert!(changes.is_empty() && table.index == 9, "nothing was removed");
        table.delete(12, &"dc2".into(), &mut changes);
        assert!(changes.touches(&Topic::FederationStates) && table.extinct == 12);
    }
}
