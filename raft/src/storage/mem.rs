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

#[derive(Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(u64, Vec<u8>)>,
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
        let mut disk = self.0.lock();
        disk.dead = true;
        let mut names = disk.durable_names.clone();
        let keep = rng.random_range(0..=disk.journal.len());
        for change in disk.journal.iter().take(keep) {
            match change {
                NameChange::Create(path, content) => {
                    names.insert(path.clone(), content.clone());
                }
                NameChange::Rename(from, to) => {
                    rename_in(&mut names, from, to);
                }
                NameChange::Remove(path) => {
                    names.remove(path);
                }
            }
        }
        let names: BTreeMap<_, _> = names
            .into_iter()
            .map(|(path, content)| {
                let content = content.lock();
                let mut bytes = content.durable.clone();
                for (offset, written) in &content.pending {
                    let mut at = 0;
                    while at < written.len() {
                        let until = (SECTOR - (*offset as usize + at) % SECTOR + at).min(written.len());
                        if rng.random_bool(0.5) {
                            put(&mut bytes, offset + at as u64, &written[at..until]);
                        }
                        at = until;
                    }
                }
                let content = Content { current: bytes.clone(), durable: bytes, pending: Vec::new() };
                (path, Arc::new(Mutex::new(content)))
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
        let content =
            Arc::new(Mutex::new(Content { current: bytes.clone(), durable: bytes, pending: Vec::new() }));
        let mut disk = self.0.lock();
        disk.names.insert(path.to_owned(), content.clone());
        disk.durable_names.insert(path.to_owned(), content);
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
        let Content { current, durable, pending } = &mut *content;
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
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.step()?;
        disk.durable_names = disk.names.clone();
        disk.journal.clear();
        Ok(())
    }
}
