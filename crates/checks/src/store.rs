//! API registrations on disk: one file each under `services/`, `checks/` and `checks/state/`.

use local::{Key, PersistedCheck, PersistedCheckState, PersistedService, Registry, file_name};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{fs, io::AsyncWriteExt as _};

/// Largest file that is read back, bytes.
const FILE_SIZE_MAX: u64 = 4 << 20;
const TEMPORARY_SUFFIX: &str = ".tmp";

/// The directories. Writes go through one owner at a time (the caller's lock).
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

#[derive(Clone, Copy)]
pub(crate) enum Folder {
    Services,
    Checks,
    States,
}

impl Store {
    pub(crate) async fn open(root: PathBuf) -> io::Result<Self> {
        let store = Self { root };
        for folder in [Folder::Services, Folder::Checks, Folder::States] {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(store.folder(folder)).await?;
        }
        Ok(store)
    }

    fn folder(&self, folder: Folder) -> PathBuf {
        self.root.join(match folder {
            Folder::Services => "services",
            Folder::Checks => "checks",
            Folder::States => "checks/state",
        })
    }

    fn path(&self, folder: Folder, key: &Key) -> PathBuf {
        self.folder(folder).join(file_name(key))
    }

    /// Writes what `bytes` holds, or removes the file when there is nothing to keep.
    pub(crate) async fn put(&self, folder: Folder, key: &Key, bytes: Option<Vec<u8>>) -> io::Result<()> {
        let path = self.path(folder, key);
        match bytes {
            Some(bytes) => write(&path, &bytes).await,
            None => remove(&path).await,
        }
    }

    async fn read_all(&self, folder: Folder) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut out = Vec::new();
        let mut dir = fs::read_dir(self.folder(folder)).await?;
        while let Some(entry) = dir.next_entry().await? {
            let path = entry.path();
            let meta = entry.metadata().await?;
            if !meta.is_file() {
                continue;
            }
            if path.to_string_lossy().ends_with("tmp") {
                tracing::warn!(path = %path.display(), "ignoring a temporary file in the data directory");
                continue;
            }
            if meta.len() > FILE_SIZE_MAX {
                tracing::warn!(path = %path.display(), "ignoring a registration that is too large");
                continue;
            }
            out.push((path.clone(), fs::read(&path).await?));
        }
        // The order of a directory is the file system's; ours is that of names.
        out.sort();
        Ok(out)
    }

    pub(crate) async fn services(&self) -> io::Result<Vec<(PathBuf, PersistedService)>> {
        Ok(parse(self.read_all(Folder::Services).await?, PersistedService::from_bytes))
    }

    pub(crate) async fn checks(&self) -> io::Result<Vec<(PathBuf, PersistedCheck)>> {
        Ok(parse(self.read_all(Folder::Checks).await?, PersistedCheck::from_bytes))
    }

    pub(crate) async fn states(&self) -> io::Result<Vec<(PathBuf, PersistedCheckState)>> {
        Ok(parse(self.read_all(Folder::States).await?, PersistedCheckState::from_bytes))
    }
}

/// What the registry would keep of a service or check; `None` when nothing.
pub(crate) fn bytes_of(registry: &Registry, folder: Folder, key: &Key) -> Option<Vec<u8>> {
    let bytes = match folder {
        Folder::Services => registry.persisted_service(key)?.to_bytes(),
        Folder::Checks => registry.persisted_check(key)?.to_bytes(),
        Folder::States => return None,
    };
    bytes.inspect_err(|e| tracing::error!(error = %e, "a registration cannot be persisted")).ok()
}

fn parse<T, E: std::fmt::Display>(
    files: Vec<(PathBuf, Vec<u8>)>,
    read: impl Fn(&[u8]) -> Result<T, E>,
) -> Vec<(PathBuf, T)> {
    files
        .into_iter()
        .filter_map(|(path, bytes)| match read(&bytes) {
            Ok(v) => Some((path, v)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "ignoring a persisted registration");
                None
            }
        })
        .collect()
}

async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    let temporary = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&temporary).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    fs::rename(&temporary, path).await
}

pub(crate) async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
