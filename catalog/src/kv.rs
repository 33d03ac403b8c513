//! The key-value table of one partition and namespace.

use crate::{apply::ApplyCtx, changes::ChangeSet, topic::Topic};
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
    record::{KvEntry, RaftIndex, Session, SessionBehavior},
};

/// A longer lock-delay than this has no effect, nanoseconds.
const LOCK_DELAY_MAX_NS: u64 = 60_000_000_000;

/// What came of taking a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Locked {
    /// The session has it.
    Yes,
    /// Another session has it.
    Held,
    /// The session that had it ended a short time ago.
    Delayed,
}

/// What somebody writes to a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put<'a> {
    pub tenancy: &'a Tenancy,
    pub key: &'a Str,
    pub value: &'a Bytes,
    pub flags: u64,
}

impl Put<'_> {
    fn entry(self, session: Option<Str>, lock_index: u64) -> KvEntry {
        KvEntry {
            key: self.key.clone(),
            flags: self.flags,
            value: self.value.clone(),
            session,
            lock_index,
            tenancy: self.tenancy.clone(),
            index: RaftIndex::default(),
        }
    }
}

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
    /// Keys that sessions hold: (session, key).
    held: OrdSet<(Str, Str)>,
    /// Until when a key cannot be locked, Unix milliseconds.
    delays: OrdMap<Str, u64>,
    /// When the time of a key is over, Unix milliseconds.
    expiries: OrdMap<Str, u64>,
    /// The same by time.
    by_expiry: OrdSet<(u64, Str)>,
    /// Last change of `expiries`.
    expiries_index: u64,
}

impl PartialEq for KvTable {
    fn eq(&self, other: &Self) -> bool {
        // The other maps are derived from these.
        (self.index, self.reaped, self.expiries_index) == (other.index, other.reaped, other.expiries_index)
            && self.entries == other.entries
            && self.tombstones == other.tombstones
            && self.delays == other.delays
            && self.expiries == other.expiries
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

    /// Applies a change. That the session of a lock exists is for the caller to know.
    pub fn apply(
        &mut self,
        ctx: &ApplyCtx,
        tenancy: &Tenancy,
        op: &KvOp,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        match op {
            KvOp::Set { key, value, flags } => {
                self.set(ctx, Put { tenancy, key, value, flags: *flags }, changes);
                CommandResponse::Ok
            }
            KvOp::Cas { key, value, flags, index: expected } => {
                let matches = self.get(key).map_or(0, |e| e.index.modify) == *expected;
                if matches {
                    self.set(ctx, Put { tenancy, key, value, flags: *flags }, changes);
                }
                CommandResponse::Bool(matches)
            }
            KvOp::Lock { key, value, flags, session } => {
                let put = Put { tenancy, key, value, flags: *flags };
                let locked = self.lock(ctx, put, session, changes);
                CommandResponse::Bool(locked == Locked::Yes)
            }
            KvOp::Unlock { key, value, flags, session } => {
                let put = Put { tenancy, key, value, flags: *flags };
                CommandResponse::Bool(self.unlock(ctx, put, session, changes))
            }
            KvOp::WithTtl { ttl_ms, write } => {
                let answer = self.apply(ctx, tenancy, write, changes);
                if matches!(answer, CommandResponse::Ok | CommandResponse::Bool(true))
                    && let Some(key) = write.written_key()
                {
                    self.set_expiry(ctx.index, key, ctx.proposed_at_ms.saturating_add(*ttl_ms), changes);
                }
                answer
            }
            KvOp::Delete { key } => {
                self.delete(ctx.index, tenancy, key, changes);
                CommandResponse::Ok
            }
            KvOp::DeleteCas { key, index: expected } => {
                // Removing what is not there succeeds, whatever index was expected.
                let matches = self.get(key).is_none_or(|e| e.index.modify == *expected);
                if matches {
                    self.delete(ctx.index, tenancy, key, changes);
                }
                CommandResponse::Bool(matches)
            }
            KvOp::DeleteTree { prefix } => {
                let keys: Vec<Str> = self.list(prefix).map(|e| e.key.clone()).collect();
                for key in keys {
                    self.delete(ctx.index, tenancy, &key, changes);
                }
                CommandResponse::Ok
            }
        }
    }

    /// Writes a key; one that is locked stays so.
    pub fn set(&mut self, ctx: &ApplyCtx, put: Put<'_>, changes: &mut ChangeSet) {
        // A plain write keeps the lock but forgets how often it was taken.
        let session = self.get(put.key).and_then(|o| o.session.clone());
        self.put(ctx.index, put.entry(session, 0), changes);
    }

    /// Writes a key and takes its lock.
    pub fn lock(&mut self, ctx: &ApplyCtx, put: Put<'_>, session: &Str, changes: &mut ChangeSet) -> Locked {
        if self.delays.get(put.key).is_some_and(|until| ctx.proposed_at_ms < *until) {
            return Locked::Delayed;
        }
        let old = self.get(put.key);
        let lock_index = match old.and_then(|o| o.session.as_ref()) {
            Some(holder) if holder != session && !faults::on(Fault::DoubleLockGrant) => return Locked::Held,
            Some(_) => old.map_or(0, |o| o.lock_index),
            None => old.map_or(0, |o| o.lock_index) + 1,
        };
        self.put(ctx.index, put.entry(Some(session.clone()), lock_index), changes);
        Locked::Yes
    }

    /// Writes a key and gives its lock back; whether this session held it.
    pub fn unlock(&mut self, ctx: &ApplyCtx, put: Put<'_>, session: &Str, changes: &mut ChangeSet) -> bool {
        let Some(old) = self.get(put.key).filter(|o| o.session.as_ref() == Some(session)) else {
            return false;
        };
        let lock_index = old.lock_index;
        self.put(ctx.index, put.entry(None, lock_index), changes);
        true
    }

    /// Takes the locks of a session that ended away, or deletes its keys; for a while nobody can lock them.
    pub fn session_ended(
        &mut self,
        ctx: &ApplyCtx,
        tenancy: &Tenancy,
        session: &Session,
        changes: &mut ChangeSet,
    ) {
        let from = (session.id.clone(), Str::default());
        let keys: Vec<Str> = self
            .held
            .range(from..)
            .take_while(|(holder, _)| *holder == session.id)
            .map(|(_, key)| key.clone())
            .collect();
        if keys.is_empty() || faults::on(Fault::DroppedSessionInvalidation) {
            return;
        }
        let delay_ms = session.lock_delay_ns.min(LOCK_DELAY_MAX_NS) / 1_000_000;
        let now = ctx.proposed_at_ms;
        let over: Vec<Str> = self.delays.iter().filter(|(_, t)| **t <= now).map(|(k, _)| k.clone()).collect();
        for key in over {
            self.delays.remove(&key);
        }
        for key in keys {
            match session.behavior {
                SessionBehavior::Delete => self.delete(ctx.index, tenancy, &key, changes),
                SessionBehavior::Release => {
                    if let Some(old) = self.get(&key) {
                        let entry = KvEntry { session: None, ..KvEntry::clone(old) };
                        self.write(ctx.index, entry, changes);
                    }
                }
            }
            if delay_ms > 0 {
                self.delays.insert(key, now.saturating_add(delay_ms));
            }
        }
    }

    /// Somebody's write: it ends the time to live that an earlier one gave the key.
    fn put(&mut self, index: u64, entry: KvEntry, changes: &mut ChangeSet) {
        self.end_expiry(index, &entry.key, changes);
        self.write(index, entry, changes);
    }

    /// Stores an entry, unless it is there already but for its indexes.
    fn write(&mut self, index: u64, mut entry: KvEntry, changes: &mut ChangeSet) {
        let old = self.get(&entry.key);
        if old.is_some_and(|o| {
            o.lock_index == entry.lock_index
                && o.flags == entry.flags
                && o.session == entry.session
                && o.value == entry.value
        }) {
            return;
        }
        // One write in four, so that most of what looks at indexes goes on.
        let modify = match old {
            Some(old) if faults::on(Fault::SkippedIndex) && index.is_multiple_of(4) => old.index.modify,
            _ => index,
        };
        entry.index = RaftIndex { create: old.map_or(index, |o| o.index.create), modify };
        match old {
            None => {
                if let Some(at) = self.tombstones.remove(entry.key.as_str()) {
                    self.by_age.remove(&(at, entry.key.clone()));
                }
            }
            Some(old) if old.session != entry.session => {
                if let Some(holder) = old.session.clone() {
                    self.held.remove(&(holder, entry.key.clone()));
                }
            }
            Some(_) => {}
        }
        let tenancy = entry.tenancy.clone();
        let key = entry.key.clone();
        self.insert(Arc::new(entry));
        self.index = index;
        changes.touch_key(&tenancy, &key);
    }

    /// Removes a key.
    pub fn delete(&mut self, index: u64, tenancy: &Tenancy, key: &Str, changes: &mut ChangeSet) {
        let Some((found, ())) = self.by_key.remove_with_key(key.as_str()) else { return };
        self.end_expiry(index, key, changes);
        if let Some(holder) = &found.0.session {
            self.held.remove(&(holder.clone(), key.clone()));
        }
        self.entries.remove(key.as_str());
        self.bury(key.clone(), index);
        self.index = index;
        changes.touch_key(tenancy, key);
    }

    /// Removes a key whose time ended at `at`, if that is still when it ends.
    pub fn expire(&mut self, index: u64, tenancy: &Tenancy, key: &Str, at: u64, changes: &mut ChangeSet) {
        if self.expiries.get(key) == Some(&at) {
            self.delete(index, tenancy, key, changes);
        }
    }

    fn set_expiry(&mut self, index: u64, key: &Str, at: u64, changes: &mut ChangeSet) {
        self.restore_expiry(key.clone(), at);
        self.expiries_index = index;
        changes.touch(Topic::Deadlines);
    }

    fn end_expiry(&mut self, index: u64, key: &Str, changes: &mut ChangeSet) {
        if let Some(at) = self.expiries.remove(key) {
            self.by_expiry.remove(&(at, key.clone()));
            self.expiries_index = index;
            changes.touch(Topic::Deadlines);
        }
    }

    /// Keys and the end of their time, the soonest first.
    pub fn soonest(&self) -> impl Iterator<Item = &(u64, Str)> {
        self.by_expiry.iter()
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
        if let Some(holder) = &entry.session {
            self.held.insert((holder.clone(), entry.key.clone()));
        }
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
    /// Puts the end of a key's time in.
    pub fn restore_expiry(&mut self, key: Str, at: u64) {
        self.by_expiry.insert((at, key.clone()));
        if let Some(old) = self.expiries.insert(key.clone(), at).filter(|old| *old != at) {
            self.by_expiry.remove(&(old, key));
        }
    }
    /// Puts a lock-delay in.
    pub fn restore_delay(&mut self, key: Str, until: u64) {
        self.delays.insert(key, until);
    }
    /// Last change of the times to live.
    pub fn expiries_index(&self) -> u64 {
        self.expiries_index
    }
    /// Sets what [`KvTable::expiries_index`] tells.
    pub fn set_expiries_index(&mut self, index: u64) {
        self.expiries_index = index;
    }
    /// Ends of times to live by key.
    pub fn expiries(&self) -> &OrdMap<Str, u64> {
        &self.expiries
    }
    /// Lock-delays by key.
    pub fn delays(&self) -> &OrdMap<Str, u64> {
        &self.delays
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
