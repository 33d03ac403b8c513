//! The data directory: who owns it, and which node it belongs to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use types::Str;

/// Why the data directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The system refused.
    #[error("cannot use data directory {path}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("data directory {0} is in use by another agent; stop it, or give each agent its own data_dir")]
    InUse(PathBuf),
    /// The node id is no UUID.
    #[error("failed to setup node ID: {0}")]
    NodeId(String),
}

/// An owned data directory. The lock ends with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates what is missing and takes the lock.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(root).map_err(at(root))?;
        for dir in ["serf", "raft"] {
            let path = root.join(dir);
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        }
        let path = root.join(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(DataDirError::InUse(root.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => Err(DataDirError::Io { path, source }),
        }
    }

    /// A path below the directory.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The node id: as configured, else as stored, else `fresh`, which is stored then.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn node_id(&self, configured: &str, fresh: impl FnOnce() -> String) -> Result<Str, DataDirError> {
        if !configured.is_empty() {
            return node_id(configured)
                .map_err(|e| DataDirError::NodeId(format!("specified NodeID is invalid: {e}")));
        }
        let path = self.root.join("node-id");
        match std::fs::read_to_string(&path) {
            Ok(text) => node_id(text.trim())
                .map_err(|e| DataDirError::NodeId(format!("NodeID in {} is invalid: {e}", path.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let id = fresh();
                let write = || {
                    let tmp = self.root.join("node-id.tmp");
                    let mut file =
                        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&tmp)?;
                    file.write_all(id.as_bytes())?;
                    file.sync_all()?;
                    std::fs::rename(&tmp, &path)?;
                    File::open(&self.root)?.sync_all()
                };
                write().map_err(|source| DataDirError::Io { path: path.clone(), source })?;
                Ok(Str::from(id))
            }
            Err(source) => Err(DataDirError::Io { path, source }),
        }
    }
}

/// Checks and lower-cases a node id.
///
/// # Errors
/// What is wrong with it.
pub fn node_id(text: &str) -> Result<Str, String> {
    let lower = text.to_ascii_lowercase();
    match lower.parse::<raft::ServerId>() {
        Ok(_) => Ok(Str::from(lower)),
        Err(_) if text.len() != 36 => Err(format!("uuid string is wrong length: {}", text.len())),
        Err(_) => Err("uuid is improperly formatted".to_owned()),
    }
}

/// An id from the host's own UUID, stable across reinstallations of the agent (`disable_host_node_id = false`).
pub fn host_node_id() -> Option<String> {
    use sha2::Digest;
    let text = std::fs::read_to_string("/sys/class/dmi/id/product_uuid")
        .or_else(|_no_dmi| std::fs::read_to_string("/etc/machine-id"))
        .ok()?;
    let hash = sha2::Sha512::digest(text.trim().to_lowercase().as_bytes());
    let first: [u8; 16] = hash.first_chunk().copied()?;
    Some(raft::ServerId(u128::from_be_bytes(first)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123cdef-0a0b-4c0d-8e0f-00000000002a";

    #[test]
    fn id_is_kept_and_one_agent_owns_the_directory() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::open(tmp.path()).unwrap();
        assert_eq!(dir.node_id("", || ID.to_owned()).unwrap(), ID);
        assert_eq!(dir.node_id("", || unreachable!()).unwrap(), ID);
        assert_eq!(dir.node_id(&ID.to_uppercase(), || unreachable!()).unwrap(), ID);
        assert!(matches!(DataDir::open(tmp.path()), Err(DataDirError::InUse(_))));
        drop(dir);
        let dir = DataDir::open(tmp.path()).unwrap();
        std::fs::write(dir.path("node-id"), "nonsense").unwrap();
        assert!(dir.node_id("", || unreachable!()).unwrap_err().to_string().contains("is invalid"));
    }
}
