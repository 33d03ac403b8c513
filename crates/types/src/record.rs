//! Rows of the catalog and of the key-value store.
//!
//! `Option<Map>` keeps the difference between `null` and `{}` that the public API shows.

use crate::names::{
    CheckId, DatacenterName, NodeName, Opaque, PeerName, ServiceId, ServiceName, Str, Tenancy,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// String map with stable order.
pub type Map = BTreeMap<Str, Str>;

/// Raft log indexes of a row's creation and last change.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RaftIndex {
    /// Index of the entry that created the row.
    pub create: u64,
    /// Index of the entry that last changed it.
    pub modify: u64,
}

/// Region and zone of a node or service.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Locality {
    /// Cloud region.
    pub region: Str,
    /// Zone within the region.
    pub zone: Str,
}

/// A machine of the catalog.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Node id (UUID text) or `""`.
    pub id: Str,
    /// Name, unique in (partition, peer) without regard to case.
    pub name: NodeName,
    /// Address that others reach it by.
    pub address: Str,
    /// Datacenter it lives in.
    pub datacenter: DatacenterName,
    /// Owner (nodes live in a partition; the namespace is always the default one).
    pub tenancy: Tenancy,
    /// Peer it was imported from.
    pub peer: PeerName,
    /// `lan`, `wan`, `lan_ipv4`, …
    pub tagged_addresses: Option<Map>,
    /// Metadata.
    pub meta: Option<Map>,
    /// Region and zone.
    pub locality: Option<Locality>,
    /// Indexes.
    pub index: RaftIndex,
}

/// The mesh gateways of one datacenter, as every datacenter knows them.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct FederationState {
    /// The datacenter.
    pub datacenter: DatacenterName,
    /// Its mesh gateways with their checks.
    pub mesh_gateways: Vec<CheckServiceNode>,
    /// When its leader wrote it, Unix milliseconds.
    pub updated_at_ms: u64,
    /// Index at which the primary datacenter stored it.
    pub primary_modify_index: u64,
    /// Indexes.
    pub index: RaftIndex,
}

impl FederationState {
    /// Key of its row: the name without regard to case.
    pub fn key(&self) -> Str {
        self.datacenter.folded()
    }
}

/// What an instance is.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ServiceKind {
    /// An ordinary service (`""`).
    #[default]
    Typical,
    /// `connect-proxy`
    ConnectProxy,
    /// `mesh-gateway`
    MeshGateway,
    /// `terminating-gateway`
    TerminatingGateway,
    /// `ingress-gateway`
    IngressGateway,
    /// `api-gateway`
    ApiGateway,
    /// Any other word: accepted and stored.
    Other(Str),
}

impl ServiceKind {
    /// Reads the API's word.
    pub fn parse(s: &str) -> Self {
        match s {
            "" => Self::Typical,
            "connect-proxy" => Self::ConnectProxy,
            "mesh-gateway" => Self::MeshGateway,
            "terminating-gateway" => Self::TerminatingGateway,
            "ingress-gateway" => Self::IngressGateway,
            "api-gateway" => Self::ApiGateway,
            other => Self::Other(Str::new(other)),
        }
    }
    /// The API's word, `""` for a typical service.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Typical => "",
            Self::ConnectProxy => "connect-proxy",
            Self::MeshGateway => "mesh-gateway",
            Self::TerminatingGateway => "terminating-gateway",
            Self::IngressGateway => "ingress-gateway",
            Self::ApiGateway => "api-gateway",
            Self::Other(s) => s,
        }
    }
    /// Whether it is one of the four gateway kinds.
    pub fn is_gateway(&self) -> bool {
        matches!(self, Self::MeshGateway | Self::TerminatingGateway | Self::IngressGateway | Self::ApiGateway)
    }
}

/// Address and port of a tagged service address.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceAddress {
    /// IP or host name.
    pub address: Str,
    /// Port.
    pub port: i64,
}

/// DNS weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Weights {
    /// Weight while all checks pass.
    pub passing: i64,
    /// Weight while the worst check is a warning.
    pub warning: i64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { passing: 1, warning: 1 }
    }
}

/// Where a proxy or gateway sends traffic for other datacenters (`Mode`: `""`, `none`, `local`, `remote`).
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MeshGatewayConfig {
    /// The mode's word.
    pub mode: Str,
}

/// One upstream of a proxy.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upstream {
    /// `""`, `service` or `prepared_query`.
    pub destination_type: Str,
    /// Namespace of the destination.
    pub destination_namespace: Str,
    /// Partition of the destination.
    pub destination_partition: Str,
    /// Peer of the destination.
    pub destination_peer: Str,
    /// Destination service or query.
    pub destination_name: Str,
    /// Datacenter of the destination.
    pub datacenter: Str,
    /// Local listener address (`""` = 127.0.0.1).
    pub local_bind_address: Str,
    /// Local listener port.
    pub local_bind_port: i64,
    /// Local unix socket.
    pub local_bind_socket_path: Str,
    /// Its mode, octal text.
    pub local_bind_socket_mode: Str,
    /// Opaque settings.
    pub config: Option<Opaque>,
    /// Gateway mode.
    pub mesh_gateway: MeshGatewayConfig,
    /// Derived from central configuration.
    pub centrally_configured: bool,
}

/// One path exposed around the proxy.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExposePath {
    /// Listener port.
    pub listener_port: i64,
    /// HTTP path.
    pub path: Str,
    /// Port of the local application.
    pub local_path_port: i64,
    /// `http` or `http2`.
    pub protocol: Str,
    /// Derived from a check.
    pub parsed_from_check: bool,
}

/// Plain-HTTP paths exposed around the proxy.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExposeConfig {
    /// Expose the paths of checks.
    pub checks: bool,
    /// The paths.
    pub paths: Vec<ExposePath>,
}

/// Transparent proxy settings.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransparentProxy {
    /// Port of the outbound listener.
    pub outbound_listener_port: i64,
    /// May be dialled directly.
    pub dialed_directly: bool,
}

/// Access log settings.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessLogs {
    /// On or off.
    pub enabled: bool,
    /// No listener logs.
    pub disable_listener_logs: bool,
    /// `""`, `file`, `stderr`, `stdout`.
    pub kind: Str,
    /// Log file.
    pub path: Str,
    /// JSON format.
    pub json_format: Str,
    /// Text format.
    pub text_format: Str,
}

/// One Envoy extension.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnvoyExtension {
    /// Extension name.
    pub name: Str,
    /// Fail closed if it cannot be applied.
    pub required: bool,
    /// Opaque arguments.
    pub arguments: Option<Opaque>,
    /// Constraint.
    pub consul_version: Str,
    /// Constraint.
    pub envoy_version: Str,
}

/// Proxy block of a connect-proxy or gateway.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceProxy {
    /// Extensions.
    pub envoy_extensions: Vec<EnvoyExtension>,
    /// Service the proxy stands for.
    pub destination_service_name: Str,
    /// Instance the proxy stands for.
    pub destination_service_id: Str,
    /// Address of the application.
    pub local_service_address: Str,
    /// Port of the application.
    pub local_service_port: i64,
    /// Socket of the application.
    pub local_service_socket_path: Str,
    /// `""`, `direct`, `transparent`.
    pub mode: Str,
    /// Opaque settings.
    pub config: Option<Opaque>,
    /// Upstreams.
    pub upstreams: Vec<Upstream>,
    /// Gateway mode.
    pub mesh_gateway: MeshGatewayConfig,
    /// Exposed paths.
    pub expose: ExposeConfig,
    /// Transparent proxy; `None` when all fields are zero.
    pub transparent_proxy: Option<TransparentProxy>,
    /// Access logs; `None` when all fields are zero.
    pub access_logs: Option<AccessLogs>,
}

/// Connect block of an instance.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceConnect {
    /// Speaks the mesh protocol itself.
    pub native: bool,
}

/// A service instance, without its node.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeService {
    /// Kind.
    pub kind: ServiceKind,
    /// Instance id.
    pub id: ServiceId,
    /// Service name.
    pub service: ServiceName,
    /// Tags; `None` is the API's `null`.
    pub tags: Option<Vec<Str>>,
    /// Address; `""` means the node's.
    pub address: Str,
    /// `lan_ipv4`, `wan`, `consul-virtual`, …; `None` when never given.
    pub tagged_addresses: Option<BTreeMap<Str, ServiceAddress>>,
    /// Metadata.
    pub meta: Option<Map>,
    /// Port.
    pub port: i64,
    /// Unix socket instead of address and port.
    pub socket_path: Str,
    /// DNS weights.
    pub weights: Weights,
    /// Tags in the catalog may be changed by others than the agent.
    pub enable_tag_override: bool,
    /// Region and zone.
    pub locality: Option<Locality>,
    /// Proxy settings; boxed, most services have none (`None` = all zero).
    pub proxy: Option<Box<ServiceProxy>>,
    /// Connect settings.
    pub connect: ServiceConnect,
    /// Owner.
    pub tenancy: Tenancy,
    /// Peer it was imported from.
    pub peer: PeerName,
    /// Indexes.
    pub index: RaftIndex,
}

/// Status of a check.
pub mod status {
    /// All is well.
    pub const PASSING: &str = "passing";
    /// Degraded.
    pub const WARNING: &str = "warning";
    /// Down.
    pub const CRITICAL: &str = "critical";
    /// Aggregated status only.
    pub const MAINTENANCE: &str = "maintenance";
}

/// Id of the check that gossip maintains for each node.
pub const SERF_HEALTH: &str = "serfHealth";
/// Id of the node maintenance check.
pub const NODE_MAINTENANCE: &str = "_node_maintenance";
/// Prefix of the ids of service maintenance checks.
pub const SERVICE_MAINTENANCE_PREFIX: &str = "_service_maintenance:";

/// How a check probes (stored for display; the agent runs from [`crate::definition::CheckDefinition`]).
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "field names are those of the HTTP API's HealthCheck.Definition")]
pub struct HealthCheckDefinition {
    pub http: Str,
    pub tls_server_name: Str,
    pub tls_skip_verify: bool,
    pub header: BTreeMap<Str, Vec<Str>>,
    pub method: Str,
    pub body: Str,
    pub disable_redirects: bool,
    pub tcp: Str,
    pub tcp_use_tls: bool,
    pub udp: Str,
    pub h2ping: Str,
    pub h2ping_use_tls: bool,
    pub os_service: Str,
    pub interval: Duration,
    pub timeout: Duration,
    pub deregister_critical_service_after: Duration,
    pub output_max_size: u64,
    pub script_args: Vec<Str>,
    pub docker_container_id: Str,
    pub shell: Str,
    pub grpc: Str,
    pub grpc_use_tls: bool,
    pub alias_node: Str,
    pub alias_service: Str,
    pub session_name: Str,
    pub ttl: Duration,
}

/// A health check row.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Node it runs on.
    pub node: NodeName,
    /// Id, unique on the node.
    pub check_id: CheckId,
    /// Human name.
    pub name: Str,
    /// `passing`, `warning`, `critical`; any other word is stored as it came.
    pub status: Str,
    /// Notes of the operator.
    pub notes: Str,
    /// Last output.
    pub output: Str,
    /// Instance it belongs to; `""` for a node check.
    pub service_id: ServiceId,
    /// Name of that service (filled by the catalog).
    pub service_name: ServiceName,
    /// Tags of that service (filled by the catalog).
    pub service_tags: Vec<Str>,
    /// `http`, `tcp`, `ttl`, …
    pub kind: Str,
    /// Interval as text.
    pub interval: Str,
    /// Timeout as text.
    pub timeout: Str,
    /// Listener port when exposed through a proxy.
    pub exposed_port: i64,
    /// How it probes; `None` = all zero.
    pub definition: Option<Box<HealthCheckDefinition>>,
    /// Owner.
    pub tenancy: Tenancy,
    /// Peer it was imported from.
    pub peer: PeerName,
    /// Indexes.
    pub index: RaftIndex,
}

/// A service instance together with its node: row of `/v1/catalog/service/:name`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceNode {
    /// The node.
    pub node: Arc<Node>,
    /// The instance.
    pub service: Arc<NodeService>,
}

/// A service instance with node and checks: row of `/v1/health/service/:name`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckServiceNode {
    /// The node.
    pub node: Arc<Node>,
    /// The instance.
    pub service: Arc<NodeService>,
    /// Node checks and the instance's checks.
    pub checks: Vec<Arc<HealthCheck>>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KvEntry {
    /// The key.
    pub key: Str,
    /// Opaque number of the user.
    pub flags: u64,
    /// The value.
    pub value: Bytes,
    /// Session that holds the lock.
    pub session: Option<Str>,
    /// How often the lock was taken.
    pub lock_index: u64,
    /// Owner.
    pub tenancy: Tenancy,
    /// Indexes.
    pub index: RaftIndex,
}

/// What happens to the keys that a session holds when it ends.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SessionBehavior {
    /// The locks are given back.
    #[default]
    Release,
    /// The keys are deleted.
    Delete,
}

impl SessionBehavior {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Delete => "delete",
        }
    }
    /// Reads the API's word; `""` is `release`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "release" => Some(Self::Release),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// A check of a service that a session depends on.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionServiceCheck {
    /// Check id.
    pub id: Str,
    /// Namespace as it was given; `""` is the session's.
    pub namespace: Str,
}

/// A holder of locks, which lives as long as its node and checks do, and its time to live.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// UUID text.
    pub id: Str,
    /// Name for humans; checks of the type `session` follow it.
    pub name: Str,
    /// Node that it lives on.
    pub node: NodeName,
    /// How long keys cannot be locked after it ended, nanoseconds, as it was given.
    pub lock_delay_ns: u64,
    /// What happens to its keys.
    pub behavior: SessionBehavior,
    /// Time to live as it was given, `""` for none.
    pub ttl: Str,
    /// The same, nanoseconds; 0 for none.
    pub ttl_ns: u64,
    /// Ids of checks that it depends on.
    pub node_checks: Vec<Str>,
    /// Checks of services that it depends on; `None` is the API's `null`.
    pub service_checks: Option<Vec<SessionServiceCheck>>,
    /// Owner.
    pub tenancy: Tenancy,
    /// Indexes.
    pub index: RaftIndex,
}

/// A partition: nodes and everything on them, apart from those of others.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Partition {
    /// Name, in lower case.
    pub name: Str,
    /// For humans.
    pub description: Str,
    /// Indexes.
    pub index: RaftIndex,
}

/// A namespace of a partition.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Namespace {
    /// Partition that it is in.
    pub partition: Str,
    /// Name, in lower case.
    pub name: Str,
    /// For humans.
    pub description: Str,
    /// Metadata.
    pub meta: Option<Map>,
    /// Access rules that its tokens have by default, as a JSON object; kept as it was given.
    pub acls: Option<Opaque>,
    /// Indexes.
    pub index: RaftIndex,
}
