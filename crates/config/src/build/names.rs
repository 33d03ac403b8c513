//! Names, metadata and place of this node.

use super::{ConfigError, Env, Reader, rule};
use crate::settings::NodeSettings;
use types::{DatacenterName, NodeName, Str, record::Locality, validate};

fn is_datacenter_name(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// Letters, digits and inner dashes, at most 63.
fn is_dns_label(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}

fn check_datacenter_name(key: &str, name: &str) -> Result<(), ConfigError> {
    if is_datacenter_name(name) {
        return Ok(());
    }
    Err(rule(format!(
        "{key} can only contain lowercase alphanumeric, - or _ characters. received: {}",
        crate::quote(name)
    )))
}

/// Name and datacenter; the rules that come later in the order are in [`check_meta`].
pub(super) fn node(r: &Reader<'_>, env: &Env<'_>) -> NodeSettings {
    let datacenter = r.text_or("datacenter", "dc1").to_lowercase();
    let primary = r.text("primary_datacenter").to_lowercase();
    let written = r.text("node_name");
    let name = if written.is_empty() { env.host_name.trim() } else { written.trim() };
    let locality = Locality { region: r.str("locality.region"), zone: r.str("locality.zone") };
    NodeSettings {
        name: NodeName::new(name),
        id: r.str("node_id"),
        disable_host_id: r.bool("disable_host_node_id", true),
        meta: r.text_map("node_meta"),
        locality: r.is_set("locality").then_some(locality),
        primary_datacenter: DatacenterName::from(if primary.is_empty() {
            datacenter.clone()
        } else {
            primary
        }),
        datacenter: DatacenterName::from(datacenter),
        read_replica: r.bool("read_replica", false),
        segment_limit: r.int("segment_limit", 64),
    }
}

pub(super) fn check_datacenter(r: &Reader<'_>, node: &NodeSettings) -> Result<(), ConfigError> {
    let dc = node.datacenter.as_str();
    if dc.is_empty() {
        return Err(rule("datacenter cannot be empty"));
    }
    check_datacenter_name("datacenter", dc)?;
    if !is_dns_label(dc) {
        r.warn(format!(
            "Datacenter : {} will not be PKI X.509 compatible due to invalid characters. Valid characters include all alpha-numerics and dashes.",
            crate::quote(dc)
        ));
    }
    Ok(())
}

pub(super) fn check_primary_datacenter(node: &NodeSettings) -> Result<(), ConfigError> {
    check_datacenter_name("primary_datacenter", node.primary_datacenter.as_str())
}

pub(super) fn check_name(r: &Reader<'_>, node: &NodeSettings) -> Result<(), ConfigError> {
    let name = node.name.as_str();
    if name.is_empty() {
        return Err(rule("node_name cannot be empty"));
    }
    let shown = crate::quote(name);
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        r.warn(format!(
            "Node name {shown} will not be discoverable via DNS due to invalid characters. Valid characters include all alpha-numerics and dashes."
        ));
    } else if name.len() > 63 {
        r.warn(format!(
            "Node name {shown} will not be discoverable via DNS due to it being too long. Valid lengths are between 1 and 63 bytes."
        ));
    }
    Ok(())
}

pub(super) fn check_locality(node: &NodeSettings) -> Result<(), ConfigError> {
    match &node.locality {
        Some(l) => validate::locality(l).map_err(|e| rule(format!("locality is invalid: {e}"))),
        None => Ok(()),
    }
}

pub(super) fn check_meta(node: &NodeSettings) -> Result<(), ConfigError> {
    validate::metadata(&node.meta, false).map_err(|e| rule(format!("node_meta invalid: {e}")))
}

/// Words that a second domain must not begin with.
pub(super) fn check_alt_domain(alt: &Str, datacenter: &str) -> Result<(), ConfigError> {
    let reserved = ["service", "connect", "node", "query", "addr", datacenter];
    let clash = reserved.iter().any(|w| alt.strip_prefix(*w).is_some_and(|rest| rest.starts_with('.')));
    if clash {
        return Err(rule(format!(
            "alt_domain cannot start with {{service,connect,node,query,addr,{datacenter}}}"
        )));
    }
    Ok(())
}
