//! What the handle, the runners and the sync loop share.

use crate::{
    LocalConfig,
    probe::Prober,
    runner::Runners,
    store::{Folder, Store, bytes_of},
    sync::SyncSignal,
    views::{View, Views},
};
use local::{Change, Key, LocalError, Registry};
use parking_lot::Mutex;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use runtime::{RngSeed, Tasks, WallClock};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{sync::watch, time::Instant};
use types::{SecretToken, Str};

/// What the local state reaches the rest of the world through.
#[derive(Clone)]
pub struct Ports {
    /// Writes to the catalog.
    pub submit: Arc<dyn rpc::Submit>,
    /// Reads of the catalog.
    pub query: Arc<dyn rpc::Query>,
    /// Number of members of the LAN pool, by which full syncs are spread.
    pub cluster_size: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Wall time, for persisted TTL states.
    pub clock: Arc<dyn WallClock>,
    /// Jitter.
    pub seed: RngSeed,
    /// Owner of runners and loops.
    pub tasks: Tasks,
}

pub(crate) struct Inner {
    pub(crate) ports: Ports,
    pub(crate) config: Mutex<LocalConfig>,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) runners: Runners,
    pub(crate) prober: Prober,
    pub(crate) signal: SyncSignal,
    pub(crate) changed: watch::Sender<u64>,
    revision: AtomicU64,
    views: Views,
    rng: Mutex<ChaCha8Rng>,
    started: Instant,
    store: Option<Store>,
    /// Held while files are written, so that what is on disk is always some state of the registry, and the last one in the end.
    disk: tokio::sync::Mutex<()>,
}

impl Inner {
    pub(crate) fn new(config: LocalConfig, ports: Ports, store: Option<Store>) -> Self {
        Self {
            registry: Mutex::new(Registry::new(config.settings())),
            prober: Prober::new(&config),
            config: Mutex::new(config),
            runners: Runners::default(),
            signal: SyncSignal::default(),
            changed: watch::Sender::new(0),
            revision: AtomicU64::new(0),
            views: Views::default(),
            rng: Mutex::new(ports.seed.fork("checks")),
            started: Instant::now(),
            store,
            disk: tokio::sync::Mutex::new(()),
            ports,
        }
    }

    /// Monotonic milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The moment at which [`Self::now_ms`] is `ms`.
    pub(crate) fn at_ms(&self, ms: u64) -> Instant {
        self.started + std::time::Duration::from_millis(ms)
    }

    /// A number in 0..1.
    pub(crate) fn jitter(&self) -> f64 {
        self.rng.lock().random()
    }

    /// Changes the registry and tells those who wait for changes.
    pub(crate) fn change<T>(&self, f: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock();
        let out = f(&mut registry);
        self.publish(&registry);
        out
    }

    fn publish(&self, registry: &Registry) {
        let revision = registry.revision();
        self.revision.store(revision, Ordering::Release);
        self.changed.send_if_modified(|seen| std::mem::replace(seen, revision) != revision);
    }

    /// Changes the registry and, in the same breath, the runners, so that both always agree.
    pub(crate) fn register(
        self: &Arc<Self>,
        f: impl FnOnce(&mut Registry, u64) -> Result<Change, LocalError>,
    ) -> Result<Change, LocalError> {
        let now = self.now_ms();
        let mut registry = self.registry.lock();
        let change = f(&mut registry, now)?;
        self.apply_runners(&registry, &change);
        self.publish(&registry);
        Ok(change)
    }

    pub(crate) fn apply_runners(self: &Arc<Self>, registry: &Registry, change: &Change) {
        for key in &change.removed_checks {
            self.runners.stop(key);
        }
        for key in &change.restart {
            match registry.check(key).and_then(|c| c.definition.clone()) {
                Some(definition) => self.runners.start(self, key, definition),
                None => self.runners.stop(key),
            }
        }
    }

    /// Brings the files in line with the registry for everything that `change` touched.
    pub(crate) async fn persist(&self, change: &Change) -> Result<(), LocalError> {
        let Some(store) = &self.store else { return Ok(()) };
        let failed = |e: std::io::Error| {
            LocalError::Internal(Str::from(format!("failed to persist the registration: {e}")))
        };
        let _order = self.disk.lock().await;
        for key in change.services.iter().chain(&change.removed_services) {
            let bytes = bytes_of(&self.registry.lock(), Folder::Services, key);
            store.put(Folder::Services, key, bytes).await.map_err(failed)?;
        }
        for key in change.checks.iter().chain(&change.removed_checks) {
            let bytes = bytes_of(&self.registry.lock(), Folder::Checks, key);
            store.put(Folder::Checks, key, bytes).await.map_err(failed)?;
        }
        for key in &change.removed_checks {
            store.put(Folder::States, key, None).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Keeps the last result of a TTL check.
    pub(crate) async fn persist_state(&self, state: &local::PersistedCheckState) {
        let Some(store) = &self.store else { return };
        let _order = self.disk.lock().await;
        let written = match state.to_bytes() {
            Ok(bytes) => store.put(Folder::States, &state.key, Some(bytes)).await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(error) = written {
            // The state is only a convenience after a restart: the check itself goes on.
            tracing::warn!(check = %state.key.id, error, "the state of a TTL check cannot be kept");
        }
    }

    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.views.get(self.revision.load(Ordering::Acquire), || Views::of(&self.registry.lock()))
    }

    /// Result of a probe.
    pub(crate) fn observe(&self, key: &Key, status: &'static str, output: &str) {
        let (now, jitter) = (self.now_ms(), self.jitter());
        if self.change(|r| r.observe(key, status, output, now, jitter)) {
            self.signal.wake();
        }
    }

    /// A status that needs no confirmation: TTL and alias checks.
    pub(crate) fn set_status(&self, key: &Key, status: &str, output: &str) {
        let (now, jitter) = (self.now_ms(), self.jitter());
        if self.change(|r| r.update_check(key, status, output, now, jitter)) {
            self.signal.wake();
        }
    }

    /// The token that a row registered with `token` is synced with.
    pub(crate) fn effective_token(&self, token: &SecretToken) -> SecretToken {
        if token.is_empty() { self.config.lock().default_token.clone() } else { token.clone() }
    }
}
