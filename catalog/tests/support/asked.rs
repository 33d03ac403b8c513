//! What can be asked about the universe of names that [`super::any`] writes about.

use super::any::{IDS, KEYS, NODES, SERVICES, SESSIONS, STATES};
use types::{
    PeerName, Str, Tenancy,
    entry::EntryKind,
    query::{Query, ServiceLookup},
    record::ServiceKind,
};

/// Every query over the universe of names.
pub fn queries() -> Vec<Query> {
    let mut out = vec![
        Query::Autopilot,
        Query::CaRoots,
        Query::CaConfig,
        Query::AllConfigEntries,
        Query::FederationStates,
        Query::FederationState { datacenter: "dc1".into() },
        Query::FederationState { datacenter: "dc2".into() },
        Query::PreparedQueries { id: None },
        Query::PreparedQueries { id: Some(IDS[0].into()) },
        Query::PreparedQueries { id: Some(IDS[1].into()) },
        Query::Deadlines { keys_max: 100 },
        Query::Partitions { name: None },
        Query::Partitions { name: Some("p".into()) },
        Query::Namespaces { partition: "p".into(), name: None },
        Query::Namespaces { partition: "default".into(), name: Some("team".into()) },
        Query::ByAddress { address: [10, 0, 0, 1].into() },
        Query::ByAddress { address: [10, 1, 1, 1].into() },
    ];
    for tenancy in [Tenancy::default(), Tenancy::new("", "team"), Tenancy::new("p", "team")] {
        let (t, peer) = (|| tenancy.clone(), PeerName::default);
        out.push(Query::Nodes { tenancy: t(), peer: peer() });
        out.push(Query::Services { tenancy: t(), peer: peer() });
        out.push(Query::Coordinates { tenancy: t(), node: None, segment: None });
        out.push(Query::KindHealth { tenancy: t(), kind: ServiceKind::ConnectProxy });
        for node in NODES.iter().chain(&["b0000000", "ghost"]) {
            let node = || (*node).into();
            out.push(Query::NodeServices { tenancy: t(), peer: peer(), node: node() });
            out.push(Query::NodeChecks { tenancy: t(), peer: peer(), node: node() });
            out.push(Query::NodeState { tenancy: t(), node: node() });
            out.push(Query::Coordinates { tenancy: t(), node: Some(node()), segment: None });
        }
        for name in SERVICES {
            let name = || name.into();
            out.push(Query::ServiceChecks { tenancy: t(), peer: peer(), service: name() });
            out.push(Query::VirtualIp { tenancy: t(), peer: peer(), service: name() });
            for lookup in [ServiceLookup::Plain, ServiceLookup::Connect, ServiceLookup::Ingress] {
                for tags in [vec![], vec!["T".into()]] {
                    out.push(Query::ServiceNodes {
                        tenancy: t(),
                        peer: peer(),
                        service: name(),
                        lookup,
                        tags: tags.clone(),
                    });
                    out.push(Query::ServiceHealth {
                        tenancy: t(),
                        peer: peer(),
                        service: name(),
                        lookup,
                        tags: tags.clone(),
                        passing_only: true,
                    });
                    out.push(Query::ServiceHealth {
                        tenancy: t(),
                        peer: peer(),
                        service: name(),
                        lookup,
                        tags,
                        passing_only: false,
                    });
                }
            }
        }
        out.push(Query::ConfigEntries { tenancy: t(), kind: None });
        for kind in [EntryKind::ServiceDefaults, EntryKind::ServiceResolver, EntryKind::IngressGateway] {
            out.push(Query::ConfigEntries { tenancy: t(), kind: Some(kind) });
            for name in SERVICES {
                out.push(Query::ConfigEntry { tenancy: t(), kind, name: name.into() });
            }
        }
        out.push(Query::Sessions { tenancy: t() });
        for id in SESSIONS {
            out.push(Query::Session { tenancy: t(), id: id.into() });
        }
        for node in NODES {
            out.push(Query::NodeSessions { tenancy: t(), node: node.into() });
        }
        for name in SERVICES {
            out.push(Query::GatewayServices { tenancy: t(), gateway: name.into() });
        }
        for state in STATES.iter().chain(&["any"]) {
            out.push(Query::ChecksInState { tenancy: t(), peer: peer(), state: (*state).into() });
        }
        for key in KEYS.iter().chain(&["", "a/", "zz"]) {
            let key = || Str::new(key);
            out.push(Query::KvGet { tenancy: t(), key: key() });
            out.push(Query::KvList { tenancy: t(), prefix: key() });
            out.push(Query::KvKeys { tenancy: t(), prefix: key(), separator: "/".into() });
        }
    }
    out
}
