//! From the one configuration to what each part wants of it.

use authority::AuthorityConfig;
use checks::{LocalConfig, NodeIdentity, ScriptPermission};
use config::RuntimeConfig;
use dns::{DnsConfig, RecursorStrategy, ServiceTtl, SoaConfig};
use gossip_driver::{DriverConfig, Key, Keyring, Pool, Timing};
use http_api::HttpConfig;
use leader::LeaderConfig;
use raft::{Peer, RaftConfig, ServerId};
use rpc::ServiceConfig;
use std::net::{IpAddr, SocketAddr};
use types::{API_LEVEL, Opaque, SecretToken, Str, Tenancy, record::Map};

use crate::{data_dir::DataDir, tags};

/// The key of `encrypt`, if there is one.
///
/// # Errors
/// The text that operators know for a key of the wrong size.
pub fn keyring(config: &RuntimeConfig) -> Result<Option<Keyring>, String> {
    if config.gossip.encrypt.is_empty() {
        return Ok(None);
    }
    let key = Key::from_base64(config.gossip.encrypt.expose())
        .map_err(|e| format!("Failed to configure keyring: Invalid key: {e}"))?;
    Ok(Some(Keyring::new(key)))
}

/// Settings of a gossip pool.
pub fn gossip(
    pool: Pool,
    config: &RuntimeConfig,
    node_id: &str,
    bind: SocketAddr,
    advertise: SocketAddr,
    keyring: Option<Keyring>,
    data: Option<&DataDir>,
) -> DriverConfig {
    let (name, timing, base, file, allowed, reconnect) = match pool {
        Pool::Lan => (
            config.node.name.to_string(),
            &config.gossip.lan,
            Timing::lan(),
            "local",
            &config.gossip.lan_allowed,
            config.gossip.reconnect_timeout_lan,
        ),
        Pool::Wan => (
            format!("{}.{}", config.node.name, config.node.datacenter),
            &config.gossip.wan,
            Timing::wan(),
            "remote",
            &config.gossip.wan_allowed,
            config.gossip.reconnect_timeout_wan,
        ),
    };
    let mut out = DriverConfig::new(pool, name, bind);
    out.label = match pool {
        Pool::Lan => Str::new(config.node.datacenter.as_str()),
        Pool::Wan => Str::default(),
    };
    out.advertise = match pool {
        // Addresses of other datacenters may be the same as ours; a server goes by what stands for its name.
        Pool::Wan if config.connect.mesh_gateway_wan_federation => {
            SocketAddr::new(federation::names::address_of(&out.name).into(), advertise.port())
        }
        _ => advertise,
    };
    out.tags = match pool {
        Pool::Lan => tags::lan(config, node_id),
        Pool::Wan => tags::wan(config, node_id),
    };
    out.timing = Timing {
        gossip_interval: timing.gossip_interval,
        gossip_nodes: timing.gossip_nodes as usize,
        probe_interval: timing.probe_interval,
        probe_timeout: timing.probe_timeout,
        retransmit_mult: timing.retransmit_mult,
        suspicion_mult: timing.suspicion_mult,
        ..if config.dev_mode { Timing::dev() } else { base }
    };
    out.coordinates = !config.gossip.disable_coordinates;
    out.keyring = keyring;
    if let Some(data) = data {
        if !config.gossip.disable_keyring_file {
            out.keyring_file = Some(data.path(&format!("serf/{file}.keyring")));
        }
        out.snapshot_file = Some(data.path(&format!("serf/{file}.snapshot")));
    }
    out.rejoin_after_leave = config.gossip.rejoin_after_leave;
    if !reconnect.is_zero() {
        out.reconnect_timeout = reconnect;
    }
    out.allowed_cidrs.clone_from(allowed);
    out.verify_incoming = config.gossip.encrypt_verify_incoming;
    out.verify_outgoing = config.gossip.encrypt_verify_outgoing;
    out
}

/// Settings of TLS.
pub fn tls(config: &RuntimeConfig) -> tls::Settings {
    let part = |name: &'static str, from: &config::settings::TlsListener| tls::Part {
        name,
        ca_file: from.ca_file.clone(),
        ca_path: from.ca_path.clone(),
        cert_file: from.cert_file.clone(),
        key_file: from.key_file.clone(),
        min_version: from.min_version.clone(),
        cipher_suites: from.cipher_suites.clone(),
        verify_incoming: from.verify_incoming,
        verify_outgoing: from.verify_outgoing,
    };
    tls::Settings {
        internal_rpc: part("internal_rpc", &config.tls.internal_rpc),
        https: part("https", &config.tls.https),
        grpc: part("grpc", &config.tls.grpc),
        verify_server_hostname: config.tls.verify_server_hostname,
        server_name: tls::server_name(&config.node.datacenter, &config.dns.domain),
        domain: config.dns.domain.to_string(),
        learns: config.auto_encrypt.tls,
        enrolls: config.auto_encrypt.allow_tls,
    }
}

/// Settings of consensus.
pub fn raft(config: &RuntimeConfig, id: ServerId, data: Option<&DataDir>) -> RaftConfig {
    let me = Peer { name: config.node.name.0.clone(), addr: config.net.rpc_advertise };
    let mut out = RaftConfig::new(id, me, data.map(|d| d.path("raft")));
    out.multiplier = config.raft.multiplier.clamp(1, 10);
    out.snapshot_threshold = config.raft.snapshot_threshold.max(1);
    out.snapshot_interval = config.raft.snapshot_interval;
    out.trailing_logs = config.raft.trailing_logs;
    out.prevote = !config.raft.prevote_disabled;
    out
}

/// Settings of Submit and Query.
pub fn service(config: &RuntimeConfig) -> ServiceConfig {
    ServiceConfig {
        datacenter: config.node.datacenter.clone(),
        primary: config.node.primary_datacenter.clone(),
        hold: config.rpc.hold_timeout,
        default_wait: config.http.default_query_time,
        max_wait: config.http.max_query_time,
    }
}

/// Metadata that every node carries beside what is configured.
pub fn node_meta(config: &RuntimeConfig) -> Map {
    let mut meta: Map = config.node.meta.clone();
    meta.insert(Str::new_static("consul-network-segment"), Str::default());
    meta.insert(Str::new_static("consul-version"), Str::new_static(API_LEVEL));
    meta
}

/// Settings of the local services and checks.
pub fn local(config: &RuntimeConfig, node_id: &Str, data: Option<&DataDir>) -> LocalConfig {
    let mut out = LocalConfig::new(NodeIdentity {
        id: node_id.clone(),
        name: config.node.name.clone(),
        datacenter: config.node.datacenter.clone(),
        address: Str::from(config.net.advertise_lan.to_string()),
        tagged_addresses: config.net.tagged_addresses.clone(),
        meta: node_meta(config),
        locality: config.node.locality.clone(),
        tenancy: Tenancy::default(),
    });
    out.data_dir = data.map(|d| d.path(""));
    out.scripts = if config.check.enable_remote_scripts {
        ScriptPermission::All
    } else if config.check.enable_local_scripts {
        ScriptPermission::Files
    } else {
        ScriptPermission::Denied
    };
    out.check_output_max_size = usize::try_from(config.check.output_max_size).unwrap_or(usize::MAX).max(1);
    out.check_update_interval = config.check.update_interval;
    out.discard_check_output = config.check.discard_output;
    let ports = config.net.ports.sidecar;
    out.sidecar_ports = (!ports.is_off()).then_some(ports.min..=ports.max);
    out.default_token = default_token(config);
    out
}

fn default_token(config: &RuntimeConfig) -> SecretToken {
    config.acl.tokens.default.clone()
}

/// Settings of the leader's duties.
pub fn leader(config: &RuntimeConfig) -> LeaderConfig {
    let mut out = LeaderConfig::new(config.node.datacenter.clone(), &*config.node.name);
    out.bootstrap_expect = config.bootstrap_expect.max(1);
    let ns = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let pilot = &config.autopilot;
    out.autopilot = types::command::AutopilotConfig {
        cleanup_dead_servers: pilot.cleanup_dead_servers,
        last_contact_threshold_ns: ns(pilot.last_contact_threshold),
        max_trailing_logs: pilot.max_trailing_logs,
        min_quorum: pilot.min_quorum,
        server_stabilization_time_ns: ns(pilot.server_stabilization_time),
        redundancy_zone_tag: pilot.redundancy_zone_tag.clone(),
        ..types::command::AutopilotConfig::default()
    };
    // A secondary datacenter has its authority signed by the primary.
    out.makes_root = config.connect.enabled && config.node.datacenter == config.node.primary_datacenter;
    out.ca_provider = config.connect.ca_provider.clone();
    let ca = &config.connect.ca_config;
    out.ca_cluster_id = ca
        .iter()
        .find(|(k, _)| k.replace('_', "").eq_ignore_ascii_case("clusterid"))
        .and_then(|(_, v)| v.as_str())
        .map(Str::new);
    out.ca_config = ca_config(config);
    // They were looked at when the configuration was built. A secondary datacenter has those of its primary.
    if config.node.datacenter == config.node.primary_datacenter {
        out.config_entries = config.config_entries.iter().filter_map(|e| entries::read(e).ok()).collect();
    }
    out
}

/// `connect.ca_config`, if there is any.
fn ca_config(config: &RuntimeConfig) -> Option<Opaque> {
    let ca = &config.connect.ca_config;
    (!ca.is_empty()).then(|| Opaque::from_json(&serde_json::Value::Object(ca.clone())))
}

/// Settings of the certificate authority.
pub fn authority(config: &RuntimeConfig) -> AuthorityConfig {
    AuthorityConfig {
        datacenter: config.node.datacenter.clone(),
        primary: config.node.primary_datacenter.clone(),
        enabled: config.connect.enabled,
        ca_config: ca_config(config),
        token: config.acl.tokens.replication.clone(),
    }
}

/// What the leader does for the other datacenters.
pub fn federation(config: &RuntimeConfig) -> federation::Settings {
    federation::Settings {
        datacenter: config.node.datacenter.clone(),
        primary: config.node.primary_datacenter.clone(),
        token: config.acl.tokens.replication.clone(),
    }
}

/// Settings of the HTTP server.
pub fn http(config: &RuntimeConfig) -> HttpConfig {
    HttpConfig {
        datacenter: Str::new(config.node.datacenter.as_str()),
        node_name: config.node.name.0.clone(),
        dev_mode: config.dev_mode,
        acl_enabled: config.acl.enabled,
        acl_default_policy: config.acl.default_policy.clone(),
        connect_enabled: config.connect.enabled,
        default_intention_policy: config.connect.default_intention_policy.clone(),
        ui_path: config.ui.enabled.then(|| config.ui.content_path.clone()),
        enable_debug: config.http.enable_debug,
        server: config.server,
        translate_wan_addrs: config.net.translate_wan_addrs,
        disable_coordinates: config.gossip.disable_coordinates,
        default_query_time: config.http.default_query_time,
        max_query_time: config.http.max_query_time,
        discovery_max_stale: config.http.discovery_max_stale,
        use_cache: config.http.use_cache,
        response_headers: config
            .http
            .response_headers
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        block_endpoints: config.http.block_endpoints.iter().map(Str::to_string).collect(),
        allow_write_http_from: config.http.allow_write_from.clone(),
        allow_unprintable: config.http.disable_unprintable_filter,
        max_conns_per_client: config.http.max_conns_per_client as usize,
        kv_max_value_size: usize::try_from(config.limits.kv_max_value_size).unwrap_or(usize::MAX),
        session_ttl_min: match config.limits.session_ttl_min {
            unset if unset.is_zero() => HttpConfig::default().session_ttl_min,
            given => given,
        },
        txn_max_req_len: usize::try_from(config.limits.txn_max_req_len).unwrap_or(usize::MAX),
        https_handshake_timeout: config.http.https_handshake_timeout,
        ..HttpConfig::default()
    }
}

/// Limits on requests.
pub fn rates(config: &RuntimeConfig) -> rpc::limits::Rates {
    use config::settings::RequestLimitMode as M;
    rpc::limits::Rates {
        mode: match config.limits.request_mode {
            M::Disabled => rpc::limits::Mode::Disabled,
            M::Permissive => rpc::limits::Mode::Permissive,
            M::Enforcing => rpc::limits::Mode::Enforcing,
        },
        read: config.limits.read_rate,
        write: config.limits.write_rate,
        send: config.rpc.rate,
        send_burst: config.rpc.max_burst,
    }
}

/// Settings of DNS that reload; recursors that are names are resolved here.
///
/// # Errors
/// `Invalid recursor address: …`.
pub async fn dns(config: &RuntimeConfig) -> Result<DnsConfig, String> {
    let dns = &config.dns;
    let mut recursors = Vec::with_capacity(dns.recursors.len());
    for text in &dns.recursors {
        recursors.push(recursor(text).await?);
    }
    let token =
        if config.acl.tokens.dns.is_empty() { default_token(config) } else { config.acl.tokens.dns.clone() };
    Ok(DnsConfig {
        node: config.node.name.0.clone(),
        allow_stale: dns.allow_stale,
        max_stale: dns.max_stale,
        node_ttl: dns.node_ttl,
        service_ttl: ServiceTtl::new(dns.service_ttl.iter().map(|(k, v)| (k.as_str(), *v))),
        only_passing: dns.only_passing,
        enable_truncate: dns.enable_truncate,
        udp_answer_limit: dns.udp_answer_limit as usize,
        a_record_limit: dns.a_record_limit as usize,
        disable_compression: dns.disable_compression,
        enable_additional_node_meta_txt: dns.node_meta_txt,
        recursor_strategy: if dns.recursor_random {
            RecursorStrategy::Random
        } else {
            RecursorStrategy::Sequential
        },
        recursor_timeout: dns.recursor_timeout,
        recursors,
        soa: SoaConfig {
            refresh: dns.soa.refresh,
            retry: dns.soa.retry,
            expire: dns.soa.expire,
            min_ttl: dns.soa.min_ttl,
        },
        use_cache: dns.use_cache,
        cache_max_age: dns.cache_max_age,
        token,
    })
}

async fn recursor(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(addr);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 53));
    }
    let target = if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        text.to_owned()
    } else {
        format!("{text}:53")
    };
    let found = tokio::net::lookup_host(&target)
        .await
        .map_err(|e| format!("Invalid recursor address: {text}: {e}"))?
        .next();
    found.ok_or_else(|| format!("Invalid recursor address: {text}: no address found"))
}
