//! Reads by service name.

use super::has_meta;
use crate::{
    catalog::{Group, Instance},
    entries::exposing_gateways,
    scope::Scope,
    store::Store,
    topic::{Topic, any_instance},
    vip,
};
use std::{collections::BTreeMap, sync::Arc};
use types::{
    ServiceName, Str,
    entry::EntryKind,
    names::fold,
    query::{Query, QueryResult, ServiceLookup},
    record::{CheckServiceNode, NodeService, ServiceKind, ServiceNode},
};

/// Which instances of a service are asked for.
pub(super) struct Asked<'a> {
    pub scope: &'a Scope,
    pub service: &'a ServiceName,
    pub lookup: ServiceLookup,
    pub tags: &'a [Str],
    pub node_meta: &'a [(Str, Str)],
}

impl Asked<'_> {
    fn group<'s>(&self, store: &'s Store) -> (Option<&'s Arc<Group>>, u64) {
        let Some(table) = store.catalog.services.get(self.scope) else { return (None, 0) };
        let name = fold(self.service);
        match self.lookup {
            ServiceLookup::Plain => (table.groups.get(&name), table.group_index(&name)),
            ServiceLookup::Connect => (table.connect.get(&name), table.connect_index(&name)),
            // More than one group: see `health`.
            ServiceLookup::Ingress => (None, 0),
        }
    }
    fn wants(&self, instance: &Instance) -> bool {
        has_meta(&instance.node, self.node_meta)
            && (self.lookup == ServiceLookup::Connect || has_tags(&instance.service, self.tags))
    }
}

/// Whether an instance has all tags, without regard to case.
fn has_tags(service: &NodeService, wanted: &[Str]) -> bool {
    wanted.is_empty() || {
        let tags = service.tags.as_deref().unwrap_or_default();
        wanted.iter().all(|w| tags.iter().any(|t| t == w || fold(t) == fold(w)))
    }
}

pub(super) fn health(store: &Store, asked: &Asked<'_>, passing_only: bool) -> (QueryResult, u64) {
    if asked.lookup == ServiceLookup::Ingress {
        return ingress(store, asked, passing_only);
    }
    let (group, index) = asked.group(store);
    let Some(group) = group else { return (QueryResult::ServiceHealth(Vec::new()), index) };
    (QueryResult::ServiceHealth(health_rows(group, asked, passing_only)), index)
}

/// Instances of the ingress gateways that expose the service.
fn ingress(store: &Store, asked: &Asked<'_>, passing_only: bool) -> (QueryResult, u64) {
    let table = store.catalog.services.get(asked.scope);
    let kind = Topic::ConfigKind(asked.scope.tenancy.clone(), EntryKind::IngressGateway);
    let index = instances_index(store, asked.scope).max(store.topic_index(&kind));
    let mut rows = Vec::new();
    for gateway in exposing_gateways(store, asked.scope, asked.service) {
        if let Some(group) = table.and_then(|t| t.groups.get(&gateway)) {
            rows.extend(health_rows(group, asked, passing_only));
        }
    }
    rows.retain(|r| r.service.kind == ServiceKind::IngressGateway);
    (QueryResult::ServiceHealth(rows), index)
}

/// Last change of any instance, its node or its checks.
fn instances_index(store: &Store, scope: &Scope) -> u64 {
    any_instance(scope.clone()).iter().map(|t| store.topic_index(t)).max().unwrap_or(0)
}

/// Instances of a kind, whatever their names.
pub(super) fn of_kind(
    store: &Store,
    scope: &Scope,
    kind: &ServiceKind,
    node_meta: &[(Str, Str)],
) -> (QueryResult, u64) {
    let groups = store.catalog.services.get(scope).into_iter().flat_map(|t| t.groups.values());
    let rows = groups
        .flat_map(|g| g.instances.values())
        .filter(|i| i.service.kind == *kind && has_meta(&i.node, node_meta))
        .map(|i| CheckServiceNode {
            node: i.node.clone(),
            service: i.service.clone(),
            checks: i.checks.clone(),
        })
        .collect();
    (QueryResult::ServiceHealth(rows), instances_index(store, scope))
}

fn health_rows(group: &Group, asked: &Asked<'_>, passing_only: bool) -> Vec<CheckServiceNode> {
    let mut rows = Vec::with_capacity(group.instances.len());
    for i in group.instances.values().filter(|i| (i.passing || !passing_only) && asked.wants(i)) {
        rows.push(CheckServiceNode {
            node: i.node.clone(),
            service: i.service.clone(),
            checks: i.checks.clone(),
        });
    }
    rows
}

pub(super) fn rows(store: &Store, asked: &Asked<'_>) -> (QueryResult, u64) {
    let (group, index) = asked.group(store);
    let Some(group) = group else { return (QueryResult::ServiceNodes(Vec::new()), index) };
    let rows = group.instances.values().filter(|i| asked.wants(i)).map(|i| row(i)).collect();
    (QueryResult::ServiceNodes(rows), index)
}

fn row(i: &Instance) -> ServiceNode {
    ServiceNode { node: i.node.clone(), service: i.service.clone() }
}

pub(super) fn checks(
    store: &Store,
    scope: &Scope,
    service: &ServiceName,
    node_meta: &[(Str, Str)],
) -> (QueryResult, u64) {
    let asked = Asked { scope, service, lookup: ServiceLookup::Plain, tags: &[], node_meta };
    let (group, index) = asked.group(store);
    let instances = group.into_iter().flat_map(|g| g.instances.values()).filter(|i| asked.wants(i));
    let rows =
        instances.flat_map(|i| i.checks.iter().filter(|c| !c.service_id.is_empty()).cloned()).collect();
    (QueryResult::Checks(rows), index)
}

pub(super) fn names(store: &Store, scope: &Scope, node_meta: &[(Str, Str)]) -> (QueryResult, u64) {
    if !node_meta.is_empty() {
        return names_of(store, scope, node_meta, &mut |_| true);
    }
    let Some(table) = store.catalog.services.get(scope) else {
        return (QueryResult::Services(BTreeMap::new()), 0);
    };
    let mut out = BTreeMap::<Str, Vec<Str>>::new();
    for (name, tag) in table.groups.values().flat_map(|g| g.labels.iter()) {
        out.entry(name.clone()).or_default().extend(tag.cloned());
    }
    (QueryResult::Services(out), table.names_index)
}

/// As [`crate::run_query`] for [`Query::Services`], counting only the instances that `keep` accepts. Other queries are
/// answered as they are.
pub fn run_services_filtered(
    store: &Store,
    query: &Query,
    node_meta: &[(Str, Str)],
    keep: &mut dyn FnMut(&ServiceNode) -> bool,
) -> (QueryResult, u64) {
    let Query::Services { tenancy, peer } = query else { return super::run_query(store, query, node_meta) };
    let (result, index) = names_of(store, &Scope::new(tenancy, peer), node_meta, keep);
    (result, index.max(1).max(store.lineage.floor))
}

fn names_of(
    store: &Store,
    scope: &Scope,
    node_meta: &[(Str, Str)],
    keep: &mut dyn FnMut(&ServiceNode) -> bool,
) -> (QueryResult, u64) {
    let Some(table) = store.catalog.services.get(scope) else {
        return (QueryResult::Services(BTreeMap::new()), 0);
    };
    let mut out = BTreeMap::<Str, std::collections::BTreeSet<Str>>::new();
    for i in table.groups.values().flat_map(|g| g.instances.values()) {
        if has_meta(&i.node, node_meta) && keep(&row(i)) {
            let tags = i.service.tags.as_deref().unwrap_or_default();
            out.entry(i.service.service.0.clone()).or_default().extend(tags.iter().cloned());
        }
    }
    let out = out.into_iter().map(|(name, tags)| (name, tags.into_iter().collect())).collect();
    (QueryResult::Services(out), table.rows_index)
}

pub(super) fn virtual_ip(store: &Store, scope: &Scope, service: &ServiceName) -> (QueryResult, u64) {
    let (vips, name) = (&store.catalog.vips, service.folded());
    let found = vips.get(scope, &name).map(|vip| vip::address(vip.number));
    (QueryResult::VirtualIp(found), vips.index(scope, &name))
}
