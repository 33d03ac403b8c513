//! From a query to instances.

use crate::{coordinates::Distances, query::run_query, scope::Scope, store::Store};
use std::sync::Arc;
use types::{
    NodeName, PeerName, ServiceName, Str, Tenancy, codec,
    prepared::{Execute, ExecuteTarget, Executed, PreparedQuery, QueryService},
    query::{Query, QueryResult, ServiceLookup},
    record::{CheckServiceNode, Map, status},
};

/// The node that was asked for comes first if it is among so many.
const OWN_FIRST: usize = 10;

/// Executes, or explains, a query on what this cluster knows.
pub(crate) fn execute(store: &Store, asked: &Execute) -> Executed {
    let query = match &asked.target {
        ExecuteTarget::Named(name) => match resolve(store, name) {
            Ok(Some(query)) => query,
            Ok(None) => return Executed::default(),
            Err(error) => return Executed { error, ..Executed::default() },
        },
        ExecuteTarget::Rendered(bytes) => match codec::decode::<PreparedQuery>(bytes) {
            Ok(query) => Arc::new(query),
            Err(e) => {
                return Executed {
                    error: Str::from(format!("query of another datacenter: {e}")),
                    ..Executed::default()
                };
            }
        },
    };
    let mut out = Executed { peer: query.service.peer.clone(), ..Executed::default() };
    if !asked.explain {
        out.nodes = instances(store, &query.service, asked.connect);
        shuffle(&mut out.nodes, asked.seed);
        out.sorted = sort(store, &query.service, asked, &mut out.nodes);
        if asked.limit > 0 {
            out.nodes.truncate(usize::try_from(asked.limit).unwrap_or(usize::MAX));
        }
    }
    out.query = Some(query);
    out
}

/// The query of this id or name, made from its template if it is one.
fn resolve(store: &Store, id_or_name: &str) -> Result<Option<Arc<PreparedQuery>>, Str> {
    if let Some(query) = store.queries.get(id_or_name) {
        if query.is_template() {
            return Err("prepared query templates can only be resolved up by name, not by ID".into());
        }
        return Ok(Some(query.clone()));
    }
    let Some(query) = store.queries.named(id_or_name) else { return Ok(None) };
    if !query.is_template() {
        return Ok(Some(query.clone()));
    }
    let made = store.queries.made(query, id_or_name).map_err(Str::from)?;
    Ok(Some(Arc::new(made)))
}

fn instances(store: &Store, wanted: &QueryService, connect: bool) -> Vec<CheckServiceNode> {
    let lookup = if connect || wanted.connect { ServiceLookup::Connect } else { ServiceLookup::Plain };
    let query = Query::ServiceHealth {
        tenancy: Tenancy::default(),
        peer: PeerName::new(&wanted.peer),
        service: ServiceName::new(&wanted.service),
        lookup,
        tags: Vec::new(),
        passing_only: false,
    };
    let QueryResult::ServiceHealth(mut rows) = run_query(store, &query, &[]).0 else { return Vec::new() };
    rows.retain(|row| fits(wanted, row));
    rows
}

fn fits(wanted: &QueryService, row: &CheckServiceNode) -> bool {
    let ignored = |id: &str| wanted.ignore_check_ids.iter().flatten().any(|i| i.as_str() == id);
    let healthy = row.checks.iter().filter(|c| !ignored(&c.check_id)).all(|c| match c.status.as_str() {
        status::PASSING => true,
        status::CRITICAL => false,
        _ => !wanted.only_passing,
    });
    let tagged = wanted.tags.iter().flatten().all(|tag| {
        let (tag, present) = match tag.strip_prefix('!') {
            Some(tag) => (tag, false),
            None => (tag.as_str(), true),
        };
        let has = row.service.tags.iter().flatten().any(|t| t.to_lowercase() == tag.to_lowercase());
        has == present
    });
    let has_all = |meta: &Option<Map>, wanted: &Option<Map>| {
        wanted.iter().flatten().all(|(k, v)| meta.as_ref().and_then(|m| m.get(k)) == Some(v))
    };
    healthy
        && tagged
        && has_all(&row.node.meta, &wanted.node_meta)
        && has_all(&row.service.meta, &wanted.service_meta)
}

/// An order that the seed alone decides; 0 leaves the rows as they are.
fn shuffle(rows: &mut [CheckServiceNode], seed: u64) {
    if seed == 0 {
        return;
    }
    let mut state = seed;
    for i in (1..rows.len()).rev() {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        rows.swap(i, (z % (i as u64 + 1)) as usize);
    }
}

/// Sorts by distance from the node that the caller or the query names; answers whether one was named.
fn sort(store: &Store, wanted: &QueryService, asked: &Execute, rows: &mut [CheckServiceNode]) -> bool {
    let near = if asked.near.is_empty() { &wanted.near } else { &asked.near };
    let node = match near.as_str() {
        "" => return false,
        "_agent" => asked.agent.clone(),
        "_ip" => match asked.source.and_then(|ip| node_at(store, ip)) {
            Some(node) => node,
            None => return false,
        },
        name => Str::new(name),
    };
    if let Some(distances) = Distances::from(store, Scope::default(), &node) {
        rows.sort_by_cached_key(|row| distances.to(&row.node.name));
    }
    let node = NodeName(node).folded();
    if let Some(at) = rows.iter().take(OWN_FIRST).position(|row| row.node.name.folded() == node) {
        rows.swap(0, at);
    }
    true
}

fn node_at(store: &Store, address: std::net::IpAddr) -> Option<Str> {
    match run_query(store, &Query::ByAddress { address }, &[]).0 {
        QueryResult::ByAddress { nodes, .. } => nodes.first().map(|n| n.name.0.clone()),
        _ => None,
    }
}
