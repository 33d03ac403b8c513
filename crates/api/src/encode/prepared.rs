//! Prepared queries, and what they find.

use super::{
    optional_map,
    service::found_service_nodes,
    string, strings,
    writer::{Array, Object, key},
};
use std::sync::Arc;
use types::{
    Str,
    prepared::{Executed, PreparedQuery},
    query::{Consistency, QueryMeta},
};

/// A list of queries.
pub fn prepared_queries(out: &mut Vec<u8>, queries: &[Arc<PreparedQuery>]) {
    let mut list = Array::open(out);
    for query in queries {
        prepared_query(list.item(), query);
    }
    list.close();
}

fn list(out: &mut Vec<u8>, list: Option<&Vec<Str>>) {
    match list {
        Some(list) => strings(out, list),
        None => out.extend_from_slice(b"null"),
    }
}

fn prepared_query(out: &mut Vec<u8>, q: &PreparedQuery) {
    let mut o = Object::open(out);
    o.str(key!("ID"), &q.id);
    o.str(key!("Name"), &q.name);
    o.str(key!("Session"), &q.session);
    o.str(key!("Token"), q.token.expose());
    let mut template = Object::open(o.value(key!("Template")));
    template.str(key!("Type"), &q.template.kind);
    template.str(key!("Regexp"), &q.template.regexp);
    template.bool(key!("RemoveEmptyTags"), q.template.remove_empty_tags);
    template.close();
    let s = &q.service;
    let mut service = Object::open(o.value(key!("Service")));
    service.str(key!("Service"), &s.service);
    service.str(key!("SamenessGroup"), &s.sameness_group);
    let mut failover = Object::open(service.value(key!("Failover")));
    failover.i64(key!("NearestN"), s.failover.nearest_n);
    list(failover.value(key!("Datacenters")), s.failover.datacenters.as_ref());
    match &s.failover.targets {
        None => failover.value(key!("Targets")).extend_from_slice(b"null"),
        Some(targets) => {
            let mut list = Array::open(failover.value(key!("Targets")));
            for t in targets {
                let mut target = Object::open(list.item());
                if !t.peer.is_empty() {
                    target.str(key!("Peer"), &t.peer);
                }
                if !t.datacenter.is_empty() {
                    target.str(key!("Datacenter"), &t.datacenter);
                }
                target.close();
            }
            list.close();
        }
    }
    failover.close();
    service.bool(key!("OnlyPassing"), s.only_passing);
    list(service.value(key!("IgnoreCheckIDs")), s.ignore_check_ids.as_ref());
    service.str(key!("Near"), &s.near);
    list(service.value(key!("Tags")), s.tags.as_ref());
    optional_map(service.value(key!("NodeMeta")), s.node_meta.as_ref());
    optional_map(service.value(key!("ServiceMeta")), s.service_meta.as_ref());
    service.bool(key!("Connect"), s.connect);
    service.str(key!("Peer"), &s.peer);
    service.close();
    dns(o.value(key!("DNS")), &q.dns_ttl);
    o.index(q.index);
    o.close();
}

fn dns(out: &mut Vec<u8>, ttl: &str) {
    let mut o = Object::open(out);
    o.str(key!("TTL"), ttl);
    o.close();
}

/// What an execution found.
pub fn executed(out: &mut Vec<u8>, e: &Executed, meta: &QueryMeta) {
    let query = e.query.as_deref();
    let mut o = Object::open(out);
    o.str(key!("Service"), query.map_or("", |q| &q.service.service));
    found_service_nodes(o.value(key!("Nodes")), &e.nodes);
    dns(o.value(key!("DNS")), query.map_or("", |q| &q.dns_ttl));
    string(o.value(key!("Datacenter")), &e.datacenter);
    o.str(key!("PeerName"), &e.peer);
    o.u64(key!("Failovers"), e.failovers.into());
    about(&mut o, meta);
    o.close();
}

/// What a query is, made from its template.
pub fn explained(out: &mut Vec<u8>, e: &Executed, meta: &QueryMeta) {
    let mut o = Object::open(out);
    match &e.query {
        Some(query) => prepared_query(o.value(key!("Query")), query),
        None => o.value(key!("Query")).extend_from_slice(b"null"),
    }
    about(&mut o, meta);
    o.close();
}

/// What an answer says of itself within its body.
fn about(o: &mut Object<'_>, meta: &QueryMeta) {
    o.u64(key!("Index"), meta.index.max(1));
    o.u64(key!("LastContact"), u64::try_from(meta.last_contact.as_nanos()).unwrap_or(u64::MAX));
    o.bool(key!("KnownLeader"), meta.known_leader);
    let level = match meta.consistency {
        Consistency::Default => "leader",
        Consistency::Consistent => "consistent",
        Consistency::Stale => "stale",
    };
    o.str(key!("ConsistencyLevel"), level);
    o.bool(key!("NotModified"), false);
    o.u64(key!("Backend"), 0);
    o.bool(key!("ResultsFilteredByACLs"), meta.filtered_by_acls);
}
