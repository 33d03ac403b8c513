//! service-router and service-splitter.

use super::{Checked, ensure, is_http_method, named, quote, upper};
use std::collections::BTreeSet;
use types::entry::{Route, RouteDestination, RouteHttpMatch, ServiceRouter, ServiceSplitter};

/// Failures after which a request may be tried again.
const RETRY_CONDITIONS: [&str; 12] = [
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(super) fn normalize_router(b: &mut ServiceRouter) {
    for http in b.routes.iter_mut().filter_map(|r| r.matches.as_mut()?.http.as_mut()) {
        upper(&mut http.methods);
    }
}

pub(super) fn check_router(name: &str, b: &ServiceRouter) -> Checked {
    named(name)?;
    for (i, route) in b.routes.iter().enumerate() {
        check_route(route).map_err(|e| format!("Route[{i}] {e}"))?;
    }
    Ok(())
}

fn check_route(route: &Route) -> Result<(), String> {
    let http = route.matches.as_ref().and_then(|m| m.http.as_ref());
    if let Some(http) = http {
        check_match(http)?;
    }
    if let Some(d) = &route.destination {
        check_destination(d, http)?;
    }
    Ok(())
}

fn check_match(m: &RouteHttpMatch) -> Result<(), String> {
    let set = |text: &str| usize::from(!text.is_empty());
    for (what, path) in [("PathExact", &m.path_exact), ("PathPrefix", &m.path_prefix)] {
        if !path.is_empty() && !path.starts_with('/') {
            return Err(format!("{what} doesn't start with '/': {}", quote(path)));
        }
    }
    if set(&m.path_exact) + set(&m.path_prefix) + set(&m.path_regex) > 1 {
        return Err("should only contain at most one of PathExact, PathPrefix, or PathRegex".to_owned());
    }
    for (j, h) in m.header.iter().enumerate() {
        if h.name.is_empty() {
            return Err(format!("Header[{j}] missing required Name field"));
        }
        let conditions =
            usize::from(h.present) + set(&h.exact) + set(&h.prefix) + set(&h.suffix) + set(&h.regex);
        if conditions != 1 {
            return Err(format!(
                "Header[{j}] should only contain one of Present, Exact, Prefix, Suffix, or Regex"
            ));
        }
    }
    for (j, q) in m.query_param.iter().enumerate() {
        if q.name.is_empty() {
            return Err(format!("QueryParam[{j}] missing required Name field"));
        }
        if usize::from(q.present) + set(&q.exact) + set(&q.regex) != 1 {
            return Err(format!("QueryParam[{j}] should only contain one of Present, Exact, or Regex"));
        }
    }
    let mut seen = BTreeSet::new();
    for method in &m.methods {
        if !is_http_method(method) {
            return Err(format!("Methods contains an invalid method {}", quote(method)));
        }
        if !seen.insert(method) {
            return Err(format!("Methods contains {} more than once", quote(method)));
        }
    }
    Ok(())
}

fn check_destination(d: &RouteDestination, http: Option<&RouteHttpMatch>) -> Result<(), String> {
    let by_path = http.is_some_and(|m| !m.path_exact.is_empty() || !m.path_prefix.is_empty());
    if !d.prefix_rewrite.is_empty() && !by_path {
        return Err(
            "cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix".to_owned()
        );
    }
    match d.retry_on.iter().find(|c| !RETRY_CONDITIONS.contains(&c.as_str())) {
        Some(c) => Err(format!("contains an invalid retry condition: {}", quote(c))),
        None => Ok(()),
    }
}

pub(super) fn check_splitter(name: &str, b: &ServiceSplitter) -> Checked {
    named(name)?;
    ensure(!b.splits.is_empty(), || "no splits configured".to_owned())?;
    let mut seen = BTreeSet::new();
    let mut sum = 0i64;
    for s in &b.splits {
        ensure((0..=WHOLE).contains(&s.weight.0), || {
            format!("split weight must be between 0 and 100, not {}", six_decimals(s.weight.0))
        })?;
        let service = if s.service.is_empty() { name } else { s.service.as_str() };
        ensure(seen.insert((service, &s.service_subset, &s.namespace, &s.partition)), || {
            format!(
                "split destination occurs more than once: service={}, subset={}, namespace={}, partition={}",
                quote(service),
                quote(&s.service_subset),
                quote(&s.namespace),
                quote(&s.partition)
            )
        })?;
        sum = sum.saturating_add(s.weight.0);
    }
    ensure(sum == WHOLE, || format!("the sum of all split weights must be 100, not {}", six_decimals(sum)))
}

/// Everything, in hundredths of a percent.
const WHOLE: i64 = 10_000;

fn six_decimals(hundredths: i64) -> String {
    format!("{}.{:02}0000", hundredths / 100, (hundredths % 100).abs())
}
