//! Reads.

mod nodes;
mod services;

use crate::{entries::gateway_services, scope::Scope, store::Store, topic::Topic};
use std::{net::IpAddr, sync::Arc};
use types::{
    Str,
    entry::EntryKey,
    query::{Deadlines, Query, QueryResult},
    record::{Node, ServiceNode},
};

pub use services::run_services_filtered;

/// Answers `query` from one version of the state, keeping rows whose node has all of `node_meta`; with it the index of the
/// result, at least 1.
///
/// The index is the newest change among what the answer was made from, deletions included. What does not exist reports the
/// last time anything of its kind disappeared, so that unrelated writes do not move it.
pub fn run_query(store: &Store, query: &Query, node_meta: &[(Str, Str)]) -> (QueryResult, u64) {
    let (result, index) = match query {
        Query::KvGet { tenancy, key } => match store.kv_table(tenancy) {
            Some(table) => match table.get(key) {
                Some(entry) => (QueryResult::Kv(Some(entry.clone())), entry.index.modify),
                None => (QueryResult::Kv(None), table.index()),
            },
            None => (QueryResult::Kv(None), 0),
        },
        Query::ServiceHealth { tenancy, peer, service, lookup, tags, passing_only } => {
            let asked = services::Asked {
                scope: &Scope::new(tenancy, peer),
                service,
                lookup: *lookup,
                tags,
                node_meta,
            };
            services::health(store, &asked, *passing_only)
        }
        Query::ServiceNodes { tenancy, peer, service, lookup, tags } => {
            let asked = services::Asked {
                scope: &Scope::new(tenancy, peer),
                service,
                lookup: *lookup,
                tags,
                node_meta,
            };
            services::rows(store, &asked)
        }
        Query::ServiceChecks { tenancy, peer, service } => {
            services::checks(store, &Scope::new(tenancy, peer), service, node_meta)
        }
        Query::Services { tenancy, peer } => services::names(store, &Scope::new(tenancy, peer), node_meta),
        Query::Nodes { tenancy, peer } => nodes::all(store, &Scope::new(tenancy, peer), node_meta),
        Query::NodeServices { tenancy, peer, node } => {
            nodes::services(store, &Scope::new(tenancy, peer), node)
        }
        Query::NodeChecks { tenancy, peer, node } => nodes::checks(store, &Scope::new(tenancy, peer), node),
        Query::NodeState { tenancy, node } => nodes::state(store, tenancy, node),
        Query::ChecksInState { tenancy, peer, state } => {
            nodes::checks_in_state(store, &Scope::new(tenancy, peer), state, node_meta)
        }
        Query::KvList { tenancy, prefix } => match store.kv_table(tenancy) {
            Some(table) => {
                let entries: Vec<_> = table.list(prefix).cloned().collect();
                let newest = entries.iter().map(|e| e.index.modify).max();
                (QueryResult::KvList(entries), table.prefix_index_from(prefix, newest))
            }
            None => (QueryResult::KvList(Vec::new()), 0),
        },
        Query::KvKeys { tenancy, prefix, separator } => match store.kv_table(tenancy) {
            Some(table) => {
                let (keys, index) = table.keys(prefix, separator);
                (QueryResult::KvKeys(keys), index)
            }
            None => (QueryResult::KvKeys(Vec::new()), 0),
        },
        Query::ConfigEntry { tenancy, kind, name } => {
            let key = EntryKey::new(*kind, name);
            let table = store.entry_table(tenancy);
            let found = table.and_then(|t| t.get(&key)).cloned();
            (QueryResult::ConfigEntry(found), table.map_or(0, |t| t.entry_index(&key)))
        }
        Query::ConfigEntries { tenancy, kind } => match store.entry_table(tenancy) {
            Some(table) => {
                let index = kind.map_or_else(|| table.index(), |k| table.kind_index(k));
                (QueryResult::ConfigEntries(table.list(*kind).cloned().collect()), index)
            }
            None => (QueryResult::ConfigEntries(Vec::new()), 0),
        },
        Query::GatewayServices { tenancy, gateway } => {
            let (rows, index) = gateway_services(store, tenancy, gateway);
            (QueryResult::GatewayServices(rows), index)
        }
        Query::KindHealth { tenancy, kind } => {
            let scope = Scope { tenancy: tenancy.clone(), peer: Default::default() };
            services::of_kind(store, &scope, kind, node_meta)
        }
        Query::AllConfigEntries => {
            let entries = store.entries.iter().flat_map(|(_, t)| t.list(None)).cloned().collect();
            (QueryResult::ConfigEntries(entries), store.topic_index(&Topic::AllConfigEntries))
        }
        Query::FederationStates => {
            let rows = store.federation.rows().cloned().collect();
            (QueryResult::FederationStates(rows), store.federation.index)
        }
        Query::FederationState { datacenter } => {
            let found = store.federation.get(&datacenter.folded()).cloned();
            let index = found.as_ref().map_or(store.federation.extinct, |f| f.index.modify);
            (QueryResult::FederationState(found), index)
        }
        Query::Session { tenancy, id } => {
            let table = store.session_table(tenancy);
            let found = table.and_then(|t| t.get(id)).cloned();
            let index = table.map_or(0, |t| t.session_index(id));
            (QueryResult::Sessions(found.into_iter().collect()), index)
        }
        Query::Sessions { tenancy } => {
            let table = store.session_table(tenancy);
            let rows = table.into_iter().flat_map(|t| t.rows().values()).cloned().collect();
            (QueryResult::Sessions(rows), table.map_or(0, |t| t.index))
        }
        Query::NodeSessions { tenancy, node } => {
            let (table, node) = (store.session_table(tenancy), node.folded());
            let rows = table.into_iter().flat_map(|t| t.on_node(&node)).cloned().collect();
            (QueryResult::Sessions(rows), table.map_or(0, |t| t.node_index(&node)))
        }
        Query::Deadlines { keys_max } => deadlines(store, *keys_max as usize),
        Query::Txn(read) => (QueryResult::Txn(crate::txn::read(store, &read.0)), store.row_index()),
        Query::Coordinates { tenancy, node, segment } => {
            let nodes = Scope::local(&tenancy.node_scope());
            crate::coordinates::read(store, &nodes, node.as_ref(), segment.as_ref())
        }
        Query::Partitions { name } => {
            let all = || store.tenancies.partitions();
            let one = |name: &Str| store.tenancies.partition(name).into_iter().collect();
            (QueryResult::Partitions(name.as_ref().map_or_else(all, one)), store.tenancies.index)
        }
        Query::Namespaces { partition, name } => {
            let all = || store.tenancies.namespaces(partition);
            let one = |name: &Str| store.tenancies.namespace(partition, name).into_iter().collect();
            (QueryResult::Namespaces(name.as_ref().map_or_else(all, one)), store.tenancies.index)
        }
        Query::PreparedQueries { id } => {
            let table = &store.queries;
            match id {
                Some(id) => {
                    let found: Vec<_> = table.get(id).cloned().into_iter().collect();
                    let index = found.first().map_or(table.index, |q| q.index.modify);
                    (QueryResult::PreparedQueries(found), index)
                }
                None => (QueryResult::PreparedQueries(table.rows().values().cloned().collect()), table.index),
            }
        }
        Query::Execute(asked) => {
            let executed = crate::prepared::execute(store, asked);
            (QueryResult::Executed(Box::new(executed)), store.queries.index)
        }
        Query::CaRoots => (QueryResult::CaRoots(store.authority.roots()), store.authority.roots_index()),
        Query::CaConfig => {
            (QueryResult::CaConfig(store.authority.config().cloned()), store.authority.config_index())
        }
        Query::Autopilot => {
            let autopilot = &store.autopilot;
            (QueryResult::Autopilot(autopilot.config.clone(), autopilot.index), autopilot.index.modify)
        }
        Query::ByAddress { address } => by_address(store, *address),
        Query::VirtualIp { tenancy, peer, service } => {
            services::virtual_ip(store, &Scope::new(tenancy, peer), service)
        }
    };
    (result, index.max(1).max(store.lineage.floor))
}

/// Sessions with a time to live, and the keys whose time ends first.
fn deadlines(store: &Store, keys_max: usize) -> (QueryResult, u64) {
    let sessions = store
        .sessions
        .iter()
        .flat_map(|(_, t)| t.rows().values())
        .filter(|s| s.ttl_ns > 0)
        .cloned()
        .collect();
    let mut keys: Vec<_> = store
        .kv
        .iter()
        .flat_map(|(scope, t)| {
            t.soonest().take(keys_max).map(move |(at, key)| (scope.tenancy.clone(), key.clone(), *at))
        })
        .collect();
    keys.sort_by_key(|(_, _, at)| *at);
    keys.truncate(keys_max);
    (QueryResult::Deadlines(Deadlines { sessions, keys }), store.topic_index(&Topic::Deadlines))
}

/// Nodes of this cluster with the address, else service instances.
fn by_address(store: &Store, address: IpAddr) -> (QueryResult, u64) {
    let (mut nodes, mut services) = (Vec::new(), Vec::new());
    for (_, table) in store.catalog.nodes.iter().filter(|(scope, _)| scope.peer.is_local()) {
        for (name, service) in table.addresses.find(address) {
            let Some(row) = table.rows.get(name) else { continue };
            match service {
                None => nodes.push(row.node.clone()),
                Some(key) => services.extend(
                    row.services.get(key).map(|s| ServiceNode { node: row.node.clone(), service: s.clone() }),
                ),
            }
        }
    }
    if !nodes.is_empty() {
        services.clear();
    }
    (QueryResult::ByAddress { nodes, services }, store.catalog.rows_index)
}

/// Whether a node has all of the metadata asked for.
fn has_meta(node: &Arc<Node>, wanted: &[(Str, Str)]) -> bool {
    wanted.is_empty()
        || node.meta.as_ref().is_some_and(|meta| wanted.iter().all(|(k, v)| meta.get(k) == Some(v)))
}
