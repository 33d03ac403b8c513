//! The node itself, its checks, tokens, logs and metrics.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use types::{DatacenterName, NodeName, SecretToken, Str, record::Locality};

/// Name, id, metadata and place of this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSettings {
    /// Name.
    pub name: NodeName,
    /// `node_id` as written (checked at start by [`crate::node_id`]); empty = not set.
    pub id: Str,
    /// Make a random id rather than one derived from the host.
    pub disable_host_id: bool,
    /// Metadata.
    pub meta: BTreeMap<Str, Str>,
    /// Region and zone.
    pub locality: Option<Locality>,
    /// Datacenter.
    pub datacenter: DatacenterName,
    /// Primary datacenter (own when not set).
    pub primary_datacenter: DatacenterName,
    /// `read_replica`.
    pub read_replica: bool,
    /// `segment_limit` (shown only).
    pub segment_limit: i64,
}

/// How checks run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckSettings {
    /// Longest output kept.
    pub output_max_size: u64,
    /// How long changed output of an unchanged status may wait before it is synced.
    pub update_interval: Duration,
    /// Keep no output.
    pub discard_output: bool,
    /// Scripts from files.
    pub enable_local_scripts: bool,
    /// Scripts from files and API.
    pub enable_remote_scripts: bool,
    /// Smallest `deregister_critical_service_after`.
    pub deregister_interval_min: Duration,
    /// How often critical services are looked at for that.
    pub reap_interval: Duration,
    /// Full anti-entropy period before scaling.
    pub ae_interval: Duration,
}

/// The agent's tokens.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AclTokens {
    /// Makes the first management token.
    pub initial_management: SecretToken,
    /// The agent's own writes.
    pub agent: SecretToken,
    /// Works locally while servers are away.
    pub agent_recovery: SecretToken,
    /// Services and checks of files.
    pub config_file_service_registration: SecretToken,
    /// Requests without a token.
    pub default: SecretToken,
    /// DNS.
    pub dns: SecretToken,
    /// Replication in secondary datacenters.
    pub replication: SecretToken,
}

/// Access control.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclSettings {
    /// On or off.
    pub enabled: bool,
    /// `allow` or `deny` (checked at start by [`crate::startup::check`]).
    pub default_policy: Str,
    /// `allow`, `deny`, `extend-cache`, `async-cache` (checked at start).
    pub down_policy: Str,
    /// Recursive key reads need `list`.
    pub enable_key_list_policy: bool,
    /// Keep tokens set by API.
    pub enable_token_persistence: bool,
    /// Replicate global tokens.
    pub enable_token_replication: bool,
    /// Policy cache.
    pub policy_ttl: Duration,
    /// Role cache.
    pub role_ttl: Duration,
    /// Token cache.
    pub token_ttl: Duration,
    /// Tokens.
    pub tokens: AclTokens,
}

/// Metrics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelemetrySettings {
    /// Name prefix.
    pub metrics_prefix: Str,
    /// No host name in gauges.
    pub disable_hostname: bool,
    /// Metrics of no rule are emitted.
    pub filter_default: bool,
    /// Prefixes that are emitted.
    pub allowed_prefixes: Vec<Str>,
    /// Prefixes that are not.
    pub blocked_prefixes: Vec<Str>,
    /// How long the Prometheus form keeps a value; zero = that form is off.
    pub prometheus_retention: Duration,
    /// `host:port`, empty = off.
    pub statsd_address: Str,
    /// `host:port`, empty = off.
    pub statsite_address: Str,
    /// `host:port` or `unix:///…`, empty = off.
    pub dogstatsd_addr: Str,
    /// Its tags.
    pub dogstatsd_tags: Vec<Str>,
    /// CPU, memory and disk gauges.
    pub enable_host_metrics: bool,
    /// Retry sinks that fail at start.
    pub retry_failed_connection: bool,
}

/// Log output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// Level as written (checked at start by [`crate::startup::check`]).
    pub level: Str,
    /// One JSON object a line.
    pub json: bool,
    /// Log file or directory; `None` = standard output only.
    pub file: Option<Str>,
    /// Rotate after this.
    pub rotate_duration: Duration,
    /// Rotate at this size; 0 = no limit.
    pub rotate_bytes: u64,
    /// Old files to keep; 0 = all, below = none.
    pub rotate_max_files: i64,
    /// Send to syslog too.
    pub syslog: bool,
    /// Syslog facility.
    pub syslog_facility: Str,
}

/// Signals, leaving, pid file and the like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessSettings {
    /// SIGTERM leaves gracefully.
    pub leave_on_terminate: bool,
    /// SIGINT does not leave gracefully.
    pub skip_leave_on_interrupt: bool,
    /// How long a leaving server keeps serving.
    pub leave_drain_time: Duration,
    /// Pid file.
    pub pid_file: Option<PathBuf>,
    /// Reload when files change.
    pub auto_reload_config: bool,
    /// Ignore remote execution.
    pub disable_remote_exec: bool,
    /// No version check (Praetor never makes one).
    pub disable_update_check: bool,
    /// No anonymous signature.
    pub disable_anonymous_signature: bool,
}

/// A watch as written: an object whose one-element lists are already collapsed.
#[derive(Clone, PartialEq, Debug)]
pub struct WatchDefinition(pub serde_json::Map<String, serde_json::Value>);
