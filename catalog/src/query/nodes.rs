//! Reads by node, and of checks by state.

use super::has_meta;
use crate::{
    catalog::{NodeRow, NodeTable, RowKey},
    scope::Scope,
    store::Store,
    topic::{CheckState, may_be_node_id},
};
use imbl::OrdMap;
use std::{ops::Bound, sync::Arc};
use types::{
    NodeName, Str, Tenancy,
    names::fold,
    query::{NodeState, QueryResult},
    record::status,
};

fn table<'s>(store: &'s Store, scope: &Scope) -> Option<&'s NodeTable> {
    store.catalog.node_table(&scope.tenancy, &scope.peer)
}

pub(super) fn all(store: &Store, scope: &Scope, node_meta: &[(Str, Str)]) -> (QueryResult, u64) {
    let Some(table) = table(store, scope) else { return (QueryResult::Nodes(Vec::new()), 0) };
    let nodes = table.rows.values().map(|r| &r.node).filter(|n| has_meta(n, node_meta)).cloned();
    (QueryResult::Nodes(nodes.collect()), table.index)
}

/// The node of this name, else the only one whose id begins so.
fn find<'s>(table: &'s NodeTable, name: &str) -> Option<&'s Arc<NodeRow>> {
    let name = fold(name);
    table.rows.get(&name).or_else(|| {
        if !may_be_node_id(&name) {
            return None;
        }
        let from = (Bound::Included(name.as_str()), Bound::Unbounded);
        let mut found = table.by_id.range::<_, str>(from).take_while(|(id, _)| id.starts_with(name.as_str()));
        match (found.next(), found.next()) {
            (Some((_, only)), None) => table.rows.get(only),
            _ => None,
        }
    })
}

/// Rows of one namespace on a node.
fn of_namespace<'r, T: Clone>(
    rows: &'r OrdMap<RowKey, Arc<T>>,
    tenancy: &Tenancy,
) -> impl Iterator<Item = &'r Arc<T>> + use<'r, T> {
    let from = RowKey::new(tenancy, "");
    let namespace = from.namespace.clone();
    rows.range::<_, RowKey>((Bound::Included(&from), Bound::Unbounded))
        .take_while(move |(k, _)| k.namespace == namespace)
        .map(|(_, row)| row)
}

pub(super) fn services(store: &Store, scope: &Scope, name: &NodeName) -> (QueryResult, u64) {
    let Some(table) = table(store, scope) else { return (QueryResult::NodeServices(None), 0) };
    let row = find(table, name);
    let named = row.is_some_and(|r| fold(&r.node.name) == fold(name));
    // Which node an id prefix means depends on all other ids.
    let ids = if !named && may_be_node_id(name) { table.index } else { 0 };
    match row {
        Some(row) => {
            let services = of_namespace(&row.services, &scope.tenancy).cloned().collect();
            (QueryResult::NodeServices(Some((row.node.clone(), services))), row.services_index.max(ids))
        }
        None => (QueryResult::NodeServices(None), table.extinct.max(ids)),
    }
}

pub(super) fn checks(store: &Store, scope: &Scope, name: &NodeName) -> (QueryResult, u64) {
    let Some(table) = table(store, scope) else { return (QueryResult::Checks(Vec::new()), 0) };
    match table.rows.get(&fold(name)) {
        Some(row) => {
            let checks = of_namespace(&row.checks, &scope.tenancy).cloned().collect();
            (QueryResult::Checks(checks), row.checks_index)
        }
        None => (QueryResult::Checks(Vec::new()), table.extinct),
    }
}

pub(super) fn state(store: &Store, tenancy: &Tenancy, name: &NodeName) -> (QueryResult, u64) {
    let scope = Scope::local(&tenancy.node_scope());
    let Some(table) = table(store, &scope) else {
        return (QueryResult::NodeState(NodeState::default()), 0);
    };
    match table.rows.get(&fold(name)) {
        Some(row) => {
            let state = NodeState {
                node: Some(row.node.clone()),
                services: row.services.values().cloned().collect(),
                checks: row.checks.values().cloned().collect(),
            };
            (QueryResult::NodeState(state), row.services_index.max(row.checks_index))
        }
        None => (QueryResult::NodeState(NodeState::default()), table.extinct),
    }
}

pub(super) fn checks_in_state(
    store: &Store,
    scope: &Scope,
    state: &str,
    node_meta: &[(Str, Str)],
) -> (QueryResult, u64) {
    let any = state == "any";
    let services = store.catalog.services.get(scope);
    let mut index =
        services.map_or(0, |t| if any { t.checks_index } else { t.state_index(CheckState::of(state)) });
    let Some(table) = table(store, scope) else { return (QueryResult::Checks(Vec::new()), index) };
    if !node_meta.is_empty() {
        index = index.max(table.index);
    }
    let on_node = |row: Option<&Arc<NodeRow>>| row.is_some_and(|r| has_meta(&r.node, node_meta));
    let checks = if any || state == status::PASSING {
        let rows = table.rows.values().filter(|r| on_node(Some(r)));
        rows.flat_map(|r| of_namespace(&r.checks, &scope.tenancy))
            .filter(|c| any || c.status.as_str() == state)
            .cloned()
            .collect()
    } else {
        let failing = services.into_iter().flat_map(|t| t.failing.iter());
        failing
            .filter(|((node, _), c)| {
                c.status.as_str() == state && (node_meta.is_empty() || on_node(table.rows.get(node)))
            })
            .map(|(_, c)| c.clone())
            .collect()
    };
    (QueryResult::Checks(checks), index)
}
