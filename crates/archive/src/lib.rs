//! Archives: the outer form of `snapshot save` and of `debug`.
//!
//! ```text
//! gzip( tar( meta.json  state.bin  SHA256SUMS ) )
//! ```
//! `meta.json` says where in the log the state was taken, `state.bin` is the state (opaque here), `SHA256SUMS` has a line
//! `<hex>  <name>` for each of the two. This is the outer form that Consul's tools write, too; what is inside `state.bin` differs.
//!
//! Owns writing and reading as streams over `Read` and `Write`: no more than a buffer is ever held, whatever the size. Refuses to
//! interpret the state, and to open files.
//!
//! Start with [`SnapshotWriter`] and [`read`]. A reader must not use the state before [`read`] has returned: only then are
//! the checksums known to hold.

mod error;
mod meta;
mod reader;
pub mod tar;
#[cfg(test)]
mod tests;
mod writer;

pub use error::ArchiveError;
pub use meta::{Configuration, ConfigurationServer, Meta, VERSION};
pub use reader::{Limits, read, read_meta};
pub use writer::{SnapshotWriter, write};

/// Name of the file with the facts.
const META: &str = "meta.json";
/// Name of the file with the state.
const STATE: &str = "state.bin";
/// Name of the file with the checksums.
const SUMS: &str = "SHA256SUMS";
