//! What is registered on this agent.

use crate::{Key, LocalError, Source, Thresholds};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};
use types::{
    DatacenterName, NodeName, SecretToken, Str, Tenancy,
    definition::CheckDefinition,
    record::{HealthCheck, Locality, Map, NodeService, status::CRITICAL},
};

/// Most services of one agent.
pub const SERVICES_MAX: usize = 65_536;
/// Most checks of one agent.
pub const CHECKS_MAX: usize = 131_072;
/// Shortest time a check must be critical before its service is removed.
const DEREGISTER_AFTER_MIN: Duration = Duration::from_secs(60);

/// This agent as a node of the catalog.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NodeIdentity {
    /// Node id.
    pub id: Str,
    /// Node name.
    pub name: NodeName,
    /// Datacenter.
    pub datacenter: DatacenterName,
    /// Advertised address.
    pub address: Str,
    /// `lan`, `wan`, `lan_ipv4`, ….
    pub tagged_addresses: Map,
    /// Metadata, with `consul-network-segment` and `consul-version`.
    pub meta: Map,
    /// Region and zone.
    pub locality: Option<Locality>,
    /// Partition of the agent.
    pub tenancy: Tenancy,
}

/// Which definitions may run scripts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum ScriptPermission {
    /// None.
    #[default]
    Denied,
    /// Those from files (`enable_local_script_checks`).
    Files,
    /// All (`enable_script_checks`).
    All,
}

/// What decides how registrations are taken.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This agent as a node.
    pub node: NodeIdentity,
    /// Which definitions may run scripts.
    pub scripts: ScriptPermission,
    /// Upper bound of every check's output, bytes.
    pub output_max_size: usize,
    /// How long a changed output alone is held back; zero = not at all.
    pub update_interval: Duration,
    /// Keep no output at all.
    pub discard_output: bool,
    /// Ports given to sidecars; `None` = assignment is disabled.
    pub sidecar_ports: Option<RangeInclusive<u16>>,
}

/// Where a row stands towards the catalog.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sync {
    /// The catalog has it as it is.
    pub in_sync: bool,
    /// Counts changes, so that a late acknowledgement of an older form is not taken for this one.
    pub version: u64,
}

/// A registered service.
#[derive(Clone, Debug)]
pub struct ServiceEntry {
    /// The row, as the catalog should have it.
    pub row: Arc<NodeService>,
    /// Who registered it.
    pub source: Source,
    /// Token it is synced with, may be empty.
    pub token: SecretToken,
    /// Made by expanding the `sidecar_service` of another one.
    pub is_sidecar: bool,
    pub(crate) sync: Sync,
}

/// A registered check.
#[derive(Clone, Debug)]
pub struct CheckEntry {
    /// The row, as the catalog should have it.
    pub row: Arc<HealthCheck>,
    /// How it probes; `None` for maintenance checks.
    pub definition: Option<Arc<CheckDefinition>>,
    /// Who registered it.
    pub source: Source,
    /// Token it is synced with, may be empty.
    pub token: SecretToken,
    /// Since when it is critical, if it is.
    pub critical_since_ms: Option<u64>,
    pub(crate) thresholds: Thresholds,
    pub(crate) deferred_until_ms: Option<u64>,
    pub(crate) sync: Sync,
}

/// A check that the catalog may still have.
#[derive(Clone, Default, Debug)]
pub(crate) struct GoneCheck {
    pub token: SecretToken,
    /// The removed service that takes it along, as long as that removal is still to be written.
    pub with_service: Option<Key>,
}

/// The services and checks of this agent.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) settings: Settings,
    pub(crate) services: BTreeMap<Key, ServiceEntry>,
    pub(crate) checks: BTreeMap<Key, CheckEntry>,
    /// Rows that the catalog may still have and must lose, with the token to do it.
    pub(crate) gone_services: BTreeMap<Key, SecretToken>,
    pub(crate) gone_checks: BTreeMap<Key, GoneCheck>,
    pub(crate) deferred: BTreeSet<(u64, Key)>,
    pub(crate) node_sync: Sync,
    pub(crate) version: u64,
    pub(crate) revision: u64,
}

impl Registry {
    /// An empty registry.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            services: BTreeMap::new(),
            checks: BTreeMap::new(),
            gone_services: BTreeMap::new(),
            gone_checks: BTreeMap::new(),
            deferred: BTreeSet::new(),
            node_sync: Sync::default(),
            version: 0,
            revision: 0,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings; a changed node identity is synced again. Rows keep the node name they have: it never changes
    /// while an agent runs.
    pub fn set_settings(&mut self, settings: Settings) {
        if self.settings.node != settings.node {
            self.node_sync = Sync { in_sync: false, version: self.next_version() };
        }
        self.settings = settings;
    }

    /// Moves with every change of what [`Self::services`] and [`Self::checks`] show.
    pub fn revision(&self) -> u64 {
        self.revision
    }
    /// All services in key order.
    pub fn services(&self) -> impl Iterator<Item = (&Key, &ServiceEntry)> {
        self.services.iter()
    }
    /// All checks in key order.
    pub fn checks(&self) -> impl Iterator<Item = (&Key, &CheckEntry)> {
        self.checks.iter()
    }
    /// One service.
    pub fn service(&self, key: &Key) -> Option<&ServiceEntry> {
        self.services.get(key)
    }
    /// One check.
    pub fn check(&self, key: &Key) -> Option<&CheckEntry> {
        self.checks.get(key)
    }

    /// Result of a probe: takes the thresholds into account. Answers whether the row changed.
    pub fn observe(
        &mut self,
        key: &Key,
        result: &'static str,
        output: &str,
        now_ms: u64,
        jitter: f64,
    ) -> bool {
        let Some(entry) = self.checks.get_mut(key) else { return false };
        match entry.thresholds.observe(result) {
            Some(status) => self.update_check(key, status, output, now_ms, jitter),
            None => false,
        }
    }

    /// Sets status and output. A changed status is synced at once; a changed output alone after the update interval, half to
    /// one and a half times of it by `jitter` (0..1). Answers whether the row changed.
    pub fn update_check(&mut self, key: &Key, status: &str, output: &str, now_ms: u64, jitter: f64) -> bool {
        let version = self.next_version();
        let output = if self.settings.discard_output { "" } else { output };
        let interval = self.settings.update_interval;
        let Some(entry) = self.checks.get_mut(key) else { return false };
        if status == CRITICAL {
            entry.critical_since_ms.get_or_insert(now_ms);
        } else {
            entry.critical_since_ms = None;
        }
        let same_status = entry.row.status == status;
        if same_status && entry.row.output == output {
            return false;
        }
        let row = Arc::make_mut(&mut entry.row);
        row.status = Str::new(status);
        row.output = Str::new(output);
        if same_status && !interval.is_zero() && entry.sync.in_sync {
            if entry.deferred_until_ms.is_none() {
                let wait = interval.mul_f64(0.5 + jitter.clamp(0.0, 1.0)).as_millis() as u64;
                let due = now_ms.saturating_add(wait);
                entry.deferred_until_ms = Some(due);
                self.deferred.insert((due, key.clone()));
            }
        } else {
            if let Some(due) = entry.deferred_until_ms.take() {
                self.deferred.remove(&(due, key.clone()));
            }
            entry.sync = Sync { in_sync: false, version };
        }
        self.revision += 1;
        true
    }

    /// When the next held-back output is due.
    pub fn next_deferred_ms(&self) -> Option<u64> {
        self.deferred.first().map(|(due, _)| *due)
    }

    /// Makes outputs that are due ready to sync. Answers whether there was one.
    pub fn release_deferred(&mut self, now_ms: u64) -> bool {
        let mut any = false;
        while let Some((due, _)) = self.deferred.first()
            && *due <= now_ms
        {
            let version = self.next_version();
            if let Some((_, key)) = self.deferred.pop_first()
                && let Some(entry) = self.checks.get_mut(&key)
            {
                entry.deferred_until_ms = None;
                entry.sync = Sync { in_sync: false, version };
                any = true;
            }
        }
        any
    }

    /// Services that have been critical for longer than one of their checks allows.
    pub fn overdue_services(&self, now_ms: u64) -> Vec<Key> {
        let mut out = BTreeSet::new();
        for (key, c) in &self.checks {
            let (Some(since), Some(d)) = (c.critical_since_ms, &c.definition) else { continue };
            if c.row.service_id.is_empty() || d.deregister_critical_service_after.is_zero() {
                continue;
            }
            let limit = d.deregister_critical_service_after.max(DEREGISTER_AFTER_MIN);
            if u128::from(now_ms.saturating_sub(since)) > limit.as_millis() {
                out.insert(Key::new(&key.tenancy, &c.row.service_id));
            }
        }
        out.into_iter().collect()
    }

    /// The longest output a check may have, bytes.
    pub fn output_limit(&self, definition: &CheckDefinition) -> usize {
        let own = usize::try_from(definition.output_max_size).unwrap_or(0);
        let bound = self.settings.output_max_size.max(1);
        if own == 0 { bound } else { own.min(bound) }
    }

    pub(crate) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(crate) fn full(&self, services: usize, checks: usize) -> Result<(), LocalError> {
        if self.services.len() + services > SERVICES_MAX || self.checks.len() + checks > CHECKS_MAX {
            return Err(LocalError::Internal(Str::new_static(
                "too many services or checks are registered on this agent",
            )));
        }
        Ok(())
    }
}
