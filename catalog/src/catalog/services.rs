//! Service rows: written, removed.

use super::{
    edit::{Edit, row_scope},
    group::{Instance, InstanceKey, stands_for},
    tables::RowKey,
};
use crate::{
    scope::Scope,
    vip::{self, VIRTUAL_TAG},
};
use std::sync::Arc;
use types::{
    Str,
    record::{HealthCheck, NodeService, RaftIndex, ServiceAddress},
};

impl Edit<'_> {
    /// The instance that readers see.
    pub(super) fn instance(
        &self,
        scope: &Scope,
        service: &NodeService,
        key: &InstanceKey,
    ) -> Option<Arc<Instance>> {
        self.catalog.services.get(scope)?.groups.get(&service.service.folded())?.instances.get(key).cloned()
    }

    /// Writes an instance on an existing node; nothing happens when the row would not change.
    pub(super) fn write_service(&mut self, nodes: &Scope, node: &Str, mut service: NodeService) {
        let index = self.index;
        let key = RowKey::new(&service.tenancy, &service.id);
        let scope = row_scope(nodes, &key);
        // The row itself is not held: a second owner would make every write below copy it.
        let Some(row) = self.row(nodes, node) else { return };
        let (below, old) = (row.node.clone(), row.services.get(&key).cloned());
        let old = old.as_ref();
        let node_checks = if old.is_none() { row.node_checks.clone() } else { Vec::new() };
        self.tag_virtual_address(&scope, &mut service);
        service.index = old.map_or(RaftIndex { create: index, modify: index }, |o| o.index);
        if old.is_some_and(|o| **o == service) {
            return;
        }
        service.index.modify = index;
        let service = Arc::new(service);
        let table = self.nodes(nodes);
        if let Some(old) = old {
            table.addresses.remove(&old.address, node, Some(&key));
        }
        table.addresses.add(&service.address, node, Some(&key));
        if let Some(row) = self.row_mut(nodes, node) {
            row.services.insert(key.clone(), service.clone());
        }
        self.touch_service(nodes, node);

        let instance_key = InstanceKey { node: node.clone(), id: key.id.clone() };
        let before = old.and_then(|old| self.instance(&scope, old, &instance_key));
        let checks = match &before {
            Some(before) => before.checks.clone(),
            None => node_checks,
        };
        let renamed = before
            .as_ref()
            .is_some_and(|b| b.service.service != service.service || b.service.tags != service.tags);
        let own: Vec<Arc<HealthCheck>> = if renamed {
            checks.iter().filter(|c| !c.service_id.is_empty()).cloned().collect()
        } else {
            vec![]
        };
        self.replace_instance(
            &scope,
            old.map(|o| (&instance_key, &**o)),
            Some((&instance_key, Arc::new(Instance::new(below, service, checks)))),
        );
        // Checks show the name and tags of their service.
        for check in own {
            self.write_check(nodes, node, HealthCheck::clone(&check));
        }
    }

    /// Removes an instance and its checks; nothing happens when there is none.
    pub(super) fn remove_service(&mut self, nodes: &Scope, node: &Str, key: &RowKey) {
        let Some(row) = self.row(nodes, node).cloned() else { return };
        let Some(service) = row.services.get(key) else { return };
        let scope = row_scope(nodes, key);
        let instance_key = InstanceKey { node: node.clone(), id: key.id.clone() };
        let checks =
            self.instance(&scope, service, &instance_key).map(|i| i.checks.clone()).unwrap_or_default();
        self.nodes(nodes).addresses.remove(&service.address, node, Some(key));
        if let Some(row) = self.row_mut(nodes, node) {
            row.services.remove(key);
        }
        self.touch_service(nodes, node);
        self.replace_instance(&scope, Some((&instance_key, service)), None);
        for check in checks.iter().filter(|c| !c.service_id.is_empty()) {
            self.remove_check(nodes, node, &RowKey::new(&check.tenancy, &check.check_id));
        }
    }

    /// Shows the virtual address of the name that the instance stands for.
    fn tag_virtual_address(&self, scope: &Scope, service: &mut NodeService) {
        let number = stands_for(service).and_then(|target| {
            let vips = &self.catalog.vips;
            vips.get(scope, &target).map(|vip| vip.number).or_else(|| vips.pool.peek())
        });
        if let Some(number) = number {
            service.tagged_addresses.get_or_insert_default().insert(
                VIRTUAL_TAG.into(),
                ServiceAddress { address: vip::address(number), port: service.port },
            );
        }
    }
}
