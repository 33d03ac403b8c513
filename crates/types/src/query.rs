//! Reads: requests, options and typed answers. JSON is made at the edge, from these rows.

use crate::{
    ca::CaRoots,
    command::AutopilotConfig,
    coordinate::CoordinateRow,
    entry::{ConfigEntry, EntryKind},
    names::{DatacenterName, NodeName, PeerName, SecretToken, ServiceName, Str, Tenancy},
    record::{
        CheckServiceNode, FederationState, HealthCheck, KvEntry, Node, NodeService, ServiceKind, ServiceNode,
        Session,
    },
    txn::{TxnAnswer, TxnOp},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

/// How fresh an answer must be.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub enum Consistency {
    /// The leader answers after its read point is confirmed (batched ReadIndex).
    #[default]
    Default,
    /// As `Default`; asked for by name.
    Consistent,
    /// Any server answers from what it has.
    Stale,
}

/// Options that every query takes.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct QueryOptions {
    /// Datacenter to ask; `None` = the agent's own.
    pub datacenter: Option<DatacenterName>,
    /// Freshness.
    pub consistency: Consistency,
    /// With `Stale`: oldest acceptable contact with the leader; an older answer is repeated against the leader.
    pub max_stale: Option<Duration>,
    /// Block until the result's index is greater; 0 = answer at once.
    pub min_index: u64,
    /// How long to block; `None` = the server's default. Already clamped and without jitter.
    pub max_wait: Option<Duration>,
    /// Caller's token.
    pub token: SecretToken,
    /// Filter expression over the rows.
    pub filter: Option<Str>,
    /// All must match the node's metadata.
    pub node_meta: Vec<(Str, Str)>,
    /// Sort by distance from this node.
    pub near: Str,
}

/// Which instances a service lookup wants.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub enum ServiceLookup {
    /// Instances of the name.
    #[default]
    Plain,
    /// Native instances, proxies and terminating gateways that stand for the name.
    Connect,
    /// Ingress gateways that expose the name.
    Ingress,
}

/// A read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Query {
    /// All nodes.
    Nodes {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
    },
    /// Service names and their tags.
    Services {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
    },
    /// Instances of a service.
    ServiceNodes {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Name.
        service: ServiceName,
        /// `Plain` or `Connect`.
        lookup: ServiceLookup,
        /// All must be present (ignored for `Connect`).
        tags: Vec<Str>,
    },
    /// One node and its services; the name may be a unique prefix of a node id.
    NodeServices {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Name or id prefix.
        node: NodeName,
    },
    /// Checks of a node.
    NodeChecks {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Node.
        node: NodeName,
    },
    /// Checks of a service.
    ServiceChecks {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Service.
        service: ServiceName,
    },
    /// Checks in a state (`any` for all).
    ChecksInState {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// State.
        state: Str,
    },
    /// Instances with node and checks.
    ServiceHealth {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Service.
        service: ServiceName,
        /// Which instances.
        lookup: ServiceLookup,
        /// All must be present.
        tags: Vec<Str>,
        /// Drop instances with any check that is not passing.
        passing_only: bool,
    },
    /// One key.
    KvGet {
        /// Owner.
        tenancy: Tenancy,
        /// Key.
        key: Str,
    },
    /// All entries under a prefix.
    KvList {
        /// Owner.
        tenancy: Tenancy,
        /// Prefix.
        prefix: Str,
    },
    /// Keys under a prefix, cut after the first separator beyond it.
    KvKeys {
        /// Owner.
        tenancy: Tenancy,
        /// Prefix.
        prefix: Str,
        /// Separator, `""` for none.
        separator: Str,
    },
    /// Roots of the authority.
    CaRoots,
    /// Autopilot's settings.
    Autopilot,
    /// Nodes, else service instances, with this address (DNS PTR).
    ByAddress {
        /// The address.
        address: IpAddr,
    },
    /// The authority's configuration and whether a root exists (leader duty; never leaves the servers).
    CaConfig,
    /// All rows of one node: what anti-entropy compares with.
    NodeState {
        /// Owner.
        tenancy: Tenancy,
        /// Node.
        node: NodeName,
    },
    /// Virtual IP of a service.
    VirtualIp {
        /// Owner.
        tenancy: Tenancy,
        /// Peer.
        peer: PeerName,
        /// Service.
        service: ServiceName,
    },
    /// One configuration entry.
    ConfigEntry {
        /// Owner.
        tenancy: Tenancy,
        /// Kind.
        kind: EntryKind,
        /// Name.
        name: Str,
    },
    /// Configuration entries of a kind, or all.
    ConfigEntries {
        /// Owner.
        tenancy: Tenancy,
        /// Kind, `None` for all.
        kind: Option<EntryKind>,
    },
    /// Services that a gateway stands for or exposes.
    GatewayServices {
        /// Owner.
        tenancy: Tenancy,
        /// Gateway.
        gateway: ServiceName,
    },
    /// Instances of a kind with node and checks.
    KindHealth {
        /// Owner.
        tenancy: Tenancy,
        /// Kind.
        kind: ServiceKind,
    },
    /// Configuration entries of every partition and namespace.
    AllConfigEntries,
    /// Mesh gateways of every datacenter.
    FederationStates,
    /// Mesh gateways of one datacenter.
    FederationState {
        /// The datacenter.
        datacenter: DatacenterName,
    },
    /// One session.
    Session {
        /// Owner.
        tenancy: Tenancy,
        /// Its id.
        id: Str,
    },
    /// All sessions.
    Sessions {
        /// Owner.
        tenancy: Tenancy,
    },
    /// Sessions on a node.
    NodeSessions {
        /// Owner.
        tenancy: Tenancy,
        /// Node.
        node: NodeName,
    },
    /// What ends by itself, of every partition and namespace (leader duty).
    Deadlines {
        /// How many keys, the soonest first.
        keys_max: u32,
    },
    /// A transaction that only reads.
    Txn(TxnRead),
    /// Places of nodes in the network.
    Coordinates {
        /// Owner of the nodes.
        tenancy: Tenancy,
        /// Only this node, `None` for all.
        node: Option<NodeName>,
        /// Only this segment, `None` for all.
        segment: Option<Str>,
    },
}

/// Operations of a transaction that only reads, in order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TxnRead(pub Vec<TxnOp>);

// Rows are compared in full, but have no hash; transactions are never kept by their question, so a poor one will do.
impl Eq for TxnRead {}
impl std::hash::Hash for TxnRead {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
    }
}

/// What ends by itself.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deadlines {
    /// Sessions with a time to live.
    pub sessions: Vec<Arc<Session>>,
    /// Owner, key, and the end of its time, Unix milliseconds; the soonest first.
    pub keys: Vec<(Tenancy, Str, u64)>,
}

/// A service of a gateway, from the gateway's configuration entry.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct GatewayService {
    /// Gateway.
    pub gateway: Str,
    /// Service; `*` stands for those that come later.
    pub service: Str,
    /// Kind of the gateway.
    pub gateway_kind: ServiceKind,
    /// Listener.
    pub port: i64,
    /// Protocol of the listener.
    pub protocol: Str,
    /// Host names.
    pub hosts: Vec<Str>,
    /// File of trusted certificates.
    pub ca_file: Str,
    /// File of the client certificate.
    pub cert_file: Str,
    /// File of its key.
    pub key_file: Str,
    /// Server name of TLS.
    pub sni: Str,
    /// The name comes from a `*`.
    pub from_wildcard: bool,
    /// Host names are rewritten.
    pub auto_host_rewrite: bool,
    /// `""`, `service` or `destination`.
    pub service_kind: Str,
    /// Indexes of the entry.
    pub index: crate::record::RaftIndex,
}

/// All rows of one node.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeState {
    /// The node, if it exists.
    pub node: Option<Arc<Node>>,
    /// Its services.
    pub services: Vec<Arc<NodeService>>,
    /// Its checks.
    pub checks: Vec<Arc<HealthCheck>>,
}

/// Rows of an answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant answers the query of the same name")]
pub enum QueryResult {
    Nodes(Vec<Arc<Node>>),
    /// Union of tags for each service name.
    Services(BTreeMap<Str, Vec<Str>>),
    ServiceNodes(Vec<ServiceNode>),
    /// `None`: no such node.
    NodeServices(Option<(Arc<Node>, Vec<Arc<NodeService>>)>),
    Checks(Vec<Arc<HealthCheck>>),
    ServiceHealth(Vec<CheckServiceNode>),
    /// `None`: no such key.
    Kv(Option<Arc<KvEntry>>),
    KvList(Vec<Arc<KvEntry>>),
    KvKeys(Vec<Str>),
    CaRoots(CaRoots),
    Autopilot(AutopilotConfig, crate::record::RaftIndex),
    /// Node names, then `(service name)` of instances when no node has the address.
    ByAddress {
        nodes: Vec<Arc<Node>>,
        services: Vec<ServiceNode>,
    },
    CaConfig(Option<crate::ca::CaConfig>),
    NodeState(NodeState),
    /// `None`: the service has none.
    VirtualIp(Option<Str>),
    /// `None`: no such entry.
    ConfigEntry(Option<Arc<ConfigEntry>>),
    ConfigEntries(Vec<Arc<ConfigEntry>>),
    GatewayServices(Vec<GatewayService>),
    FederationStates(Vec<Arc<FederationState>>),
    /// `None`: nothing is known of it.
    FederationState(Option<Arc<FederationState>>),
    /// Sessions, by id.
    Sessions(Vec<Arc<Session>>),
    Deadlines(Deadlines),
    Txn(TxnAnswer),
    Coordinates(Vec<Arc<CoordinateRow>>),
}

/// What an answer says about itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryMeta {
    /// Index of the result, at least 1.
    pub index: u64,
    /// Whether the answering server knows a leader.
    pub known_leader: bool,
    /// Since the answering server heard from the leader.
    pub last_contact: Duration,
    /// What the answer is worth.
    pub consistency: Consistency,
    /// Rows were dropped because the token may not read them.
    pub filtered_by_acls: bool,
}

/// A typed answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct QueryResponse {
    /// About the answer.
    pub meta: QueryMeta,
    /// The rows.
    pub result: QueryResult,
}
