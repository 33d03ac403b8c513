//! Addresses, timing, limits and answers.

use super::{dur, hidden, port, rate, written};
use crate::settings::{GossipTiming, ListenAddr, RequestLimitMode, RuntimeConfig};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;
use types::SecretToken;

fn listeners(list: &[ListenAddr]) -> Vec<String> {
    list.iter().map(ListenAddr::to_string).collect()
}

pub(super) fn addresses(c: &RuntimeConfig) -> Json {
    let n = &c.net;
    let wan = |a: Option<std::net::SocketAddr>| a.map(|a| format!("tcp://{a}")).unwrap_or_default();
    json!({
        "BindAddr": n.bind.to_string(),
        "AdvertiseAddrLAN": n.advertise_lan.to_string(),
        "AdvertiseAddrWAN": n.advertise_wan.to_string(),
        "ClientAddrs": n.client,
        "RPCBindAddr": format!("tcp://{}", n.rpc_bind),
        "RPCAdvertiseAddr": format!("tcp://{}", n.rpc_advertise),
        "SerfBindAddrLAN": format!("tcp://{}", n.serf_lan_bind),
        "SerfAdvertiseAddrLAN": format!("tcp://{}", n.serf_lan_advertise),
        "SerfBindAddrWAN": wan(n.serf_wan_bind),
        "SerfAdvertiseAddrWAN": wan(n.serf_wan_advertise),
        "DNSAddrs": n.dns.iter().flat_map(|a| [format!("tcp://{a}"), format!("udp://{a}")]).collect::<Vec<_>>(),
        "HTTPAddrs": listeners(&n.http),
        "HTTPSAddrs": listeners(&n.https),
        "GRPCAddrs": listeners(&n.grpc),
        "GRPCTLSAddrs": listeners(&n.grpc_tls),
        "DNSPort": port(n.ports.dns),
        "HTTPPort": port(n.ports.http),
        "HTTPSPort": port(n.ports.https),
        "GRPCPort": port(n.ports.grpc),
        "GRPCTLSPort": port(n.ports.grpc_tls),
        "SerfPortLAN": n.ports.serf_lan,
        "SerfPortWAN": port(n.ports.serf_wan),
        "ServerPort": n.ports.server,
        "TaggedAddresses": n.tagged_addresses,
        "TranslateWANAddrs": n.translate_wan_addrs,
        "UnixSocketUser": n.unix_sockets.user,
        "UnixSocketGroup": n.unix_sockets.group,
        "UnixSocketMode": n.unix_sockets.mode,
    })
}

fn gossip(out: &mut Map<String, Json>, pool: &str, t: &GossipTiming) {
    for (name, value) in [
        ("GossipInterval", dur(t.gossip_interval)),
        ("GossipNodes", json!(t.gossip_nodes)),
        ("ProbeInterval", dur(t.probe_interval)),
        ("ProbeTimeout", dur(t.probe_timeout)),
        ("RetransmitMult", json!(t.retransmit_mult)),
        ("SuspicionMult", json!(t.suspicion_mult)),
    ] {
        out.insert(format!("Gossip{pool}{name}"), value);
    }
}

pub(super) fn timing(c: &RuntimeConfig) -> Json {
    let mut out = json!({
        "AdvertiseReconnectTimeout": dur(c.gossip.advertise_reconnect_timeout),
        "DisableCoordinates": c.gossip.disable_coordinates,
        "DisableKeyringFile": c.gossip.disable_keyring_file,
        "EncryptKey": hide(&c.gossip.encrypt),
        "ReconnectTimeoutLAN": written(c, "reconnect_timeout", Duration::ZERO),
        "ReconnectTimeoutWAN": written(c, "reconnect_timeout_wan", Duration::ZERO),
        "RejoinAfterLeave": c.gossip.rejoin_after_leave,
        "SerfAllowedCIDRsLAN": c.gossip.lan_allowed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "SerfAllowedCIDRsWAN": c.gossip.wan_allowed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "StaticRuntimeConfig": {
            "EncryptVerifyIncoming": c.gossip.encrypt_verify_incoming,
            "EncryptVerifyOutgoing": c.gossip.encrypt_verify_outgoing,
        },
        "RetryJoinLAN": c.join.lan.iter().map(|j| join_target(j)).collect::<Vec<_>>(),
        "RetryJoinWAN": c.join.wan.iter().map(|j| join_target(j)).collect::<Vec<_>>(),
        "RetryJoinIntervalLAN": dur(c.join.interval_lan),
        "RetryJoinIntervalWAN": dur(c.join.interval_wan),
        "RetryJoinMaxAttemptsLAN": c.join.max_lan,
        "RetryJoinMaxAttemptsWAN": c.join.max_wan,
        "PrimaryGateways": c.join.primary_gateways,
        "PrimaryGatewaysInterval": dur(c.join.primary_gateways_interval),
    });
    if let Json::Object(out) = &mut out {
        gossip(out, "LAN", &c.gossip.lan);
        gossip(out, "WAN", &c.gossip.wan);
    }
    out
}

pub(super) fn consensus(c: &RuntimeConfig) -> Json {
    json!({
        "RaftProtocol": c.raft.protocol,
        "RaftSnapshotInterval": written(c, "raft_snapshot_interval", c.raft.snapshot_interval),
        "RaftSnapshotThreshold": c.raft.snapshot_threshold,
        "RaftTrailingLogs": c.raft.trailing_logs,
        "RaftPreVoteDisabled": c.raft.prevote_disabled,
        "ConsulRaftElectionTimeout": dur(c.raft.election_timeout),
        "ConsulRaftHeartbeatTimeout": dur(c.raft.heartbeat_timeout),
        "ConsulRaftLeaderLeaseTimeout": dur(c.raft.leader_lease_timeout),
        "ConsulServerHealthInterval": dur(c.rpc.server_health_interval),
        "RaftLogStoreConfig": {
            "Backend": c.raft.log_store.backend,
            "DisableLogCache": c.raft.log_store.disable_log_cache,
            "BoltDB": { "NoFreelistSync": c.raft.log_store.no_freelist_sync },
            "Verification": {
                "Enabled": c.raft.log_store.verification_enabled,
                "Interval": dur(c.raft.log_store.verification_interval),
            },
            "WAL": { "SegmentSize": c.raft.log_store.segment_size },
        },
        "ServerRejoinAgeMax": dur(c.raft.rejoin_age_max),
        "AutopilotCleanupDeadServers": c.autopilot.cleanup_dead_servers,
        "AutopilotLastContactThreshold": dur(c.autopilot.last_contact_threshold),
        "AutopilotMaxTrailingLogs": c.autopilot.max_trailing_logs,
        "AutopilotMinQuorum": c.autopilot.min_quorum,
        "AutopilotServerStabilizationTime": dur(c.autopilot.server_stabilization_time),
        "AutopilotDisableUpgradeMigration": false,
        "AutopilotRedundancyZoneTag": c.autopilot.redundancy_zone_tag,
        "AutopilotUpgradeVersionTag": "",
        "RPCProtocol": c.rpc.protocol,
        "RPCHoldTimeout": dur(c.rpc.hold_timeout),
        "RPCClientTimeout": dur(c.rpc.client_timeout),
        "RPCHandshakeTimeout": dur(c.rpc.handshake_timeout),
        "RPCMaxConnsPerClient": c.rpc.max_conns_per_client,
        "RPCMaxBurst": c.rpc.max_burst,
        "RPCRateLimit": rate(c.rpc.rate),
        "RPCConfig": { "EnableStreaming": c.rpc.enable_streaming },
        "UseStreamingBackend": c.rpc.use_streaming_backend,
        "GRPCKeepaliveInterval": dur(c.rpc.grpc_keepalive_interval),
        "GRPCKeepaliveTimeout": dur(c.rpc.grpc_keepalive_timeout),
        "SyncCoordinateIntervalMin": "15s",
        "SyncCoordinateRateTarget": 64,
    })
}

fn hide(t: &SecretToken) -> Json {
    hidden(!t.is_empty())
}

/// Cloud queries may hold credentials: what looks like one is hidden.
fn join_target(text: &str) -> String {
    if !text.contains("provider=") {
        return text.to_owned();
    }
    let words: Vec<String> = text
        .split(' ')
        .map(|word| match word.split_once('=') {
            Some((key, _))
                if ["secret", "token", "password", "key_id", "credentials", "api_key"]
                    .iter()
                    .any(|s| key.contains(s)) =>
            {
                format!("{key}=hidden")
            }
            _ => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

pub(super) fn answers(c: &RuntimeConfig) -> Json {
    let d = &c.dns;
    json!({
        "DNSDomain": d.domain,
        "DNSAltDomain": d.alt_domain,
        "DNSAllowStale": d.allow_stale,
        "DNSMaxStale": dur(d.max_stale),
        "DNSNodeTTL": written(c, "dns_config.node_ttl", d.node_ttl),
        "DNSServiceTTL": d.service_ttl.iter().map(|(k, v)| (k.to_string(), dur(*v))).collect::<Map<_, _>>(),
        "DNSOnlyPassing": d.only_passing,
        "DNSEnableTruncate": d.enable_truncate,
        "DNSUDPAnswerLimit": d.udp_answer_limit,
        "DNSARecordLimit": d.a_record_limit,
        "DNSDisableCompression": d.disable_compression,
        "DNSNodeMetaTXT": d.node_meta_txt,
        "DNSUseCache": d.use_cache,
        "DNSCacheMaxAge": dur(d.cache_max_age),
        "DNSSOA": { "Expire": d.soa.expire, "Minttl": d.soa.min_ttl, "Refresh": d.soa.refresh, "Retry": d.soa.retry },
        "DNSRecursors": d.recursors,
        "DNSRecursorTimeout": dur(d.recursor_timeout),
        "DNSRecursorStrategy": if d.recursor_random { "random" } else { "sequential" },
        "AllowWriteHTTPFrom": c.http.allow_write_from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "DefaultQueryTime": dur(c.http.default_query_time),
        "MaxQueryTime": dur(c.http.max_query_time),
        "DiscoveryMaxStale": dur(c.http.discovery_max_stale),
        "DisableHTTPUnprintableCharFilter": c.http.disable_unprintable_filter,
        "HTTPBlockEndpoints": c.http.block_endpoints,
        "HTTPMaxConnsPerClient": c.http.max_conns_per_client,
        "HTTPMaxHeaderBytes": c.http.max_header_bytes,
        "HTTPResponseHeaders": c.http.response_headers,
        "HTTPSHandshakeTimeout": dur(c.http.https_handshake_timeout),
        "HTTPUseCache": c.http.use_cache,
        "KVMaxValueSize": c.limits.kv_max_value_size,
        "TxnMaxReqLen": c.limits.txn_max_req_len,
        "RequestLimitsMode": match c.limits.request_mode {
            RequestLimitMode::Disabled => 0,
            RequestLimitMode::Permissive => 1,
            RequestLimitMode::Enforcing => 2,
        },
        "RequestLimitsReadRate": rate(c.limits.read_rate),
        "RequestLimitsWriteRate": rate(c.limits.write_rate),
        "SessionTTLMin": dur(c.limits.session_ttl_min),
    })
}
