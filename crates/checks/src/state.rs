//! The handle.

use crate::LocalConfig;
use local::{Key, LocalError, Source};
use runtime::{RngSeed, Tasks, WallClock};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;
use types::{
    SecretToken, Str, Tenancy,
    definition::{CheckDefinition, ServiceDefinition},
    record::{HealthCheck, NodeService},
};

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

/// The services and checks of definition files, in file order.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct FileDefinitions {
    /// Services, with their checks and sidecars inside.
    pub services: Vec<ServiceDefinition>,
    /// Top-level checks.
    pub checks: Vec<CheckDefinition>,
}

/// Health of one instance on this agent: its own checks and the node's.
#[derive(Clone, PartialEq, Debug)]
pub struct AggregatedHealth {
    /// `passing`, `warning`, `critical` or `maintenance`.
    pub status: &'static str,
    /// The instance.
    pub service: Arc<NodeService>,
    /// Its checks and the node's, by id.
    pub checks: Vec<Arc<HealthCheck>>,
}

/// Handle of the local state; clones share it.
#[derive(Clone)]
pub struct LocalState {
    changed: watch::Receiver<u64>,
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
        let _ = (config, files, ports);
        Err(starting())
    }

    /// Registers or replaces a service with its checks and sidecar, and tries to sync before it answers.
    ///
    /// # Errors
    /// The definition is refused; nothing was changed.
    pub async fn register_service(
        &self,
        definition: ServiceDefinition,
        source: Source,
        replace_existing_checks: bool,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let _ = (definition, source, replace_existing_checks, token);
        Err(starting())
    }

    /// Removes a service, its checks and its sidecar.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn deregister_service(&self, key: impl Into<Key>) -> Result<(), LocalError> {
        let _ = key.into();
        Err(starting())
    }

    /// Registers or replaces one check of the node, or of the service that it names.
    ///
    /// # Errors
    /// The definition is refused; nothing was changed.
    pub async fn register_check(
        &self,
        definition: CheckDefinition,
        source: Source,
        token: SecretToken,
    ) -> Result<(), LocalError> {
        let _ = (definition, source, token);
        Err(starting())
    }

    /// Removes a check.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub async fn deregister_check(&self, key: impl Into<Key>) -> Result<(), LocalError> {
        let _ = key.into();
        Err(starting())
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
        let _ = (key.into(), status, output);
        Err(starting())
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
        let _ = (enable, reason, token);
        Err(starting())
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
        let _ = (key.into(), enable, reason, token);
        Err(starting())
    }

    /// Services of the default namespace by id: a snapshot.
    pub fn services(&self) -> Arc<BTreeMap<Str, Arc<NodeService>>> {
        self.services_in(&Tenancy::default())
    }
    /// Services of a namespace by id.
    pub fn services_in(&self, tenancy: &Tenancy) -> Arc<BTreeMap<Str, Arc<NodeService>>> {
        let _ = tenancy;
        Arc::default()
    }
    /// Checks of the default namespace by id: a snapshot.
    pub fn checks(&self) -> Arc<BTreeMap<Str, Arc<HealthCheck>>> {
        self.checks_in(&Tenancy::default())
    }
    /// Checks of a namespace by id.
    pub fn checks_in(&self, tenancy: &Tenancy) -> Arc<BTreeMap<Str, Arc<HealthCheck>>> {
        let _ = tenancy;
        Arc::default()
    }
    /// Moves whenever [`Self::services`] or [`Self::checks`] change.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }
    /// Hash of a service's definition (not of its health), for `hash=` blocking; `None` when unknown.
    pub fn content_hash(&self, key: impl Into<Key>) -> Option<Str> {
        let _ = key.into();
        None
    }
    /// Health of one instance; `None` when unknown.
    pub fn aggregated(&self, key: impl Into<Key>) -> Option<AggregatedHealth> {
        let _ = key.into();
        None
    }
    /// Health of all instances of a name, by id; empty when there is none.
    pub fn aggregated_by_name(&self, tenancy: &Tenancy, name: &str) -> Vec<AggregatedHealth> {
        let _ = (tenancy, name);
        Vec::new()
    }
    /// Compares with the catalog soon (a server appeared, the catalog was restored).
    pub fn sync_full_soon(&self) {}
    /// Brings the catalog in line now, as far as servers can be reached within a short limit (used before leaving).
    pub async fn sync_now(&self) {}
    /// Holds back syncs until [`Self::resume`].
    pub fn pause(&self) {}
    /// Ends [`Self::pause`] and syncs what has gathered.
    pub fn resume(&self) {}
    /// Replaces everything that came from files; checks that stay keep their state.
    ///
    /// # Errors
    /// A definition is refused, with the text of [`Self::start`]. What came before it is registered.
    pub async fn reload(&self, files: FileDefinitions) -> Result<(), LocalError> {
        let _ = files;
        Err(starting())
    }
    /// Replaces settings that can change while running: metadata and addresses of the node, limits, script permission.
    pub fn reconfigure(&self, config: LocalConfig) {
        let _ = config;
    }
    /// Token of rows that were registered without one.
    pub fn set_default_token(&self, token: SecretToken) {
        let _ = token;
    }
}

fn starting() -> LocalError {
    LocalError::Internal(Str::new_static("local state is not started"))
}
