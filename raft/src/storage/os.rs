//! The real file system.

use super::{File, Files};
use std::{
    fs, io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

/// The real file system.
#[derive(Clone, Copy, Default, Debug)]
pub struct OsFiles;

/// Zeros are written in pieces of this size.
const ZEROS: usize = 1 << 20;

impl File for fs::File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match FileExt::read_at(self, &mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(buf, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }
    fn preallocate(&self, len: u64) -> io::Result<()> {
        // Reserving first makes a full disk fail at once; writing zeros then turns the reserved extents into written
        // ones, without which every later sync would have to journal that change.
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, len) {
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(e) => return Err(e.into()),
        }
        let zeros = vec![0; ZEROS];
        let mut at = 0;
        while at < len {
            let n = (len - at).min(ZEROS as u64);
            self.write_all_at(&zeros[..n as usize], at)?;
            at += n;
        }
        self.sync_all()
    }
}

impl Files for OsFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if dir.is_dir() {
            return Ok(());
        }
        let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.create_dir(parent)?;
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
            made => made?,
        }
        // Syncing a file does not promise that the name of a new directory above it stays: without this, a power failure
        // soon after the first start may take all that was acknowledged.
        self.sync_dir(parent)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(fs::OpenOptions::new().read(true).write(true).open(path)?))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        Ok(Arc::new(options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}
