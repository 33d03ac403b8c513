//! Wall clocks that can be set for one process: a small library that its loader puts before the system's.
//!
//! The kernel has one wall clock for all (time namespaces cover the others alone), and setting it would hit whatever else runs
//! here. Programs that are linked statically, or read the clock without the system's library, keep the true time.

use crate::net::run;
use anyhow::{Context, Result, ensure};
use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = include_str!("clock.c");

/// The clock of one server.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock for `binary` that is right for now.
    ///
    /// # Errors
    /// When there is no C compiler, or the program is linked statically.
    pub fn new(binary: &Path, dir: &Path, name: &str) -> Result<Self> {
        let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
        let bytes = std::fs::read(binary).with_context(|| binary.display().to_string())?;
        ensure!(
            bytes.windows(12).any(|w| w == b"ld-linux-x86" || w == b"ld-linux-aar"),
            "{} is linked statically, its clock cannot be set",
            binary.display()
        );
        if !library.exists() {
            std::fs::write(&source, SOURCE)?;
            let (from, to) = (source.display().to_string(), library.display().to_string());
            run("cc", &["-shared", "-fPIC", "-O2", "-o", &to, &from]).context("a C compiler is needed")?;
        }
        let clock = Self { library, offset: dir.join(format!("{name}.clock")) };
        std::fs::write(&clock.offset, 0_i64.to_ne_bytes())?;
        Ok(clock)
    }

    /// Gives it to a process that is about to be started.
    pub fn apply_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("JEPSEN_CLOCK", &self.offset);
    }

    /// Sets it to the true time and this many seconds more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.offset)?;
        file.write_all_at(&(seconds * 1_000_000_000).to_ne_bytes(), 0)?;
        Ok(())
    }
}
