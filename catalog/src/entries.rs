//! Configuration entries of one partition and namespace.
//!
//! An entry that is written or removed must leave every other one usable: `graph` looks at what the change reaches, on the
//! table as it would be. This happens while applying, so that two writes that are fine alone cannot break each other.

mod chain;
mod gateways;
mod graph;

pub(crate) use gateways::{exposing_gateways, gateway_services};

use crate::{changes::ChangeSet, topic::Topic};
use imbl::OrdMap;
use std::{ops::Bound, sync::Arc};
use types::{
    Str, Tenancy,
    command::CommandResponse,
    entry::{ConfigEntry, EntryKey, EntryKind},
    record::RaftIndex,
};

/// Indexes of one kind.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct KindIndex {
    /// Last change of an entry.
    pub changed: u64,
    /// Last time an entry disappeared.
    pub extinct: u64,
}

/// Entries by kind and name.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct EntryTable {
    rows: OrdMap<EntryKey, Arc<ConfigEntry>>,
    kinds: OrdMap<EntryKind, KindIndex>,
    /// Last change of anything.
    index: u64,
}

impl EntryTable {
    /// One entry.
    pub fn get(&self, key: &EntryKey) -> Option<&Arc<ConfigEntry>> {
        self.rows.get(key)
    }
    /// Entries of a kind in the order of their names, or all in the order of their kinds.
    pub fn list(&self, kind: Option<EntryKind>) -> impl Iterator<Item = &Arc<ConfigEntry>> {
        let from = kind.map(|kind| EntryKey { kind, name: Str::default() });
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        self.rows
            .range((from, Bound::Unbounded))
            .take_while(move |(key, _)| kind.is_none_or(|k| k == key.kind))
            .map(|(_, entry)| entry)
    }
    /// Last change of any entry of the kind.
    pub fn kind_index(&self, kind: EntryKind) -> u64 {
        self.kinds.get(&kind).map_or(0, |k| k.changed)
    }
    /// Last change of anything.
    pub fn index(&self) -> u64 {
        self.index
    }
    /// Index of one entry; that of the last one of its kind that disappeared when there is none.
    pub fn entry_index(&self, key: &EntryKey) -> u64 {
        match self.rows.get(key) {
            Some(entry) => entry.index.modify,
            None => self.kinds.get(&key.kind).map_or(0, |k| k.extinct),
        }
    }

    /// Stores an entry, see [`types::command::Command::ConfigEntrySet`].
    pub fn set(
        &mut self,
        index: u64,
        entry: &ConfigEntry,
        cas: Option<u64>,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        let key = entry.key();
        let old = self.rows.get(&key);
        if old.is_some_and(|o| o.says_the_same(entry)) {
            return CommandResponse::Bool(true);
        }
        if cas.is_some_and(|cas| cas != old.map_or(0, |o| o.index.modify)) {
            return CommandResponse::Bool(false);
        }
        let mut entry = entry.clone();
        entry.index = RaftIndex { create: old.map_or(index, |o| o.index.create), modify: index };
        let tenancy = entry.tenancy.clone();
        let mut after = self.clone();
        after.rows.insert(key.clone(), Arc::new(entry));
        self.replace_with(after, index, &tenancy, key, changes)
    }

    /// Removes an entry, see [`types::command::Command::ConfigEntryDelete`].
    pub fn delete(
        &mut self,
        index: u64,
        tenancy: &Tenancy,
        key: EntryKey,
        cas: Option<u64>,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        let Some(old) = self.rows.get(&key) else { return CommandResponse::Bool(true) };
        if cas.is_some_and(|cas| cas != old.index.modify) {
            return CommandResponse::Bool(false);
        }
        let mut after = self.clone();
        after.rows.remove(&key);
        self.replace_with(after, index, tenancy, key, changes)
    }

    /// Takes over a table in which the entry of `key` is another one, if everything still fits together.
    fn replace_with(
        &mut self,
        mut after: Self,
        index: u64,
        tenancy: &Tenancy,
        key: EntryKey,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        if let Err(text) = graph::check(self, &after, &key) {
            return CommandResponse::Refused(Str::from(text));
        }
        after.moved(index, tenancy, key, changes);
        *self = after;
        CommandResponse::Bool(true)
    }

    /// Stores an entry that another datacenter checked.
    pub fn put(&mut self, index: u64, entry: &ConfigEntry, changes: &mut ChangeSet) {
        let key = entry.key();
        let old = self.rows.get(&key);
        if old.is_some_and(|o| o.says_the_same(entry)) {
            return;
        }
        let mut entry = entry.clone();
        entry.index = RaftIndex { create: old.map_or(index, |o| o.index.create), modify: index };
        let tenancy = entry.tenancy.clone();
        self.rows.insert(key.clone(), Arc::new(entry));
        self.moved(index, &tenancy, key, changes);
    }

    /// Removes an entry that another datacenter removed.
    pub fn remove(&mut self, index: u64, tenancy: &Tenancy, key: &EntryKey, changes: &mut ChangeSet) {
        if self.rows.remove(key).is_some() {
            self.moved(index, tenancy, key.clone(), changes);
        }
    }

    /// Notes that the entry of `key` was stored or removed.
    fn moved(&mut self, index: u64, tenancy: &Tenancy, key: EntryKey, changes: &mut ChangeSet) {
        let kind = self.kinds.entry(key.kind).or_default();
        kind.changed = index;
        if !self.rows.contains_key(&key) {
            kind.extinct = index;
        }
        self.index = index;
        changes.touch(Topic::ConfigKind(tenancy.clone(), key.kind));
        changes.touch(Topic::ConfigEntry(tenancy.clone(), key));
        changes.touch(Topic::ConfigEntries(tenancy.clone()));
        changes.touch(Topic::AllConfigEntries);
    }

    /// Puts a row where it is found; nothing else moves.
    pub fn restore(&mut self, entry: Arc<ConfigEntry>) {
        self.rows.insert(entry.key(), entry);
    }
    /// Sets what rows do not tell.
    pub fn set_indexes(&mut self, index: u64, kinds: impl IntoIterator<Item = (EntryKind, KindIndex)>) {
        self.index = index;
        self.kinds = kinds.into_iter().collect();
    }
    /// What rows do not tell.
    pub fn kinds(&self) -> &OrdMap<EntryKind, KindIndex> {
        &self.kinds
    }
    /// Entries in the order of their keys.
    pub fn rows(&self) -> &OrdMap<EntryKey, Arc<ConfigEntry>> {
        &self.rows
    }
}
