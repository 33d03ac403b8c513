//! service-defaults and proxy-defaults.

use super::{Checked, all_of, ensure, is_hostname, meta, named, quote};
use std::{collections::BTreeSet, net::IpAddr};
use types::{
    Str,
    entry::{
        Destination, PROXY_DEFAULTS_NAME, PassiveHealthCheck, ProxyDefaults, ServiceDefaults, UpstreamLimits,
        UpstreamSettings,
    },
    record::{AccessLogs, EnvoyExtension, Map},
};

/// Extensions that every build of Consul has.
const EXTENSIONS: [&str; 6] = [
    "builtin/aws/lambda",
    "builtin/ext-authz",
    "builtin/lua",
    "builtin/otel-access-logging",
    "builtin/property-override",
    "builtin/wasm",
];

pub(super) fn normalize(b: &mut ServiceDefaults) {
    b.protocol = lower(&b.protocol);
    if let Some(upstreams) = &mut b.upstream_config {
        for u in upstreams.overrides.iter_mut().chain(&mut upstreams.defaults) {
            u.protocol = lower(&u.protocol);
            u.connect_timeout_ms = u.connect_timeout_ms.max(0);
        }
    }
}

fn lower(text: &str) -> Str {
    types::names::fold(text)
}

pub(super) fn check(name: &str, pairs: &Map, b: &ServiceDefaults) -> Checked {
    named(name)?;
    ensure(name != "*", || {
        "service-defaults name must be the name of a service, and not a wildcard".to_owned()
    })?;
    mutual_tls_mode(&b.mutual_tls_mode)?;
    let mut errors = meta(pairs);
    if !matches!(b.protocol.as_str(), "" | "tcp" | "http" | "http2" | "grpc") {
        errors.push(format!("invalid value for protocol: {}", b.protocol));
    }
    if !matches!(b.balance_inbound_connections.as_str(), "" | "exact_balance") {
        errors.push(format!(
            "invalid value for balance_inbound_connections: {}",
            b.balance_inbound_connections
        ));
    }
    errors.extend(proxy_mode(&b.mode));
    if b.rate_limits.is_some() {
        errors.push("invalid rate_limits config. Rate limiting is a consul enterprise feature".to_owned());
    }
    extensions(&b.envoy_extensions, &mut errors);
    if let Some(d) = &b.destination {
        if b.upstream_config.is_some() {
            errors.push(
                "UpstreamConfig and Destination are mutually exclusive for service defaults".to_owned(),
            );
        }
        destination(d, &mut errors);
    }
    if let Some(upstreams) = &b.upstream_config {
        for u in &upstreams.overrides {
            let named = match u.name.as_str() {
                "" => Some("Name is required"),
                "*" => Some("Wildcard name is not supported"),
                _ => None,
            };
            let wrong = named.map(str::to_owned).or_else(|| upstream(u));
            errors
                .extend(wrong.map(|e| format!("error in upstream override for {}:{}: {e}", u.name, u.peer)));
        }
        if let Some(u) = &upstreams.defaults {
            let named = (!u.name.is_empty()).then(|| "Name must be empty".to_owned());
            errors.extend(named.or_else(|| upstream(u)).map(|e| format!("error in upstream defaults: {e}")));
        }
    }
    all_of(&errors)
}

fn mutual_tls_mode(mode: &str) -> Checked {
    ensure(matches!(mode, "" | "strict" | "permissive"), || {
        format!("Invalid MutualTLSMode {}. Must be one of \"\", \"strict\", or \"permissive\".", quote(mode))
    })
}

fn proxy_mode(mode: &str) -> Option<String> {
    types::validate::proxy_mode(mode).err().map(|e| e.to_string())
}

fn upstream(u: &UpstreamSettings) -> Option<String> {
    if !matches!(u.balance_outbound_connections.as_str(), "" | "exact_balance") {
        return Some(format!(
            "invalid value for balance_outbound_connections: {}",
            u.balance_outbound_connections
        ));
    }
    u.passive_health_check
        .as_ref()
        .and_then(passive_health_check)
        .or_else(|| u.limits.as_ref().and_then(limits))
}

fn limits(l: &UpstreamLimits) -> Option<String> {
    [
        ("max connections", l.max_connections),
        ("max pending requests", l.max_pending_requests),
        ("max concurrent requests", l.max_concurrent_requests),
    ]
    .into_iter()
    .find(|(_, v)| v.is_some_and(|v| v < 0))
    .map(|(what, _)| format!("{what} cannot be negative"))
}

/// What is wrong with outlier detection.
pub(super) fn passive_health_check(p: &PassiveHealthCheck) -> Option<String> {
    let percentage = |v: Option<u32>| v.is_none_or(|v| v <= 100);
    let text = if p.interval.0 < 0 {
        "interval cannot be negative"
    } else if !percentage(p.enforcing_consecutive_5xx) {
        "enforcing_consecutive_5xx must be a percentage between 0 and 100"
    } else if !percentage(p.max_ejection_percent) {
        "max_ejection_percent must be a percentage between 0 and 100"
    } else if p.base_ejection_time.is_some_and(|t| t.0 < 0) {
        "base_ejection_time cannot be negative"
    } else {
        return None;
    };
    Some(format!("passive health check {text}"))
}

fn destination(d: &Destination, errors: &mut Vec<String>) {
    if d.addresses.is_empty() {
        errors.push("Destination must contain at least one valid address".to_owned());
    }
    let mut seen = BTreeSet::new();
    for a in &d.addresses {
        if !seen.insert(a) {
            errors.push(format!("Duplicate address '{a}' is not allowed"));
        } else if a.parse::<IpAddr>().is_err() && !is_hostname(a) {
            errors.push(format!(
                "Destination address '{a}' is invalid Could not validate address {a} as an IP or Hostname"
            ));
        }
    }
    if !(1..=65535).contains(&d.port) {
        errors.push(format!("Invalid Port number {}", d.port));
    }
}

fn extensions(list: &[EnvoyExtension], errors: &mut Vec<String>) {
    for (i, e) in list.iter().enumerate() {
        if e.name.is_empty() {
            errors.push(format!("invalid EnvoyExtensions[{i}]: Name is required"));
            continue;
        }
        if !EXTENSIONS.contains(&e.name.as_str()) {
            errors.push(format!(
                "invalid EnvoyExtensions[{i}][{}]: name {} is not a built-in extension",
                e.name,
                quote(&e.name)
            ));
            continue;
        }
        for (field, constraint) in [("ConsulVersion", &e.consul_version), ("EnvoyVersion", &e.envoy_version)]
        {
            if !constraint.is_empty() && !is_version_constraint(constraint) {
                errors.push(format!(
                    "invalid EnvoyExtensions[{i}].{field}: Malformed constraint: {constraint}"
                ));
            }
        }
    }
}

/// `>= 1.2, < 2.0.0-rc1`
fn is_version_constraint(text: &str) -> bool {
    text.split(',').all(|part| {
        let part = part.trim();
        let version = part.trim_start_matches(['=', '!', '>', '<', '~']).trim_start();
        let operator = part[..part.len() - version.len()].trim_end();
        let number = version.strip_prefix('v').unwrap_or(version);
        let core = number.split(['-', '+']).next().unwrap_or("");
        matches!(operator, "" | "=" | "!=" | ">" | "<" | ">=" | "<=" | "~>")
            && core.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

pub(super) fn check_proxy_defaults(name: &str, b: &ProxyDefaults) -> Checked {
    ensure(name == PROXY_DEFAULTS_NAME, || {
        format!("invalid name ({}), only \"global\" is supported", quote(name))
    })?;
    mutual_tls_mode(&b.mutual_tls_mode)?;
    if let Some(e) = proxy_mode(&b.mode) {
        return Err(e.into());
    }
    access_logs(&b.access_logs)?;
    let mut errors = Vec::new();
    extensions(&b.envoy_extensions, &mut errors);
    all_of(&errors)?;
    let mode = b.failover_policy.as_ref().map_or("", |p| p.mode.as_str());
    ensure(matches!(mode, "" | "sequential" | "order-by-locality"), || {
        "Failover-policy mode must be one of '', 'sequential', or 'order-by-locality'".to_owned()
    })?;
    ensure(b.prioritize_by_locality.as_ref().is_none_or(|p| p.mode.is_empty()), || {
        "Prioritize-by-locality requires Consul Enterprise ".to_owned()
    })
}

fn access_logs(l: &AccessLogs) -> Checked {
    let kind = l.kind.as_str();
    ensure(matches!(kind, "" | "file" | "stderr" | "stdout"), || format!("invalid access log type: {kind}"))?;
    ensure(kind != "file" || !l.path.is_empty(), || {
        "path must be specified when using file type access logs".to_owned()
    })?;
    ensure(kind == "file" || l.path.is_empty(), || {
        "path is only valid for file type access logs".to_owned()
    })?;
    ensure(l.json_format.is_empty() || l.text_format.is_empty(), || {
        "cannot specify both access log JSONFormat and TextFormat".to_owned()
    })?;
    if !l.json_format.is_empty() {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&l.json_format)
            .map_err(|e| format!("invalid access log json for JSON format: {e}"))?;
    }
    Ok(())
}
