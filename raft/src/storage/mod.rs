//! File operations as arguments, so that a simulation can lose what was not synced.

mod held;
mod mem;
mod os;

pub(crate) use held::HeldFiles;
pub use mem::{MemFiles, Names, Tail};
pub use os::OsFiles;

use std::{io, path::Path, sync::Arc, time::Duration};

/// One open file. Offsets are absolute; nothing has a cursor.
pub trait File: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`. On disk only after [`Self::sync`].
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Puts written data on disk.
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|n| n == 0)
    }
    /// Makes sure that `len` bytes are really allocated and zero, so that later syncs touch no metadata.
    fn preallocate(&self, len: u64) -> io::Result<()>;
}

/// A file system.
pub trait Files: Send + Sync + 'static {
    /// Creates a directory and its parents. Those that were missing are on disk when this answers.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates a file, or empties an existing one. Mode 0600.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Renames within a directory, replacing.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Puts the names of a directory on disk.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// Who executes the writes of the log.
#[derive(Clone, Debug)]
pub enum Driver {
    /// A thread of its own: the caller never waits for the disk.
    Thread,
    /// The caller, at once: for files in memory.
    Inline,
    /// A task that takes this long (simulated time) between taking a batch, writing it and syncing it.
    Simulated {
        /// Time of a write and of a sync.
        delay: Duration,
    },
}

/// Where state is kept.
#[derive(Clone)]
pub struct Storage {
    /// The file system.
    pub files: Arc<dyn Files>,
    /// Directory in it.
    pub dir: std::path::PathBuf,
    /// Who writes.
    pub driver: Driver,
}

impl Storage {
    /// On disk.
    pub fn disk(dir: impl Into<std::path::PathBuf>) -> Self {
        Self { files: Arc::new(OsFiles), dir: dir.into(), driver: Driver::Thread }
    }
    /// In memory, gone with the process.
    pub fn memory() -> Self {
        Self { files: Arc::new(MemFiles::new()), dir: "raft".into(), driver: Driver::Inline }
    }
    pub(crate) fn is_inline(&self) -> bool {
        !matches!(self.driver, Driver::Thread)
    }
}
