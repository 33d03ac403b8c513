//! The directory of a capture, and its archive.

use crate::text::{json_with_tabs, os_error, os_words};
use archive::tar::TarWriter;
use flate2::{Compression, write::GzEncoder};
use runtime::{SystemClock, WallClock};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Seconds since 1970.
pub(super) fn now_seconds() -> u64 {
    SystemClock.unix_ms() / 1000
}

/// Year, month, day, hour, minute, second of a time in UTC.
fn civil(seconds: u64) -> [u64; 6] {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 in eras of 400 years: the leap day is the last of a year then.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    [era * 400 + year + u64::from(month <= 2), month, day, rest / 3600, rest / 60 % 60, rest % 60]
}

/// A time as the name of a file: `2006-01-02T15-04-05Z`.
pub(super) fn stamp(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}Z")
}

/// A time for people.
pub(super) fn spoken(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} +0000 UTC")
}

/// Where files are collected. Only its owner may read them.
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn create(root: &Path) -> Result<Self, String> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.map_err(|e| os_error(&format!("mkdir {}", root.display()), &e))?;
        Ok(Self { root: root.to_owned() })
    }

    fn open(&self, name: &str, options: &mut OpenOptions) -> Result<File, String> {
        let path = self.root.join(name);
        let mut open = || {
            if let Some(parent) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            }
            options.create(true).mode(0o600).open(&path)
        };
        open().map_err(|e| os_error(&format!("open {}", path.display()), &e))
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut file = self.open(name, OpenOptions::new().write(true).truncate(true))?;
        file.write_all(bytes).map_err(|e| os_error(&format!("write {name}"), &e))
    }

    pub(super) fn append(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut file = self.open(name, OpenOptions::new().append(true))?;
        file.write_all(bytes).map_err(|e| os_error(&format!("write {name}"), &e))
    }

    /// JSON, indented by tabs.
    pub(super) fn json(&self, name: &str, value: &serde_json::Value) -> Result<(), String> {
        self.write(name, json_with_tabs(value)?.as_bytes())
    }

    /// JSON as the agent sent it, indented by tabs.
    pub(super) fn indented(&self, name: &str, body: &[u8]) -> Result<(), String> {
        let value: serde_json::Value = serde_json::from_slice(body).map_err(|e| format!("{name}: {e}"))?;
        self.json(name, &value)
    }

    /// Makes an archive of all files and removes the directory.
    pub(super) fn pack(&self, archive: &str) -> Result<(), String> {
        let base = self.root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let pack = || {
            let out = File::options().create_new(true).write(true).mode(0o600).open(archive)?;
            let mut tar = TarWriter::new(GzEncoder::new(out, Compression::default()), now_seconds());
            for path in files(&self.root)? {
                let below = path.strip_prefix(&self.root).map_err(io::Error::other)?;
                let mut file = File::open(&path)?;
                let mut left = file.metadata()?.len();
                tar.begin(&format!("{base}/{}", below.display()), left)?;
                let mut buffer = vec![0; 64 << 10];
                while left > 0 {
                    let n = file.read(&mut buffer)?;
                    if n == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    tar.put(&buffer[..n])?;
                    left = left.saturating_sub(n as u64);
                }
            }
            tar.finish()?.finish()?.sync_all()?;
            fs::remove_dir_all(&self.root)
        };
        pack().map_err(|e| os_words(&e))
    }
}

/// All files below a directory, in the order of their names.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            out.extend(files(&path)?);
        } else {
            out.push(path);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day() {
        assert_eq!(stamp(0), "1970-01-01T00-00-00Z");
        assert_eq!(stamp(951_782_400), "2000-02-29T00-00-00Z");
        assert_eq!(spoken(1_795_306_116), "2026-11-22 00:08:36 +0000 UTC");
        assert_eq!(stamp(1_709_251_199), "2024-02-29T23-59-59Z");
    }
}
