//! Keys inside stanzas.

use super::{Field, Kind::*, Rule::*, key, with};

pub(super) const ACL: &[Field] = &[
    key("default_policy", Text),
    key("down_policy", Text),
    key("enable_key_list_policy", Bool),
    key("enable_token_persistence", Bool),
    key("enable_token_replication", Bool),
    key("enabled", Bool),
    with("msp_disable_bootstrap", Bool, Enterprise),
    key("policy_ttl", Duration),
    key("role_ttl", Duration),
    key("token_ttl", Duration),
    with("tokens", Stanza(ACL_TOKENS), Reload),
];

const ACL_TOKENS: &[Field] = &[
    key("agent", Text),
    key("agent_master", Text),
    key("agent_recovery", Text),
    key("config_file_service_registration", Text),
    key("default", Text),
    key("dns", Text),
    key("initial_management", Text),
    with(
        "managed_service_provider",
        StanzaList(&[key("accessor_id", Text), key("secret_id", Text)]),
        Enterprise,
    ),
    key("master", Text),
    key("replication", Text),
];

pub(super) const ADDRESSES: &[Field] =
    &[key("dns", Text), key("grpc", Text), key("grpc_tls", Text), key("http", Text), key("https", Text)];

pub(super) const AUDIT: &[Field] =
    &[key("enabled", Bool), key("rpc_enabled", Bool), key("sink", MapOf(AUDIT_SINK))];

const AUDIT_SINK: &[Field] = &[
    key("delivery_guarantee", Text),
    key("format", Text),
    key("mode", Text),
    key("name", Text),
    key("path", Text),
    key("rotate_bytes", Int),
    key("rotate_duration", Duration),
    key("rotate_max_files", Int),
    key("type", Text),
];

pub(super) const AUTO_CONFIG: &[Field] = &[
    key("authorization", Stanza(AUTO_CONFIG_AUTHORIZATION)),
    key("dns_sans", TextList),
    key("enabled", Bool),
    key("intro_token", Text),
    key("intro_token_file", Text),
    key("ip_sans", TextList),
    key("server_addresses", TextList),
];

const AUTO_CONFIG_AUTHORIZATION: &[Field] =
    &[key("enabled", Bool), key("static", Stanza(AUTO_CONFIG_STATIC))];

const AUTO_CONFIG_STATIC: &[Field] = &[
    key("allow_reuse", Bool),
    key("bound_audiences", TextList),
    key("bound_issuer", Text),
    key("claim_assertions", TextList),
    key("claim_mappings", TextMap),
    key("clock_skew_leeway", Duration),
    key("expiration_leeway", Duration),
    key("jwks_ca_cert", Text),
    key("jwks_url", Text),
    key("jwt_supported_algs", TextList),
    key("jwt_validation_pub_keys", TextList),
    key("list_claim_mappings", TextMap),
    key("not_before_leeway", Duration),
    key("oidc_discovery_ca_cert", Text),
    key("oidc_discovery_url", Text),
];

pub(super) const AUTO_ENCRYPT: &[Field] =
    &[key("allow_tls", Bool), key("dns_san", TextList), key("ip_san", TextList), key("tls", Bool)];

pub(super) const AUTOPILOT: &[Field] = &[
    key("cleanup_dead_servers", Bool),
    with("disable_upgrade_migration", Bool, Enterprise),
    key("last_contact_threshold", Duration),
    key("max_trailing_logs", Int),
    key("min_quorum", Uint),
    key("redundancy_zone_tag", Text),
    key("server_stabilization_time", Duration),
    with("upgrade_version_tag", Text, Enterprise),
];

pub(super) const CACHE: &[Field] = &[key("entry_fetch_max_burst", Int), key("entry_fetch_rate", Float)];

/// Keys of a check.
pub static CHECK: [Field; 34] = [
    key("alias_node", Text),
    key("alias_service", Text),
    key("args", TextList),
    key("body", Text),
    key("deregister_critical_service_after", Duration),
    key("disable_redirects", Bool),
    key("docker_container_id", Text),
    key("failures_before_critical", Int),
    key("failures_before_warning", Int),
    key("grpc", Text),
    key("grpc_use_tls", Bool),
    key("h2ping", Text),
    key("h2ping_use_tls", Bool),
    key("header", TextListMap),
    key("http", Text),
    key("id", Text),
    key("interval", Duration),
    key("method", Text),
    key("name", Text),
    key("notes", Text),
    key("os_service", Text),
    key("output_max_size", Int),
    key("service_id", Text),
    key("shell", Text),
    key("status", Text),
    key("success_before_passing", Int),
    key("tcp", Text),
    key("tcp_use_tls", Bool),
    key("timeout", Duration),
    key("tls_server_name", Text),
    key("tls_skip_verify", Bool),
    key("token", Text),
    key("ttl", Duration),
    key("udp", Text),
];

/// Older spellings inside checks.
pub(super) const CHECK_OLD_SPELLINGS: &[(&str, &str)] = &[
    ("deregistercriticalserviceafter", "deregister_critical_service_after"),
    ("dockercontainerid", "docker_container_id"),
    ("scriptargs", "args"),
    ("serviceid", "service_id"),
    ("tlsskipverify", "tls_skip_verify"),
];

pub(super) const CLOUD: &[Field] = &[
    key("auth_url", Text),
    key("client_id", Text),
    key("client_secret", Text),
    key("hostname", Text),
    key("node_id", Text),
    key("resource_id", Text),
    key("scada_address", Text),
];

pub(super) const CONFIG_ENTRIES: &[Field] = &[with("bootstrap", AnyMapList, Reload)];

pub(super) const CONNECT: &[Field] = &[
    key("ca_config", AnyMap),
    key("ca_provider", Text),
    key("enable_mesh_gateway_wan_federation", Bool),
    key("enabled", Bool),
    with("test_ca_leaf_root_change_spread", Duration, Fixed),
];

pub(super) const CONSUL: &[Field] = &[
    key(
        "coordinate",
        Stanza(&[
            key("update_batch_size", Int),
            key("update_max_batches", Int),
            key("update_period", Duration),
        ]),
    ),
    key(
        "raft",
        Stanza(&[
            key("election_timeout", Duration),
            key("heartbeat_timeout", Duration),
            key("leader_lease_timeout", Duration),
        ]),
    ),
    key("server", Stanza(&[key("health_interval", Duration)])),
];

pub(super) const DNS_CONFIG: &[Field] = &[
    key("a_record_limit", Int),
    key("allow_stale", Bool),
    key("cache_max_age", Duration),
    key("disable_compression", Bool),
    key("enable_additional_node_meta_txt", Bool),
    key("enable_truncate", Bool),
    key("max_stale", Duration),
    key("node_ttl", Duration),
    key("only_passing", Bool),
    with("prefer_namespace", Bool, Enterprise),
    key("recursor_strategy", Text),
    key("recursor_timeout", Duration),
    key("service_ttl", TextMap),
    with(
        "soa",
        Stanza(&[key("expire", Uint), key("min_ttl", Uint), key("refresh", Uint), key("retry", Uint)]),
        Replace,
    ),
    key("udp_answer_limit", Int),
    key("use_cache", Bool),
];

pub(super) const GOSSIP: &[Field] = &[
    key("gossip_interval", Duration),
    key("gossip_nodes", Int),
    key("probe_interval", Duration),
    key("probe_timeout", Duration),
    key("retransmit_mult", Int),
    key("suspicion_mult", Int),
];

pub(super) const HTTP_CONFIG: &[Field] = &[
    key("allow_write_http_from", TextList),
    key("block_endpoints", TextList),
    key("max_header_bytes", Int),
    key("response_headers", TextMap),
    key("use_cache", Bool),
];

pub(super) const LIMITS: &[Field] = &[
    with("http_max_conns_per_client", Int, Reload),
    key("https_handshake_timeout", Duration),
    key("kv_max_value_size", Uint),
    with(
        "request_limits",
        Stanza(&[key("mode", Text), key("read_rate", Float), key("write_rate", Float)]),
        Reload,
    ),
    with("rpc_client_timeout", Duration, Reload),
    key("rpc_handshake_timeout", Duration),
    with("rpc_max_burst", Int, Reload),
    with("rpc_max_conns_per_client", Int, Reload),
    with("rpc_rate", Float, Reload),
    key("txn_max_req_len", Uint),
];

pub(super) const LOCALITY: &[Field] = &[key("region", Text), key("zone", Text)];

pub(super) const PEERING: &[Field] =
    &[key("enabled", Bool), with("test_allow_peer_registrations", Bool, Fixed)];

pub(super) const PERFORMANCE: &[Field] = &[
    key("enable_xds_load_balancing", Bool),
    key("grpc_keepalive_interval", Duration),
    key("grpc_keepalive_timeout", Duration),
    key("leave_drain_time", Duration),
    with("raft_multiplier", Int, Reload),
    key("rpc_hold_timeout", Duration),
];

pub(super) const PORTS: &[Field] = &[
    key("dns", Int),
    key("expose_max_port", Int),
    key("expose_min_port", Int),
    key("grpc", Int),
    key("grpc_tls", Int),
    key("http", Int),
    key("https", Int),
    key("proxy_max_port", Int),
    key("proxy_min_port", Int),
    key("serf_lan", Int),
    key("serf_wan", Int),
    key("server", Int),
    key("sidecar_max_port", Int),
    key("sidecar_min_port", Int),
];

// The one key without underscores.
pub(super) const RAFT_BOLTDB: &[Field] = &[key("NoFreelistSync", Bool)];

pub(super) const RAFT_LOGSTORE: &[Field] = &[
    key("backend", Text),
    key("boltdb", Stanza(&[key("no_freelist_sync", Bool)])),
    key("disable_log_cache", Bool),
    key("verification", Stanza(&[key("enabled", Bool), key("interval", Duration)])),
    key("wal", Stanza(&[key("segment_size_mb", Int)])),
];

pub(super) const REPORTING: &[Field] = &[key("license", Stanza(&[with("enabled", Bool, Enterprise)]))];

pub(super) const RPC: &[Field] = &[key("enable_streaming", Bool)];

pub(super) const SEGMENT: &[Field] = &[
    key("advertise", Text),
    key("bind", Text),
    key("name", Text),
    key("port", Int),
    key("rpc_listener", Bool),
];

/// Keys of a service.
// Statics, not constants: a service may hold a sidecar service.
pub static SERVICE: [Field; 17] = [
    key("address", Text),
    key("check", Stanza(&CHECK)),
    key("checks", StanzaList(&CHECK)),
    key("connect", Stanza(&SERVICE_CONNECT)),
    key("enable_tag_override", Bool),
    key("id", Text),
    key("kind", Text),
    key("locality", Stanza(LOCALITY)),
    key("meta", TextMap),
    key("name", Text),
    key("port", Int),
    key("proxy", Stanza(PROXY)),
    key("socket_path", Text),
    key("tagged_addresses", MapOf(&[key("address", Text), key("port", Int)])),
    key("tags", TextList),
    key("token", Text),
    key("weights", Stanza(&[key("passing", Int), key("warning", Int)])),
];

static SERVICE_CONNECT: [Field; 2] = [key("native", Bool), key("sidecar_service", Stanza(&SERVICE))];

const PROXY: &[Field] = &[
    key("config", AnyMap),
    key("destination_service_id", Text),
    key("destination_service_name", Text),
    key("expose", Stanza(EXPOSE)),
    key("local_service_address", Text),
    key("local_service_port", Int),
    key("local_service_socket_path", Text),
    key("mesh_gateway", Stanza(&[key("mode", Text)])),
    key("mode", Text),
    key("transparent_proxy", Stanza(&[key("dialed_directly", Bool), key("outbound_listener_port", Int)])),
    key("upstreams", StanzaList(UPSTREAM)),
];

const EXPOSE: &[Field] = &[
    key("checks", Bool),
    key(
        "paths",
        StanzaList(&[
            key("listener_port", Int),
            key("local_path_port", Int),
            key("path", Text),
            key("protocol", Text),
        ]),
    ),
    key("port", Int),
];

const UPSTREAM: &[Field] = &[
    key("config", AnyMap),
    key("datacenter", Text),
    key("destination_name", Text),
    key("destination_namespace", Text),
    key("destination_partition", Text),
    key("destination_peer", Text),
    key("destination_type", Text),
    key("local_bind_address", Text),
    key("local_bind_port", Int),
    key("local_bind_socket_mode", Text),
    key("local_bind_socket_path", Text),
    key("mesh_gateway", Stanza(&[key("mode", Text)])),
];

pub(super) const TELEMETRY: &[Field] = &[
    key("circonus_api_app", Text),
    key("circonus_api_token", Text),
    key("circonus_api_url", Text),
    key("circonus_broker_id", Text),
    key("circonus_broker_select_tag", Text),
    key("circonus_check_display_name", Text),
    key("circonus_check_force_metric_activation", Text),
    key("circonus_check_id", Text),
    key("circonus_check_instance_id", Text),
    key("circonus_check_search_tag", Text),
    key("circonus_check_tags", Text),
    key("circonus_submission_interval", Text),
    key("circonus_submission_url", Text),
    key("disable_hostname", Bool),
    key("disable_per_tenancy_usage_metrics", Bool),
    key("dogstatsd_addr", Text),
    key("dogstatsd_tags", TextList),
    key("enable_host_metrics", Bool),
    key("filter_default", Bool),
    key("metrics_prefix", Text),
    with("prefix_filter", TextList, Reload),
    key("prometheus_retention_time", Duration),
    key("retry_failed_connection", Bool),
    key("statsd_address", Text),
    key("statsite_address", Text),
];

/// Keys of each part of `tls`.
pub const TLS_LISTENER: &[Field] = &[
    key("ca_file", Text),
    key("ca_path", Text),
    key("cert_file", Text),
    key("key_file", Text),
    key("tls_cipher_suites", Text),
    key("tls_min_version", Text),
    key("use_auto_cert", Bool),
    key("verify_incoming", Bool),
    key("verify_outgoing", Bool),
    key("verify_server_hostname", Bool),
];

pub(super) const TLS: &[Field] = &[
    key("defaults", Stanza(TLS_LISTENER)),
    key("grpc", Stanza(TLS_LISTENER)),
    key("https", Stanza(TLS_LISTENER)),
    key("internal_rpc", Stanza(TLS_LISTENER)),
];

pub(super) const UI_CONFIG: &[Field] = &[
    key("content_path", Text),
    with("dashboard_url_templates", TextMap, Reload),
    key("dir", Text),
    key("enabled", Bool),
    with("metrics_provider", Text, Reload),
    with("metrics_provider_files", TextList, Reload),
    with("metrics_provider_options_json", Text, Reload),
    with(
        "metrics_proxy",
        Stanza(&[
            key("add_headers", StanzaList(&[key("name", Text), key("value", Text)])),
            key("base_url", Text),
            key("path_allowlist", TextList),
        ]),
        Reload,
    ),
];

pub(super) const UNIX_SOCKETS: &[Field] = &[key("group", Text), key("mode", Text), key("user", Text)];

pub(super) const XDS: &[Field] = &[key("update_max_per_second", Float)];
