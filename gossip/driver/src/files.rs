//! The two files of a pool: its keys, and whom it knew.

use gossip::Keyring;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};
use types::Str;

const FORMAT: u32 = 1;
/// Most members that are written down.
const MEMBERS_MAX: usize = 10_000;
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Whom a pool knew.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    format: u32,
    /// Bump of the last run; the next one takes a higher one.
    pub(crate) bump: u64,
    /// Whether the last run ended with a graceful leave.
    pub(crate) left: bool,
    /// The others that were alive.
    pub(crate) members: Vec<Former>,
}

/// A former member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Former {
    pub(crate) name: Str,
    pub(crate) addr: SocketAddr,
}

impl Snapshot {
    pub(crate) fn new(bump: u64, left: bool, mut members: Vec<Former>) -> Self {
        members.truncate(MEMBERS_MAX);
        Self { format: FORMAT, bump, left, members }
    }

    /// Reads a snapshot. One that is damaged or unknown is worth no more than none: it is said, and the pool starts
    /// without.
    pub(crate) fn load(path: &Path) -> Self {
        let text = match read(path) {
            Ok(Some(text)) => text,
            Ok(None) => return Self::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "former members cannot be read, starting without");
                return Self::default();
            }
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(snapshot) if snapshot.format == FORMAT => snapshot,
            Ok(other) => {
                tracing::warn!(path = %path.display(), format = other.format, "former members are in an unknown format, starting without");
                Self::default()
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "former members are damaged, starting without");
                Self::default()
            }
        }
    }

    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        replace(path, &serde_json::to_vec(self)?, 0o644)
    }
}

/// The keys of a key file, `None` when there is no file.
pub(crate) fn load_keyring(path: &Path) -> Result<Option<Keyring>, String> {
    let Some(text) = read(path).map_err(|e| e.to_string())?.map(zeroize::Zeroizing::new) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&text).map_err(|e| e.to_string())?;
    Keyring::from_json(text).map(Some).map_err(|e| match e {
        gossip::KeyError::Empty => format!("no keys present in keyring: {}", path.display()),
        other => other.to_string(),
    })
}

pub(crate) fn save_keyring(path: &Path, ring: &Keyring) -> io::Result<()> {
    replace(path, ring.to_json().as_bytes(), 0o600)?;
    if let Some(dir) = path.parent() {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(io::Error::other("file is too large")),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    }
    fs::read(path).map(Some)
}

/// Puts a whole file in the place of another: after a crash there is the old one or the new one.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // One writer at a time: two would rename each other's temporary file away.
    static WRITER: Mutex<()> = Mutex::new(());
    let _writer = WRITER.lock();
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = Path::new(&name);
    // A leftover may have other permissions, and those of an existing file would stay.
    match fs::remove_file(temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossip::Key;

    #[test]
    fn files_come_back_and_bad_ones_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serf/local.snapshot");
        assert_eq!(Snapshot::load(&path), Snapshot::default());
        let former = Former { name: "a".into(), addr: "127.0.0.1:8301".parse().unwrap() };
        let snapshot = Snapshot::new(7, true, vec![former; MEMBERS_MAX + 5]);
        snapshot.save(&path).unwrap();
        assert_eq!(Snapshot::load(&path), snapshot);
        assert_eq!(snapshot.members.len(), MEMBERS_MAX);
        for bad in ["", "{", "{\"format\":9,\"bump\":1,\"left\":false,\"members\":[]}"] {
            fs::write(&path, bad).unwrap();
            assert_eq!(Snapshot::load(&path), Snapshot::default());
        }
    }

    #[test]
    fn key_files_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serf/local.keyring");
        assert_eq!(load_keyring(&path).unwrap(), None);
        let ring = Keyring::new(Key::from_bytes(&[1; 32]).unwrap());
        save_keyring(&path, &ring).unwrap();
        assert_eq!(load_keyring(&path).unwrap(), Some(ring));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(&path, "[]").unwrap();
        assert_eq!(
            load_keyring(&path).unwrap_err(),
            format!("no keys present in keyring: {}", path.display())
        );
        fs::write(&path, "nonsense").unwrap();
        assert!(load_keyring(&path).is_err());
    }
}
