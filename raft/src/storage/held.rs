//! The fault `ack-before-fsync`: files that call written and synced what is still in the memory of this process.
//!
//! A killed process does not lose what the kernel has of it, so the bytes really stay here, for a while.

use super::{File, Files, OsFiles};
use parking_lot::Mutex;
use std::{collections::VecDeque, io, path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long bytes are held, at least; they go with the next write after that.
const HELD: Duration = Duration::from_millis(1500);

/// The real file system, but for the segments of the log.
#[derive(Clone, Copy, Default, Debug)]
pub struct HeldFiles(OsFiles);

struct Held {
    file: Arc<dyn File>,
    pending: Mutex<VecDeque<(Instant, u64, Vec<u8>)>>,
}

impl Held {
    fn over(path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        // A segment begins as a spare one.
        if path.extension().is_some_and(|e| e == "wal") || path.file_name().is_some_and(|n| n == "spare.tmp")
        {
            return Arc::new(Self { file, pending: Mutex::default() });
        }
        file
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for (_, offset, bytes) in self.pending.lock().drain(..) {
            // This is a fault; that it fails, too, makes no difference.
            let _ = self.file.write_at(&bytes, offset);
        }
    }
}

impl File for Held {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = self.file.read_at(buf, offset)?;
        for (_, at, bytes) in &*self.pending.lock() {
            for (i, byte) in bytes.iter().enumerate() {
                let place = (at + i as u64).checked_sub(offset).and_then(|p| usize::try_from(p).ok());
                if let Some(place) = place.filter(|p| *p < buf.len()) {
                    buf[place] = *byte;
                    read = read.max(place + 1);
                }
            }
        }
        Ok(read)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if offset == 0 {
            // The header: a log without one is refused, and what is wanted is one that has lost its end.
            return self.file.write_at(buf, offset);
        }
        let mut pending = self.pending.lock();
        pending.push_back((Instant::now(), offset, buf.to_vec()));
        while let Some((since, _, _)) = pending.front()
            && since.elapsed() > HELD
            && let Some((_, at, bytes)) = pending.pop_front()
        {
            self.file.write_at(&bytes, at)?;
        }
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        let held = self.pending.lock().iter().map(|(_, at, b)| at + b.len() as u64).max();
        Ok(self.file.len()?.max(held.unwrap_or(0)))
    }
    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.file.preallocate(len)
    }
}

impl Files for HeldFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.open(path).map(|file| Held::over(path, file))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.create(path).map(|file| Held::over(path, file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_is_only_in_memory_and_can_be_read_there() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("0.wal");
        let file = HeldFiles::default().create(&path)?;
        file.write_at(b"abc", 2)?;
        file.sync()?;
        let mut buf = [9; 6];
        assert_eq!((file.read_at(&mut buf, 1)?, buf), (4, [9, b'a', b'b', b'c', 9, 9]));
        assert_eq!((file.len()?, std::fs::read(&path)?.len()), (5, 0));
        drop(file);
        assert_eq!(std::fs::read(&path)?, b"\0\0abc");
        Ok(())
    }
}
