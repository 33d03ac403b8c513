//! The name grammar: from a question to what has to be looked up.

use crate::{
    config::{DnsConfig, Zone},
    name::Labels,
    request::{Edns, Request, rtype},
    reverse,
};
use smallvec::SmallVec;
use std::net::IpAddr;
use types::{
    DatacenterName, NodeName, PeerName, ServiceName, Str, Tenancy,
    prepared::{Execute, ExecuteTarget},
    query::{Consistency, Query, QueryOptions, ServiceLookup},
};

/// Service that the servers register themselves as.
const SERVER_SERVICE: &str = "consul";

/// What a question leads to.
#[derive(Clone, PartialEq, Debug)]
pub enum Plan {
    /// `NOTIMP`, with AA.
    NotImplemented,
    /// Not ours, and nobody to ask.
    Refused,
    /// Not ours: ask the recursors.
    Forward,
    /// Ours, and certainly nothing there.
    NxDomain,
    /// Ours, and certainly no record of the type there.
    Empty,
    /// An address written in the name.
    Address(IpAddr),
    /// Ask the catalog.
    Lookup(Box<Lookup>),
}

/// One question to the catalog.
#[derive(Clone, PartialEq, Debug)]
pub struct Lookup {
    /// How the rows become records.
    pub kind: LookupKind,
    /// The question.
    pub query: Query,
    /// Where and how fresh.
    pub options: QueryOptions,
}

/// How rows become records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupKind {
    /// Address and metadata of a node.
    Node,
    /// Instances of this service.
    Service(Str),
    /// Virtual IP.
    Virtual,
    /// Name of an address.
    Reverse,
    /// The servers, for NS and SOA questions.
    Servers,
    /// Instances that a prepared query finds.
    Prepared,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Service,
    Connect,
    Virtual,
    Ingress,
    Node,
    Query,
    Addr,
}

fn keyword(label: &str) -> Option<Keyword> {
    Some(match label {
        "service" => Keyword::Service,
        "connect" => Keyword::Connect,
        "virtual" => Keyword::Virtual,
        "ingress" => Keyword::Ingress,
        "node" => Keyword::Node,
        "query" => Keyword::Query,
        "addr" => Keyword::Addr,
        _ => return None,
    })
}

#[derive(Default)]
struct Locality {
    datacenter: Option<Str>,
    peer: Option<Str>,
    namespace: Option<Str>,
    partition: Option<Str>,
}

impl Locality {
    /// Reads the labels right of the keyword. `None`: they mean nothing.
    fn parse(labels: &[Str], bare_is_peer: bool) -> Option<Self> {
        let mut loc = Self::default();
        match labels {
            [] => {}
            [bare] if bare_is_peer => loc.peer = Some(bare.clone()),
            [bare] => loc.datacenter = Some(bare.clone()),
            pairs => {
                for pair in pairs.chunks(2) {
                    let [value, word] = pair else { return None };
                    let slot = match word.as_str() {
                        "dc" => &mut loc.datacenter,
                        "peer" => &mut loc.peer,
                        "ns" => &mut loc.namespace,
                        "ap" => &mut loc.partition,
                        _ => return None,
                    };
                    if slot.replace(value.clone()).is_some() {
                        return None;
                    }
                }
                if loc.datacenter.is_some() && loc.peer.is_some() {
                    return None;
                }
            }
        }
        Some(loc)
    }

    fn tenancy(&self) -> Tenancy {
        Tenancy::new(self.partition.as_deref().unwrap_or(""), self.namespace.as_deref().unwrap_or(""))
    }

    fn peer(&self) -> PeerName {
        PeerName::new(self.peer.as_deref().unwrap_or(""))
    }
}

impl Zone {
    /// Where the domain part of `name` begins, if the name lies in one of our domains; the longer domain wins.
    pub fn domain_start(&self, name: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = name.get(at..)?;
            let ours = |d: &[u8]| d.eq_ignore_ascii_case(rest);
            if ours(self.domain.wire()) || self.alt_domain.as_ref().is_some_and(|d| ours(d.wire())) {
                return Some(at);
            }
            match *rest.first()? {
                0 => return None,
                len => at += 1 + usize::from(len),
            }
        }
    }
}

/// Decides what a question leads to.
pub fn plan(request: &Request<'_>, zone: &Zone, config: &DnsConfig) -> Plan {
    let mut plan = plan_name(request.name, request.qtype, zone, config);
    if let Plan::Lookup(lookup) = &mut plan
        && let Query::Execute(asked) = &mut lookup.query
    {
        asked.source = request.edns.as_ref().and_then(Edns::client_address);
    }
    plan
}

/// As [`plan`], for a name that came from elsewhere (the target of an alias).
pub fn plan_name(name: &[u8], qtype: u16, zone: &Zone, config: &DnsConfig) -> Plan {
    if qtype == rtype::AXFR {
        return Plan::NotImplemented;
    }
    let reverse = reverse::under_arpa(name);
    let start = zone.domain_start(name);
    if reverse && start.is_none_or(|at| name.len() - at <= 6) {
        return match reverse::parse(name) {
            Some(address) => lookup(LookupKind::Reverse, Query::ByAddress { address }, None, zone, config),
            None if config.recursors.is_empty() => Plan::NxDomain,
            None => Plan::Forward,
        };
    }
    let Some(start) = start else {
        return if config.recursors.is_empty() { Plan::Refused } else { Plan::Forward };
    };
    if qtype == rtype::SOA || qtype == rtype::NS {
        return servers(zone, config);
    }
    let mut labels: SmallVec<[Str; 8]> = SmallVec::new();
    for label in Labels(&name[..start]) {
        match std::str::from_utf8(label) {
            Ok(text) if !text.contains('.') => labels.push(lower(text)),
            _ => return Plan::NxDomain,
        }
    }
    in_domain(&labels, qtype, zone, config).unwrap_or(Plan::NxDomain)
}

fn lower(text: &str) -> Str {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Str::from(text.to_ascii_lowercase())
    } else {
        Str::new(text)
    }
}

fn in_domain(labels: &[Str], qtype: u16, zone: &Zone, config: &DnsConfig) -> Option<Plan> {
    let Some((at, word)) = labels.iter().enumerate().rev().find_map(|(i, l)| Some((i, keyword(l)?))) else {
        // Without a keyword only `_service._tag` has a meaning, and only for SRV.
        let (service, tag) = rfc2782(labels.get(..2)?)?;
        return match qtype {
            rtype::SRV => service_plan(
                service,
                tag,
                ServiceLookup::Plain,
                &Locality::parse(&labels[2..], false)?,
                zone,
                config,
            ),
            _ => None,
        };
    };
    let (subject, rest) = (&labels[..at], &labels[at + 1..]);
    let last = subject.last()?;
    match word {
        Keyword::Service => {
            let loc = Locality::parse(rest, false)?;
            if let Some((service, tag)) = rfc2782(subject) {
                return service_plan(service, tag, ServiceLookup::Plain, &loc, zone, config);
            }
            let tag = join(&subject[..subject.len() - 1]);
            service_plan(last, &tag, ServiceLookup::Plain, &loc, zone, config)
        }
        Keyword::Connect | Keyword::Ingress => {
            let kind = if word == Keyword::Connect { ServiceLookup::Connect } else { ServiceLookup::Ingress };
            // A peer is accepted and means nothing here.
            let loc = Locality { peer: None, ..Locality::parse(rest, false)? };
            service_plan(last, "", kind, &loc, zone, config)
        }
        Keyword::Virtual => {
            let loc = Locality::parse(rest, true)?;
            let query = Query::VirtualIp {
                tenancy: loc.tenancy(),
                peer: loc.peer(),
                service: ServiceName(last.clone()),
            };
            Some(lookup(LookupKind::Virtual, query, None, zone, config))
        }
        Keyword::Node => {
            let loc = Locality::parse(rest, false)?;
            let query = Query::NodeServices {
                tenancy: loc.tenancy().node_scope(),
                peer: loc.peer(),
                node: NodeName(join(subject)),
            };
            Some(match qtype {
                rtype::A | rtype::AAAA | rtype::ANY | rtype::TXT => {
                    lookup(LookupKind::Node, query, loc.datacenter.as_ref(), zone, config)
                }
                // Answered empty without a look, even for nodes that do not exist.
                _ => Plan::Empty,
            })
        }
        Keyword::Query => {
            let datacenter = match rest {
                [] => None,
                [datacenter] => Some(datacenter),
                _ => return None,
            };
            // `_name._anything` is the name.
            let name = match subject {
                [name, protocol] if protocol.starts_with('_') && name.len() > 1 && name.starts_with('_') => {
                    Str::new(&name[1..])
                }
                labels => join(labels),
            };
            let asked = Execute { agent: config.node.clone(), ..Execute::new(ExecuteTarget::Named(name)) };
            Some(lookup(LookupKind::Prepared, Query::Execute(Box::new(asked)), datacenter, zone, config))
        }
        Keyword::Addr => match subject {
            [hex] => reverse::hex_address(hex).map(Plan::Address),
            _ => None,
        },
    }
}

/// `_service._tag`, where `_tcp` stands for no tag.
fn rfc2782(labels: &[Str]) -> Option<(&str, &str)> {
    let [service, tag] = labels else { return None };
    let (service, tag) = (service.strip_prefix('_')?, tag.strip_prefix('_')?);
    (!service.is_empty()).then_some((service, if tag == "tcp" { "" } else { tag }))
}

fn join(labels: &[Str]) -> Str {
    match labels {
        [one] => one.clone(),
        many => Str::from(many.iter().map(Str::as_str).collect::<Vec<_>>().join(".")),
    }
}

fn service_plan(
    service: &str,
    tag: &str,
    kind: ServiceLookup,
    loc: &Locality,
    zone: &Zone,
    config: &DnsConfig,
) -> Option<Plan> {
    let query = Query::ServiceHealth {
        tenancy: loc.tenancy(),
        peer: loc.peer(),
        service: ServiceName::new(service),
        lookup: kind,
        tags: if tag.is_empty() { Vec::new() } else { vec![Str::new(tag)] },
        // Instances with warnings are sorted out here, which keeps one answer valid for both settings.
        passing_only: false,
    };
    Some(lookup(LookupKind::Service(Str::new(service)), query, loc.datacenter.as_ref(), zone, config))
}

fn servers(zone: &Zone, config: &DnsConfig) -> Plan {
    let query = Query::ServiceHealth {
        tenancy: Tenancy::default(),
        peer: PeerName::default(),
        service: ServiceName::new(SERVER_SERVICE),
        lookup: ServiceLookup::Plain,
        tags: Vec::new(),
        passing_only: false,
    };
    lookup(LookupKind::Servers, query, None, zone, config)
}

fn lookup(kind: LookupKind, query: Query, datacenter: Option<&Str>, zone: &Zone, config: &DnsConfig) -> Plan {
    let datacenter = datacenter.filter(|dc| dc.as_str() != zone.datacenter.as_str());
    let (consistency, max_stale) = if config.allow_stale {
        (Consistency::Stale, Some(config.max_stale))
    } else {
        (Consistency::Default, None)
    };
    let options = QueryOptions {
        datacenter: datacenter.map(|dc| DatacenterName(dc.clone())),
        consistency,
        max_stale,
        token: config.token.clone(),
        ..QueryOptions::default()
    };
    Plan::Lookup(Box::new(Lookup { kind, query, options }))
}
