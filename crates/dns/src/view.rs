//! Rows of the catalog, digested once so that answers can be made from them many times.

use crate::{
    address::{self, Target},
    config::{DnsConfig, Zone},
    name::Name,
    plan::{Lookup, LookupKind},
    reverse::address_hex,
    text::meta_txt,
};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};
use types::{
    RequestError, Str,
    query::QueryResult,
    record::{CheckServiceNode, Node, status},
};

/// What the catalog said to a lookup.
#[derive(Debug)]
pub enum View {
    /// No such thing: `NXDOMAIN`.
    NotFound,
    /// It could not be asked: `SERVFAIL`.
    Failed,
    /// A node.
    Node(Box<NodeView>),
    /// At least one healthy instance.
    Service(ServiceView),
    /// Virtual IP, if the service has one.
    Virtual(Option<Ipv4Addr>),
    /// Name of the address, if it has one.
    Reverse(Option<Name>),
    /// Healthy servers.
    Servers(Vec<ServerView>),
}

/// A node.
#[derive(Debug)]
pub struct NodeView {
    pub(crate) choice: address::Choice,
    pub(crate) txt: Vec<Box<[u8]>>,
}

/// A server for NS answers.
#[derive(Debug)]
pub struct ServerView {
    /// Lower-cased labels left of the domain.
    pub(crate) prefix: Box<[u8]>,
    pub(crate) address: Option<IpAddr>,
}

/// Addresses of one family, an entry for each instance that has one.
#[derive(Debug)]
pub(crate) struct Addresses<A> {
    pub all: Vec<A>,
    /// Number of different ones.
    pub distinct: usize,
}

impl<A: Copy + Eq + std::hash::Hash> Addresses<A> {
    fn new(all: Vec<A>) -> Self {
        let distinct = all.iter().collect::<HashSet<_>>().len();
        Self { all, distinct }
    }
}

/// Instances of a service.
#[derive(Debug)]
pub struct ServiceView {
    pub(crate) v4: Addresses<Ipv4Addr>,
    pub(crate) v6: Addresses<Ipv6Addr>,
    pub(crate) any: Addresses<IpAddr>,
    /// Host names of instances that have one, for each group of types those without an address there.
    pub(crate) hosts: Vec<Name>,
    pub(crate) instances: Vec<Instance>,
    /// Number of different SRV records.
    pub(crate) distinct_srv: usize,
    pub(crate) ttl: u32,
    /// The order means something.
    pub(crate) sorted: bool,
    /// Found by a prepared query, which may depend on who asks.
    pub(crate) prepared: bool,
}

/// One instance as SRV needs it.
#[derive(Debug)]
pub(crate) struct Instance {
    pub target: SrvTarget,
    /// Instances with the same number give the same record.
    pub identity: u32,
    pub port: u16,
    pub weight: u16,
    /// `<node>.node.<dc>`: owner of the node's metadata.
    pub node: Arc<[u8]>,
    pub txt: Arc<[Box<[u8]>]>,
}

#[derive(Debug)]
pub(crate) enum SrvTarget {
    /// The node's own name, with its address.
    Node(NodeAddress),
    /// `<hex>.addr.<dc>`
    Hex(Box<[u8]>, IpAddr),
    Host(Name),
}

#[derive(Debug)]
pub(crate) enum NodeAddress {
    Ip(IpAddr),
    Host(Name),
}

impl View {
    /// Digests the answer to `lookup`.
    pub fn new(
        lookup: &Lookup,
        result: Result<QueryResult, RequestError>,
        zone: &Zone,
        config: &DnsConfig,
    ) -> Self {
        let result = match result {
            Ok(result) => result,
            Err(RequestError::NoPathToDatacenter) => return Self::NotFound,
            Err(RequestError::PermissionDenied(_)) if lookup.kind != LookupKind::Virtual => {
                return Self::NotFound;
            }
            Err(_) => return Self::Failed,
        };
        match (&lookup.kind, result) {
            (LookupKind::Node, QueryResult::NodeServices(None)) => Self::NotFound,
            (LookupKind::Node, QueryResult::NodeServices(Some((node, _)))) => {
                let choice = address::of_node(&node, foreign(zone, &node));
                Self::Node(Box::new(NodeView { choice, txt: node_txt(&node) }))
            }
            (LookupKind::Service(name), QueryResult::ServiceHealth(rows)) => {
                let rows: Vec<_> =
                    rows.iter().filter_map(|row| Some((row, weight(row, config.only_passing)?))).collect();
                if rows.is_empty() {
                    return Self::NotFound;
                }
                Self::Service(ServiceView::new(&rows, zone, config.service_ttl.seconds(name)))
            }
            (LookupKind::Prepared, QueryResult::Executed(found)) => match &found.query {
                _ if !found.error.is_empty() => Self::Failed,
                Some(query) if !found.nodes.is_empty() => {
                    // The query has chosen them; here only their weight matters.
                    let rows: Vec<_> = found.nodes.iter().map(|row| (row, weight_of_any(row))).collect();
                    let ttl = match query.dns_ttl.as_str() {
                        "" => config.service_ttl.seconds(&query.service.service.to_lowercase()),
                        _ => u32::try_from(query.dns_ttl_ns.max(0) / 1_000_000_000).unwrap_or(u32::MAX),
                    };
                    let view = ServiceView::new(&rows, zone, ttl);
                    Self::Service(ServiceView { sorted: found.sorted, prepared: true, ..view })
                }
                _ => Self::NotFound,
            },
            (LookupKind::Servers, QueryResult::ServiceHealth(rows)) => {
                let rows = rows.iter().filter(|row| weight(row, config.only_passing).is_some());
                Self::Servers(rows.filter_map(|row| server(row, zone)).collect())
            }
            (LookupKind::Virtual, QueryResult::VirtualIp(ip)) => {
                Self::Virtual(ip.and_then(|ip| ip.parse().ok()))
            }
            (LookupKind::Reverse, QueryResult::ByAddress { nodes, services }) => {
                let dc = |own: &Str| {
                    if own.is_empty() { zone.datacenter.as_str().to_owned() } else { own.to_string() }
                };
                let text = match (nodes.first(), services.first()) {
                    (Some(node), _) => format!("{}.node.{}", node.name, dc(&node.datacenter.0)),
                    (None, Some(row)) => {
                        format!("{}.service.{}", row.service.service, dc(&row.node.datacenter.0))
                    }
                    (None, None) => return Self::Reverse(None),
                };
                let name = prefix(text.split('.')).and_then(|p| {
                    let wire = [&p[..], zone.domain.wire()].concat();
                    (wire.len() <= crate::name::NAME_BYTES_MAX).then(|| Name::from_wire(&wire))
                });
                Self::Reverse(name)
            }
            // The rows do not fit the question: a defect of the answering side.
            _ => Self::Failed,
        }
    }

    /// A rough size, for the bound of caches.
    pub fn weight(&self) -> usize {
        match self {
            Self::Service(s) => 1 + s.instances.len(),
            Self::Servers(s) => 1 + s.len(),
            _ => 1,
        }
    }
}

fn foreign(zone: &Zone, node: &Node) -> bool {
    zone.translate_wan_addrs
        && (!node.peer.is_local() || node.datacenter.as_str() != zone.datacenter.as_str())
}

fn node_txt(node: &Node) -> Vec<Box<[u8]>> {
    node.meta.iter().flatten().map(|(k, v)| meta_txt(k, v)).collect()
}

/// Weight of an instance; `None`: it is left out.
fn weight(row: &CheckServiceNode, only_passing: bool) -> Option<u16> {
    let mut warning = false;
    for check in &row.checks {
        match check.status.as_str() {
            status::CRITICAL => return None,
            status::PASSING => {}
            other => {
                if only_passing {
                    return None;
                }
                warning |= other == status::WARNING;
            }
        }
    }
    let weights = row.service.weights;
    let weight = if warning { weights.warning } else { weights.passing };
    Some(u16::try_from(weight.max(0)).unwrap_or(u16::MAX))
}

/// Weight of an instance whatever its checks say.
fn weight_of_any(row: &CheckServiceNode) -> u16 {
    let warning = row.checks.iter().any(|c| c.status.as_str() != status::PASSING);
    let weights = row.service.weights;
    u16::try_from(if warning { weights.warning } else { weights.passing }.max(0)).unwrap_or(u16::MAX)
}

/// Labels as a wire prefix, `None` if one cannot be written.
fn prefix<'a>(labels: impl Iterator<Item = &'a str>) -> Option<Box<[u8]>> {
    let mut out = Vec::with_capacity(32);
    for label in labels {
        if label.is_empty() || label.len() > crate::name::LABEL_BYTES_MAX {
            return None;
        }
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    (out.len() < 200).then(|| out.into_boxed_slice())
}

/// `<node>.node.<where>` as a wire prefix.
fn node_prefix(node: &Node, zone: &Zone) -> Option<Box<[u8]>> {
    let dc = if node.datacenter.is_empty() { zone.datacenter.as_str() } else { node.datacenter.as_str() };
    let head = node.name.split('.').chain(["node"]);
    let partition = node.tenancy.partition();
    match (node.peer.is_local(), partition == "default") {
        (false, _) => prefix(head.chain([node.peer.as_str(), "peer"])),
        (true, true) => prefix(head.chain([dc])),
        (true, false) => prefix(head.chain([partition, "ap", dc, "dc"])),
    }
}

fn hex_prefix(ip: IpAddr, node: &Node, zone: &Zone) -> Option<Box<[u8]>> {
    let hex = address_hex(ip);
    let dc = if node.datacenter.is_empty() { zone.datacenter.as_str() } else { node.datacenter.as_str() };
    if node.peer.is_local() {
        prefix([hex.as_str(), "addr", dc].into_iter())
    } else {
        prefix([hex.as_str(), "addr"].into_iter())
    }
}

fn server(row: &CheckServiceNode, zone: &Zone) -> Option<ServerView> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !row.node.name.bytes().all(safe) {
        return None;
    }
    let mut prefix = node_prefix(&row.node, zone)?;
    prefix.make_ascii_lowercase();
    let choice = address::of_service(&row.service, foreign(zone, &row.node))
        .unwrap_or_else(|| address::of_node(&row.node, foreign(zone, &row.node)));
    let address = match choice.any {
        Some(Target::Ip(ip)) => Some(ip),
        _ => None,
    };
    Some(ServerView { prefix, address })
}

impl ServiceView {
    fn new(rows: &[(&CheckServiceNode, u16)], zone: &Zone, ttl: u32) -> Self {
        let (mut v4, mut v6, mut any) = (Vec::new(), Vec::new(), Vec::new());
        let mut hosts = Vec::new();
        let mut instances = Vec::with_capacity(rows.len());
        let mut identities = std::collections::HashMap::new();
        for &(row, weight) in rows {
            let wan = foreign(zone, &row.node);
            let own = address::of_service(&row.service, wan);
            let by_node = address::of_node(&row.node, wan);
            let choice = own.as_ref().unwrap_or(&by_node);
            v4.extend(choice.v4);
            v6.extend(choice.v6);
            if let Some(Target::Ip(ip)) = &choice.any {
                any.push(*ip);
            }
            hosts.extend(choice.host.clone());
            let Some(node) = node_prefix(&row.node, zone) else { continue };
            let target = match (&own, &choice.any) {
                (_, None) => continue,
                (None, Some(any)) if choice.any_text == row.node.address => SrvTarget::Node(match any {
                    Target::Ip(ip) => NodeAddress::Ip(*ip),
                    Target::Host(name) => NodeAddress::Host(name.clone()),
                }),
                (_, Some(Target::Ip(ip))) => match hex_prefix(*ip, &row.node, zone) {
                    Some(prefix) => SrvTarget::Hex(prefix, *ip),
                    None => continue,
                },
                (_, Some(Target::Host(name))) => SrvTarget::Host(name.clone()),
            };
            let port = address::port(&row.service, wan);
            let key = (row.node.name.clone(), row.service.address.clone(), port);
            let next = identities.len() as u32;
            let identity = *identities.entry(key).or_insert(next);
            let txt = node_txt(&row.node).into();
            instances.push(Instance { target, identity, port, weight, node: node.into(), txt });
        }
        let distinct_srv = identities.len();
        Self {
            v4: Addresses::new(v4),
            v6: Addresses::new(v6),
            any: Addresses::new(any),
            hosts,
            instances,
            distinct_srv,
            ttl,
            sorted: false,
            prepared: false,
        }
    }
}
