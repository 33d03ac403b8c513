//! Segment files: names, headers, creation ahead of need, reading.

use super::{Place, crc};
use crate::{
    ServerId, StartError,
    storage::{File, Files},
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of a segment's header.
pub const HEADER: usize = 64;
const MAGIC: &[u8; 8] = b"PRTRWAL\n";
/// Version of the format.
const VERSION: u32 = 1;
const SPARE: &str = "spare.tmp";

/// The segments of one log.
pub struct Segments {
    files: Arc<dyn Files>,
    dir: PathBuf,
    server: ServerId,
    size: u64,
    open: RwLock<BTreeMap<u64, Arc<dyn File>>>,
    /// Held while the spare is made or taken.
    spare: Mutex<bool>,
}

impl Segments {
    /// The segments in `dir`, of `size` bytes each.
    pub fn new(files: Arc<dyn Files>, dir: PathBuf, server: ServerId, size: u64) -> Self {
        Self { files, dir, server, size, open: RwLock::default(), spare: Mutex::new(false) }
    }

    /// Directory of the segments.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of a segment.
    pub fn path(&self, segment: u64) -> PathBuf {
        self.dir.join(format!("{segment:016x}.wal"))
    }

    /// Bytes that a fresh segment has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Creates the directory and answers the numbers of the segments in it, ascending.
    pub fn list(&self) -> io::Result<Vec<u64>> {
        self.files.create_dir(&self.dir)?;
        let mut numbers: Vec<u64> = self
            .files
            .list(&self.dir)?
            .iter()
            .filter_map(|name| u64::from_str_radix(name.strip_suffix(".wal")?, 16).ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens an existing segment and answers all its bytes, header checked.
    ///
    /// # Errors
    /// Foreign, unknown or unreadable segments.
    pub fn load(&self, segment: u64) -> Result<Vec<u8>, StartError> {
        let path = self.path(segment);
        let io = |source| StartError::Io { path: path.clone(), source };
        let file = self.files.open(&path).map_err(io)?;
        let mut bytes = vec![0; file.len().map_err(io)? as usize];
        let n = file.read_at(&mut bytes, 0).map_err(io)?;
        bytes.truncate(n);
        self.check_header(segment, &bytes)?;
        self.open.write().insert(segment, file);
        Ok(bytes)
    }

    fn check_header(&self, segment: u64, bytes: &[u8]) -> Result<(), StartError> {
        let corrupt = |what: String| StartError::Corrupt { path: self.path(segment), offset: 0, what };
        let Some(head) = bytes.get(..HEADER) else {
            return Err(corrupt("the header is cut off".into()));
        };
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if &head[..8] != MAGIC || word(40) != crc(&[&head[..40]]) {
            return Err(corrupt("the header is damaged".into()));
        }
        if word(8) != VERSION {
            return Err(corrupt(format!("format version {} is not known", word(8))));
        }
        if head[16..24] != segment.to_le_bytes() {
            return Err(corrupt("the header belongs to another segment".into()));
        }
        let mut id = [0; 16];
        id.copy_from_slice(&head[24..40]);
        let found = ServerId(u128::from_le_bytes(id));
        if found != self.server {
            return Err(StartError::OtherServer { path: self.dir.clone(), found, expected: self.server });
        }
        Ok(())
    }

    fn header(&self, segment: u64) -> [u8; HEADER] {
        let mut head = [0; HEADER];
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        head[16..24].copy_from_slice(&segment.to_le_bytes());
        head[24..40].copy_from_slice(&self.server.0.to_le_bytes());
        let sum = crc(&[&head[..40]]);
        head[40..44].copy_from_slice(&sum.to_le_bytes());
        head
    }

    /// Makes the next segment's file ahead of need.
    ///
    /// # Errors
    /// The disk is full or fails; nothing of the log is touched.
    pub fn prepare_spare(&self) -> io::Result<()> {
        let mut ready = self.spare.lock();
        if !*ready {
            let file = self.files.create(&self.dir.join(SPARE))?;
            file.preallocate(self.size)?;
            *ready = true;
        }
        Ok(())
    }

    /// Creates `segment`, with room for at least `room` bytes, durably and under its name.
    ///
    /// # Errors
    /// The disk is full or fails; nothing of the log is touched.
    pub fn create(&self, segment: u64, room: u64) -> io::Result<Arc<dyn File>> {
        let from = self.dir.join(SPARE);
        let mut ready = self.spare.lock();
        if room > self.size {
            self.files.create(&from)?.preallocate(room)?;
        } else if !*ready {
            self.files.create(&from)?.preallocate(self.size)?;
        }
        *ready = false;
        let file = self.files.open(&from)?;
        file.write_at(&self.header(segment), 0)?;
        file.sync()?;
        self.files.rename(&from, &self.path(segment))?;
        self.files.sync_dir(&self.dir)?;
        self.open.write().insert(segment, file.clone());
        Ok(file)
    }

    /// The file of an open segment.
    pub fn file(&self, segment: u64) -> Option<Arc<dyn File>> {
        self.open.read().get(&segment).cloned()
    }

    /// Deletes segments before `first`, oldest first, so that a crash on the way leaves no gap.
    ///
    /// # Errors
    /// The disk fails; what is left is read again at the next start.
    pub fn remove_before(&self, first: u64) -> io::Result<()> {
        let old: Vec<u64> = self.open.read().range(..first).map(|(n, _)| *n).collect();
        for segment in &old {
            self.files.remove(&self.path(*segment))?;
            self.files.sync_dir(&self.dir)?;
            self.open.write().remove(segment);
        }
        Ok(())
    }

    /// Reads an entry's bytes and checks them.
    ///
    /// # Errors
    /// The disk fails or the bytes are damaged.
    pub fn read(&self, place: &Place) -> io::Result<Vec<u8>> {
        let file = self.file(place.segment).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("log segment {:016x} is gone", place.segment))
        })?;
        let mut bytes = vec![0; place.len as usize];
        let n = file.read_at(&mut bytes, place.offset)?;
        if n != bytes.len() || crc(&[&bytes]) != place.crc {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the Raft log is damaged: {} at byte {}",
                    self.path(place.segment).display(),
                    place.offset
                ),
            ));
        }
        Ok(bytes)
    }
}
