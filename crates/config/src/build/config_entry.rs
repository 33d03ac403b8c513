//! `config_entries.bootstrap`: kind, name and keys are checked here; the rest is checked by the leader that writes them.

use super::{ConfigError, Reader, rule};
use crate::merge::Value;
use serde_json::{Map, Value as Json};

/// Keys of every entry.
const COMMON: &[&str] =
    &["kind", "name", "namespace", "partition", "meta", "create_index", "modify_index", "hash"];

/// Keys of each kind.
const KINDS: &[(&str, &[&str])] = &[
    (
        "service-defaults",
        &[
            "protocol",
            "mode",
            "transparent_proxy",
            "mutual_tls_mode",
            "mesh_gateway",
            "expose",
            "external_sni",
            "upstream_config",
            "destination",
            "max_inbound_connections",
            "local_connect_timeout_ms",
            "local_request_timeout_ms",
            "balance_inbound_connections",
            "rate_limits",
            "envoy_extensions",
        ],
    ),
    (
        "proxy-defaults",
        &[
            "config",
            "mode",
            "transparent_proxy",
            "mutual_tls_mode",
            "mesh_gateway",
            "expose",
            "access_logs",
            "envoy_extensions",
            "failover_policy",
            "prioritize_by_locality",
        ],
    ),
    ("service-router", &["routes"]),
    ("service-splitter", &["splits"]),
    (
        "service-resolver",
        &[
            "default_subset",
            "subsets",
            "redirect",
            "failover",
            "connect_timeout",
            "request_timeout",
            "load_balancer",
            "prioritize_by_locality",
        ],
    ),
    ("service-intentions", &["sources", "jwt"]),
    ("ingress-gateway", &["tls", "listeners", "defaults"]),
    ("terminating-gateway", &["services"]),
    (
        "mesh",
        &[
            "transparent_proxy",
            "allow_enabling_permissive_mutual_tls",
            "tls",
            "http",
            "peering",
            "validate_clusters",
        ],
    ),
    ("exported-services", &["services"]),
    ("sameness-group", &["default_for_failover", "include_local", "members"]),
    ("api-gateway", &["listeners"]),
    ("bound-api-gateway", &["listeners", "services"]),
    ("inline-certificate", &["certificate", "private_key"]),
    ("file-system-certificate", &["certificate", "private_key"]),
    ("http-route", &["parents", "rules", "hostnames"]),
    ("tcp-route", &["parents", "services"]),
    (
        "jwt-provider",
        &[
            "json_web_key_set",
            "audiences",
            "locations",
            "forwarding",
            "issuer",
            "clock_skew_seconds",
            "cache_config",
        ],
    ),
    (
        "control-plane-request-limit",
        &[
            "mode",
            "read_rate",
            "write_rate",
            "acl",
            "catalog",
            "config_entry",
            "connect_ca",
            "coordinate",
            "discovery_chain",
            "server_discovery",
            "health",
            "intention",
            "kv",
            "tenancy",
            "peering",
            "peer_stream",
            "session",
            "txn",
            "auto_config",
            "federation_state",
            "internal",
            "prepared_query",
            "pbacl",
            "resource",
        ],
    ),
];

pub(super) fn bootstrap(r: &Reader<'_>) -> Result<Vec<Json>, ConfigError> {
    let Some(Value::List(list)) = r.get("config_entries.bootstrap") else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for (i, entry) in list.iter().enumerate() {
        let Value::Any(Json::Object(entry)) = entry else { continue };
        check(entry).map_err(|e| rule(format!("config_entries.bootstrap[{i}]: {e}")))?;
        out.push(Json::Object(entry.clone()));
    }
    Ok(out)
}

/// A key without case and underscores: entries may be written in either style.
fn plain(key: &str) -> String {
    key.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn check(entry: &Map<String, Json>) -> Result<(), String> {
    let text = |name: &str| entry.iter().find(|(k, _)| plain(k) == name).and_then(|(_, v)| v.as_str());
    let Some(kind) = text("kind") else {
        return Err("Payload does not contain a kind/Kind key at the top level".to_owned());
    };
    let Some((_, keys)) = KINDS.iter().find(|(k, _)| *k == kind) else {
        return Err(format!("invalid config entry kind: {kind}"));
    };
    let known = |key: &str| COMMON.iter().chain(keys.iter()).any(|k| plain(k) == plain(key));
    let unknown: Vec<String> = entry
        .keys()
        .filter(|k| !known(k))
        .map(|k| format!("invalid config key {}", crate::quote(k)))
        .collect();
    if !unknown.is_empty() {
        return Err(types::validate::error_list(unknown.iter()));
    }
    if kind == "proxy-defaults"
        && let Some(name) = text("name")
        && name != "global"
    {
        return Err(format!("invalid name ({}), only \"global\" is supported", crate::quote(name)));
    }
    Ok(())
}
