//! `log_file` with rotation by size and age.

use super::LogError;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the log goes and when a new file begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileConfig {
    /// `log_file`: a file, or a directory (or a path that ends in `/`) for `consul.log` inside.
    pub path: PathBuf,
    /// `log_rotate_duration`.
    pub rotate_after: Duration,
    /// `log_rotate_bytes`; 0 = any size.
    pub rotate_bytes: u64,
    /// `log_rotate_max_files`: rotated files kept; 0 = all, negative = none.
    pub max_files: i64,
}

impl FileConfig {
    /// The file that is written.
    pub fn file(&self) -> PathBuf {
        let ends_in_slash = self.path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let named = if ends_in_slash || self.path.is_dir() {
            self.path.join("consul.log")
        } else {
            self.path.clone()
        };
        if named.extension().is_some() { named } else { append(&named, ".log") }
    }
}

fn append(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The open file.
#[derive(Debug)]
pub(super) struct RotatedFile {
    config: FileConfig,
    path: PathBuf,
    file: File,
    bytes: u64,
    since_ms: u64,
}

impl RotatedFile {
    pub(super) fn open(config: &FileConfig, now_ms: u64) -> Result<Self, LogError> {
        let path = config.file();
        let opened = open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|source| LogError::File { path: path.clone(), source })?;
        Ok(Self { config: config.clone(), path, file, bytes, since_ms: now_ms })
    }

    /// Appends `line`, beginning a new file first when it is time. A line that cannot be written is lost.
    pub(super) fn write(&mut self, line: &[u8], now_ms: u64) {
        let age = Duration::from_millis(now_ms.saturating_sub(self.since_ms));
        let old = !self.config.rotate_after.is_zero() && age >= self.config.rotate_after;
        let full = self.config.rotate_bytes > 0 && self.bytes >= self.config.rotate_bytes;
        if old || full {
            // A failed rotation leaves the old file in use; it is tried again with the next line.
            let _ = self.rotate(now_ms);
        }
        if self.file.write_all(line).is_ok() {
            self.bytes += line.len() as u64;
        }
    }

    /// Renames the file to `<name>-<nanoseconds><ext>` and begins a new one.
    fn rotate(&mut self, now_ms: u64) -> io::Result<()> {
        let (stem, ext) = self.parts();
        let mut stamp = u128::from(now_ms) * 1_000_000;
        let mut target = self.path.with_file_name(format!("{stem}-{stamp}{ext}"));
        while target.exists() {
            stamp += 1;
            target = self.path.with_file_name(format!("{stem}-{stamp}{ext}"));
        }
        fs::rename(&self.path, target)?;
        self.file = open(&self.path)?;
        (self.bytes, self.since_ms) = (0, now_ms);
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let keep = match self.config.max_files {
            0 => return Ok(()),
            n => usize::try_from(n).unwrap_or(0),
        };
        let mut old = self.rotated()?;
        old.sort();
        let surplus = old.len().saturating_sub(keep);
        old.truncate(surplus);
        for (_, path) in old {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Rotated files with their time stamps.
    fn rotated(&self) -> io::Result<Vec<(u128, PathBuf)>> {
        let (stem, ext) = self.parts();
        let dir = self.path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut out = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let stamp = path.file_name().and_then(|n| n.to_str()).and_then(|name| {
                let middle = name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&ext)?;
                middle.parse::<u128>().ok()
            });
            if let Some(stamp) = stamp {
                out.push((stamp, path));
            }
        }
        Ok(out)
    }

    /// File name without extension, and the extension with its dot.
    fn parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        (text(self.path.file_stem()), format!(".{}", text(self.path.extension())))
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: PathBuf) -> FileConfig {
        FileConfig { path, rotate_after: Duration::from_secs(60), rotate_bytes: 10, max_files: 2 }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut out: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        out.sort();
        out
    }

    #[test]
    fn rotates_by_size_and_age_and_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let mut f = RotatedFile::open(&config(dir.path().join("a.log")), 1000).unwrap();
        for now in [1000, 1001, 1002, 1003, 1004, 1005] {
            f.write(b"0123456789\n", now);
        }
        assert_eq!(names(dir.path()), ["a-1004000000.log", "a-1005000000.log", "a.log"]);
        f.write(b"late\n", 70_000);
        assert_eq!(fs::read_to_string(dir.path().join("a.log")).unwrap(), "late\n");
    }

    #[test]
    fn a_negative_limit_keeps_none_and_zero_keeps_all() {
        for (limit, left) in [(-1, 1), (0, 4)] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.log");
            let mut f = RotatedFile::open(&FileConfig { max_files: limit, ..config(path) }, 0).unwrap();
            for now in 0..4 {
                f.write(b"0123456789\n", now);
            }
            assert_eq!(names(dir.path()).len(), left);
        }
    }

    #[test]
    fn directories_get_a_default_name_and_files_are_continued() {
        let dir = tempfile::tempdir().unwrap();
        let slashed = PathBuf::from(format!("{}/sub/", dir.path().display()));
        assert_eq!(config(slashed).file(), dir.path().join("sub/consul.log"));
        assert_eq!(config(dir.path().to_owned()).file(), dir.path().join("consul.log"));
        assert_eq!(config(dir.path().join("mylog")).file(), dir.path().join("mylog.log"));
        let path = dir.path().join("b.log");
        fs::write(&path, "before\n").unwrap();
        RotatedFile::open(&FileConfig { rotate_bytes: 0, ..config(path.clone()) }, 0)
            .unwrap()
            .write(b"after\n", 0);
        assert_eq!(fs::read_to_string(path).unwrap(), "before\nafter\n");
    }

    #[test]
    fn an_impossible_path_is_an_error_that_names_it() {
        let error = RotatedFile::open(&config("/proc/nope/x.log".into()), 0).unwrap_err();
        assert!(error.to_string().starts_with("Failed to open log file /proc/nope/x.log: "), "{error}");
    }
}
