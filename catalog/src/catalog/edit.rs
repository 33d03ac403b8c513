//! The primitive changes that keep rows, groups, indexes and topics in step.

use super::{
    group::{Instance, InstanceKey, stands_for},
    tables::{Catalog, NodeRow, NodeTable, RowKey},
};
use crate::{
    changes::ChangeSet,
    scope::Scope,
    topic::{CheckState, Topic},
    vip::Reason,
};
use std::sync::Arc;
use types::{
    Str, Tenancy,
    record::{HealthCheck, NodeService, status},
};

/// One entry of the log being applied to the catalog.
pub(crate) struct Edit<'a> {
    pub catalog: &'a mut Catalog,
    pub index: u64,
    pub changes: &'a mut ChangeSet,
    /// What sessions may have depended on.
    pub broken: Vec<Broken>,
}

/// Something that ends the sessions that depend on it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Broken {
    /// A node is gone (scope of nodes, folded name).
    Node(Scope, Str),
    /// A check of a node is gone or critical.
    Check(Scope, Str, RowKey),
}

/// Scope of a row on a node.
pub(super) fn row_scope(nodes: &Scope, key: &RowKey) -> Scope {
    match &key.namespace {
        None => nodes.clone(),
        Some(ns) => Scope { tenancy: Tenancy::new(nodes.tenancy.partition(), ns), peer: nodes.peer.clone() },
    }
}

impl<'a> Edit<'a> {
    pub fn new(catalog: &'a mut Catalog, index: u64, changes: &'a mut ChangeSet) -> Self {
        Self { catalog, index, changes, broken: Vec::new() }
    }
}

impl Edit<'_> {
    pub fn nodes(&mut self, nodes: &Scope) -> &mut NodeTable {
        self.catalog.nodes.get_mut(nodes)
    }
    pub fn row(&self, nodes: &Scope, key: &str) -> Option<&Arc<NodeRow>> {
        self.catalog.nodes.get(nodes)?.rows.get(key)
    }
    pub fn row_mut(&mut self, nodes: &Scope, key: &str) -> Option<&mut NodeRow> {
        self.catalog.nodes.get_mut(nodes).rows.get_mut(key).map(Arc::make_mut)
    }

    /// A node row was written or removed.
    pub fn touch_node(&mut self, nodes: &Scope, key: &Str) {
        let index = self.index;
        self.nodes(nodes).index = index;
        self.catalog.rows_index = index;
        self.changes.touch(Topic::Nodes(nodes.clone()));
        self.changes.touch(Topic::NodeServices(nodes.clone(), key.clone()));
        self.changes.touch(Topic::Addresses);
    }

    /// A service row of a node was written or removed.
    pub fn touch_service(&mut self, nodes: &Scope, node: &Str) {
        let index = self.index;
        if let Some(row) = self.row_mut(nodes, node) {
            row.services_index = index;
        }
        self.catalog.rows_index = index;
        self.changes.touch(Topic::NodeServices(nodes.clone(), node.clone()));
        self.changes.touch(Topic::Addresses);
    }

    /// A check of a node was written or removed.
    pub fn touch_check(
        &mut self,
        nodes: &Scope,
        node: &Str,
        key: &RowKey,
        old: Option<&Arc<HealthCheck>>,
        new: Option<&Arc<HealthCheck>>,
    ) {
        let index = self.index;
        if let Some(row) = self.row_mut(nodes, node) {
            row.checks_index = index;
        }
        self.changes.touch(Topic::NodeChecks(nodes.clone(), node.clone()));
        let scope = &row_scope(nodes, key);
        if new.is_none_or(|c| c.status.as_str() == status::CRITICAL) {
            self.broken.push(Broken::Check(nodes.clone(), node.clone(), key.clone()));
        }
        let table = self.catalog.services.get_mut(scope);
        table.list_failing(node, &key.id, new);
        table.checks_index = index;
        self.changes.touch(Topic::Checks(scope.clone()));
        for check in [old, new].into_iter().flatten() {
            let state = CheckState::of(&check.status);
            table.state_index[state as usize] = index;
            self.changes.touch(Topic::CheckState(scope.clone(), state));
        }
    }

    /// Puts an instance where readers find it and takes the one it replaces away, in this order, so that a name whose only
    /// instance changes neither disappears nor loses its virtual address.
    pub fn replace_instance(
        &mut self,
        scope: &Scope,
        old: Option<(&InstanceKey, &NodeService)>,
        new: Option<(&InstanceKey, Arc<Instance>)>,
    ) {
        let (index, changes) = (self.index, &mut *self.changes);
        let table = self.catalog.services.get_mut(scope);
        let vips = &mut self.catalog.vips;
        let mut names_changed = false;
        table.rows_index = index;
        changes.touch(Topic::ServiceRows(scope.clone()));

        let new_name = new.as_ref().map(|(_, i)| i.service.service.folded());
        let new_target = new.as_ref().and_then(|(_, i)| stands_for(&i.service));
        if let (Some((key, instance)), Some(name)) = (&new, &new_name) {
            let group = Arc::make_mut(table.groups.entry(name.clone()).or_default());
            names_changed |= group.labels.add(&instance.service);
            group.instances.insert((*key).clone(), instance.clone());
            group.index = index;
            changes.touch(Topic::Service(scope.clone(), name.clone()));
        }
        if let (Some((key, instance)), Some(target)) = (&new, &new_target) {
            let group = Arc::make_mut(table.connect.entry(target.clone()).or_default());
            vips.hold(index, scope, target, Reason::Instances, changes);
            group.instances.insert((*key).clone(), instance.clone());
            group.index = index;
            changes.touch(Topic::Connect(scope.clone(), target.clone()));
        }

        if let Some((key, service)) = old {
            let moved = new.as_ref().is_none_or(|(k, _)| *k != key);
            let name = service.service.folded();
            if let Some(group) = table.groups.get_mut(&name) {
                let group = Arc::make_mut(group);
                names_changed |= group.labels.remove(service);
                group.index = index;
                changes.touch(Topic::Service(scope.clone(), name.clone()));
                if moved || new_name.as_ref() != Some(&name) {
                    group.instances.remove(key);
                }
                if group.instances.is_empty() {
                    table.groups.remove(&name);
                    table.extinct = index;
                }
            }
            if let Some(target) = stands_for(service)
                && let Some(group) = table.connect.get_mut(&target)
            {
                let group = Arc::make_mut(group);
                group.index = index;
                changes.touch(Topic::Connect(scope.clone(), target.clone()));
                if moved || new_target.as_ref() != Some(&target) {
                    group.instances.remove(key);
                }
                if group.instances.is_empty() {
                    vips.release(index, scope, &target, Reason::Instances, changes);
                    table.connect.remove(&target);
                    table.connect_extinct = index;
                }
            }
        }
        if names_changed {
            table.names_index = index;
            changes.touch(Topic::ServiceNames(scope.clone()));
        }
    }

    /// Rebuilds one instance in place: its node or checks changed, its service row did not.
    pub fn update_instance(
        &mut self,
        scope: &Scope,
        key: &InstanceKey,
        service: &NodeService,
        f: impl FnOnce(&Instance) -> Instance,
    ) {
        let (index, changes) = (self.index, &mut *self.changes);
        let table = self.catalog.services.get_mut(scope);
        let name = service.service.folded();
        let Some(group) = table.groups.get_mut(&name) else { return };
        let group = Arc::make_mut(group);
        let Some(slot) = group.instances.get_mut(key) else { return };
        let instance = Arc::new(f(slot));
        *slot = instance.clone();
        group.index = index;
        changes.touch(Topic::Service(scope.clone(), name));
        if let Some(target) = stands_for(service)
            && let Some(group) = table.connect.get_mut(&target)
        {
            let group = Arc::make_mut(group);
            group.instances.insert(key.clone(), instance);
            group.index = index;
            changes.touch(Topic::Connect(scope.clone(), target));
        }
    }

    /// Rebuilds every instance on a node after one of the node's checks changed.
    pub fn update_instances(&mut self, nodes: &Scope, node: &Str, f: impl Fn(&Instance) -> Instance) {
        let Some(row) = self.row(nodes, node).cloned() else { return };
        for (key, service) in &row.services {
            let instance = InstanceKey { node: node.clone(), id: key.id.clone() };
            self.update_instance(&row_scope(nodes, key), &instance, service, &f);
        }
    }

    /// Puts a new node row below every instance on it.
    pub fn rebase_instances(&mut self, nodes: &Scope, node: &Str) {
        let index = self.index;
        let Some(row) = self.row(nodes, node).cloned() else { return };
        self.update_instances(nodes, node, |i| {
            Instance::new(row.node.clone(), i.service.clone(), i.checks.clone())
        });
        for (key, _) in &row.services {
            let scope = row_scope(nodes, key);
            self.catalog.services.get_mut(&scope).rows_index = index;
            self.changes.touch(Topic::ServiceRows(scope));
        }
    }
}
