//! The agent's one holder of TLS material.

use crate::{
    learned::{Enrollment, Learned},
    load,
    material::{Clock, Material, OwnCertificate},
    settings::{LoadError, Settings},
};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use runtime::WallClock;
use std::{os::unix::fs::MetadataExt as _, path::PathBuf, sync::Arc};

/// TLS of an agent; see the head of the crate.
#[derive(Debug)]
pub struct Tls {
    now: ArcSwap<Material>,
    clock: Arc<Clock>,
    learned: Mutex<Learned>,
}

/// What can be seen of files from outside.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Fingerprint(Vec<(PathBuf, Option<[i64; 4]>)>);

impl Tls {
    /// Reads the files that `settings` name.
    ///
    /// # Errors
    /// [`LoadError`] names the setting and the file.
    pub fn load(settings: Settings, clock: Arc<dyn WallClock>) -> Result<Self, LoadError> {
        let clock = Arc::new(Clock(clock));
        let material = Material::load(settings, &clock, &Learned::default())?;
        Ok(Self { now: ArcSwap::from_pointee(material), clock, learned: Mutex::default() })
    }

    /// No TLS at all: plain connections out and in.
    pub fn off(clock: Arc<dyn WallClock>) -> Self {
        Self {
            now: ArcSwap::from_pointee(Material::default()),
            clock: Arc::new(Clock(clock)),
            learned: Mutex::default(),
        }
    }

    /// Reads files for [`Self::install`]; what is in force stays so.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn prepare(&self, settings: Settings) -> Result<Material, LoadError> {
        Material::load(settings, &self.clock, &self.learned.lock().clone())
    }

    /// Takes over what was learned, in place of what was learned before.
    ///
    /// # Errors
    /// [`LoadError`]; nothing changes then.
    pub fn learn(&self, learned: Learned) -> Result<(), LoadError> {
        let mut now = self.learned.lock();
        let material = Material::load(self.material().settings.clone(), &self.clock, &learned)?;
        *now = learned;
        self.install(material);
        Ok(())
    }

    /// What clients that ask for a certificate are told; `None` where they must not ask.
    pub fn enrollment(&self) -> Option<Enrollment> {
        let material = self.material();
        material.settings.enrolls.then(|| material.enrollment.clone())
    }

    /// Handshakes that begin from now on use `material`.
    pub fn install(&self, material: Material) {
        self.now.store(Arc::new(material));
    }

    /// Reads the same files again and takes over what they hold.
    ///
    /// # Errors
    /// [`LoadError`]; the old material stays in force.
    pub fn reload(&self) -> Result<(), LoadError> {
        self.install(self.prepare(self.material().settings.clone())?);
        Ok(())
    }

    pub(crate) fn material(&self) -> Arc<Material> {
        self.now.load_full()
    }

    /// Whether the HTTPS API has a certificate.
    pub fn has_https(&self) -> bool {
        self.material().https.is_some()
    }

    /// The agent's own certificates.
    pub fn own(&self) -> Vec<OwnCertificate> {
        self.material().own.clone()
    }

    /// What the files look like now; it differs once one is written or replaced.
    pub fn fingerprint(&self) -> Fingerprint {
        let material = self.material();
        let parts = [&material.settings.internal_rpc, &material.settings.https, &material.settings.grpc];
        let mut files: Vec<PathBuf> = parts.into_iter().flat_map(load::files).collect();
        files.sort();
        files.dedup();
        let look = |path: PathBuf| {
            let seen = std::fs::metadata(&path).ok();
            let seen = seen.map(|m| {
                [m.mtime(), m.mtime_nsec(), i64::try_from(m.size()).unwrap_or(-1), m.ino().cast_signed()]
            });
            (path, seen)
        };
        Fingerprint(files.into_iter().map(look).collect())
    }
}

impl Fingerprint {
    /// No files at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
