//! DNS, HTTP, limits, cache and web interface.

use super::Cidr;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use types::Str;

/// Start-of-authority numbers in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DnsSoa {
    /// Refresh.
    pub refresh: u32,
    /// Retry.
    pub retry: u32,
    /// Expire.
    pub expire: u32,
    /// Minimum TTL.
    pub min_ttl: u32,
}

/// DNS answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsSettings {
    /// `domain` as written.
    pub domain: Str,
    /// `alt_domain` as written.
    pub alt_domain: Str,
    /// Servers may answer from stale state.
    pub allow_stale: bool,
    /// How stale.
    pub max_stale: Duration,
    /// TTL of node answers.
    pub node_ttl: Duration,
    /// TTL of service answers: exact name, `prefix*` or `*`.
    pub service_ttl: BTreeMap<Str, Duration>,
    /// Leave out instances with a warning.
    pub only_passing: bool,
    /// Cut long UDP answers with the TC bit set.
    pub enable_truncate: bool,
    /// Records in a UDP answer.
    pub udp_answer_limit: u32,
    /// A and AAAA records in any answer; 0 = no limit.
    pub a_record_limit: u32,
    /// No name compression.
    pub disable_compression: bool,
    /// Node metadata as TXT records.
    pub node_meta_txt: bool,
    /// Answer from the agent cache.
    pub use_cache: bool,
    /// Longest age of such an answer.
    pub cache_max_age: Duration,
    /// SOA.
    pub soa: DnsSoa,
    /// Recursors in order: `ip`, `ip:port`, `[v6]:port` or a name.
    pub recursors: Vec<Str>,
    /// Wait for a recursor.
    pub recursor_timeout: Duration,
    /// Ask them in random order.
    pub recursor_random: bool,
}

/// HTTP API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpSettings {
    /// Path prefixes answered 403.
    pub block_endpoints: Vec<Str>,
    /// Headers added to every answer.
    pub response_headers: BTreeMap<Str, Str>,
    /// `?cached` is honoured.
    pub use_cache: bool,
    /// Networks that may write; empty = all.
    pub allow_write_from: Vec<Cidr>,
    /// Bytes of request headers; 0 = the default of 1 MiB.
    pub max_header_bytes: u64,
    /// Connections per source address.
    pub max_conns_per_client: u32,
    /// TLS handshake.
    pub https_handshake_timeout: Duration,
    /// Wait of a blocking query that names none.
    pub default_query_time: Duration,
    /// Longest wait.
    pub max_query_time: Duration,
    /// Discovery endpoints answer stale if not older than this; zero = off.
    pub discovery_max_stale: Duration,
    /// Allow unprintable characters in paths.
    pub disable_unprintable_filter: bool,
    /// Profiling endpoints without ACLs.
    pub enable_debug: bool,
}

/// What request limits do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestLimitMode {
    /// Nothing.
    Disabled,
    /// Log and count.
    Permissive,
    /// Refuse.
    Enforcing,
}

/// Sizes and rates.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitSettings {
    /// Largest value of a key.
    pub kv_max_value_size: u64,
    /// Largest transaction body.
    pub txn_max_req_len: u64,
    /// Server-wide limits.
    pub request_mode: RequestLimitMode,
    /// Reads a second; `None` = no limit.
    pub read_rate: Option<f64>,
    /// Writes a second; `None` = no limit.
    pub write_rate: Option<f64>,
    /// xDS pushes a second; `None` = no limit.
    pub xds_updates_per_second: Option<f64>,
    /// Smallest session TTL; zero = the default of 10 s.
    pub session_ttl_min: Duration,
}

/// Agent cache.
#[derive(Clone, PartialEq, Debug)]
pub struct CacheSettings {
    /// Fetches in a burst per entry.
    pub fetch_max_burst: u32,
    /// Fetches a second per entry; `None` = no limit.
    pub fetch_rate: Option<f64>,
}

/// Proxy to a metrics server for the web interface.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MetricsProxy {
    /// Where requests go.
    pub base_url: Str,
    /// Name and value of headers added.
    pub add_headers: Vec<(Str, Str)>,
    /// Allowed paths.
    pub path_allowlist: Vec<Str>,
}

/// Web interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UiSettings {
    /// Served at all.
    pub enabled: bool,
    /// From this directory instead of the built-in one.
    pub dir: Option<PathBuf>,
    /// Path with slashes at both ends.
    pub content_path: Str,
    /// Metrics provider.
    pub metrics_provider: Str,
    /// Its files.
    pub metrics_provider_files: Vec<Str>,
    /// Its options, a JSON object or empty.
    pub metrics_provider_options_json: Str,
    /// Metrics proxy.
    pub metrics_proxy: MetricsProxy,
    /// Dashboard links.
    pub dashboard_url_templates: BTreeMap<Str, Str>,
}
