//! What the server asks of the agent itself: everything that is not in the replicated state.
//!
//! The agent implements these traits over its parts (membership, local registry, Raft, logs, metrics); tests implement them
//! over plain values. [`AgentPort`] is all of them together.

use bytes::Bytes;
use runtime::BoxFuture;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use types::{
    RequestError, SecretToken, Str, Tenancy,
    ca::{CaUpdate, ServiceLeaf},
    coordinate::{CoordinateRow, DatacenterCoordinates},
    definition::{CheckDefinition, ServiceDefinition},
    event::UserEvent,
    member::Member,
    record::{HealthCheck, NodeService, Session},
};

/// Why the agent refused. Nothing was changed unless the text says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PortError {
    /// The caller's mistake (400).
    #[error("{0}")]
    Invalid(Str),
    /// No such thing (404); the whole outward text.
    #[error("{0}")]
    NotFound(Str),
    /// It did not work (500); the whole outward text.
    #[error("{0}")]
    Failed(Str),
    /// A request to the servers failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl From<local::LocalError> for PortError {
    fn from(e: local::LocalError) -> Self {
        use local::LocalError;
        match e {
            LocalError::BadRequest(text) => Self::Invalid(text),
            LocalError::NotFound(text) => Self::NotFound(text),
            LocalError::Internal(text) => Self::Failed(text),
        }
    }
}

/// An answer that may have to wait for the agent.
pub type PortFuture<'a, T> = BoxFuture<'a, Result<T, PortError>>;

/// `Config` of `/v1/agent/self`.
#[derive(Clone, Default, Debug)]
#[allow(missing_docs, reason = "fields are those of the API")]
pub struct SelfConfig {
    pub datacenter: Str,
    pub primary_datacenter: Str,
    pub node_name: Str,
    pub node_id: Str,
    pub partition: Str,
    pub revision: Str,
    pub server: bool,
    pub version: Str,
    /// RFC 3339.
    pub build_date: Str,
}

/// Ports of the proxy configuration service.
#[derive(Clone, Copy, Default, Debug)]
pub struct XdsPorts {
    /// Port without TLS, 0 or negative when off.
    pub plaintext: i64,
    /// Port with TLS, 0 or negative when off.
    pub tls: i64,
}

/// Answer of `/v1/agent/self`.
#[derive(Clone, Default, Debug)]
pub struct SelfInfo {
    /// Identity.
    pub config: SelfConfig,
    /// Effective settings without secrets, as a JSON object.
    pub debug_config: serde_json::Value,
    /// Network coordinate as JSON, `null` when coordinates are off.
    pub coord: serde_json::Value,
    /// Own member of the LAN pool.
    pub member: Option<Member>,
    /// Group, then name, then value.
    pub stats: BTreeMap<Str, BTreeMap<Str, Str>>,
    /// Node metadata.
    pub meta: BTreeMap<Str, Str>,
    /// Ports of the proxy configuration service, `None` when it is off.
    pub xds: Option<XdsPorts>,
}

/// Answer of `/v1/agent/version`.
#[derive(Clone, Default, Debug)]
#[allow(missing_docs, reason = "fields are those of the API")]
pub struct VersionInfo {
    pub sha: Str,
    /// RFC 3339.
    pub build_date: Str,
    pub human_version: Str,
}

/// A token that the agent itself uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "names are those of the API")]
pub enum AgentTokenKind {
    Default,
    Agent,
    AgentRecovery,
    Replication,
    ConfigFileServiceRegistration,
    Dns,
}

/// The agent, its pools and its life.
pub trait MembershipPort: Send + Sync + 'static {
    /// Identity, settings and statistics.
    fn self_info(&self) -> SelfInfo;
    /// Build information.
    fn version(&self) -> VersionInfo;
    /// Facts about the machine, as the JSON object of the API.
    fn host(&self) -> PortFuture<'_, serde_json::Value>;
    /// Members of the LAN pool, or of the WAN pool; `None` when this agent is in no such pool.
    fn members(&self, wan: bool) -> Option<Vec<Member>>;
    /// Joins through `address` (`host`, `host:port`).
    fn join(&self, address: &str, wan: bool) -> PortFuture<'_, ()>;
    /// Leaves gracefully; the process then ends. Answers before it does.
    fn leave(&self) -> PortFuture<'_, ()>;
    /// Moves a failed member to `left`; `prune` removes it.
    fn force_leave(&self, node: &str, prune: bool, wan: bool) -> PortFuture<'_, ()>;
    /// Reads the configuration again.
    fn reload(&self) -> PortFuture<'_, ()>;
    /// Known datacenters, nearest first.
    fn datacenters(&self) -> PortFuture<'_, Vec<Str>>;
    /// Replaces one of the agent's tokens.
    fn set_token(&self, kind: AgentTokenKind, token: SecretToken) -> PortFuture<'_, ()>;
}

/// Services and checks of this agent.
pub trait RegistryPort: Send + Sync + 'static {
    /// Services by id.
    fn services(&self) -> BTreeMap<Str, Arc<NodeService>>;
    /// Checks by id.
    fn checks(&self) -> BTreeMap<Str, Arc<HealthCheck>>;
    /// One service.
    fn service(&self, id: &str) -> Option<Arc<NodeService>>;
    /// Resolves when any local service changed after this call. Cancel safe; may resolve for no reason.
    fn services_changed(&self) -> BoxFuture<'static, ()>;
    /// Validates, expands and registers a service with its checks and sidecar; answers when it is stored, after an attempt to sync.
    /// `token` is that of the request.
    fn register_service(
        &self,
        service: ServiceDefinition,
        replace_checks: bool,
        token: SecretToken,
    ) -> PortFuture<'_, ()>;
    /// Removes a service with its checks and sidecar.
    fn deregister_service(&self, id: &str, token: SecretToken) -> PortFuture<'_, ()>;
    /// Registers a check.
    fn register_check(&self, check: CheckDefinition, token: SecretToken) -> PortFuture<'_, ()>;
    /// Removes a check.
    fn deregister_check(&self, id: &str, token: SecretToken) -> PortFuture<'_, ()>;
    /// Sets status and output of a TTL check.
    fn update_ttl(&self, id: &str, status: &'static str, output: &str) -> PortFuture<'_, ()>;
    /// Maintenance of the node; an empty reason means the default text.
    fn node_maintenance(&self, enable: bool, reason: &str, token: SecretToken) -> PortFuture<'_, ()>;
    /// Maintenance of a service.
    fn service_maintenance(
        &self,
        id: &str,
        enable: bool,
        reason: &str,
        token: SecretToken,
    ) -> PortFuture<'_, ()>;
}

/// What to do with the keyring.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyringOp {
    /// Keys and how many members hold each.
    List {
        /// Only this agent's pools.
        local_only: bool,
    },
    /// Adds a key everywhere (base64).
    Install(SecretToken),
    /// Makes a key the one to encrypt with.
    Use(SecretToken),
    /// Removes a key.
    Remove(SecretToken),
}

/// What one pool answered to a keyring operation.
#[derive(Clone, Default, Debug)]
pub struct KeyringPool {
    /// The WAN pool.
    pub wan: bool,
    /// Datacenter of the pool.
    pub datacenter: Str,
    /// Members that complained, with their text.
    pub messages: BTreeMap<Str, Str>,
    /// Base64 key → members that hold it.
    pub keys: BTreeMap<Str, u64>,
    /// Base64 key → members that encrypt with it.
    pub primary_keys: BTreeMap<Str, u64>,
    /// Members asked.
    pub num_nodes: u64,
    /// Whole-pool failure, as `1/1 nodes reported failure`.
    pub error: Str,
}

/// One server of the Raft configuration.
#[derive(Clone, Default, Debug)]
#[allow(missing_docs, reason = "fields are those of the API")]
pub struct RaftServer {
    pub id: Str,
    /// `(unknown)` when not among the members.
    pub node: Str,
    pub address: Str,
    pub leader: bool,
    pub voter: bool,
    pub last_index: u64,
}

/// The Raft configuration.
#[derive(Clone, Default, Debug)]
pub struct RaftConfiguration {
    /// Servers.
    pub servers: Vec<RaftServer>,
    /// Log index of the configuration.
    pub index: u64,
}

/// Which server to remove from Raft.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerSelector {
    /// By id.
    Id(Str),
    /// By `ip:port`.
    Address(Str),
}

/// Raft, autopilot and keyring. `datacenter` is `None` for the agent's own.
pub trait OperatorPort: Send + Sync + 'static {
    /// How the leader of a datacenter sees the others; with `here` this server.
    fn federation(
        &self,
        datacenter: Option<&str>,
        here: bool,
    ) -> PortFuture<'_, rpc::message::FederationView>;
    /// `ip:port` of the leader, `""` when there is none.
    fn raft_leader(&self, datacenter: Option<&str>) -> PortFuture<'_, Str>;
    /// `ip:port` of each server of the Raft configuration.
    fn raft_peers(&self, datacenter: Option<&str>) -> PortFuture<'_, Vec<Str>>;
    /// The Raft configuration.
    fn raft_configuration(&self, datacenter: Option<&str>, stale: bool) -> PortFuture<'_, RaftConfiguration>;
    /// Removes a server.
    fn raft_remove_peer(&self, datacenter: Option<&str>, peer: PeerSelector) -> PortFuture<'_, ()>;
    /// Hands leadership to the server `id`, or to any.
    fn raft_transfer_leader(&self, id: Option<&str>) -> PortFuture<'_, ()>;
    /// What autopilot thinks of the servers.
    fn autopilot(&self, datacenter: Option<&str>) -> PortFuture<'_, rpc::report::AutopilotReport>;
    /// One keyring operation on every pool.
    fn keyring(&self, op: KeyringOp, relay_factor: u8) -> PortFuture<'_, Vec<KeyringPool>>;
}

/// Severity of log lines that a monitor wants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "names are those of the API")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Metrics and logs.
pub trait TelemetryPort: Send + Sync + 'static {
    /// The last complete interval as the JSON document of `/v1/agent/metrics`.
    fn metrics_json(&self) -> Bytes;
    /// Prometheus text; `None` when its retention time is not positive.
    fn metrics_prometheus(&self) -> Option<Bytes>;
    /// One JSON document for each interval, until the receiver is dropped.
    fn metrics_stream(&self) -> mpsc::Receiver<Bytes>;
    /// Log lines at `level` or worse, each with its newline, until the receiver is dropped. Lines that a slow reader cannot take
    /// are lost.
    fn monitor(&self, level: LogLevel, json: bool) -> mpsc::Receiver<Bytes>;
    /// A request was answered.
    fn request_done(&self, route: &'static str, method: &str, took: Duration) {
        let _ = (route, method, took);
    }
    /// Whether a request of a client may go to the servers; `writes` tells what it is.
    ///
    /// # Errors
    /// Too many came.
    fn admit(&self, writes: bool) -> Result<(), RequestError> {
        let _ = writes;
        Ok(())
    }
    /// A connection of `client` was refused because of the limit per client.
    fn connection_refused(&self, client: IpAddr) {
        let _ = client;
    }
}

/// Certificates of the mesh.
pub trait MeshPort: Send + Sync + 'static {
    /// The leaf certificate of a service, and whether it was there already. With `min_index` above 0, waits for one that is newer,
    /// at most `wait`.
    fn leaf(
        &self,
        tenancy: &Tenancy,
        service: &str,
        min_index: u64,
        wait: Duration,
        token: SecretToken,
    ) -> PortFuture<'_, (Arc<ServiceLeaf>, bool)>;
    /// Changes the settings of the authority of `datacenter` (`None` = the agent's own).
    fn configure_ca(
        &self,
        datacenter: Option<&str>,
        update: CaUpdate,
        token: SecretToken,
    ) -> PortFuture<'_, ()>;
}

/// Names for new things.
pub trait IdPort: Send + Sync + 'static {
    /// A new random UUID (version 4), as text.
    fn fresh_id(&self) -> Str;
}

/// What sessions need besides the replicated state.
pub trait SessionPort: Send + Sync + 'static {
    /// Begins the time to live of a session anew; `None` when there is none (any more).
    fn renew_session(
        &self,
        datacenter: Option<&str>,
        tenancy: &Tenancy,
        id: &str,
        token: SecretToken,
    ) -> PortFuture<'_, Option<Arc<Session>>>;
}

/// An archive, as it is made.
pub type ArchivePieces = mpsc::Receiver<std::io::Result<Bytes>>;

/// Archives of the replicated state.
pub trait SnapshotPort: Send + Sync + 'static {
    /// Begins an archive of the state of a datacenter; with `stale` any of its servers makes it.
    fn snapshot(
        &self,
        datacenter: Option<&str>,
        stale: bool,
        token: SecretToken,
    ) -> PortFuture<'_, (rpc::message::SnapshotHead, ArchivePieces)>;
}

/// User events and the places of nodes in the network.
pub trait NetworkPort: Send + Sync + 'static {
    /// Tells all agents of a datacenter (`None` = the own one); answers the event with its id.
    fn fire_event(
        &self,
        datacenter: Option<&str>,
        event: UserEvent,
        token: SecretToken,
    ) -> PortFuture<'_, UserEvent>;
    /// The latest user events that were meant for this agent, oldest first.
    fn events(&self) -> Vec<Arc<UserEvent>>;
    /// Resolves when an event came after this call. Cancel safe; may resolve for no reason.
    fn events_changed(&self) -> BoxFuture<'static, ()>;
    /// Has the servers of a datacenter write down where a node is, before long.
    fn update_coordinate(
        &self,
        datacenter: Option<&str>,
        row: CoordinateRow,
        token: SecretToken,
    ) -> PortFuture<'_, ()>;
    /// Where the servers of all datacenters are.
    fn wan_coordinates(&self) -> PortFuture<'_, Vec<DatacenterCoordinates>>;
}

/// Everything that the server asks of the agent.
pub trait AgentPort:
    MembershipPort
    + RegistryPort
    + OperatorPort
    + TelemetryPort
    + MeshPort
    + IdPort
    + SessionPort
    + SnapshotPort
    + NetworkPort
{
}

impl<T> AgentPort for T where
    T: MembershipPort
        + RegistryPort
        + OperatorPort
        + TelemetryPort
        + MeshPort
        + IdPort
        + SessionPort
        + SnapshotPort
        + NetworkPort
{
}
