//! The handle.

use crate::{FileDefinitions, LocalConfig, Ports, files, inner::Inner, store::Store, sync};
use local::{
    AggregatedHealth, Change, Key, LocalError, PersistedCheckState, ProbeKind, Source, content_hash,
    truncate_ttl_output,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;
use types::{
    SecretToken, Str, Tenancy,
    definition::{CheckDefinition, ServiceDefinition},
    record::{HealthCheck, NodeService},
    validate,
};

/// Handle of the local state; clones share it.
#[derive(Clone)]
pub struct LocalState {
    inner: Arc<Inner>,
}

impl LocalState {
    /// Loads definitions of files, then what is persisted, and starts checks and anti-entropy.
    ///
    /// # Errors
    /// A definition is refused (text: `Failed to register service "x": …`, `Failed to register check 'x': …`), or the data
    /// directory cannot be used.
    pub async fn start(
        config: LocalConfig,
        files: FileDefinitions,
        ports: Ports,
    ) -> Result<Self, LocalError> {
        let store = match &config.data_dir {
            Some(dir) => Some(Store::open(dir.clone()).await.map_err(|e| {
                LocalError::Internal(Str::from(format!("failed to open the data directory: {e}")))
            })?),
            None => None,
        };
        let tasks = ports.tasks.clone();
        let inner = Arc::new(Inner::new(config, ports, store));
        files::load(&inner, &files).await?;
        files::restore(&inner).await?;
        tasks.spawn_critical("anti-entropy", sync::run(Arc::clone(&inner)));
        Ok(Self { inner })
    }

    /// Keeps a change and tries to sync it before answering.
    async fn settle(&self, change: Change) -> Result<(), LocalError> {
        self.inner.persist(&change).await?;
        self.inner.signal.round().await;
        Ok(())
    }

    /// Registers or replaces a service with its checks and sidecar, and tries to sync before it answers.
    ///
    /// # Errors
    /// The definition is refused and nothing was changed; or it cannot be persisted.
    pub async fn register_service(
        &self,
        definition: ServiceDefinition,
        source: Source,
        replace_existing_checks: bool,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let change = self.inner.register(|r, now| {
            r.register_service(&definition, source, replace_existing_checks, &token, now)
        })?;
        self.settle(change).await
    }

    /// Removes a service, its checks and its sidecar.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn deregister_service(&self, key: impl Into<Key>) -> Result<(), LocalError> {
        let key = key.into();
        let change = self.inner.register(|r, _| r.deregister_service(&key))?;
        self.settle(change).await
    }

    /// Registers or replaces one check of the node, or of the service that it names.
    ///
    /// # Errors
    /// The definition is refused and nothing was changed; or it cannot be persisted.
    pub async fn register_check(
        &self,
        definition: CheckDefinition,
        source: Source,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let change = self.inner.register(|r, now| r.register_check(&definition, source, &token, now))?;
        self.settle(change).await
    }

    /// Removes a check.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn deregister_check(&self, key: impl Into<Key>) -> Result<(), LocalError> {
        let key = key.into();
        let change = self.inner.register(|r, _| r.deregister_check(&key))?;
        self.settle(change).await
    }

    /// Result of a TTL check, sent by the application. `status` is one of the three words.
    ///
    /// # Errors
    /// [`LocalError::NotFound`]; [`LocalError::Internal`] when it is no TTL check; [`LocalError::BadRequest`] for another word.
    pub async fn update_ttl(
        &self,
        key: impl Into<Key>,
        status: &str,
        output: &str,
    ) -> Result<(), LocalError> {
        let key = key.into();
        validate::update_status(status).map_err(|e| LocalError::BadRequest(Str::from(e.to_string())))?;
        let (ttl, limit) = {
            let registry = self.inner.registry.lock();
            let entry = registry.check(&key).ok_or_else(|| LocalError::unknown_check(&key.id))?;
            match &entry.definition {
                Some(d) if ProbeKind::of(d) == Some(ProbeKind::Ttl) => (d.ttl, registry.output_limit(d)),
                _ => {
                    return Err(LocalError::Internal(Str::from(format!(
                        "CheckID {:?} does not have associated TTL",
                        key.id
                    ))));
                }
            }
        };
        let output = truncate_ttl_output(output, limit);
        self.inner.runners.extend_ttl(&key, ttl);
        self.inner.set_status(&key, status, &output);
        let expires_ms = self.inner.ports.clock.unix_ms().saturating_add(ttl.as_millis() as u64);
        self.inner
            .persist_state(&PersistedCheckState {
                key,
                status: Str::new(status),
                output: Str::from(output),
                expires_ms,
            })
            .await;
        Ok(())
    }

    /// Puts the node into maintenance or takes it out; `reason` may be empty.
    ///
    /// # Errors
    /// When it cannot be persisted.
    pub async fn node_maintenance(
        &self,
        enable: bool,
        reason: &str,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let change = self.inner.register(|r, now| Ok(r.node_maintenance(enable, reason, &token, now)))?;
        self.settle(change).await
    }

    /// Puts a service into maintenance or takes it out; `reason` may be empty.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn service_maintenance(
        &self,
        key: impl Into<Key>,
        enable: bool,
        reason: &str,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let key = key.into();
        let change =
            self.inner.register(|r, now| r.service_maintenance(&key, enable, reason, &token, now))?;
        self.settle(change).await
    }

    /// Services of the default namespace by id: a snapshot.
    pub fn services(&self) -> Arc<BTreeMap<Str, Arc<NodeService>>> {
        self.services_in(&Tenancy::default())
    }
    /// Services of a namespace by id.
    pub fn services_in(&self, tenancy: &Tenancy) -> Arc<BTreeMap<Str, Arc<NodeService>>> {
        self.inner.view().services(tenancy)
    }
    /// Checks of the default namespace by id: a snapshot.
    pub fn checks(&self) -> Arc<BTreeMap<Str, Arc<HealthCheck>>> {
        self.checks_in(&Tenancy::default())
    }
    /// Checks of a namespace by id.
    pub fn checks_in(&self, tenancy: &Tenancy) -> Arc<BTreeMap<Str, Arc<HealthCheck>>> {
        self.inner.view().checks(tenancy)
    }
    /// Moves whenever [`Self::services`] or [`Self::checks`] change.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }
    /// Hash of a service's definition (not of its health), for `hash=` blocking; `None` when unknown.
    pub fn content_hash(&self, key: impl Into<Key>) -> Option<Str> {
        self.inner.registry.lock().service(&key.into()).map(content_hash)
    }
    /// Health of one instance; `None` when unknown.
    pub fn aggregated(&self, key: impl Into<Key>) -> Option<AggregatedHealth> {
        self.inner.registry.lock().aggregated(&key.into())
    }
    /// Health of all instances of a name, by id; empty when there is none.
    pub fn aggregated_by_name(&self, tenancy: &Tenancy, name: &str) -> Vec<AggregatedHealth> {
        self.inner.registry.lock().aggregated_by_name(tenancy, name)
    }
    /// Compares with the catalog soon (a server appeared, the catalog was restored).
    pub fn sync_full_soon(&self) {
        self.inner.signal.full_soon();
    }
    /// Writes what is not in line now, as far as servers can be reached within a short limit.
    pub async fn sync_now(&self) {
        self.inner.signal.round().await;
    }
    /// Holds back syncs until [`Self::resume`]; pauses count.
    pub fn pause(&self) {
        self.inner.signal.pause();
    }
    /// Ends one [`Self::pause`] and syncs what has gathered.
    pub fn resume(&self) {
        self.inner.signal.resume();
    }
    /// Replaces everything that came from files; checks that stay keep their state. Syncs are paused meanwhile.
    ///
    /// # Errors
    /// A definition is refused, with the text of [`Self::start`]; everything stays as it was.
    pub async fn reload(&self, files: FileDefinitions) -> Result<(), LocalError> {
        self.pause();
        let loaded = files::load(&self.inner, &files).await;
        self.resume();
        loaded?;
        self.inner.signal.round().await;
        Ok(())
    }

    /// Replaces settings that can change while running: metadata and addresses of the node, limits, script permission,
    /// tokens. The data directory stays what it was.
    pub fn reconfigure(&self, config: LocalConfig) {
        self.inner.prober.reconfigure(&config);
        self.inner.change(|r| r.set_settings(config.settings()));
        *self.inner.config.lock() = config;
        self.inner.signal.wake();
    }
    /// Replaces the token of rows that were registered without one, and compares again: rows it may now write are written.
    pub fn set_default_token(&self, token: SecretToken) {
        self.inner.config.lock().default_token = token;
        self.inner.signal.full_soon();
    }
}
