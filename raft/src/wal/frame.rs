//! Frames and records as bytes.

use super::{Position, VoteRecord, crc};

/// Bytes before a frame's body: length (4), CRC (4), number (8).
pub const FRAME_HEAD: usize = 16;
/// Frames begin at multiples of this.
pub const ALIGN: usize = 8;
/// Largest body.
pub const BODY_MAX: usize = 1 << 30;

const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const COMMITTED: u8 = 3;
const TRUNCATE: u8 = 4;
const PURGE: u8 = 5;

/// One record, borrowed from a frame's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// An entry; `at` is where its data begins in the body.
    Entry { pos: Position, kind: u8, data: &'a [u8], at: usize },
    /// The vote.
    Vote(VoteRecord),
    /// The committed position.
    Committed(Position),
    /// Entries from this index on were removed.
    Truncate(u64),
    /// Entries up to here were removed.
    Purge(Position),
}

/// Builds one frame. The head is filled in by [`Builder::finish`].
#[derive(Default)]
pub struct Builder {
    buf: Vec<u8>,
}

impl Builder {
    /// Begins a frame, keeping the memory of the last one.
    pub fn begin(&mut self) {
        self.buf.clear();
        self.buf.resize(FRAME_HEAD, 0);
    }
    /// Bytes of the body so far.
    pub fn body_len(&self) -> usize {
        self.buf.len().saturating_sub(FRAME_HEAD)
    }
    fn head(&mut self, len: usize, kind: u8) {
        self.buf.extend_from_slice(&(len as u32).to_le_bytes());
        self.buf.push(kind);
    }
    fn numbers(&mut self, kind: u8, numbers: &[u64]) {
        self.head(numbers.len() * 8, kind);
        for n in numbers {
            self.buf.extend_from_slice(&n.to_le_bytes());
        }
    }
    /// Adds an entry; answers the offset of its data in the frame.
    pub fn entry(&mut self, pos: Position, kind: u8, data: &[u8]) -> usize {
        self.head(17 + data.len(), ENTRY);
        self.buf.extend_from_slice(&pos.term.to_le_bytes());
        self.buf.extend_from_slice(&pos.index.to_le_bytes());
        self.buf.push(kind);
        let at = self.buf.len();
        self.buf.extend_from_slice(data);
        at
    }
    /// Adds a vote.
    pub fn vote(&mut self, v: VoteRecord) {
        self.numbers(VOTE, &[v.term, v.node as u64, (v.node >> 64) as u64, u64::from(v.committed)]);
    }
    /// Adds the committed position.
    pub fn committed(&mut self, p: Position) {
        self.numbers(COMMITTED, &[p.term, p.index]);
    }
    /// Adds a truncation.
    pub fn truncate(&mut self, from: u64) {
        self.numbers(TRUNCATE, &[from]);
    }
    /// Adds a purge.
    pub fn purge(&mut self, p: Position) {
        self.numbers(PURGE, &[p.term, p.index]);
    }
    /// The finished frame, for this place.
    pub fn finish(&mut self, segment: u64, offset: u64, number: u64) -> &[u8] {
        let len = self.body_len();
        let sum = checksum(segment, offset, number, &self.buf[FRAME_HEAD..]);
        self.buf[0..4].copy_from_slice(&(len as u32).to_le_bytes());
        self.buf[4..8].copy_from_slice(&sum.to_le_bytes());
        self.buf[8..16].copy_from_slice(&number.to_le_bytes());
        let padded = self.buf.len().next_multiple_of(ALIGN);
        self.buf.resize(padded, 0);
        &self.buf
    }
}

/// Place and number are part of the checksum: a frame is valid only where and when it was written.
fn checksum(segment: u64, offset: u64, number: u64, body: &[u8]) -> u32 {
    crc(&[&segment.to_le_bytes(), &offset.to_le_bytes(), &number.to_le_bytes(), body])
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(b.get(at..at + 8)?.try_into().ok()?))
}

/// A frame found in a segment.
pub struct Frame<'a> {
    /// Its number.
    pub number: u64,
    /// Its records.
    pub body: &'a [u8],
    /// Where the next one begins.
    pub end: usize,
}

/// The frame at `at`, if its checksum holds.
pub fn frame_at(segment: u64, bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let len = u32_at(bytes, at)? as usize;
    if len == 0 || len > BODY_MAX {
        return None;
    }
    let (sum, number) = (u32_at(bytes, at + 4)?, u64_at(bytes, at + 8)?);
    let body = bytes.get(at + FRAME_HEAD..at + FRAME_HEAD + len)?;
    (checksum(segment, at as u64, number, body) == sum).then(|| Frame {
        number,
        body,
        end: (at + FRAME_HEAD + len).next_multiple_of(ALIGN),
    })
}

/// Records of a body; `None` in place of one that makes no sense.
pub fn records(body: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= body.len() {
            return None;
        }
        let record = record_at(body, at);
        at = record.map_or(body.len(), |(_, end)| end);
        Some(record.map(|(r, _)| r))
    })
}

fn record_at(body: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let len = u32_at(body, at)? as usize;
    let kind = *body.get(at + 4)?;
    let at = at + 5;
    let p = body.get(at..at.checked_add(len)?)?;
    let position = || Some(Position { term: u64_at(p, 0)?, index: u64_at(p, 8)? });
    let record = match (kind, len) {
        (ENTRY, 17..) => Record::Entry { pos: position()?, kind: p[16], data: &p[17..], at: at + 17 },
        (VOTE, 32) => Record::Vote(VoteRecord {
            term: u64_at(p, 0)?,
            node: u128::from(u64_at(p, 8)?) | u128::from(u64_at(p, 16)?) << 64,
            committed: u64_at(p, 24)? != 0,
        }),
        (COMMITTED, 16) => Record::Committed(position()?),
        (TRUNCATE, 8) => Record::Truncate(u64_at(p, 0)?),
        (PURGE, 16) => Record::Purge(position()?),
        _ => return None,
    };
    Some((record, at + len))
}
