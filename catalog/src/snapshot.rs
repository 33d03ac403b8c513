//! Streams of the whole state.
//!
//! ```text
//! header   "PRAETOR\0", format version u16
//! frame*   length u32, CRC-32 of the payload u32, payload: records, each with its length u32 before it
//! ```
//! All numbers are little-endian. A record is a binary message of `record::Record`; the last one says how many there were.
//! Only rows and those indexes that rows do not tell are stored; groups and other derived maps are built again.

mod reader;
mod record;
mod walk;
mod writer;

pub use reader::restore;
pub use walk::{Seen, walk};
pub use writer::Writer;

/// First bytes of every snapshot.
const MAGIC: &[u8; 8] = b"PRAETOR\0";
/// Version that [`Writer`] writes.
pub const VERSION: u16 = 1;
/// Size at which a chunk is yielded; one large row may exceed it.
const CHUNK_BYTES: usize = 64 << 10;
/// Largest frame that is read.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// Why a snapshot could not be read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The input ended early or could not be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// Not a snapshot, or a damaged one.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// A record could not be decoded.
    #[error("the snapshot is damaged: {0}")]
    Record(#[from] types::codec::CodecError),
    /// Written by a version that this one does not know.
    #[error("unknown snapshot version {0}")]
    Version(u16),
}
