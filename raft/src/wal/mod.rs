//! The durable log: numbered, preallocated segments of checksummed frames.
//!
//! A segment is a 64-byte header and frames; a frame is everything that was written with one sync (group commit):
//! length, CRC-32, its number, then records (entries, votes, truncations, purges, the committed index), padded to 8
//! bytes. Frames are numbered without gaps, and a frame is written only after the one before it is on disk. So an
//! unreadable frame is a torn write exactly if nothing readable follows it, and damage otherwise.
//!
//! Every segment starts with the vote, the purge point and the committed index of its time: older segments can go when
//! their entries are purged.

mod frame;
mod queue;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub use queue::Wal;
pub use recover::{Recovered, RecoveredEntry, recover};
pub use segment::Segments;
pub use writer::NewEntry;

use crc32fast::Hasher;

/// A position in the log: term and index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Term of the leader that wrote it.
    pub term: u64,
    /// Index.
    pub index: u64,
}

/// A vote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VoteRecord {
    /// Term.
    pub term: u64,
    /// For whom.
    pub node: u128,
    /// Whether that server is known to lead.
    pub committed: bool,
}

/// Where an entry's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Segment.
    pub segment: u64,
    /// Offset of the bytes in it.
    pub offset: u64,
    /// Number of bytes.
    pub len: u32,
    /// Their CRC-32.
    pub crc: u32,
}

pub(crate) fn crc(parts: &[&[u8]]) -> u32 {
    let mut h = Hasher::new();
    for p in parts {
        h.update(p);
    }
    h.finalize()
}
