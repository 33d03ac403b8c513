//! Turns operations into frames and puts them on disk.

use super::{
    Place, Position, VoteRecord,
    frame::{ALIGN, Builder},
    recover::Recovered,
    segment::{HEADER, Segments},
};
use crate::storage::File;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::VecDeque, io, sync::Arc};

/// Called with the outcome once the operation is on disk.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;
/// Told where entries were put: their stamps and places, in order.
pub type Placed = Box<dyn Fn(&[(u64, u64, Place)]) + Send + Sync>;

/// A committed position to save, and how many operations must have been taken before it means what it says: the entries
/// it covers may still be waiting behind entries that they replace.
pub type Wanted = Arc<Mutex<Option<(Position, u64)>>>;

/// An entry to write.
pub struct NewEntry {
    /// Term and index.
    pub pos: Position,
    /// Kind, for the log store.
    pub kind: u8,
    /// Data.
    pub data: Bytes,
    /// Tells this write of the index from others.
    pub stamp: u64,
}

/// Something to put on disk, in the order of arrival.
pub enum Op {
    /// Entries.
    Append(Vec<NewEntry>, Done),
    /// The vote.
    Vote(VoteRecord, Done),
    /// Remove entries from this index on.
    Truncate(u64, Done),
    /// Remove entries up to here.
    Purge(Position, Done),
    /// Nothing but the committed position, if it moved.
    Flush(Done),
}

impl Op {
    /// About how many bytes it writes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Append(entries, _) => entries.iter().map(|e| e.data.len() + 32).sum(),
            _ => 32,
        }
    }
}

/// A batch that is written but not yet synced.
#[derive(Default)]
pub struct Staged {
    done: Vec<Done>,
    places: Vec<(u64, u64, Place)>,
    purged: bool,
    dirty: bool,
}

/// The one writer of a log.
pub struct Writer {
    segments: Arc<Segments>,
    file: Option<Arc<dyn File>>,
    room: u64,
    segment: u64,
    end: u64,
    frame: u64,
    vote: Option<VoteRecord>,
    committed: Option<Position>,
    purged: Option<Position>,
    last_index: u64,
    /// Full segments and the last index that they may hold.
    sealed: VecDeque<(u64, u64)>,
    builder: Builder,
    wanted: Wanted,
    /// Operations taken so far.
    taken: u64,
    placed: Placed,
    broken: Option<String>,
}

impl Writer {
    /// Continues a recovered log.
    pub fn new(segments: Arc<Segments>, found: &Recovered, wanted: Wanted, placed: Placed) -> Self {
        let file = segments.file(found.segment);
        let room = file.as_ref().map_or(0, |f| f.len().unwrap_or(0).max(segments.size()));
        Self {
            file,
            room,
            segment: found.segment,
            end: found.end,
            frame: found.frame,
            vote: found.vote,
            committed: found.committed,
            purged: found.purged,
            last_index: found.entries.back().map_or(0, |e| e.pos.index),
            sealed: found.last_index_of.clone(),
            builder: Builder::default(),
            wanted,
            taken: 0,
            placed,
            broken: None,
            segments,
        }
    }

    /// Whether the current segment is half full, so that the next one should be made.
    pub fn wants_spare(&self) -> bool {
        self.end * 2 > self.room
    }

    /// Writes a batch as one frame. After an error nothing can be written any more: what the disk holds is known again
    /// only after a restart.
    pub fn write(&mut self, ops: impl IntoIterator<Item = Op>) -> Result<Staged, (io::Error, Staged)> {
        let mut staged = Staged::default();
        self.builder.begin();
        for op in ops {
            let done = match op {
                Op::Append(entries, done) => {
                    for e in entries {
                        let at = self.builder.entry(e.pos, e.kind, &e.data);
                        let crc = super::crc(&[&e.data]);
                        let place = Place { segment: 0, offset: at as u64, len: e.data.len() as u32, crc };
                        staged.places.push((e.pos.index, e.stamp, place));
                        self.last_index = e.pos.index;
                    }
                    done
                }
                Op::Vote(vote, done) => {
                    self.builder.vote(vote);
                    self.vote = Some(vote);
                    done
                }
                Op::Truncate(from, done) => {
                    self.builder.truncate(from);
                    done
                }
                Op::Purge(upto, done) => {
                    self.builder.purge(upto);
                    self.purged = Some(upto);
                    staged.purged = true;
                    done
                }
                Op::Flush(done) => done,
            };
            staged.done.push(done);
            self.taken += 1;
        }
        if let Some(broken) = &self.broken {
            return Err((io::Error::other(broken.clone()), staged));
        }
        let wanted = *self.wanted.lock();
        if let Some((p, after)) = wanted
            && after <= self.taken
            && Some(p) != self.committed
        {
            self.builder.committed(p);
            self.committed = Some(p);
        }
        if self.builder.body_len() == 0 {
            return Ok(staged);
        }
        match self.put(&mut staged) {
            Ok(()) => Ok(staged),
            Err(e) => {
                self.broken = Some(format!("the Raft log could not be written: {e}"));
                Err((e, staged))
            }
        }
    }

    fn put(&mut self, staged: &mut Staged) -> io::Result<()> {
        // The largest that frame and checkpoint can become.
        let need = (self.builder.body_len() + 256).next_multiple_of(ALIGN) as u64;
        if self.file.is_none() || self.end + need > self.room {
            self.roll(need)?;
        }
        if self.end == HEADER as u64 {
            self.checkpoint();
        }
        let file = self.file.clone().ok_or(io::ErrorKind::NotFound)?;
        let bytes = self.builder.finish(self.segment, self.end, self.frame + 1);
        file.write_at(bytes, self.end)?;
        for (_, _, place) in &mut staged.places {
            place.segment = self.segment;
            place.offset += self.end;
        }
        self.frame += 1;
        self.end += bytes.len() as u64;
        staged.dirty = true;
        Ok(())
    }

    /// Begins the next segment.
    fn roll(&mut self, need: u64) -> io::Result<()> {
        let next = self.segment + 1;
        let file = self.segments.create(next, HEADER as u64 + need)?;
        if self.file.is_some() {
            self.sealed.push_back((self.segment, self.last_index));
        }
        self.room = self.segments.size().max(HEADER as u64 + need);
        self.file = Some(file);
        self.segment = next;
        self.end = HEADER as u64;
        Ok(())
    }

    /// Repeats what older segments knew: the first frame of every segment does, also where power failed between the making of
    /// the segment and that frame. Else the vote would go with the segment that holds it.
    fn checkpoint(&mut self) {
        if let Some(vote) = self.vote {
            self.builder.vote(vote);
        }
        if let Some(p) = self.purged {
            self.builder.purge(p);
        }
        if let Some(p) = self.committed {
            self.builder.committed(p);
        }
    }

    /// Syncs a written batch, tells everyone, and deletes segments that it made superfluous.
    pub fn commit(&mut self, staged: Result<Staged, (io::Error, Staged)>) {
        let (mut staged, result) = match staged {
            Ok(staged) => (staged, Ok(())),
            Err((e, staged)) => (staged, Err(e)),
        };
        let result = result.and_then(|()| match &self.file {
            Some(file) if staged.dirty => file.sync(),
            _ => Ok(()),
        });
        match &result {
            Ok(()) => (self.placed)(&staged.places),
            Err(e) => {
                tracing::error!(error = %e, "the Raft log cannot be written; this server stops taking part");
                // A failed sync may have dropped the data from the page cache: never try again.
                self.broken.get_or_insert_with(|| format!("the Raft log could not be synced: {e}"));
            }
        }
        for done in staged.done.drain(..) {
            done(match &result {
                Ok(()) => Ok(()),
                Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
            });
        }
        if staged.purged && result.is_ok() {
            self.remove_old();
        }
    }

    fn remove_old(&mut self) {
        let Some(purged) = self.purged else { return };
        while self.sealed.front().is_some_and(|(_, last)| *last <= purged.index) {
            self.sealed.pop_front();
        }
        let first = self.sealed.front().map_or(self.segment, |(segment, _)| *segment);
        if let Err(e) = self.segments.remove_before(first) {
            tracing::warn!(error = %e, "an old segment of the Raft log could not be deleted");
        }
    }
}
