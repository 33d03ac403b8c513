//! Files in memory that know what a power cut would leave of them.

use super::{File, Files};
use parking_lot::Mutex;
use rand::Rng;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Smallest unit that a power cut leaves whole.
const SECTOR: usize = 512;

/// What a power cut does to data that was written and not synced. Writes reach a disk in the order in which they were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tail {
    /// All of it is lost.
    Dropped,
    /// It ends at any byte.
    Torn,
    /// All of it is there.
    Kept,
    /// Any of its sectors are there, whatever their order.
    Scattered,
}

/// What a power cut does to files that were created, renamed or removed, when their directory was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// All of it is undone.
    Undone,
    /// The first few of these changes are there.
    Some,
    /// All of it is there.
    Kept,
}

/// Files in memory. Clones share them; a clone made by [`MemFiles::crash`] is what the next start finds.
#[derive(Clone, Default)]
pub struct MemFiles(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    /// Set by a crash or a test: every operation fails from then on.
    dead: bool,
    /// Bytes that may still be written; `None` = no limit.
    space: Option<u64>,
    /// How many mutating operations were done, and at which one to die.
    steps: u64,
    die_at: Option<u64>,
    names: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    durable_names: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    /// Changes of names since the last sync of their directory.
    journal: Vec<NameChange>,
}

enum NameChange {
    Create(PathBuf, Arc<Mutex<Content>>),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    /// Renames stay in one directory.
    fn is_in(&self, dir: &Path) -> bool {
        let (Self::Create(path, _) | Self::Rename(path, _) | Self::Remove(path)) = self;
        path.parent() == Some(dir)
    }
    fn apply(&self, names: &mut BTreeMap<PathBuf, Arc<Mutex<Content>>>) {
        match self {
            Self::Create(path, content) => {
                names.insert(path.clone(), content.clone());
            }
            Self::Rename(from, to) => {
                rename_in(names, from, to);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

#[derive(Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(u64, Vec<u8>)>,
    /// Bytes that were allocated. What was not written of them is only told from the end of the file by who reads it after
    /// a power cut: as memory they would be too many.
    allocated: u64,
}

impl Content {
    fn whole(bytes: Vec<u8>) -> Self {
        Self { current: bytes.clone(), durable: bytes, ..Self::default() }
    }
    /// What a power cut leaves.
    fn after(&self, tail: Tail, rng: &mut impl Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let unsynced: usize = self.pending.iter().map(|(_, written)| written.len()).sum();
        let mut left = match tail {
            Tail::Dropped => 0,
            Tail::Torn => rng.random_range(0..=unsynced),
            Tail::Kept | Tail::Scattered => unsynced,
        };
        for (offset, written) in &self.pending {
            let kept = written.len().min(left);
            left -= kept;
            if tail != Tail::Scattered {
                if kept > 0 {
                    put(&mut bytes, *offset, &written[..kept]);
                }
                continue;
            }
            let mut at = 0;
            while at < written.len() {
                let until = (SECTOR - (*offset as usize + at) % SECTOR + at).min(written.len());
                if rng.random_bool(0.5) {
                    put(&mut bytes, offset + at as u64, &written[at..until]);
                }
                at = until;
            }
        }
        bytes
    }
}

struct MemFile {
    disk: Arc<Mutex<Disk>>,
    content: Arc<Mutex<Content>>,
}

fn died() -> io::Error {
    io::Error::other("the simulated machine lost power")
}

impl Disk {
    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(died()) } else { Ok(()) }
    }
    /// Counts a mutating operation; dies before it if a test asked for that.
    fn step(&mut self) -> io::Result<()> {
        self.alive()?;
        if self.die_at == Some(self.steps) {
            self.dead = true;
            return Err(died());
        }
        self.steps += 1;
        Ok(())
    }
}

fn put(to: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let at = offset as usize;
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

fn rename_in<T>(names: &mut BTreeMap<PathBuf, T>, from: &Path, to: &Path) -> bool {
    match names.remove(from) {
        Some(content) => {
            names.insert(to.to_owned(), content);
            true
        }
        None => false,
    }
}

impl MemFiles {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: open handles fail from now on, and the answer is the disk as the next start finds it. Of what was
    /// not synced, `rng` decides which sectors and which name changes made it.
    pub fn crash(&self, rng: &mut impl Rng) -> Self {
        self.cut(Tail::Scattered, Names::Some, false, rng)
    }

    /// As [`Self::crash`], with a choice of what is lost; allocated bytes that nothing was written to are there, as zeros.
    pub fn crash_as(&self, tail: Tail, names: Names, rng: &mut impl Rng) -> Self {
        self.cut(tail, names, true, rng)
    }

    fn cut(&self, tail: Tail, names: Names, zeros: bool, rng: &mut impl Rng) -> Self {
        let mut disk = self.0.lock();
        disk.dead = true;
        let keep = match names {
            Names::Undone => 0,
            Names::Some => rng.random_range(0..=disk.journal.len()),
            Names::Kept => disk.journal.len(),
        };
        let mut names = disk.durable_names.clone();
        disk.journal.iter().take(keep).for_each(|change| change.apply(&mut names));
        let names: BTreeMap<_, _> = names
            .into_iter()
            .map(|(path, content)| {
                let content = content.lock();
                let mut bytes = content.after(tail, rng);
                if zeros && (bytes.len() as u64) < content.allocated {
                    bytes.resize(content.allocated as usize, 0);
                }
                (path, Arc::new(Mutex::new(Content::whole(bytes))))
            })
            .collect();
        Self(Arc::new(Mutex::new(Disk { durable_names: names.clone(), names, ..Disk::default() })))
    }

    /// The same files on a disk of their own, all of it synced.
    pub fn copy(&self) -> Self {
        let disk = self.0.lock();
        let names: BTreeMap<_, _> = disk
            .names
            .iter()
            .map(|(path, content)| {
                (path.clone(), Arc::new(Mutex::new(Content::whole(content.lock().current.clone()))))
            })
            .collect();
        Self(Arc::new(Mutex::new(Disk { durable_names: names.clone(), names, ..Disk::default() })))
    }

    /// Lets only `bytes` more be allocated; further writes fail as on a full disk.
    pub fn limit_space(&self, bytes: u64) {
        self.0.lock().space = Some(bytes);
    }

    /// Lets `steps` more operations succeed that change something, then fails for good.
    pub fn die_after(&self, steps: u64) {
        let mut disk = self.0.lock();
        disk.die_at = Some(disk.steps + steps);
    }

    /// Whether it lost power, or was made to.
    pub fn is_dead(&self) -> bool {
        self.0.lock().dead
    }

    /// Operations that changed something so far.
    pub fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// Bytes of a file as a reader sees them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let content = self.0.lock().names.get(path)?.clone();
        let bytes = content.lock().current.clone();
        Some(bytes)
    }

    /// Replaces a file, as damage would.
    pub fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        let content = Arc::new(Mutex::new(Content::whole(bytes)));
        let mut disk = self.0.lock();
        disk.names.insert(path.to_owned(), content.clone());
        disk.durable_names.insert(path.to_owned(), content.clone());
        disk.journal.push(NameChange::Create(path.to_owned(), content));
    }

    /// Paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.lock().alive()?;
        let content = self.content.lock();
        let at = (offset as usize).min(content.current.len());
        let n = buf.len().min(content.current.len() - at);
        buf[..n].copy_from_slice(&content.current[at..at + n]);
        Ok(n)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.step()?;
        let mut content = self.content.lock();
        let grows = (offset + buf.len() as u64).saturating_sub(content.current.len() as u64);
        if let Some(space) = &mut disk.space {
            *space = space.checked_sub(grows).ok_or(io::ErrorKind::StorageFull)?;
        }
        put(&mut content.current, offset, buf);
        content.pending.push((offset, buf.to_vec()));
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.lock().step()?;
        let mut content = self.content.lock();
        let Content { current, durable, pending, .. } = &mut *content;
        if durable.len() < current.len() {
            durable.resize(current.len(), 0);
        }
        for (offset, bytes) in pending.drain(..) {
            put(durable, offset, &bytes);
        }
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        self.disk.lock().alive()?;
        Ok(self.content.lock().current.len() as u64)
    }
    fn preallocate(&self, len: u64) -> io::Result<()> {
        // Nothing to gain in memory; only the space is accounted for.
        let mut disk = self.disk.lock();
        disk.step()?;
        if let Some(space) = &mut disk.space {
            *space = space.checked_sub(len).ok_or(io::ErrorKind::StorageFull)?;
        }
        let mut content = self.content.lock();
        content.allocated = content.allocated.max(len);
        Ok(())
    }
}

impl Files for MemFiles {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.0.lock().alive()
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        disk.alive()?;
        let in_dir = disk.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(in_dir.filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect())
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let disk = self.0.lock();
        disk.alive()?;
        let content = disk.names.get(path).ok_or(io::ErrorKind::NotFound)?.clone();
        Ok(Arc::new(MemFile { disk: self.0.clone(), content }))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.0.lock();
        disk.step()?;
        let content = Arc::new(Mutex::new(Content::default()));
        disk.names.insert(path.to_owned(), content.clone());
        disk.journal.push(NameChange::Create(path.to_owned(), content.clone()));
        Ok(Arc::new(MemFile { disk: self.0.clone(), content }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.step()?;
        if !rename_in(&mut disk.names, from, to) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.journal.push(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.step()?;
        disk.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        disk.journal.push(NameChange::Remove(path.to_owned()));
        Ok(())
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.step()?;
        let Disk { journal, durable_names, .. } = &mut *disk;
        journal.retain(|change| {
            let synced = change.is_in(dir);
            if synced {
                change.apply(durable_names);
            }
            !synced
        });
        Ok(())
    }
}
