//! What the server needs from the agent's configuration.

use std::time::Duration;
use types::{Str, net::Cidr};

/// What the server needs from the agent's configuration. A reload swaps the whole value
/// ([`HttpServer::reconfigure`](crate::HttpServer::reconfigure)).
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Datacenter of the agent.
    pub datacenter: Str,
    /// Node name of the agent (`near=_agent`).
    pub node_name: Str,
    /// Development mode: JSON is always indented.
    pub dev_mode: bool,
    /// ACLs are on.
    pub acl_enabled: bool,
    /// `X-Consul-Default-ACL-Policy`: `allow` or `deny`.
    pub acl_default_policy: Str,
    /// The mesh is on (`connect.enabled`).
    pub connect_enabled: bool,
    /// `default_intention_policy`: `allow`, `deny`, or empty for that of the access control lists.
    pub default_intention_policy: Str,
    /// The user interface is on, at this path (`/ui/`).
    pub ui_path: Option<Str>,
    /// `enable_debug`.
    pub enable_debug: bool,
    /// Server agent.
    pub server: bool,
    /// `translate_wan_addrs`.
    pub translate_wan_addrs: bool,
    /// Coordinates are off.
    pub disable_coordinates: bool,
    /// Answers `wait` when none is given (300 s).
    pub default_query_time: Duration,
    /// Longest `wait` (600 s).
    pub max_query_time: Duration,
    /// `discovery_max_stale`; zero is off.
    pub discovery_max_stale: Duration,
    /// `http_config.use_cache`.
    pub use_cache: bool,
    /// `http_config.response_headers`.
    pub response_headers: Vec<(String, String)>,
    /// `http_config.block_endpoints`: path prefixes.
    pub block_endpoints: Vec<String>,
    /// `http_config.allow_write_http_from`; empty allows all.
    pub allow_write_http_from: Vec<Cidr>,
    /// `disable_http_unprintable_char_filter`.
    pub allow_unprintable: bool,
    /// `limits.http_max_conns_per_client`; 0 is no limit.
    pub max_conns_per_client: usize,
    /// Connections of all clients together; further ones wait in the kernel's queue.
    pub max_conns: usize,
    /// `limits.kv_max_value_size`.
    pub kv_max_value_size: usize,
    /// `session_ttl_min`: shortest time to live of a session.
    pub session_ttl_min: Duration,
    /// `limits.txn_max_req_len`.
    pub txn_max_req_len: usize,
    /// Largest body of any other request.
    pub max_body: usize,
    /// `limits.https_handshake_timeout`.
    pub https_handshake_timeout: Duration,
    /// How long a client may take to send the head of a request, counted from the end of the one before; so also how long an
    /// idle connection is kept.
    pub header_read_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_read_timeout: Duration,
    /// Bytes of encoded answers that are kept.
    pub answer_cache_bytes: usize,
    /// Entries of the agent's own cache (`?cached`).
    pub agent_cache_entries: usize,
    /// How long shutdown waits for requests in flight.
    pub drain_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            datacenter: Str::new_static("dc1"),
            node_name: Str::default(),
            dev_mode: false,
            acl_enabled: false,
            acl_default_policy: Str::new_static("allow"),
            connect_enabled: true,
            default_intention_policy: Str::default(),
            ui_path: None,
            enable_debug: false,
            server: true,
            translate_wan_addrs: false,
            disable_coordinates: false,
            default_query_time: Duration::from_secs(300),
            max_query_time: Duration::from_secs(600),
            discovery_max_stale: Duration::ZERO,
            use_cache: true,
            response_headers: Vec::new(),
            block_endpoints: Vec::new(),
            allow_write_http_from: Vec::new(),
            allow_unprintable: false,
            max_conns_per_client: 200,
            max_conns: 65_536,
            kv_max_value_size: 512 * 1024,
            session_ttl_min: Duration::from_secs(10),
            txn_max_req_len: 512 * 1024,
            max_body: 4 << 20,
            https_handshake_timeout: Duration::from_secs(5),
            header_read_timeout: Duration::from_secs(120),
            body_read_timeout: Duration::from_secs(30),
            answer_cache_bytes: 64 << 20,
            agent_cache_entries: 1_024,
            drain_timeout: Duration::from_secs(3),
        }
    }
}
