//! Upstreams of a proxy.

use super::Violation;
use crate::{names::Str, record::Upstream};
use std::collections::BTreeSet;

/// Each upstream alone, then duplicates among them; broken rules are appended to `out`.
pub fn upstreams(list: &[Upstream], out: &mut Vec<Violation>) {
    let mut destinations = BTreeSet::new();
    let mut binds = BTreeSet::new();
    for u in list {
        if let Err(v) = upstream(u) {
            out.push(v);
            continue;
        }
        if !binds.insert(bind(u)) {
            out.push(Violation::UpstreamBindDuplicate(bind(u)));
        }
        // Derived upstreams may repeat what the user wrote: the user's wins, it is no mistake.
        if !u.centrally_configured && !destinations.insert(destination(u)) {
            out.push(Violation::UpstreamDuplicate(destination(u)));
        }
    }
}

fn upstream(u: &Upstream) -> Result<(), Violation> {
    match u.destination_type.as_str() {
        "" | "service" | "prepared_query" => {}
        _ => return Err(Violation::UpstreamType(u.destination_type.clone())),
    }
    if u.destination_name.is_empty() {
        return Err(Violation::UpstreamNameMissing);
    }
    if u.destination_name == "*" && !u.centrally_configured {
        return Err(Violation::UpstreamNameWildcard);
    }
    if !u.destination_peer.is_empty() && !u.datacenter.is_empty() {
        return Err(Violation::UpstreamPeerAndDatacenter);
    }
    let (port, socket) = (u.local_bind_port != 0, !u.local_bind_socket_path.is_empty());
    if !port && !socket && !u.centrally_configured {
        return Err(Violation::UpstreamBindMissing);
    }
    if port && socket {
        return Err(Violation::UpstreamBindTwice);
    }
    Ok(())
}

fn bind(u: &Upstream) -> Str {
    if !u.local_bind_socket_path.is_empty() {
        return u.local_bind_socket_path.clone();
    }
    let address = if u.local_bind_address.is_empty() { "127.0.0.1" } else { u.local_bind_address.as_str() };
    Str::from(format!("{address}:{}", u.local_bind_port))
}

fn destination(u: &Upstream) -> Str {
    let kind = if u.destination_type.is_empty() { "service" } else { u.destination_type.as_str() };
    Str::from(format!(
        "[type={kind:?}, name={:?}, partition={:?}, namespace={:?}, peer={:?}, datacenter={:?}]",
        u.destination_name.as_str(),
        u.destination_partition.as_str(),
        u.destination_namespace.as_str(),
        u.destination_peer.as_str(),
        u.datacenter.as_str(),
    ))
}

/// The mode of a unix socket: octal digits, or `""`.
///
/// # Errors
/// [`Violation::UpstreamSocketMode`].
pub fn socket_mode(mode: &str) -> Result<(), Violation> {
    if mode.is_empty() || u32::from_str_radix(mode, 8).is_ok() {
        Ok(())
    } else {
        Err(Violation::UpstreamSocketMode(Str::new(mode)))
    }
}
