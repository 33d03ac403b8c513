//! A small file system that can be filled.

use crate::net::run;
use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Room for a few segments of the log.
const SIZE: &str = "size=80m";
const BALLAST: &str = "ballast";

/// A file system in memory, mounted. Dropping it takes it away.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, if something still looks into it; `mount` shows what is left.
        let path = self.0.display().to_string();
        let _ = run("umount", &[&path]).or_else(|_| run("umount", &["-l", &path]));
    }
}

impl Disk {
    /// Mounts one.
    ///
    /// # Errors
    /// When this process may not mount.
    pub fn mount(at: &Path) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        run("mount", &["-t", "tmpfs", "-o", SIZE, "jepsen-lite", &at.display().to_string()])
            .context("a small file system cannot be mounted (it needs root)")?;
        Ok(Self(at.to_owned()))
    }

    /// Writes until nothing more fits.
    ///
    /// # Errors
    /// When writing fails otherwise.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.0.join(BALLAST))?;
        for size in [1 << 20, 4096] {
            let zeros = vec![0; size];
            loop {
                match file.write_all(&zeros) {
                    Ok(()) => {}
                    Err(e) if e.kind() == ErrorKind::StorageFull => break,
                    Err(e) => return Err(e.into()),
                }
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) {
        // It is not there when nothing was filled.
        let _ = std::fs::remove_file(self.0.join(BALLAST));
    }
}
