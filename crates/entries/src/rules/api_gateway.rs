//! api-gateway, http-route, tcp-route.

use super::{Checked, ensure, is_hostname, is_http_method, quote, tls};
use std::collections::BTreeSet;
use types::{
    Str,
    entry::{ApiGateway, ApiGatewayListener, EntryStatus, HttpMatch, HttpRoute, ResourceReference, TcpRoute},
};

const INLINE: &str = "inline-certificate";
const FILES: &str = "file-system-certificate";
const GATEWAY: &str = "api-gateway";

pub(super) fn normalize_gateway(b: &mut ApiGateway) {
    b.status = EntryStatus::default();
    for l in &mut b.listeners {
        l.protocol = types::names::fold(&l.protocol);
        default_kind(&mut l.tls.certificates, INLINE);
    }
}

fn default_kind(references: &mut [ResourceReference], kind: &'static str) {
    for r in references.iter_mut().filter(|r| r.kind.is_empty()) {
        r.kind = Str::new_static(kind);
    }
}

pub(super) fn check_gateway(b: &ApiGateway) -> Checked {
    ensure(!b.listeners.is_empty(), || "api gateway must have at least one listener".to_owned())?;
    let mut names = BTreeSet::new();
    for (i, l) in b.listeners.iter().enumerate() {
        let ordinary = l.name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        ensure(ordinary && !l.name.is_empty(), || {
            format!(
                "listener name {} is invalid, must be at least 1 character and contain only letters, numbers, or dashes",
                quote(&l.name)
            )
        })?;
        ensure(names.insert(&l.name), || {
            format!("found multiple listeners with the name {}", quote(&l.name))
        })?;
        for other in &b.listeners[..i] {
            let same = other.port == l.port;
            ensure(!same || (other.protocol == l.protocol && other.hostname == l.hostname), || {
                format!("listeners {} and {} cannot be merged", quote(&other.name), quote(&l.name))
            })?;
        }
    }
    b.listeners.iter().try_for_each(check_listener)
}

fn check_listener(l: &ApiGatewayListener) -> Checked {
    ensure(matches!(l.protocol.as_str(), "tcp" | "http"), || {
        format!("unsupported listener protocol {}, must be one of 'tcp', or 'http'", quote(&l.protocol))
    })?;
    ensure(l.protocol != "tcp" || l.hostname.is_empty(), || {
        "hostname specification is not supported when using TCP".to_owned()
    })?;
    ensure((1..=65535).contains(&l.port), || format!("listener port {} not in the range 1-65535", l.port))?;
    if !l.hostname.is_empty() && l.hostname != "*" {
        let rest = l.hostname.strip_prefix("*.").unwrap_or(&l.hostname);
        ensure(!rest.contains('*'), || {
            format!(
                "host {} is not valid, a wildcard specifier is only allowed as the left-most label",
                quote(&l.hostname)
            )
        })?;
        ensure(is_hostname(rest), || format!("host {} must be a valid DNS hostname", quote(&l.hostname)))?;
    }
    for c in &l.tls.certificates {
        ensure(c.kind == INLINE || c.kind == FILES, || {
            format!("unsupported certificate kind: {}, must be '{FILES}' or '{INLINE}'", quote(&c.kind))
        })?;
        ensure(!c.name.is_empty(), || "certificate reference must have a name".to_owned())?;
    }
    tls::check(&l.tls.min_version, &l.tls.max_version, &l.tls.cipher_suites)
}

fn check_parents(parents: &[ResourceReference]) -> Checked {
    let mut seen = BTreeSet::new();
    for p in parents {
        ensure(p.kind == GATEWAY, || {
            format!("unsupported parent kind: {}, must be '{GATEWAY}'", quote(&p.kind))
        })?;
        ensure(seen.insert((&p.name, &p.section_name)), || "route parents must be unique".to_owned())?;
    }
    Ok(())
}

pub(super) fn normalize_http_route(b: &mut HttpRoute) {
    b.status = EntryStatus::default();
    default_kind(&mut b.parents, GATEWAY);
    for rule in &mut b.rules {
        for m in &mut rule.matches {
            m.method = Str::from(m.method.to_uppercase());
            if m.path.matching.is_empty() {
                m.path.matching = Str::new_static("prefix");
                if m.path.value.is_empty() {
                    m.path.value = Str::new_static("/");
                }
            }
        }
        for s in &mut rule.services {
            s.weight = if s.weight <= 0 { 1 } else { s.weight };
        }
    }
}

pub(super) fn check_http_route(b: &HttpRoute) -> Checked {
    for h in &b.hostnames {
        ensure(!h.contains('*'), || format!("host {} must not be a wildcard", quote(h)))?;
        ensure(is_hostname(h), || format!("host {} must be a valid DNS hostname", quote(h)))?;
    }
    check_parents(&b.parents)?;
    for (i, rule) in b.rules.iter().enumerate() {
        for (j, m) in rule.matches.iter().enumerate() {
            check_match(m).map_err(|e| format!("Rule[{i}], Match[{j}], {e}"))?;
        }
    }
    Ok(())
}

fn check_match(m: &HttpMatch) -> Result<(), String> {
    if !m.method.is_empty() && !is_http_method(&m.method) {
        return Err(format!("Method contains an invalid method {}", quote(&m.method)));
    }
    let path = &m.path;
    match path.matching.as_str() {
        "regex" => {}
        "exact" | "prefix" if path.value.starts_with('/') => {}
        word @ ("exact" | "prefix") => {
            return Err(format!("Path, {word} type match doesn't start with '/': {}", quote(&path.value)));
        }
        _ => return Err("Path, match type should be one of exact, prefix, or regex".to_owned()),
    }
    for (k, h) in m.headers.iter().enumerate() {
        if h.name.is_empty() {
            return Err(format!("Headers[{k}], missing required Name field"));
        }
        if !matches!(h.matching.as_str(), "present" | "exact" | "prefix" | "suffix" | "regex") {
            return Err(format!(
                "Headers[{k}], match type should be one of present, exact, prefix, suffix, or regex"
            ));
        }
    }
    for (k, q) in m.query.iter().enumerate() {
        if q.name.is_empty() {
            return Err(format!("Query[{k}], missing required Name field"));
        }
        if !matches!(q.matching.as_str(), "present" | "exact" | "regex") {
            return Err(format!("Query[{k}], match type should be one of present, exact, or regex"));
        }
    }
    Ok(())
}

pub(super) fn normalize_tcp_route(b: &mut TcpRoute) {
    b.status = EntryStatus::default();
    default_kind(&mut b.parents, GATEWAY);
}

pub(super) fn check_tcp_route(b: &TcpRoute) -> Checked {
    ensure(b.services.len() <= 1, || "tcp-route currently only supports one service".to_owned())?;
    check_parents(&b.parents)
}
