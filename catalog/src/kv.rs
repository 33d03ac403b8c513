//! The key-value table of one partition and namespace.

use crate::changes::ChangeSet;
use bytes::Bytes;
use faults::Fault;
use imbl::{GenericHashMap, OrdMap, OrdSet, shared_ptr::DefaultSharedPtr};
use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash, Hasher},
    ops::Bound,
    sync::Arc,
};
use types::{
    Str, Tenancy,
    command::{CommandResponse, KvOp},
    record::{KvEntry, RaftIndex},
};

/// Entries and the marks that deleted ones leave.
///
/// Reads of one key, the hottest path of all, go to a hash map; whatever is listed comes from the ordered one.
#[derive(Clone, Default, Debug)]
pub(crate) struct KvTable {
    by_key: GenericHashMap<ByKey, (), FixedHash, DefaultSharedPtr>,
    entries: OrdMap<Str, Arc<KvEntry>>,
    /// Key to index of its deletion.
    tombstones: OrdMap<Str, u64>,
    /// The same by age.
    by_age: OrdSet<(u64, Str)>,
    /// Last change.
    index: u64,
    /// Highest tombstone that was forgotten: no prefix answers with less, so that no index decreases by forgetting.
    reaped: u64,
}

impl PartialEq for KvTable {
    fn eq(&self, other: &Self) -> bool {
        // The other two maps are derived from these.
        (self.index, self.reaped) == (other.index, other.reaped)
            && self.entries == other.entries
            && self.tombstones == other.tombstones
    }
}

/// An entry as key of the hash map: the text is not stored twice.
#[derive(Clone, Debug)]
struct ByKey(Arc<KvEntry>);

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}
impl Eq for ByKey {}
impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.as_str().hash(state);
    }
}
impl Borrow<str> for ByKey {
    fn borrow(&self) -> &str {
        self.0.key.as_str()
    }
}

/// A hasher with fixed keys: this crate has no randomness, and the map is never listed.
#[derive(Clone, Copy, Default, Debug)]
struct FixedHash;

impl BuildHasher for FixedHash {
    type Hasher = ahash::AHasher;
    fn build_hasher(&self) -> Self::Hasher {
        ahash::RandomState::with_seeds(0x5072_6165, 0x746f_7220, 0x6361_7461, 0x6c6f_6731).build_hasher()
    }
}

impl KvTable {
    /// One entry.
    pub fn get(&self, key: &str) -> Option<&Arc<KvEntry>> {
        self.by_key.get_key_value(key).map(|(entry, ())| &entry.0)
    }
    /// Last change of anything in the table.
    pub fn index(&self) -> u64 {
        self.index
    }
    /// Index of one key: its entry's, else that of the table.
    pub fn key_index(&self, key: &str) -> u64 {
        self.get(key).map_or(self.index, |e| e.index.modify)
    }
    /// Entries under a prefix, in order.
    pub fn list<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<KvEntry>> {
        self.range(prefix).take_while(move |(k, _)| k.starts_with(prefix)).map(|(_, e)| e)
    }
    /// Index of a prefix.
    pub fn prefix_index(&self, prefix: &str) -> u64 {
        if prefix.is_empty() {
            return self.index;
        }
        let newest = self.list(prefix).map(|e| e.index.modify).max();
        self.prefix_index_from(prefix, newest)
    }
    /// As [`KvTable::prefix_index`], when the newest entry under the prefix is known.
    pub fn prefix_index_from(&self, prefix: &str, newest: Option<u64>) -> u64 {
        if prefix.is_empty() {
            return self.index;
        }
        let range = (Bound::Included(prefix), Bound::Unbounded);
        let deleted = self
            .tombstones
            .range::<_, str>(range)
            .take_while(|(k, _)| k.starts_with(prefix))
            .map(|(_, i)| *i)
            .max();
        newest.max(deleted).map_or(self.index, |i| i.max(self.reaped))
    }
    /// Keys under a prefix, cut after the first separator beyond it, each once.
    pub fn keys(&self, prefix: &str, separator: &str) -> (Vec<Str>, u64) {
        let (mut out, mut newest) = (Vec::<Str>::new(), None);
        for entry in self.list(prefix) {
            newest = newest.max(Some(entry.index.modify));
            let rest = &entry.key[prefix.len()..];
            let cut = match rest.find(separator) {
                Some(at) if !separator.is_empty() => &entry.key[..prefix.len() + at + separator.len()],
                _ => entry.key.as_str(),
            };
            if out.last().is_none_or(|last| last != cut) {
                out.push(if cut.len() == entry.key.len() { entry.key.clone() } else { Str::new(cut) });
            }
        }
        (out, self.prefix_index_from(prefix, newest))
    }

    fn range<'a>(&'a self, from: &str) -> impl Iterator<Item = (&'a Str, &'a Arc<KvEntry>)> {
        self.entries.range::<_, str>((Bound::Included(from), Bound::Unbounded))
    }

    /// Applies a change.
    pub fn apply(
        &mut self,
        index: u64,
        tenancy: &Tenancy,
        op: &KvOp,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        match op {
            KvOp::Set { key, value, flags } => {
                self.set(index, tenancy, key, value, *flags, changes);
                CommandResponse::Ok
            }
            KvOp::Cas { key, value, flags, index: expected } => {
                let matches = self.get(key).map_or(0, |e| e.index.modify) == *expected;
                if matches {
                    self.set(index, tenancy, key, value, *flags, changes);
                }
                CommandResponse::Bool(matches)
            }
            KvOp::Delete { key } => {
                self.delete(index, tenancy, key, changes);
                CommandResponse::Ok
            }
            KvOp::DeleteCas { key, index: expected } => {
                // Removing what is not there succeeds, whatever index was expected.
                let matches = self.get(key).is_none_or(|e| e.index.modify == *expected);
                if matches {
                    self.delete(index, tenancy, key, changes);
                }
                CommandResponse::Bool(matches)
            }
            KvOp::DeleteTree { prefix } => {
                let keys: Vec<Str> = self.list(prefix).map(|e| e.key.clone()).collect();
                for key in keys {
                    self.delete(index, tenancy, &key, changes);
                }
                CommandResponse::Ok
            }
        }
    }

    fn set(
        &mut self,
        index: u64,
        tenancy: &Tenancy,
        key: &Str,
        value: &Bytes,
        flags: u64,
        changes: &mut ChangeSet,
    ) {
        let old = self.get(key);
        if old.is_some_and(|o| o.flags == flags && o.value == *value) {
            return;
        }
        // One write in four, so that most of what looks at indexes goes on.
        let modify = match old {
            Some(old) if faults::on(Fault::SkippedIndex) && index % 4 == 0 => old.index.modify,
            _ => index,
        };
        let entry = KvEntry {
            key: key.clone(),
            flags,
            value: value.clone(),
            // A plain write keeps the lock but forgets how often it was taken.
            session: old.and_then(|o| o.session.clone()),
            lock_index: 0,
            tenancy: tenancy.clone(),
            index: RaftIndex { create: old.map_or(index, |o| o.index.create), modify },
        };
        if old.is_none()
            && let Some(at) = self.tombstones.remove(key.as_str())
        {
            self.by_age.remove(&(at, key.clone()));
        }
        self.insert(Arc::new(entry));
        self.index = index;
        changes.touch_key(tenancy, key);
    }

    fn delete(&mut self, index: u64, tenancy: &Tenancy, key: &Str, changes: &mut ChangeSet) {
        if self.by_key.remove(key.as_str()).is_none() {
            return;
        }
        self.entries.remove(key.as_str());
        self.bury(key.clone(), index);
        self.index = index;
        changes.touch_key(tenancy, key);
    }

    /// Forgets deletions up to an index.
    pub fn reap(&mut self, up_to: u64) {
        while let Some((at, key)) = self.by_age.get_min().filter(|(at, _)| *at <= up_to).cloned() {
            self.tombstones.remove(key.as_str());
            self.by_age.remove(&(at, key));
            self.reaped = self.reaped.max(at);
        }
    }

    /// Puts a row where it is found; nothing else moves.
    pub fn insert(&mut self, entry: Arc<KvEntry>) {
        // Inserting under an equal key replaces the key too: the entry that is found is the new one.
        self.by_key.insert(ByKey(entry.clone()), ());
        self.entries.insert(entry.key.clone(), entry);
    }
    /// Puts a tombstone in.
    pub fn bury(&mut self, key: Str, index: u64) {
        if faults::on(Fault::LostTombstone) {
            return;
        }
        self.by_age.insert((index, key.clone()));
        self.tombstones.insert(key, index);
    }
    /// Sets what rows do not tell.
    pub fn set_indexes(&mut self, index: u64, reaped: u64) {
        (self.index, self.reaped) = (index, reaped);
    }
    /// What rows do not tell: last change, and highest forgotten tombstone.
    pub fn indexes(&self) -> (u64, u64) {
        (self.index, self.reaped)
    }
    /// Entries in order of their keys.
    pub fn entries(&self) -> &OrdMap<Str, Arc<KvEntry>> {
        &self.entries
    }
    /// Tombstones in order of their keys.
    pub fn tombstones(&self) -> &OrdMap<Str, u64> {
        &self.tombstones
    }
}
