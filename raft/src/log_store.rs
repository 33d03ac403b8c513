//! The log as openraft wants it: recent entries in memory, all of them in the write-ahead log.

use crate::{
    ServerId,
    kinds::{C, Data, Entry, LogId, Payload, Vote, term},
    wal::{NewEntry, Place, Position, Recovered, RecoveredEntry, VoteRecord, Wal},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use parking_lot::RwLock;
use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

/// Bytes of entries that one read for replication answers at most, unless the first alone is larger.
const READ_BYTES: usize = 1 << 20;
/// Entries read at a time for applying.
const STREAM_ENTRIES: u64 = 256;

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
pub(crate) const MEMBERSHIP: u8 = 2;

struct Slot {
    term: u64,
    kind: u8,
    len: u32,
    stamp: u64,
    /// In memory. Certainly there until `place` is known.
    entry: Option<Entry>,
    place: Option<Place>,
}

/// What is known of the log without asking the disk.
#[derive(Default)]
pub struct Index {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// Index of the first slot.
    first: u64,
    slots: VecDeque<Slot>,
    stamp: u64,
    cached_bytes: usize,
    cache_bytes: usize,
    /// Slots before this index have no entry in memory.
    evicted: u64,
}

/// The log store; clones share it.
#[derive(Clone)]
pub struct LogStore {
    index: Arc<RwLock<Index>>,
    wal: Arc<Wal>,
}

pub(crate) fn log_id(p: Position) -> LogId {
    LogId::new_term_index(p.term, p.index)
}

pub(crate) fn position(id: &LogId) -> Position {
    Position { term: term(id), index: id.index }
}

fn encode(payload: &Payload) -> io::Result<(u8, Bytes)> {
    Ok(match payload {
        EntryPayload::Blank => (BLANK, Bytes::new()),
        EntryPayload::Normal(data) => (NORMAL, data.0.clone()),
        EntryPayload::Membership(m) => {
            (MEMBERSHIP, types::codec::encode(m).map_err(io::Error::other)?.into())
        }
    })
}

pub(crate) fn decode(pos: Position, kind: u8, data: Bytes) -> io::Result<Entry> {
    let payload = match kind {
        BLANK => EntryPayload::Blank,
        NORMAL => EntryPayload::Normal(Data(data)),
        MEMBERSHIP => EntryPayload::Membership(types::codec::decode(&data).map_err(|e| {
            io::Error::new(io::ErrorKind::InvalidData, format!("membership in log entry {}: {e}", pos.index))
        })?),
        other => {
            let what = format!("log entry {} is of unknown kind {other}", pos.index);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    };
    Ok(Entry { log_id: log_id(pos), payload })
}

impl Index {
    /// The index of a recovered log.
    ///
    /// # Errors
    /// A kept entry cannot be decoded.
    pub fn recovered(found: &mut Recovered, cache_bytes: usize) -> io::Result<Self> {
        let mut index = Self {
            vote: found.vote.map(|v| {
                let id = ServerId(v.node);
                if v.committed { Vote::new_committed(v.term, id) } else { Vote::new(v.term, id) }
            }),
            purged: found.purged.map(log_id),
            committed: found.committed.map(log_id),
            first: found.entries.front().map_or(0, |e| e.pos.index),
            cache_bytes,
            ..Self::default()
        };
        index.evicted = index.first;
        for RecoveredEntry { pos, kind, data, place } in std::mem::take(&mut found.entries) {
            let entry = data.map(|d| decode(pos, kind, d)).transpose()?;
            index.cached_bytes += if entry.is_some() { place.len as usize } else { 0 };
            let (len, place) = (place.len, Some(place));
            index.slots.push_back(Slot { term: pos.term, kind, len, stamp: 0, entry, place });
        }
        // Saved in order, it cannot be ahead of the log; should it be, nothing beyond the purge point is certain.
        if index.committed > index.last() {
            index.committed = index.purged;
        }
        Ok(index)
    }

    /// Whether this server never took part in a cluster.
    pub fn is_pristine(&self) -> bool {
        self.vote.is_none() && self.slots.is_empty() && self.purged.is_none()
    }

    /// Last log id, purged or not.
    pub fn last(&self) -> Option<LogId> {
        match self.slots.back() {
            Some(s) => {
                Some(log_id(Position { term: s.term, index: self.first + self.slots.len() as u64 - 1 }))
            }
            None => self.purged,
        }
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(index.checked_sub(self.first)? as usize)
    }

    fn push(&mut self, entry: Entry, kind: u8, data: Bytes) -> NewEntry {
        if self.slots.is_empty() {
            self.first = entry.log_id.index;
            self.evicted = self.first;
        }
        self.stamp += 1;
        let pos = position(&entry.log_id);
        self.cached_bytes += data.len();
        self.slots.push_back(Slot {
            term: pos.term,
            kind,
            len: data.len() as u32,
            stamp: self.stamp,
            entry: Some(entry),
            place: None,
        });
        NewEntry { pos, kind, data, stamp: self.stamp }
    }

    /// Notes where entries are on disk and lets the oldest go from memory.
    pub fn placed(&mut self, places: &[(u64, u64, Place)]) {
        for (index, stamp, place) in places {
            let Some(at) = index.checked_sub(self.first) else { continue };
            // An entry that was removed or replaced meanwhile has no slot or another stamp.
            if let Some(slot) = self.slots.get_mut(at as usize).filter(|s| s.stamp == *stamp) {
                slot.place = Some(*place);
            }
        }
        while self.cached_bytes > self.cache_bytes {
            let at = self.evicted.saturating_sub(self.first) as usize;
            let Some(slot) = self.slots.get_mut(at).filter(|s| s.place.is_some()) else { break };
            if slot.entry.take().is_some() {
                self.cached_bytes -= slot.len as usize;
            }
            self.evicted = self.first + at as u64 + 1;
        }
    }

    fn truncate(&mut self, from: u64) {
        while !self.slots.is_empty() && self.first + self.slots.len() as u64 > from {
            if let Some(slot) = self.slots.pop_back().filter(|s| s.entry.is_some()) {
                self.cached_bytes -= slot.len as usize;
            }
        }
        self.evicted = self.evicted.min(from);
    }

    fn purge(&mut self, upto: LogId) {
        while !self.slots.is_empty() && self.first <= upto.index {
            if let Some(slot) = self.slots.pop_front().filter(|s| s.entry.is_some()) {
                self.cached_bytes -= slot.len as usize;
            }
            self.first += 1;
        }
        if self.purged.is_none_or(|p| p < upto) {
            self.purged = Some(upto);
        }
    }
}

impl LogStore {
    /// A store over a started writer.
    pub fn new(index: Arc<RwLock<Index>>, wal: Arc<Wal>) -> Self {
        Self { index, wal }
    }

    /// Writes everything, then takes no more.
    pub async fn close(&self) {
        self.wal.close().await;
    }

    /// Term of the last entry.
    pub fn last_term(&self) -> u64 {
        self.index.read().last().as_ref().map_or(0, term)
    }

    /// Entries of `start..end` that the log holds; with `limit`, only the first ones.
    fn read(&self, start: u64, end: u64, limit: Option<usize>) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut missing = Vec::new();
        {
            let index = self.index.read();
            let mut bytes = 0;
            let until = end.min(index.first + index.slots.len() as u64);
            for i in start.max(index.first)..until {
                let Some(slot) = index.slot(i) else { break };
                bytes += slot.len as usize + 64;
                if limit.is_some_and(|max| bytes > max) && !entries.is_empty() {
                    break;
                }
                let pos = Position { term: slot.term, index: i };
                match (&slot.entry, &slot.place) {
                    (Some(entry), _) => entries.push(entry.clone()),
                    (None, Some(place)) => {
                        missing.push((entries.len(), pos, slot.kind, *place));
                        entries.push(Entry { log_id: log_id(pos), payload: EntryPayload::Blank });
                    }
                    (None, None) => {
                        return Err(io::Error::other(format!(
                            "log entry {i} is neither in memory nor on disk"
                        )));
                    }
                }
            }
        }
        for (at, pos, kind, place) in missing {
            entries[at] = decode(pos, kind, self.wal.read(&place)?.into())?;
        }
        Ok(entries)
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(n) => *n,
        Bound::Excluded(n) => n + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(n) => n + 1,
        Bound::Excluded(n) => *n,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<C> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (start, end) = bounds(&range);
        self.read(start, end, None)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, Some(READ_BYTES))
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let store = self.clone();
        let (start, end) = bounds(&range);
        // In pieces: a server that catches up applies more at once than should be in memory.
        stream::iter(Pieces { store, next: start, end, piece: Vec::new().into_iter(), failed: false })
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.index.read().vote)
    }
}

struct Pieces {
    store: LogStore,
    next: u64,
    end: u64,
    piece: std::vec::IntoIter<Entry>,
    failed: bool,
}

impl Iterator for Pieces {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.piece.next() {
                self.next = entry.log_id.index + 1;
                return Some(Ok(entry));
            }
            if self.next >= self.end || self.failed {
                return None;
            }
            let until = self.end.min(self.next.saturating_add(STREAM_ENTRIES));
            match self.store.read(self.next, until, Some(READ_BYTES)) {
                Ok(piece) if piece.is_empty() => return None,
                Ok(piece) => self.piece = piece.into_iter(),
                Err(e) => {
                    self.failed = true;
                    return Some(Err(e));
                }
            }
        }
    }
}

impl RaftLogStorage<C> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<C>> {
        let index = self.index.read();
        Ok(LogState { last_purged_log_id: index.purged, last_log_id: index.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let record = VoteRecord {
            term: vote.leader_id.term,
            node: vote.leader_id.voted_for.0,
            committed: vote.committed,
        };
        self.wal.vote(record).await?;
        self.index.write().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.index.write().committed = committed;
        if let Some(id) = &committed {
            self.wal.committed(position(id));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.index.read().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        for entry in entries {
            let (kind, data) = encode(&entry.payload)?;
            encoded.push((entry, kind, data));
        }
        let new = {
            let mut index = self.index.write();
            encoded.into_iter().map(|(entry, kind, data)| index.push(entry, kind, data)).collect()
        };
        self.wal.append(new, Box::new(move |result| callback.io_completed(result)));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |id| id.index + 1);
        self.index.write().truncate(from);
        self.wal.truncate(from).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.index.write().purge(upto);
        self.wal.purge(position(&upto)).await
    }
}

/// Needed by openraft's storage tests alone.
#[cfg(test)]
impl From<u64> for ServerId {
    fn from(n: u64) -> Self {
        Self(u128::from(n))
    }
}
