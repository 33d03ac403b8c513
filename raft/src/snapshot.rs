//! Snapshots on disk: one file each, written aside and renamed, read and sent in chunks.
//!
//! `magic, version, length and CRC of the metadata, metadata`, then chunks `length, CRC, bytes`, closed by a chunk of
//! length 0.

use crate::{
    StartError,
    kinds::{SnapshotMeta, index, term},
    storage::{File, Files},
    wal::crc,
};
use catalog::Store;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

const MAGIC: &[u8; 8] = b"PRTRSNP\n";
const VERSION: u32 = 1;
const HEAD: usize = 20;
/// Largest metadata and chunk that are believed.
const PART_MAX: usize = 64 << 20;
/// Bytes gathered before a write.
const WRITE_BYTES: usize = 512 << 10;
/// Bytes written before the disk takes them: what waits for it at once is what a sync of the log may have to wait for.
const SYNC_BYTES: u64 = 8 << 20;

/// A finished snapshot. Stays readable when a newer one replaced it.
#[derive(Clone)]
pub struct SnapshotFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) len: u64,
}

impl std::fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.len)
    }
}

/// The snapshots of this server.
#[derive(Clone)]
pub struct SnapshotDir {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl SnapshotDir {
    /// Opens `dir` and forgets unfinished snapshots.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(files: Arc<dyn Files>, dir: PathBuf) -> io::Result<Self> {
        files.create_dir(&dir)?;
        for name in files.list(&dir)? {
            if name.ends_with(".tmp") {
                files.remove(&dir.join(name))?;
            }
        }
        Ok(Self { files, dir })
    }

    fn path(&self, meta: &SnapshotMeta) -> PathBuf {
        let id = meta.last_log_id.as_ref();
        self.dir.join(format!("{:016x}-{:016x}.snap", index(id), id.map_or(0, term)))
    }

    /// The newest snapshot that is whole, with its state; damaged ones are told of and passed over.
    ///
    /// # Errors
    /// There are snapshots but none is whole: the log alone does not reach back far enough.
    pub fn newest(&self) -> Result<Option<(SnapshotMeta, Store, SnapshotFile)>, StartError> {
        let io = |source| StartError::Io { path: self.dir.clone(), source };
        let mut names: Vec<String> =
            self.files.list(&self.dir).map_err(io)?.into_iter().filter(|n| n.ends_with(".snap")).collect();
        names.sort_unstable();
        let mut failed = None;
        for name in names.iter().rev() {
            let path = self.dir.join(name);
            match self.files.open(&path).and_then(|file| self.read(&path, file)) {
                Ok(found) => return Ok(Some(found)),
                Err(e) => {
                    tracing::error!(path = %path.display(), error = %e, "a Raft snapshot cannot be read");
                    failed.get_or_insert(StartError::Snapshot { path, what: e.to_string() });
                }
            }
        }
        failed.map_or(Ok(None), Err)
    }

    fn read(&self, path: &Path, file: Arc<dyn File>) -> io::Result<(SnapshotMeta, Store, SnapshotFile)> {
        let len = file.len()?;
        let snapshot = SnapshotFile { path: path.to_owned(), file, len };
        let (meta, store) = snapshot.restore()?;
        Ok((meta, store, snapshot))
    }

    /// Writes a snapshot of `store` and removes the older ones. Blocks.
    ///
    /// # Errors
    /// The disk fails or is full; older snapshots are then kept.
    pub fn write(&self, meta: &SnapshotMeta, store: Store) -> io::Result<SnapshotFile> {
        let temporary = self.path(meta).with_extension("build.tmp");
        let file = self.files.create(&temporary)?;
        let mut out = Out { file: &*file, at: 0, synced: 0, buf: Vec::with_capacity(WRITE_BYTES * 2) };
        let bytes = types::codec::encode(meta).map_err(io::Error::other)?;
        out.buf.extend_from_slice(MAGIC);
        for n in [VERSION, bytes.len() as u32, crc(&[&bytes])] {
            out.buf.extend_from_slice(&n.to_le_bytes());
        }
        out.buf.extend_from_slice(&bytes);
        for chunk in catalog::snapshot::Writer::new(store) {
            out.chunk(&chunk)?;
        }
        out.chunk(&[])?;
        let len = out.finish()?;
        self.adopt(meta, &temporary, SnapshotFile { path: temporary.clone(), file, len })
    }

    /// Gives a finished temporary file its name, durably, and removes older snapshots.
    fn adopt(
        &self,
        meta: &SnapshotMeta,
        temporary: &Path,
        mut snapshot: SnapshotFile,
    ) -> io::Result<SnapshotFile> {
        snapshot.file.sync()?;
        snapshot.path = self.path(meta);
        self.files.rename(temporary, &snapshot.path)?;
        self.files.sync_dir(&self.dir)?;
        for name in self.files.list(&self.dir)? {
            let path = self.dir.join(&name);
            if name.ends_with(".snap") && path < snapshot.path {
                self.files.remove(&path)?;
            }
        }
        Ok(snapshot)
    }

    /// Begins to receive a snapshot.
    ///
    /// # Errors
    /// The disk fails.
    pub fn receive(&self, name: &str) -> io::Result<Incoming> {
        let path = self.dir.join(format!("{name}.recv.tmp"));
        let file = self.files.create(&path)?;
        Ok(Incoming { path, file, len: 0 })
    }

    /// Checks a received snapshot and keeps it. Blocks.
    ///
    /// # Errors
    /// It is damaged or the disk fails.
    pub fn accept(&self, incoming: Incoming) -> io::Result<(SnapshotMeta, SnapshotFile)> {
        let Incoming { path, file, len } = incoming;
        let snapshot = SnapshotFile { path: path.clone(), file, len };
        let meta = snapshot.meta()?;
        let snapshot = self.adopt(&meta, &path, snapshot)?;
        Ok((meta, snapshot))
    }

    /// Drops a partly received snapshot.
    pub fn discard(&self, incoming: &Incoming) {
        if let Err(e) = self.files.remove(&incoming.path) {
            tracing::debug!(error = %e, "removing a partly received snapshot");
        }
    }
}

/// A snapshot on its way in.
pub struct Incoming {
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
}

impl Incoming {
    /// Bytes received.
    pub fn len(&self) -> u64 {
        self.len
    }
    /// Adds bytes.
    ///
    /// # Errors
    /// The disk fails.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

struct Out<'a> {
    file: &'a dyn File,
    at: u64,
    synced: u64,
    buf: Vec<u8>,
}

impl Out<'_> {
    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buf.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.buf.extend_from_slice(&crc(&[bytes]).to_le_bytes());
        self.buf.extend_from_slice(bytes);
        if self.buf.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buf, self.at)?;
        self.at += self.buf.len() as u64;
        self.buf.clear();
        if self.at - self.synced >= SYNC_BYTES {
            self.file.sync()?;
            self.synced = self.at;
        }
        Ok(())
    }
    fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.at)
    }
}

impl SnapshotFile {
    /// Reads the bytes at `offset`, at most `max`.
    ///
    /// # Errors
    /// The disk fails.
    pub fn bytes_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; max.min(self.len.saturating_sub(offset) as usize)];
        let n = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(n);
        Ok(bytes)
    }

    fn part(&self, at: u64, len: usize, sum: u32) -> io::Result<Vec<u8>> {
        if len > PART_MAX {
            return Err(damaged(format!("a part of {len} bytes at byte {at}")));
        }
        let bytes = self.bytes_at(at, len)?;
        if bytes.len() != len || crc(&[&bytes]) != sum {
            return Err(damaged(format!("checksum mismatch at byte {at}")));
        }
        Ok(bytes)
    }

    fn head(&self) -> io::Result<(SnapshotMeta, u64)> {
        let head = self.bytes_at(0, HEAD)?;
        if head.len() != HEAD || &head[..8] != MAGIC {
            return Err(damaged("not a snapshot"));
        }
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if word(8) != VERSION {
            return Err(damaged(format!("snapshot format version {} is not known", word(8))));
        }
        let len = word(12) as usize;
        let bytes = self.part(HEAD as u64, len, word(16))?;
        let meta = types::codec::decode(&bytes).map_err(|e| damaged(e.to_string()))?;
        Ok((meta, (HEAD + len) as u64))
    }

    /// The metadata, after every chunk was checked.
    ///
    /// # Errors
    /// It is damaged or the disk fails.
    pub fn meta(&self) -> io::Result<SnapshotMeta> {
        let (meta, at) = self.head()?;
        io::copy(&mut Chunks::new(self, at), &mut io::sink())?;
        Ok(meta)
    }

    /// Metadata and state.
    ///
    /// # Errors
    /// It is damaged or the disk fails.
    pub fn restore(&self) -> io::Result<(SnapshotMeta, Store)> {
        let (meta, at) = self.head()?;
        let mut chunks = Chunks::new(self, at);
        let store = catalog::snapshot::restore(&mut chunks).map_err(|e| damaged(e.to_string()))?;
        // Whatever the state did not need must still be whole.
        io::copy(&mut chunks, &mut io::sink())?;
        Ok((meta, store))
    }
}

/// The state's bytes, chunk by chunk.
struct Chunks<'a> {
    snapshot: &'a SnapshotFile,
    at: u64,
    chunk: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<'a> Chunks<'a> {
    fn new(snapshot: &'a SnapshotFile, at: u64) -> Self {
        Self { snapshot, at, chunk: io::Cursor::default(), ended: false }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.chunk.read(buf)?;
            if n > 0 || self.ended || buf.is_empty() {
                return Ok(n);
            }
            let head = self.snapshot.bytes_at(self.at, 8)?;
            let [a, b, c, d, e, f, g, h] = head[..] else {
                return Err(damaged(format!("it ends early, at byte {}", self.at)));
            };
            let len = u32::from_le_bytes([a, b, c, d]) as usize;
            if len == 0 {
                self.ended = true;
                continue;
            }
            self.chunk =
                io::Cursor::new(self.snapshot.part(self.at + 8, len, u32::from_le_bytes([e, f, g, h]))?);
            self.at += 8 + len as u64;
        }
    }
}
