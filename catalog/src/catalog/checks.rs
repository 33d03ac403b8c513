//! Check rows: written, removed.

use super::{
    edit::{Edit, row_scope},
    group::{CheckPlace, InstanceKey},
    tables::{NodeRow, RowKey},
};
use crate::scope::Scope;
use std::sync::Arc;
use types::{
    Str,
    record::{HealthCheck, RaftIndex},
};

impl Edit<'_> {
    /// Writes a check on an existing node, filling in what the catalog knows; nothing happens when the row would not
    /// change. The service it names must exist.
    pub(super) fn write_check(&mut self, nodes: &Scope, node: &Str, mut check: HealthCheck) {
        let Some(row) = self.row(nodes, node) else { return };
        check.node = row.node.name.clone();
        let key = RowKey::new(&check.tenancy, &check.check_id);
        match row.services.get(&service_key(&key, &check)).filter(|_| !check.service_id.is_empty()) {
            Some(service) => {
                check.service_name = service.service.clone();
                check.service_tags = service.tags.clone().unwrap_or_default();
            }
            None => {
                check.service_name = Default::default();
                check.service_tags = Vec::new();
            }
        }
        self.store_check(nodes, node, &key, check);
    }

    /// Stores a complete check row.
    pub fn store_check(&mut self, nodes: &Scope, node: &Str, key: &RowKey, mut check: HealthCheck) {
        let index = self.index;
        let Some(row) = self.row(nodes, node) else { return };
        let old = row.checks.get(key).cloned();
        check.index = old.as_ref().map_or(RaftIndex { create: index, modify: index }, |o| o.index);
        if old.as_deref() == Some(&check) {
            return;
        }
        check.index.modify = index;
        let check = Arc::new(check);
        if let Some(old) = &old
            && !same_service(old, &check)
        {
            self.detach(nodes, node, key, old);
        }
        if let Some(row) = self.row_mut(nodes, node) {
            row.checks.insert(key.clone(), check.clone());
            list_node_check(row, key, Some(&check));
        }
        self.touch_check(nodes, node, key, old.as_ref(), Some(&check));
        self.attach(nodes, node, key, &check);
    }

    /// Removes a check; nothing happens when there is none.
    pub(super) fn remove_check(&mut self, nodes: &Scope, node: &Str, key: &RowKey) {
        let Some(old) = self.row(nodes, node).and_then(|r| r.checks.get(key)).cloned() else { return };
        if let Some(row) = self.row_mut(nodes, node) {
            row.checks.remove(key);
            list_node_check(row, key, None);
        }
        self.touch_check(nodes, node, key, Some(&old), None);
        self.detach(nodes, node, key, &old);
    }

    fn attach(&mut self, nodes: &Scope, node: &Str, key: &RowKey, check: &Arc<HealthCheck>) {
        let place = CheckPlace::of(check);
        self.each_instance(nodes, node, key, check, |i| i.with_check(&place, Some(check)));
    }

    fn detach(&mut self, nodes: &Scope, node: &Str, key: &RowKey, check: &HealthCheck) {
        let place = CheckPlace::of(check);
        self.each_instance(nodes, node, key, check, |i| i.with_check(&place, None));
        if check.service_id.is_empty()
            && let Some(row) = self.row_mut(nodes, node)
        {
            list_node_check(row, key, None);
        }
    }

    /// The instances that a check concerns: its own, or all on the node.
    fn each_instance(
        &mut self,
        nodes: &Scope,
        node: &Str,
        key: &RowKey,
        check: &HealthCheck,
        f: impl Fn(&super::Instance) -> super::Instance,
    ) {
        if check.service_id.is_empty() {
            return self.update_instances(nodes, node, f);
        }
        let service_key = service_key(key, check);
        let Some(service) = self.row(nodes, node).and_then(|r| r.services.get(&service_key)).cloned() else {
            return;
        };
        let instance = InstanceKey { node: node.clone(), id: service_key.id.clone() };
        self.update_instance(&row_scope(nodes, &service_key), &instance, &service, f);
    }
}

/// Key of the service that a check belongs to: it lives in the same namespace.
fn service_key(key: &RowKey, check: &HealthCheck) -> RowKey {
    RowKey { namespace: key.namespace.clone(), id: check.service_id.folded() }
}

fn same_service(a: &HealthCheck, b: &HealthCheck) -> bool {
    a.service_id.folded() == b.service_id.folded()
}

/// Keeps the list of the node's own checks in the order of their keys.
pub(super) fn list_node_check(row: &mut NodeRow, key: &RowKey, check: Option<&Arc<HealthCheck>>) {
    let own = check.filter(|c| c.service_id.is_empty());
    let at = row.node_checks.binary_search_by(|c| RowKey::new(&c.tenancy, &c.check_id).cmp(key));
    match (at, own) {
        (Ok(at), Some(c)) => row.node_checks[at] = c.clone(),
        (Err(at), Some(c)) => row.node_checks.insert(at, c.clone()),
        (Ok(at), None) => {
            row.node_checks.remove(at);
        }
        (Err(_), None) => {}
    }
}
