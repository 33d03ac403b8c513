//! Node rows: written, renamed, removed.

use super::{
    edit::{Broken, Edit, row_scope},
    group::{Instance, InstanceKey},
    tables::{NodeRow, RowKey},
};
use crate::scope::Scope;
use std::sync::Arc;
use types::{
    NodeName, Str,
    names::fold,
    record::{HealthCheck, Node, RaftIndex, SERF_HEALTH, status},
};

/// How a registration will change the node it names, decided before anything is touched.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum NodePlan {
    /// The row stays as it is.
    Keep,
    /// The row under the new name is written (and made when missing).
    Write(Box<Node>),
    /// The node known by its id gets a new, free name and keeps what is registered on it.
    Rename {
        /// Folded name it had.
        from: Str,
        /// New row.
        node: Box<Node>,
    },
    /// The node known by its id takes the name of another one, whose services stay under that name; its own are removed.
    TakeOver {
        /// Folded name it had.
        from: Str,
        /// New row.
        node: Box<Node>,
    },
}

impl NodePlan {
    /// Folded name of the node whose services and checks will be there when the plan is carried out.
    pub fn rows_from<'a>(&'a self, key: &'a Str) -> &'a Str {
        match self {
            Self::Rename { from, .. } => from,
            _ => key,
        }
    }
}

impl Edit<'_> {
    /// What registering `node` means.
    pub(super) fn plan_node(&self, nodes: &Scope, node: Node, skip_update: bool) -> Result<NodePlan, Str> {
        let key = node.name.folded();
        let holder = self.row(nodes, &key);
        if skip_update && holder.is_some() {
            return Ok(NodePlan::Keep);
        }
        if node.id.is_empty() {
            return Ok(NodePlan::Write(Box::new(node)));
        }
        let from = self.catalog.nodes.get(nodes).and_then(|t| t.by_id.get(&fold(&node.id)));
        let clash = holder.filter(|h| !h.node.id.eq_ignore_ascii_case(&node.id));
        match from {
            Some(from) if *from != key => {
                if let Some(holder) = clash {
                    refuse_if_alive(holder, &node)?;
                    return Ok(NodePlan::TakeOver { from: from.clone(), node: Box::new(node) });
                }
                Ok(NodePlan::Rename { from: from.clone(), node: Box::new(node) })
            }
            Some(_) => Ok(NodePlan::Write(Box::new(node))),
            None => {
                // A node without an id may be claimed by whoever comes with one.
                if let Some(holder) = clash.filter(|h| !h.node.id.is_empty()) {
                    refuse_if_alive(holder, &node)?;
                }
                Ok(NodePlan::Write(Box::new(node)))
            }
        }
    }

    pub(super) fn carry_out(&mut self, nodes: &Scope, plan: NodePlan) {
        match plan {
            NodePlan::Keep => {}
            NodePlan::Write(node) => self.write_node(nodes, *node, None),
            NodePlan::Rename { from, node } => self.rename_node(nodes, &from, *node),
            NodePlan::TakeOver { from, node } => {
                let create = self.row(nodes, &from).map(|r| r.node.index.create);
                self.remove_node(nodes, &from);
                self.write_node(nodes, *node, create);
            }
        }
    }

    /// Writes a node under its own name; nothing happens when the row would not change.
    fn write_node(&mut self, nodes: &Scope, mut node: Node, create: Option<u64>) {
        let key = node.name.folded();
        let index = self.index;
        let old = self.row(nodes, &key).map(|r| r.node.clone());
        node.index = match &old {
            Some(old) => RaftIndex { create: create.unwrap_or(old.index.create), modify: old.index.modify },
            None => RaftIndex { create: create.unwrap_or(index), modify: index },
        };
        if old.as_deref() == Some(&node) {
            return;
        }
        node.index.modify = index;
        let node = Arc::new(node);
        let table = self.nodes(nodes);
        if let Some(old) = &old {
            table.by_id.remove(&fold(&old.id));
            table.addresses.remove(&old.address, &key, None);
        }
        if !node.id.is_empty() {
            table.by_id.insert(fold(&node.id), key.clone());
        }
        table.addresses.add(&node.address, &key, None);
        match table.rows.get_mut(&key) {
            Some(row) => {
                let row = Arc::make_mut(row);
                row.node = node.clone();
                row.services_index = index;
            }
            None => {
                table.rows.insert(key.clone(), Arc::new(NodeRow::new(node.clone(), index)));
            }
        }
        self.touch_node(nodes, &key);
        if let Some(old) = old {
            if old.name != node.name {
                self.respell_checks(nodes, &key, &node.name);
            }
            self.rebase_instances(nodes, &key);
        }
    }

    /// Gives the node another name that nobody has.
    fn rename_node(&mut self, nodes: &Scope, from: &Str, mut node: Node) {
        let index = self.index;
        let key = node.name.folded();
        let table = self.nodes(nodes);
        let Some(row) = table.rows.remove(from) else { return };
        self.broken.push(Broken::Node(nodes.clone(), from.clone()));
        self.catalog.coordinates.remove(index, nodes, from, self.changes);
        let table = self.nodes(nodes);
        node.index = RaftIndex { create: row.node.index.create, modify: index };
        let node = Arc::new(node);
        table.extinct = index;
        table.addresses.remove(&row.node.address, from, None);
        table.addresses.add(&node.address, &key, None);
        table.by_id.insert(fold(&node.id), key.clone());
        for (k, s) in &row.services {
            table.addresses.remove(&s.address, from, Some(k));
            table.addresses.add(&s.address, &key, Some(k));
        }
        table.rows.insert(
            key.clone(),
            Arc::new(NodeRow {
                node: node.clone(),
                services_index: index,
                checks_index: index,
                ..(*row).clone()
            }),
        );
        for name in [from, &key] {
            self.touch_node(nodes, name);
        }
        for (k, service) in &row.services {
            let scope = row_scope(nodes, k);
            let old_key = InstanceKey { node: from.clone(), id: k.id.clone() };
            let new_key = InstanceKey { node: key.clone(), id: k.id.clone() };
            let Some(old) = self.instance(&scope, service, &old_key) else { continue };
            let new = Arc::new(Instance::new(node.clone(), service.clone(), old.checks.clone()));
            self.replace_instance(&scope, Some((&old_key, service)), Some((&new_key, new)));
        }
        for (k, check) in &row.checks {
            self.touch_check(nodes, from, k, Some(check), None);
        }
        self.respell_checks(nodes, &key, &node.name);
    }

    /// Writes the node's name into its checks.
    fn respell_checks(&mut self, nodes: &Scope, key: &Str, name: &NodeName) {
        let Some(row) = self.row(nodes, key).cloned() else { return };
        for (check_key, check) in &row.checks {
            let mut check = HealthCheck::clone(check);
            check.node = name.clone();
            self.store_check(nodes, key, check_key, check);
        }
    }

    /// Removes a node with everything on it; nothing happens when there is none.
    pub(super) fn remove_node(&mut self, nodes: &Scope, key: &Str) {
        let index = self.index;
        let Some(row) = self.row(nodes, key).cloned() else { return };
        self.catalog.coordinates.remove(index, nodes, key, self.changes);
        let table = self.nodes(nodes);
        table.rows.remove(key);
        table.by_id.remove(&fold(&row.node.id));
        table.addresses.remove(&row.node.address, key, None);
        for (k, s) in &row.services {
            table.addresses.remove(&s.address, key, Some(k));
        }
        table.extinct = index;
        self.broken.push(Broken::Node(nodes.clone(), key.clone()));
        self.touch_node(nodes, key);
        for (k, service) in &row.services {
            let instance = InstanceKey { node: key.clone(), id: k.id.clone() };
            self.replace_instance(&row_scope(nodes, k), Some((&instance, service)), None);
        }
        for (k, check) in &row.checks {
            self.touch_check(nodes, key, k, Some(check), None);
        }
    }
}

/// A name is only free for taking when its holder's gossip check is missing or critical.
fn refuse_if_alive(holder: &NodeRow, node: &Node) -> Result<(), Str> {
    let serf = holder.checks.get(&RowKey { namespace: None, id: fold(SERF_HEALTH) });
    if serf.is_none_or(|c| c.status.as_str() == status::CRITICAL) {
        return Ok(());
    }
    let held = &holder.node;
    Err(Str::from(format!(
        "failed inserting node: Error while renaming Node ID: {:?}: Node name {} is reserved by node {} with name {} ({})",
        node.id.as_str(),
        node.name,
        held.id,
        held.name,
        held.address
    )))
}
