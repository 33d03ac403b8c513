//! Raft, autopilot and requests between agents.

use std::time::Duration;
use types::Str;

/// `raft_logstore`: kept for showing; the log has one backend of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaftLogStore {
    /// `default`, `wal` or `boltdb`.
    pub backend: Str,
    /// No cache of recent entries.
    pub disable_log_cache: bool,
    /// `boltdb.no_freelist_sync`.
    pub no_freelist_sync: bool,
    /// Verify the log in the background.
    pub verification_enabled: bool,
    /// How often.
    pub verification_interval: Duration,
    /// Size of a log segment in bytes.
    pub segment_size: u64,
}

/// Raft timers and log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaftSettings {
    /// Protocol version, always 3.
    pub protocol: i64,
    /// `performance.raft_multiplier`.
    pub multiplier: u32,
    /// Election timeout, multiplied.
    pub election_timeout: Duration,
    /// Heartbeat timeout, multiplied.
    pub heartbeat_timeout: Duration,
    /// Leader lease, multiplied.
    pub leader_lease_timeout: Duration,
    /// Commits between snapshots.
    pub snapshot_threshold: u64,
    /// How often the threshold is looked at.
    pub snapshot_interval: Duration,
    /// Entries kept after a snapshot.
    pub trailing_logs: u64,
    /// No pre-vote.
    pub prevote_disabled: bool,
    /// Log store.
    pub log_store: RaftLogStore,
    /// A server that was away longer refuses to start.
    pub rejoin_age_max: Duration,
}

/// First autopilot settings of a new datacenter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AutopilotSettings {
    /// Remove failed servers when a new one joins.
    pub cleanup_dead_servers: bool,
    /// Longest silence of a healthy server.
    pub last_contact_threshold: Duration,
    /// How far behind a healthy server may be.
    pub max_trailing_logs: u64,
    /// Never prune below this.
    pub min_quorum: u32,
    /// How long a new server must be healthy before it votes.
    pub server_stabilization_time: Duration,
    /// Key of the node metadata that names a server's zone; empty for no zones.
    pub redundancy_zone_tag: Str,
}

/// Requests between agents.
#[derive(Clone, PartialEq, Debug)]
pub struct RpcSettings {
    /// `protocol` (2 or 3, checked at start).
    pub protocol: i64,
    /// Retry window while there is no leader.
    pub hold_timeout: Duration,
    /// Timeout of a request that does not block.
    pub client_timeout: Duration,
    /// TLS handshake or first byte on the RPC port.
    pub handshake_timeout: Duration,
    /// Connections per source address on the RPC port.
    pub max_conns_per_client: u32,
    /// Requests a second that this agent sends; `None` = no limit.
    pub rate: Option<f64>,
    /// Burst above it.
    pub max_burst: u32,
    /// Serve subscriptions.
    pub enable_streaming: bool,
    /// Use subscriptions for health queries.
    pub use_streaming_backend: bool,
    /// Server health probe period.
    pub server_health_interval: Duration,
    /// gRPC keepalive period.
    pub grpc_keepalive_interval: Duration,
    /// gRPC keepalive timeout.
    pub grpc_keepalive_timeout: Duration,
}
