//! Building the tables again from their rows, as a snapshot is read.

use super::{
    checks::list_node_check,
    edit::row_scope,
    group::{Instance, InstanceKey, stands_for},
    tables::{Catalog, NodeRow, RowKey},
};
use crate::scope::Scope;
use std::{collections::BTreeMap, sync::Arc};
use types::{
    Str,
    names::fold,
    record::{HealthCheck, Node, NodeService},
};

/// Rows of the node that is being read.
#[derive(Default)]
pub(crate) struct Rebuild {
    current: Option<(Scope, Str, NodeRow)>,
}

impl Rebuild {
    /// Begins a node.
    pub fn node(&mut self, catalog: &mut Catalog, node: Arc<Node>, services_index: u64, checks_index: u64) {
        self.finish_node(catalog);
        let scope = Scope { tenancy: node.tenancy.node_scope(), peer: node.peer.clone() };
        let mut row = NodeRow::new(node, services_index);
        row.checks_index = checks_index;
        self.current = Some((scope, row.node.name.folded(), row));
    }
    /// A service of the node. One without a node is dropped; the writer makes none.
    pub fn service(&mut self, service: Arc<NodeService>) {
        if let Some((_, _, row)) = &mut self.current {
            row.services.insert(RowKey::new(&service.tenancy, &service.id), service);
        }
    }
    /// A check of the node.
    pub fn check(&mut self, check: Arc<HealthCheck>) {
        if let Some((_, _, row)) = &mut self.current {
            let key = RowKey::new(&check.tenancy, &check.check_id);
            list_node_check(row, &key, Some(&check));
            row.checks.insert(key, check);
        }
    }
    /// The node is complete: puts it and its instances where they are found.
    pub fn finish_node(&mut self, catalog: &mut Catalog) {
        let Some((scope, key, row)) = self.current.take() else { return };
        for (check_key, check) in &row.checks {
            let table = catalog.services.get_mut(&row_scope(&scope, check_key));
            table.list_failing(&key, &check_key.id, Some(check));
        }
        let mut own: BTreeMap<RowKey, Vec<Arc<HealthCheck>>> = BTreeMap::new();
        for (check_key, check) in row.checks.iter().filter(|(_, c)| !c.service_id.is_empty()) {
            let service = RowKey { namespace: check_key.namespace.clone(), id: check.service_id.folded() };
            own.entry(service).or_default().push(check.clone());
        }
        let table = catalog.nodes.get_mut(&scope);
        if !row.node.id.is_empty() {
            table.by_id.insert(fold(&row.node.id), key.clone());
        }
        table.addresses.add(&row.node.address, &key, None);
        for (service_key, service) in &row.services {
            table.addresses.add(&service.address, &key, Some(service_key));
        }
        for (service_key, service) in &row.services {
            let table = catalog.services.get_mut(&row_scope(&scope, service_key));
            let mut checks = row.node_checks.clone();
            checks.extend(own.remove(service_key).unwrap_or_default());
            let place = InstanceKey { node: key.clone(), id: service_key.id.clone() };
            let instance = Arc::new(Instance::new(row.node.clone(), service.clone(), checks));
            let group = Arc::make_mut(table.groups.entry(service.service.folded()).or_default());
            group.labels.add(service);
            group.instances.insert(place.clone(), instance.clone());
            if let Some(target) = stands_for(service) {
                let group = Arc::make_mut(table.connect.entry(target).or_default());
                group.instances.insert(place, instance);
            }
        }
        catalog.nodes.get_mut(&scope).rows.insert(key, Arc::new(row));
    }
}
