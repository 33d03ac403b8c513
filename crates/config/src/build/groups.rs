//! Groups whose settings stand alone: gossip, joining, Raft, RPC, checks, tokens, logs, metrics, process.

use super::{Reader, addresses::Expander};
use crate::merge::Value;
use crate::settings::{
    AclSettings, AclTokens, AutopilotSettings, CheckSettings, ConnectSettings, GossipSettings, GossipTiming,
    JoinSettings, LogSettings, ProcessSettings, RaftLogStore, RaftSettings, RpcSettings, TelemetrySettings,
};
use std::{path::PathBuf, time::Duration};
use types::{SecretToken, Str};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn gossip(r: &Reader<'_>) -> GossipSettings {
    let (lan_allowed, _) = r.cidrs("serf_lan_allowed_cidrs");
    let (wan_allowed, _) = r.cidrs("serf_wan_allowed_cidrs");
    // An unset or zero time keeps the built-in one.
    let reconnect = |key: &str| {
        let d = r.duration(key, Duration::ZERO);
        if d.is_zero() { Duration::from_secs(72 * 3600) } else { d }
    };
    GossipSettings {
        lan: gossip_timing(r, "gossip_lan", &GossipTiming::lan()),
        wan: gossip_timing(r, "gossip_wan", &GossipTiming::wan()),
        encrypt: SecretToken::new(r.text("encrypt")),
        encrypt_verify_incoming: r.bool("encrypt_verify_incoming", true),
        encrypt_verify_outgoing: r.bool("encrypt_verify_outgoing", true),
        disable_keyring_file: r.bool("disable_keyring_file", false),
        reconnect_timeout_lan: reconnect("reconnect_timeout"),
        reconnect_timeout_wan: reconnect("reconnect_timeout_wan"),
        advertise_reconnect_timeout: r.duration("advertise_reconnect_timeout", Duration::ZERO),
        rejoin_after_leave: r.bool("rejoin_after_leave", false),
        lan_allowed,
        wan_allowed,
        disable_coordinates: r.bool("disable_coordinates", false),
    }
}

fn gossip_timing(r: &Reader<'_>, pool: &str, default: &GossipTiming) -> GossipTiming {
    let time = |key: &str, default: Duration| {
        // The message has always had two dots.
        r.duration_named(&format!("{pool}.{key}"), &format!("{pool}..{key}"), default)
    };
    GossipTiming {
        gossip_interval: time("gossip_interval", default.gossip_interval),
        gossip_nodes: r.u32(&format!("{pool}.gossip_nodes"), default.gossip_nodes),
        probe_interval: time("probe_interval", default.probe_interval),
        probe_timeout: time("probe_timeout", default.probe_timeout),
        retransmit_mult: r.u32(&format!("{pool}.retransmit_mult"), default.retransmit_mult),
        suspicion_mult: r.u32(&format!("{pool}.suspicion_mult"), default.suspicion_mult),
    }
}

pub(super) fn join(r: &Reader<'_>, x: &Expander<'_>) -> JoinSettings {
    let every = Duration::from_secs(30);
    JoinSettings {
        lan: x.targets("retry_join"),
        wan: x.targets("retry_join_wan"),
        interval_lan: r.duration("retry_interval", every),
        interval_wan: r.duration("retry_interval_wan", every),
        max_lan: r.u32("retry_max", 0),
        max_wan: r.u32("retry_max_wan", 0),
        primary_gateways: x.targets("primary_gateways"),
        primary_gateways_interval: r.duration("primary_gateways_interval", every),
    }
}

pub(super) fn raft(r: &Reader<'_>, dev: bool) -> RaftSettings {
    let multiplier = r.u32("performance.raft_multiplier", 5);
    // Dev mode elects itself at once; users cannot change these.
    let base: [u64; 3] = if dev { [52, 35, 20] } else { [1000, 1000, 500] };
    let timer = |ms: u64| Duration::from_millis(ms) * multiplier;
    // Zero keeps the built-in value.
    let or_default = |key: &str, default: u64| match r.unsigned(key, default) {
        0 => default,
        n => n,
    };
    let snapshot_interval = match r.duration("raft_snapshot_interval", Duration::ZERO) {
        Duration::ZERO => Duration::from_secs(30),
        d => d,
    };
    RaftSettings {
        protocol: r.int("raft_protocol", 3),
        multiplier,
        election_timeout: timer(base[0]),
        heartbeat_timeout: timer(base[1]),
        leader_lease_timeout: timer(base[2]),
        snapshot_threshold: or_default("raft_snapshot_threshold", 16384),
        snapshot_interval,
        trailing_logs: or_default("raft_trailing_logs", 10240),
        prevote_disabled: r.bool("raft_prevote_disabled", false),
        log_store: RaftLogStore {
            backend: Str::new(r.text_or("raft_logstore.backend", "default")),
            disable_log_cache: r.bool("raft_logstore.disable_log_cache", false),
            no_freelist_sync: r.bool("raft_logstore.boltdb.no_freelist_sync", false),
            verification_enabled: r.bool("raft_logstore.verification.enabled", false),
            verification_interval: r.duration("raft_logstore.verification.interval", Duration::ZERO),
            segment_size: r.unsigned("raft_logstore.wal.segment_size_mb", 64).saturating_mul(1 << 20),
        },
        rejoin_age_max: at_least(r, "server_rejoin_age_max", 168 * 60 * MINUTE, 6 * 60 * MINUTE),
    }
}

/// A duration with a lower bound.
fn at_least(r: &Reader<'_>, key: &str, default: Duration, min: Duration) -> Duration {
    let before = r.duration(key, default);
    if r.is_set(key) && before < min && api::duration::parse_ns(r.text(key)).is_ok() {
        let text = r.text(key);
        r.error(format!("{key}: duration '{text}' cannot be less than: {}", api::duration::format(min)));
    }
    before
}

pub(super) fn autopilot(r: &Reader<'_>) -> AutopilotSettings {
    AutopilotSettings {
        cleanup_dead_servers: r.bool("autopilot.cleanup_dead_servers", true),
        last_contact_threshold: r.duration("autopilot.last_contact_threshold", Duration::from_millis(200)),
        max_trailing_logs: r.unsigned("autopilot.max_trailing_logs", 250),
        min_quorum: r.u32("autopilot.min_quorum", 0),
        server_stabilization_time: r.duration("autopilot.server_stabilization_time", Duration::from_secs(10)),
        redundancy_zone_tag: r.text("autopilot.redundancy_zone_tag").into(),
    }
}

pub(super) fn rpc(r: &Reader<'_>, server: bool, dev: bool) -> RpcSettings {
    RpcSettings {
        protocol: r.int("protocol", 2),
        hold_timeout: r.duration("performance.rpc_hold_timeout", Duration::from_secs(7)),
        client_timeout: r.duration("limits.rpc_client_timeout", MINUTE),
        handshake_timeout: r.duration("limits.rpc_handshake_timeout", Duration::from_secs(5)),
        max_conns_per_client: r.u32("limits.rpc_max_conns_per_client", 100),
        rate: r.rate("limits.rpc_rate", None),
        max_burst: r.u32("limits.rpc_max_burst", 1000),
        enable_streaming: r.bool("rpc.enable_streaming", server),
        use_streaming_backend: r.bool("use_streaming_backend", true),
        server_health_interval: Duration::from_millis(if dev { 10 } else { 2000 }),
        grpc_keepalive_interval: at_least(
            r,
            "performance.grpc_keepalive_interval",
            Duration::from_secs(30),
            Duration::from_secs(1),
        ),
        grpc_keepalive_timeout: at_least(
            r,
            "performance.grpc_keepalive_timeout",
            Duration::from_secs(20),
            Duration::from_secs(1),
        ),
    }
}

pub(super) fn check(r: &Reader<'_>) -> CheckSettings {
    let remote = r.bool("enable_script_checks", false);
    CheckSettings {
        output_max_size: r.unsigned("check_output_max_size", 4096),
        update_interval: r.duration("check_update_interval", 5 * MINUTE),
        discard_output: r.bool("discard_check_output", false),
        enable_local_scripts: r.bool("enable_local_script_checks", remote),
        enable_remote_scripts: remote,
        deregister_interval_min: MINUTE,
        reap_interval: Duration::from_secs(30),
        ae_interval: MINUTE,
    }
}

pub(super) fn acl(r: &Reader<'_>) -> AclSettings {
    let token = |name: &str| SecretToken::new(r.text(&format!("acl.tokens.{name}")));
    AclSettings {
        enabled: r.bool("acl.enabled", false),
        default_policy: Str::new(r.text_or("acl.default_policy", "allow")),
        down_policy: Str::new(r.text_or("acl.down_policy", "extend-cache")),
        enable_key_list_policy: r.bool("acl.enable_key_list_policy", false),
        enable_token_persistence: r.bool("acl.enable_token_persistence", false),
        enable_token_replication: r.bool("acl.enable_token_replication", false),
        policy_ttl: r.duration("acl.policy_ttl", Duration::from_secs(30)),
        role_ttl: r.duration("acl.role_ttl", Duration::ZERO),
        token_ttl: r.duration("acl.token_ttl", Duration::from_secs(30)),
        tokens: AclTokens {
            initial_management: token("initial_management"),
            agent: token("agent"),
            agent_recovery: token("agent_recovery"),
            config_file_service_registration: token("config_file_service_registration"),
            default: token("default"),
            dns: token("dns"),
            replication: token("replication"),
        },
    }
}

pub(super) fn connect(r: &Reader<'_>) -> ConnectSettings {
    let forced = r.bool("auto_encrypt.allow_tls", false) || r.bool("auto_config.enabled", false);
    ConnectSettings {
        enabled: r.bool("connect.enabled", true) || forced,
        ca_provider: r.str("connect.ca_provider"),
        ca_config: match r.get("connect.ca_config") {
            Some(Value::Any(serde_json::Value::Object(o))) => o.clone(),
            _ => serde_json::Map::new(),
        },
        mesh_gateway_wan_federation: r.bool("connect.enable_mesh_gateway_wan_federation", false),
        central_service_config: r.bool("enable_central_service_config", true),
        default_intention_policy: r.str("default_intention_policy"),
        peering_enabled: r.bool("peering.enabled", true),
        xds_load_balancing: r.bool("performance.enable_xds_load_balancing", true),
    }
}

pub(super) fn telemetry(r: &Reader<'_>) -> TelemetrySettings {
    let prefix = r.text_or("telemetry.metrics_prefix", "consul");
    let (mut allowed, mut blocked) = (Vec::new(), Vec::new());
    for rule in r.texts("telemetry.prefix_filter") {
        match (rule.strip_prefix('+'), rule.strip_prefix('-')) {
            _ if rule.is_empty() => r.warn("Cannot have empty filter rule in prefix_filter"),
            (Some(p), _) => allowed.push(Str::new(p)),
            (_, Some(p)) => blocked.push(Str::new(p)),
            _ => r.warn(format!("Filter rule must begin with either '+' or '-': {}", crate::quote(&rule))),
        }
    }
    // Very many series; on only when named.
    let per_call = Str::from(format!("{prefix}.rpc.server.call"));
    if !allowed.contains(&per_call) && !blocked.contains(&per_call) {
        blocked.push(per_call);
    }
    TelemetrySettings {
        metrics_prefix: Str::new(prefix),
        disable_hostname: r.bool("telemetry.disable_hostname", false),
        filter_default: r.bool("telemetry.filter_default", true),
        allowed_prefixes: allowed,
        blocked_prefixes: blocked,
        prometheus_retention: r.duration("telemetry.prometheus_retention_time", Duration::ZERO),
        statsd_address: r.str("telemetry.statsd_address"),
        statsite_address: r.str("telemetry.statsite_address"),
        dogstatsd_addr: r.str("telemetry.dogstatsd_addr"),
        dogstatsd_tags: r.texts("telemetry.dogstatsd_tags"),
        enable_host_metrics: r.bool("telemetry.enable_host_metrics", false),
        retry_failed_connection: r.bool("telemetry.retry_failed_connection", true),
    }
}

pub(super) fn log(r: &Reader<'_>) -> LogSettings {
    LogSettings {
        level: Str::new(r.text_or("log_level", "INFO")),
        json: r.bool("log_json", false),
        file: r.filled("log_file").map(Str::new),
        rotate_duration: r.duration("log_rotate_duration", Duration::from_secs(24 * 3600)),
        rotate_bytes: r.unsigned("log_rotate_bytes", 0),
        rotate_max_files: r.int("log_rotate_max_files", 0),
        syslog: r.bool("enable_syslog", false),
        syslog_facility: Str::new(r.text_or("syslog_facility", "LOCAL0")),
    }
}

pub(super) fn process(r: &Reader<'_>, server: bool) -> ProcessSettings {
    ProcessSettings {
        leave_on_terminate: r.bool("leave_on_terminate", !server),
        skip_leave_on_interrupt: r.bool("skip_leave_on_interrupt", server),
        leave_drain_time: r.duration("performance.leave_drain_time", Duration::from_secs(5)),
        pid_file: r.filled("pid_file").map(PathBuf::from),
        auto_reload_config: r.bool("auto_reload_config", false),
        disable_remote_exec: r.bool("disable_remote_exec", true),
        disable_update_check: r.bool("disable_update_check", false),
        disable_anonymous_signature: r.bool("disable_anonymous_signature", false),
    }
}
