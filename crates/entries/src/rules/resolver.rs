//! service-resolver.

use super::{Checked, ensure, named, quote};
use types::{
    entry::{Failover, HashPolicy, LoadBalancer, Redirect, ServiceResolver},
    record::CheckServiceNode,
};

/// Longest name of a subset.
const SUBSET_NAME_MAX: usize = 63;

pub(super) fn check(name: &str, b: &ServiceResolver) -> Checked {
    named(name)?;
    for (subset, s) in &b.subsets {
        ensure(is_subset_name(subset), || {
            format!(
                "Subset {} is invalid: must be 63 characters or fewer, begin or end with lower case alphanumeric \
                 characters, and contain lower case alphanumeric characters or '-' in between",
                quote(subset)
            )
        })?;
        if !s.filter.is_empty() {
            filter::Filter::<CheckServiceNode>::compile(&s.filter)
                .map_err(|e| format!("Filter for subset {} is not a valid expression: {e}", quote(subset)))?;
        }
    }
    let known = |subset: &str| subset.is_empty() || b.subsets.contains_key(subset);
    ensure(known(&b.default_subset), || {
        format!("DefaultSubset {} is not a valid subset", quote(&b.default_subset))
    })?;
    ensure(b.redirect.is_none() || b.failover.is_empty(), || {
        "Redirect and Failover cannot both be set".to_owned()
    })?;
    if let Some(r) = &b.redirect {
        check_redirect(r)?;
        ensure(r.service != name || known(&r.service_subset), || {
            format!(
                "Redirect.ServiceSubset {} is not a valid subset of {}",
                quote(&r.service_subset),
                quote(&r.service)
            )
        })?;
    }
    for (subset, f) in &b.failover {
        let place = format!("Bad Failover[{}]", quote(subset));
        ensure(subset == "*" || known(subset), || format!("{place}: not a valid subset subset"))?;
        check_failover(&place, f)?;
        let own = f.service.is_empty() || f.service == name;
        ensure(!own || known(&f.service_subset), || {
            format!(
                "{place}.ServiceSubset {} is not a valid subset of {}",
                quote(&f.service_subset),
                quote(name)
            )
        })?;
    }
    ensure(b.prioritize_by_locality.as_ref().is_none_or(|p| p.mode.is_empty()), || {
        "Prioritize-by-locality requires Consul Enterprise ".to_owned()
    })?;
    for (what, t) in [("ConnectTimeout", b.connect_timeout), ("RequestTimeout", b.request_timeout)] {
        ensure(t.0 >= 0, || format!("Bad {what} '{}', must be >= 0", api::duration::GoDuration(t.0)))?;
    }
    b.load_balancer.as_ref().map_or(Ok(()), check_load_balancer)
}

fn is_subset_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= SUBSET_NAME_MAX
        && bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
        && bytes.iter().all(|b| inner(*b) || *b == b'-')
}

fn check_redirect(r: &Redirect) -> Checked {
    ensure(*r != Redirect::default(), || "Redirect is empty".to_owned())?;
    if r.service.is_empty() {
        for (what, text) in [
            ("ServiceSubset", &r.service_subset),
            ("Namespace", &r.namespace),
            ("Partition", &r.partition),
            ("Peer", &r.peer),
        ] {
            ensure(text.is_empty(), || format!("Redirect.{what} defined without Redirect.Service"))?;
        }
    }
    if !r.peer.is_empty() {
        ensure(r.service_subset.is_empty(), || {
            "Redirect.Peer cannot be set with Redirect.ServiceSubset".to_owned()
        })?;
        ensure(r.partition.is_empty(), || "Redirect.Partition cannot be set with Redirect.Peer".to_owned())?;
        ensure(r.datacenter.is_empty(), || {
            "Redirect.Peer cannot be set with Redirect.Datacenter".to_owned()
        })?;
    }
    enterprise(
        "Redirect",
        &[("Partition", &r.partition), ("Namespace", &r.namespace), ("SamenessGroup", &r.sameness_group)],
    )
}

/// Fields that the community edition refuses.
fn enterprise(place: &str, fields: &[(&str, &str)]) -> Checked {
    match fields.iter().find(|(_, text)| !text.is_empty()) {
        Some((what, _)) => Err(format!("{place}: Setting {what} requires Consul Enterprise").into()),
        None => Ok(()),
    }
}

fn check_failover(place: &str, f: &Failover) -> Checked {
    let nothing = f.service.is_empty()
        && f.service_subset.is_empty()
        && f.namespace.is_empty()
        && f.targets.is_empty()
        && f.datacenters.is_empty()
        && f.sameness_group.is_empty();
    ensure(!nothing, || {
        format!(
            "{place}: one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required"
        )
    })?;
    enterprise(place, &[("Namespace", &f.namespace), ("SamenessGroup", &f.sameness_group)])?;
    ensure(f.policy.as_ref().is_none_or(|p| p.mode.is_empty() && p.regions.is_empty()), || {
        format!("{place}: Setting failover policies requires Consul Enterprise")
    })?;
    if !f.targets.is_empty() {
        for (what, set) in [
            ("Datacenters", !f.datacenters.is_empty()),
            ("ServiceSubset", !f.service_subset.is_empty()),
            ("Service", !f.service.is_empty()),
        ] {
            ensure(!set, || format!("{place}: Targets cannot be set with {what}"))?;
        }
    }
    for (i, t) in f.targets.iter().enumerate() {
        let place = format!("{place}.Targets[{i}]");
        if !t.peer.is_empty() {
            for (what, text) in [
                ("ServiceSubset", &t.service_subset),
                ("Partition", &t.partition),
                ("Datacenter", &t.datacenter),
            ] {
                ensure(text.is_empty(), || format!("{place}: Peer cannot be set with {what}"))?;
            }
        }
        enterprise(&place, &[("Partition", &t.partition), ("Namespace", &t.namespace)])?;
    }
    ensure(f.datacenters.iter().all(|d| !d.is_empty()), || {
        format!("{place}.Datacenters: found empty datacenter")
    })
}

fn check_load_balancer(l: &LoadBalancer) -> Checked {
    let policy = l.policy.as_str();
    ensure(
        matches!(policy, "" | "random" | "round_robin" | "least_request" | "ring_hash" | "maglev"),
        || format!("Bad LoadBalancer policy: {} is not supported", quote(policy)),
    )?;
    for (what, set, wanted) in [
        ("RingHashConfig", l.ring_hash_config.is_some(), "ring_hash"),
        ("LeastRequestConfig", l.least_request_config.is_some(), "least_request"),
    ] {
        ensure(!set || policy == wanted, || {
            format!(
                "Bad LoadBalancer configuration. {what} specified for incompatible load balancing policy {}",
                quote(policy)
            )
        })?;
    }
    ensure(l.hash_policies.is_empty() || matches!(policy, "ring_hash" | "maglev"), || {
        format!(
            "Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: {}",
            quote(policy)
        )
    })?;
    for (i, p) in l.hash_policies.iter().enumerate() {
        check_hash_policy(p).map_err(|e| format!("Bad LoadBalancer HashPolicy[{i}]: {e}"))?;
    }
    Ok(())
}

fn check_hash_policy(p: &HashPolicy) -> Result<(), String> {
    let (field, value) = (p.field.as_str(), !p.field_value.is_empty());
    if !matches!(field, "" | "header" | "cookie" | "query_parameter") {
        return Err(format!("{} is not a supported field", quote(field)));
    }
    if p.source_ip && !field.is_empty() {
        return Err(format!("A single hash policy cannot hash both a source address and a {}", quote(field)));
    }
    if p.source_ip && value {
        return Err("A FieldValue cannot be specified when hashing SourceIP".to_owned());
    }
    if !field.is_empty() && !value {
        return Err(format!("Field {} was specified without a FieldValue", quote(field)));
    }
    if field.is_empty() && value {
        return Err("FieldValue requires a Field to apply to".to_owned());
    }
    if let Some(c) = &p.cookie_config {
        if field != "cookie" {
            return Err(format!("cookie_config provided for {}", quote(field)));
        }
        if c.session && c.ttl.0 != 0 {
            return Err("a session cookie cannot have an associated TTL".to_owned());
        }
    }
    Ok(())
}
