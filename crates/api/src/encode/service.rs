//! Service instances, alone, with their node, and with node and checks.

use super::{
    check::{checks, found_checks},
    node::{locality, node},
    optional_map,
    proxy::{EMPTY_CATALOG, ProxyForm, proxy},
    string_map, strings,
    writer::{Array, Object, key},
};
use std::{collections::BTreeMap, sync::Arc};
use types::{
    Str,
    record::{CheckServiceNode, Node, NodeService, ServiceAddress, ServiceNode, ServiceProxy, Weights},
};

/// How a service without tags shows them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NoTags {
    Null,
    Empty,
}

/// One instance as `/v1/catalog/node` shows it.
pub fn node_service(out: &mut Vec<u8>, s: &NodeService) {
    instance(out, s, NoTags::Null);
}

fn instance(out: &mut Vec<u8>, s: &NodeService, no_tags: NoTags) {
    let mut o = Object::open(out);
    o.str_omit(key!("Kind"), s.kind.as_str());
    o.str(key!("ID"), &s.id);
    o.str(key!("Service"), &s.service);
    match &s.tags {
        Some(t) => strings(o.value(key!("Tags")), t),
        None => {
            o.value(key!("Tags")).extend_from_slice(if no_tags == NoTags::Null { b"null" } else { b"[]" });
        }
    }
    o.str(key!("Address"), &s.address);
    if let Some(t) = s.tagged_addresses.as_ref().filter(|t| !t.is_empty()) {
        tagged_addresses(o.value(key!("TaggedAddresses")), t);
    }
    optional_map(o.value(key!("Meta")), s.meta.as_ref());
    o.i64_omit(key!("Port"), s.port);
    o.str_omit(key!("SocketPath"), &s.socket_path);
    weights(o.value(key!("Weights")), s.weights);
    o.bool(key!("EnableTagOverride"), s.enable_tag_override);
    if let Some(l) = &s.locality {
        locality(o.value(key!("Locality")), l);
    }
    catalog_proxy(o.value(key!("Proxy")), s.proxy.as_deref());
    connect(o.value(key!("Connect")), s);
    if s.tenancy.partition() != "default" {
        o.str(key!("Partition"), s.tenancy.partition());
    }
    if s.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), s.tenancy.namespace());
    }
    o.str(key!("PeerName"), s.peer.as_str());
    o.index(s.index);
    o.close();
}

fn connect(out: &mut Vec<u8>, s: &NodeService) {
    let mut o = Object::open(out);
    o.bool_omit(key!("Native"), s.connect.native);
    o.close();
}

fn catalog_proxy(out: &mut Vec<u8>, p: Option<&ServiceProxy>) {
    match p {
        Some(p) => proxy(out, p, ProxyForm::Catalog),
        None => out.extend_from_slice(EMPTY_CATALOG),
    }
}

/// `{"Passing":1,"Warning":1}`
pub(super) fn weights(out: &mut Vec<u8>, w: Weights) {
    let mut o = Object::open(out);
    o.i64(key!("Passing"), w.passing);
    o.i64(key!("Warning"), w.warning);
    o.close();
}

/// `{"lan":{"Address":"","Port":0}}`
pub(super) fn tagged_addresses(out: &mut Vec<u8>, map: &BTreeMap<Str, ServiceAddress>) {
    let mut o = Object::open(out);
    for (name, a) in map {
        let mut x = Object::open(o.dynamic(name));
        x.str(key!("Address"), &a.address);
        x.i64(key!("Port"), a.port);
        x.close();
    }
    o.close();
}

/// `{"Node":{…},"Services":{"id":{…}}}`, `null` for an unknown node.
pub fn node_services_map(out: &mut Vec<u8>, found: Option<(&Node, &[Arc<NodeService>])>) {
    let Some((n, services)) = found else {
        out.extend_from_slice(b"null");
        return;
    };
    let mut sorted: Vec<&NodeService> = services.iter().map(Arc::as_ref).collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let mut o = Object::open(out);
    node(o.value(key!("Node")), n);
    let mut m = Object::open(o.value(key!("Services")));
    for s in sorted {
        node_service(m.dynamic(&s.id), s);
    }
    m.close();
    o.close();
}

/// `{"Node":{…},"Services":[{…}]}`, both `null` for an unknown node.
pub fn node_services_list(out: &mut Vec<u8>, found: Option<(&Node, &[Arc<NodeService>])>) {
    let mut o = Object::open(out);
    match found {
        Some((n, services)) => {
            node(o.value(key!("Node")), n);
            let mut a = Array::open(o.value(key!("Services")));
            for s in services {
                node_service(a.item(), s);
            }
            a.close();
        }
        None => {
            o.value(key!("Node")).extend_from_slice(b"null");
            o.value(key!("Services")).extend_from_slice(b"null");
        }
    }
    o.close();
}

/// `/v1/catalog/service`: flat rows.
pub fn service_nodes(out: &mut Vec<u8>, rows: &[ServiceNode]) {
    let mut a = Array::open(out);
    for row in rows {
        service_node(a.item(), &row.node, &row.service);
    }
    a.close();
}

fn service_node(out: &mut Vec<u8>, n: &Node, s: &NodeService) {
    let mut o = Object::open(out);
    o.str(key!("ID"), &n.id);
    o.str(key!("Node"), &n.name);
    o.str(key!("Address"), &n.address);
    o.str(key!("Datacenter"), &n.datacenter);
    optional_map(o.value(key!("TaggedAddresses")), n.tagged_addresses.as_ref());
    optional_map(o.value(key!("NodeMeta")), n.meta.as_ref());
    o.str(key!("ServiceKind"), s.kind.as_str());
    o.str(key!("ServiceID"), &s.id);
    o.str(key!("ServiceName"), &s.service);
    strings(o.value(key!("ServiceTags")), s.tags.iter().flatten());
    o.str(key!("ServiceAddress"), &s.address);
    if let Some(t) = s.tagged_addresses.as_ref().filter(|t| !t.is_empty()) {
        tagged_addresses(o.value(key!("ServiceTaggedAddresses")), t);
    }
    weights(o.value(key!("ServiceWeights")), s.weights);
    string_map(o.value(key!("ServiceMeta")), s.meta.iter().flatten());
    o.i64(key!("ServicePort"), s.port);
    o.str(key!("ServiceSocketPath"), &s.socket_path);
    o.bool(key!("ServiceEnableTagOverride"), s.enable_tag_override);
    catalog_proxy(o.value(key!("ServiceProxy")), s.proxy.as_deref());
    connect(o.value(key!("ServiceConnect")), s);
    match &s.locality {
        Some(l) => locality(o.value(key!("ServiceLocality")), l),
        None => o.value(key!("ServiceLocality")).extend_from_slice(b"null"),
    }
    if s.tenancy.partition() != "default" {
        o.str(key!("Partition"), s.tenancy.partition());
    }
    if s.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), s.tenancy.namespace());
    }
    o.str_omit(key!("PeerName"), s.peer.as_str());
    o.index(s.index);
    o.close();
}

/// `/v1/health/service`: instances with node and checks. Tags and checks are never `null`.
pub fn check_service_nodes(out: &mut Vec<u8>, rows: &[CheckServiceNode]) {
    instances_with_checks(out, rows, NoTags::Empty);
}

/// What prepared queries find: the same, but what is empty is `null`.
pub(super) fn found_service_nodes(out: &mut Vec<u8>, rows: &[CheckServiceNode]) {
    instances_with_checks(out, rows, NoTags::Null);
}

fn instances_with_checks(out: &mut Vec<u8>, rows: &[CheckServiceNode], empty: NoTags) {
    // A row is about 1 KiB; growing by doubling would copy a large answer several times.
    out.reserve(rows.len() * 1024 + 2);
    let mut a = Array::open(out);
    for row in rows {
        let mut o = Object::open(a.item());
        node(o.value(key!("Node")), &row.node);
        instance(o.value(key!("Service")), &row.service, empty);
        let list = row.checks.iter().map(Arc::as_ref);
        match empty {
            NoTags::Empty => checks(o.value(key!("Checks")), list),
            NoTags::Null => found_checks(o.value(key!("Checks")), list),
        }
        o.close();
    }
    a.close();
}
