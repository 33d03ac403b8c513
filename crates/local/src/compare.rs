//! Which rows differ from the catalog.

use crate::{Key, Registry, registry::Sync};
use std::{collections::BTreeSet, sync::Arc};
use types::{
    query::NodeState,
    record::{HealthCheck, Node, NodeService, RaftIndex, SERF_HEALTH},
};

/// Id of the service that the servers maintain for themselves.
const CONSUL_SERVICE: &str = "consul";
/// Addresses under such names are added by the servers.
const VIRTUAL_PREFIX: &str = "consul-virtual";

impl Registry {
    /// Compares everything with what the catalog has of this node, so that [`Registry::plan`] then brings it in line.
    ///
    /// The node's rows belong to this agent: what it does not know is removed, but for the service `consul`, the check
    /// `serfHealth`, and rows imported from a peer.
    pub fn compare(&mut self, remote: &NodeState) {
        self.compare_node(remote.node.as_deref());
        self.compare_services(remote);
        self.compare_checks(remote);
    }

    fn compare_node(&mut self, remote: Option<&Node>) {
        let own = &self.settings.node;
        let same = remote.is_some_and(|n| {
            n.id == own.id
                && n.address == own.address
                && n.locality == own.locality
                && n.tagged_addresses.as_ref().unwrap_or(&types::record::Map::new()) == &own.tagged_addresses
                && n.meta.as_ref().unwrap_or(&types::record::Map::new()) == &own.meta
        });
        self.node_sync.in_sync = same;
    }

    fn compare_services(&mut self, remote: &NodeState) {
        let mut seen = BTreeSet::new();
        for theirs in remote.services.iter().filter(|s| s.peer.is_local()) {
            let key = Key::new(&theirs.tenancy, &theirs.id);
            match self.services.get_mut(&key) {
                Some(ours) => {
                    if ours.row.enable_tag_override && ours.row.tags.as_deref() != theirs.tags.as_deref() {
                        Arc::make_mut(&mut ours.row).tags.clone_from(&theirs.tags);
                        self.revision += 1;
                    }
                    ours.sync.in_sync = same_service(&ours.row, theirs);
                }
                None if theirs.id.as_str() == CONSUL_SERVICE => {}
                None => {
                    self.gone_services.entry(key.clone()).or_default();
                }
            }
            seen.insert(key);
        }
        for (key, ours) in &mut self.services {
            if !seen.contains(key) {
                ours.sync.in_sync = false;
            }
        }
        self.gone_services.retain(|key, _| seen.contains(key));
    }

    fn compare_checks(&mut self, remote: &NodeState) {
        let mut seen = BTreeSet::new();
        for theirs in remote.checks.iter().filter(|c| c.peer.is_local()) {
            let key = Key::new(&theirs.tenancy, &theirs.check_id);
            match self.checks.get_mut(&key) {
                Some(ours) => {
                    let held_back = ours.deferred_until_ms.is_some();
                    ours.sync.in_sync = same_check(&ours.row, theirs, held_back);
                }
                None if theirs.check_id.as_str() == SERF_HEALTH => {}
                None => {
                    let service = Key::new(&theirs.tenancy, &theirs.service_id);
                    let with_service = self.gone_services.contains_key(&service).then_some(service);
                    self.gone_checks.entry(key.clone()).or_default().with_service = with_service;
                }
            }
            seen.insert(key);
        }
        for (key, ours) in &mut self.checks {
            if !seen.contains(key) {
                ours.sync.in_sync = false;
            }
        }
        self.gone_checks.retain(|key, _| seen.contains(key));
    }

    /// Forgets what is known about the catalog: the next plan writes every row again.
    pub fn forget_sync(&mut self) {
        let sync = Sync { in_sync: false, version: self.next_version() };
        self.node_sync = sync;
        self.services.values_mut().for_each(|s| s.sync = sync);
        self.checks.values_mut().for_each(|c| c.sync = sync);
    }
}

/// Equal but for what the servers add, and for the difference between nothing and an empty list.
fn same_service(ours: &NodeService, theirs: &NodeService) -> bool {
    let normal = |s: &NodeService| {
        let mut s = s.clone();
        s.index = RaftIndex::default();
        s.tags = s.tags.filter(|t| !t.is_empty());
        s.meta = s.meta.filter(|m| !m.is_empty());
        if let Some(tagged) = &mut s.tagged_addresses {
            tagged.retain(|name, _| !name.starts_with(VIRTUAL_PREFIX));
        }
        s.tagged_addresses = s.tagged_addresses.filter(|t| !t.is_empty());
        s.proxy = s.proxy.filter(|p| **p != types::record::ServiceProxy::default());
        s
    };
    normal(ours) == normal(theirs)
}

/// Equal but for what the catalog fills in itself.
fn same_check(ours: &HealthCheck, theirs: &HealthCheck, ignore_output: bool) -> bool {
    let normal = |c: &HealthCheck| {
        let mut c = c.clone();
        c.index = RaftIndex::default();
        c.node = ours.node.clone();
        c.service_name = ours.service_name.clone();
        c.service_tags.clear();
        c.definition = c.definition.filter(|d| **d != types::record::HealthCheckDefinition::default());
        if ignore_output {
            c.output = Default::default();
        }
        c
    };
    normal(ours) == normal(theirs)
}
