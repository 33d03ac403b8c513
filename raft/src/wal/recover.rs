//! What a start finds on disk.

use super::{
    Place, Position, VoteRecord, crc,
    frame::{ALIGN, FRAME_HEAD, Record, frame_at, records},
    segment::{HEADER, Segments},
};
use crate::StartError;
use bytes::Bytes;
use std::collections::VecDeque;

/// An entry found on disk.
pub struct RecoveredEntry {
    /// Term and index.
    pub pos: Position,
    /// Kind of entry, as the log store numbers them.
    pub kind: u8,
    /// Its data, for the most recent entries.
    pub data: Option<Bytes>,
    /// Where the data is.
    pub place: Place,
}

/// State of the log at the end of its readable part.
#[derive(Default)]
pub struct Recovered {
    /// Last vote.
    pub vote: Option<VoteRecord>,
    /// Last saved committed position.
    pub committed: Option<Position>,
    /// Everything up to here was removed.
    pub purged: Option<Position>,
    /// The entries after that, consecutive.
    pub entries: VecDeque<RecoveredEntry>,
    /// Last segment, 0 if there is none.
    pub segment: u64,
    /// Where the next frame goes in it.
    pub end: u64,
    /// Number of the last frame.
    pub frame: u64,
    /// Last index of the entries in each segment but the last.
    pub last_index_of: VecDeque<(u64, u64)>,
    /// Bytes of a torn write that were cut off.
    pub torn: u64,
}

/// Reads all segments, keeping the data of the last `cache_bytes` bytes of entries. A torn write at the end is cut off.
///
/// # Errors
/// Damage before the end, foreign or unknown segments, a failing disk.
pub fn recover(segments: &Segments, cache_bytes: usize) -> Result<Recovered, StartError> {
    let numbers =
        segments.list().map_err(|source| StartError::Io { path: segments.dir().to_owned(), source })?;
    let mut state = Recovered::default();
    let mut cached = VecDeque::new();
    let mut cached_bytes = 0;
    for (i, &segment) in numbers.iter().enumerate() {
        let last = i + 1 == numbers.len();
        if i > 0 && segment != state.segment + 1 {
            return Err(StartError::Corrupt {
                path: segments.path(state.segment + 1),
                offset: 0,
                what: "the segment is missing".into(),
            });
        }
        let bytes = Bytes::from(segments.load(segment)?);
        if let Some(e) = state.entries.back().filter(|_| i > 0) {
            state.last_index_of.push_back((state.segment, e.pos.index));
        }
        state.segment = segment;
        let mut at = HEADER;
        while let Some(frame) = frame_at(segment, &bytes, at) {
            if state.frame != 0 && frame.number != state.frame + 1 {
                break;
            }
            state.frame = frame.number;
            for record in records(frame.body) {
                let corrupt = |what: String| StartError::Corrupt {
                    path: segments.path(segment),
                    offset: at as u64,
                    what,
                };
                let record = record.ok_or_else(|| corrupt("a record of unknown form".into()))?;
                if let Some(data) = state.replay(record, segment, at, &bytes).map_err(corrupt)? {
                    cached_bytes += data.1;
                    cached.push_back(data);
                    while cached_bytes > cache_bytes {
                        let Some((index, len)) = cached.pop_front() else { break };
                        cached_bytes -= len;
                        state.drop_data(index);
                    }
                }
            }
            at = frame.end;
        }
        state.end = at as u64;
        check_tail(segments, &mut state, segment, &bytes, at, last)?;
    }
    let expected = state.purged.map_or(0, |p| p.index + 1);
    if let Some(first) = state.entries.front()
        && first.pos.index > expected
    {
        return Err(StartError::Corrupt {
            path: segments.path(numbers[0]),
            offset: 0,
            what: format!("entries {expected} to {} are missing", first.pos.index - 1),
        });
    }
    Ok(state)
}

/// Decides what the bytes after the last readable frame are: nothing, a torn write, or damage.
fn check_tail(
    segments: &Segments,
    state: &mut Recovered,
    segment: u64,
    bytes: &[u8],
    at: usize,
    last: bool,
) -> Result<(), StartError> {
    let tail = bytes.get(at..).unwrap_or_default();
    let Some(used) = tail.iter().rposition(|b| *b != 0) else { return Ok(()) };
    let corrupt = |what: &str| StartError::Corrupt {
        path: segments.path(segment),
        offset: at as u64,
        what: what.into(),
    };
    if !last {
        return Err(corrupt("unreadable bytes before the end of the log"));
    }
    let mut probe = at + ALIGN;
    while probe + FRAME_HEAD < at + used + ALIGN {
        if frame_at(segment, bytes, probe).is_some_and(|f| f.number > state.frame) {
            return Err(corrupt("unreadable bytes, with readable entries after them"));
        }
        probe += ALIGN;
    }
    // A write that no sync confirmed: nothing in it was ever acknowledged. Clear it, so that the next start finds only
    // what is written from now on.
    let io = |source| StartError::Io { path: segments.path(segment), source };
    if let Some(file) = segments.file(segment) {
        file.write_at(&vec![0; used + 1], at as u64).map_err(io)?;
        file.sync().map_err(io)?;
    }
    tracing::warn!(path = %segments.path(segment).display(), offset = at, bytes = used + 1, "cut off a torn write at the end of the Raft log");
    state.torn = used as u64 + 1;
    Ok(())
}

impl Recovered {
    /// Whether the log has another entry at `decided` than the one that was decided on there.
    pub fn contradicts(&self, decided: Position) -> bool {
        let at = |first: &RecoveredEntry| decided.index.checked_sub(first.pos.index);
        let entry = self.entries.front().and_then(at).and_then(|at| self.entries.get(at as usize));
        entry.is_some_and(|e| e.pos != decided)
    }

    /// Drops the entries from `from` on, here and not on disk.
    pub fn truncate(&mut self, from: u64) {
        while self.entries.back().is_some_and(|e| e.pos.index >= from) {
            self.entries.pop_back();
        }
    }

    /// Applies one record; answers index and size of an entry whose data it keeps.
    fn replay(
        &mut self,
        record: Record<'_>,
        segment: u64,
        frame_at: usize,
        bytes: &Bytes,
    ) -> Result<Option<(u64, usize)>, String> {
        match record {
            Record::Vote(v) => self.vote = Some(v),
            Record::Committed(p) => self.committed = Some(p),
            Record::Truncate(from) => self.truncate(from),
            Record::Purge(p) => {
                if self.purged.is_none_or(|old| old.index < p.index) {
                    self.purged = Some(p);
                }
                while self.entries.front().is_some_and(|e| e.pos.index <= p.index) {
                    self.entries.pop_front();
                }
            }
            Record::Entry { pos, kind, data, at } => {
                let next = match self.entries.back() {
                    Some(e) => Some(e.pos.index + 1),
                    None => self.purged.map(|p| p.index + 1),
                };
                // The first entries of a log whose older segments are gone may lie after the purge point that was
                // known when their segment began; a later record moves it, and the end of recovery checks that.
                if next.is_some_and(|n| pos.index != n && !(self.entries.is_empty() && pos.index > n)) {
                    return Err(format!(
                        "entry {} follows entry {}",
                        pos.index,
                        next.unwrap_or(0).wrapping_sub(1)
                    ));
                }
                let offset = frame_at + FRAME_HEAD + at;
                let place =
                    Place { segment, offset: offset as u64, len: data.len() as u32, crc: crc(&[data]) };
                // A copy, so that one kept entry does not keep its whole segment.
                let data = Some(Bytes::copy_from_slice(&bytes[offset..offset + data.len()]));
                self.entries.push_back(RecoveredEntry { pos, kind, data, place });
                return Ok(Some((pos.index, place.len as usize)));
            }
        }
        Ok(None)
    }

    fn drop_data(&mut self, index: u64) {
        let Some(first) = self.entries.front().map(|e| e.pos.index) else { return };
        if let Some(e) = index.checked_sub(first).and_then(|i| self.entries.get_mut(i as usize)) {
            e.data = None;
        }
    }
}
