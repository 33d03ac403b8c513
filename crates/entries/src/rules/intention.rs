//! service-intentions.

use super::{Checked, ensure, is_http_method, named, quote, upper};
use std::collections::BTreeSet;
use types::{
    Str,
    entry::{IntentionHttp, IntentionJwt, IntentionPermission, IntentionSource, ServiceIntentions},
    record::Map,
};

const DESCRIPTION_MAX: usize = 512;

/// How much a pair counts against others: an exact destination before an exact source.
fn precedence(source: &str, destination: &str) -> i64 {
    let of_destination = if destination == "*" { 6 } else { 9 };
    of_destination - i64::from(source == "*")
}

pub(super) fn normalize(name: &str, b: &mut ServiceIntentions) {
    for s in &mut b.sources {
        s.precedence = precedence(&s.name, name);
        if s.source_type.is_empty() {
            s.source_type = Str::new_static("consul");
        }
        // Only the older way of writing intentions sets these.
        s.legacy_id = Str::default();
        s.legacy_create_time = Str::default();
        s.legacy_update_time = Str::default();
        for http in s.permissions.iter_mut().filter_map(|p| p.http.as_mut()) {
            upper(&mut http.methods);
        }
    }
    b.sources.sort_by_key(|s| -s.precedence);
}

fn wildcard(place: &str, name: &str) -> Checked {
    ensure(name == "*" || !name.contains('*'), || {
        format!("{place}: wildcard character '*' cannot be used with partial values")
    })
}

pub(super) fn check(name: &str, b: &ServiceIntentions) -> Checked {
    named(name)?;
    wildcard("Name", name)?;
    if let Some(jwt) = &b.jwt {
        check_jwt(jwt)?;
    }
    ensure(!b.sources.is_empty(), || "At least one source is required".to_owned())?;
    let mut seen = BTreeSet::new();
    for (i, s) in b.sources.iter().enumerate() {
        let place = format!("Sources[{i}]");
        check_source(&place, name, s)?;
        ensure(seen.insert((&s.peer, &s.name)), || match s.peer.as_str() {
            "" => format!("{place} defines {} more than once", quote(&s.name)),
            peer => format!("{place} defines peer({}) {} more than once", quote(peer), quote(&s.name)),
        })?;
    }
    Ok(())
}

fn check_source(place: &str, destination: &str, s: &IntentionSource) -> Checked {
    ensure(!s.name.is_empty(), || format!("{place}.Name is required"))?;
    wildcard(&format!("{place}.Name"), &s.name)?;
    ensure(s.legacy_meta == Map::new(), || format!("{place}.LegacyMeta must be omitted"))?;
    ensure(s.description.len() <= DESCRIPTION_MAX, || {
        format!("{place}.Description exceeds maximum length {DESCRIPTION_MAX}")
    })?;
    ensure(s.sameness_group.is_empty(), || {
        format!("{place}.SamenessGroup: Sameness groups are a Consul Enterprise feature. ")
    })?;
    ensure(s.source_type == "consul", || format!("{place}.Type must be set to 'consul'"))?;
    if s.permissions.is_empty() {
        return check_action(place, &s.action);
    }
    ensure(s.action.is_empty(), || format!("{place}.Action must be omitted if Permissions are specified"))?;
    ensure(destination != "*", || {
        format!("{place}.Permissions cannot be specified on intentions with wildcarded destinations")
    })?;
    s.permissions
        .iter()
        .enumerate()
        .try_for_each(|(j, p)| check_permission(&format!("{place}.Permissions[{j}]"), p))
}

fn check_action(place: &str, action: &str) -> Checked {
    ensure(matches!(action, "allow" | "deny"), || format!("{place}.Action must be set to 'allow' or 'deny'"))
}

fn check_permission(place: &str, p: &IntentionPermission) -> Checked {
    check_action(place, &p.action)?;
    if let Some(jwt) = &p.jwt {
        check_jwt(jwt)?;
    }
    match &p.http {
        Some(http) => check_http(&format!("{place}.HTTP"), http),
        None => ensure(p.jwt.is_some(), || format!("{place}.HTTP is required")),
    }
}

fn check_http(place: &str, h: &IntentionHttp) -> Checked {
    let set = |text: &str| usize::from(!text.is_empty());
    ensure(*h != IntentionHttp::default(), || format!("{place} should not be empty"))?;
    for (what, path) in [("PathExact", &h.path_exact), ("PathPrefix", &h.path_prefix)] {
        ensure(path.is_empty() || path.starts_with('/'), || {
            format!("{place}.{what} doesn't start with '/': {}", quote(path))
        })?;
    }
    ensure(set(&h.path_exact) + set(&h.path_prefix) + set(&h.path_regex) <= 1, || {
        format!("{place} should only contain at most one of PathExact, PathPrefix, or PathRegex")
    })?;
    for (k, m) in h.header.iter().enumerate() {
        let place = format!("{place}.Header[{k}]");
        ensure(!m.name.is_empty(), || format!("{place} missing required Name field"))?;
        let texts = set(&m.exact) + set(&m.prefix) + set(&m.suffix) + set(&m.contains);
        ensure(usize::from(m.present) + texts + set(&m.regex) == 1, || {
            format!("{place} should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex")
        })?;
        ensure(!m.ignore_case || texts == 1, || {
            format!("{place} should set one of Exact, Prefix, Suffix, or Contains when using IgnoreCase")
        })?;
    }
    let mut seen = BTreeSet::new();
    for method in &h.methods {
        ensure(is_http_method(method), || {
            format!("{place}.Methods contains an invalid method {}", quote(method))
        })?;
        ensure(seen.insert(method), || format!("{place}.Methods contains {} more than once", quote(method)))?;
    }
    Ok(())
}

fn check_jwt(jwt: &IntentionJwt) -> Checked {
    jwt.providers
        .iter()
        .try_for_each(|p| ensure(!p.name.is_empty(), || "JWT provider name is required".to_owned()))
}
