//! The checked configuration: one field per setting that a part of the agent reads, with defaults filled in.
//!
//! The groups follow the parts that read them, not the stanzas of the files.

mod agent;
mod gossip;
mod http;
mod mesh;
mod net;
mod raft;
mod tls;

pub use agent::{
    AclSettings, AclTokens, CheckSettings, LogSettings, NodeSettings, ProcessSettings, TelemetrySettings,
    WatchDefinition,
};
pub use gossip::{GossipSettings, GossipTiming, JoinSettings};
pub use http::{
    CacheSettings, DnsSettings, DnsSoa, HttpSettings, LimitSettings, MetricsProxy, RequestLimitMode,
    UiSettings,
};
pub use mesh::{AutoConfigSettings, AutoEncryptSettings, ConnectSettings};
pub use net::{ListenAddr, NetSettings, PortRange, PortSettings, UnixSocketSettings};
pub use raft::{AutopilotSettings, RaftLogStore, RaftSettings, RpcSettings};
pub use tls::{TlsListener, TlsSettings};
pub use types::net::Cidr;

use std::path::PathBuf;
use types::{
    Str,
    definition::{CheckDefinition, ServiceDefinition},
};

/// Everything that the agent reads from its configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeConfig {
    /// Name, id, metadata and place of this node.
    pub node: NodeSettings,
    /// Runs as a server.
    pub server: bool,
    /// Started with `-dev`: nothing is kept on disk.
    pub dev_mode: bool,
    /// Where state is kept; `None` only in dev mode without one.
    pub data_dir: Option<PathBuf>,
    /// A single server may elect itself.
    pub bootstrap: bool,
    /// Number of servers to wait for before the first election; 0 = not set.
    pub bootstrap_expect: u32,
    /// Addresses, ports, listeners.
    pub net: NetSettings,
    /// LAN and WAN gossip.
    pub gossip: GossipSettings,
    /// Whom to join.
    pub join: JoinSettings,
    /// Raft timers and log.
    pub raft: RaftSettings,
    /// First autopilot settings of a new datacenter.
    pub autopilot: AutopilotSettings,
    /// Requests between agents.
    pub rpc: RpcSettings,
    /// DNS answers.
    pub dns: DnsSettings,
    /// HTTP API.
    pub http: HttpSettings,
    /// Sizes and rates.
    pub limits: LimitSettings,
    /// Agent cache.
    pub cache: CacheSettings,
    /// Web interface.
    pub ui: UiSettings,
    /// How checks run.
    pub check: CheckSettings,
    /// Access control.
    pub acl: AclSettings,
    /// Certificates and verification per listener.
    pub tls: TlsSettings,
    /// Service mesh and its CA.
    pub connect: ConnectSettings,
    /// `auto_encrypt`.
    pub auto_encrypt: AutoEncryptSettings,
    /// `auto_config`.
    pub auto_config: AutoConfigSettings,
    /// Metrics.
    pub telemetry: TelemetrySettings,
    /// Log output.
    pub log: LogSettings,
    /// Signals, leaving, pid file and the like.
    pub process: ProcessSettings,
    /// Services of the files, in order.
    pub services: Vec<ServiceDefinition>,
    /// Checks of the files that are not inside a service.
    pub checks: Vec<CheckDefinition>,
    /// Watches of the files, not checked yet (see [`crate::watch`]).
    pub watches: Vec<WatchDefinition>,
    /// `config_entries.bootstrap`: entries that a leader creates, as JSON with snake_case keys.
    pub config_entries: Vec<serde_json::Value>,
    /// `experiments`.
    pub experiments: Vec<Str>,
    /// The merged settings as written, from which [`crate::diff()`] names what changed.
    pub written: crate::merge::Settings,
}

impl RuntimeConfig {
    /// Whether a leave on SIGTERM is graceful.
    pub fn leaves_on_terminate(&self) -> bool {
        self.process.leave_on_terminate
    }
}
