//! From a service definition to its row.

use crate::LocalError;
use std::{collections::BTreeMap, net::IpAddr};
use types::{
    ServiceId, Str,
    definition::ServiceDefinition,
    record::{NodeService, ServiceAddress, ServiceConnect, ServiceKind},
    validate,
};

/// The row of a definition, its sidecar and checks left aside.
pub(crate) fn service_row(d: &ServiceDefinition) -> Result<NodeService, LocalError> {
    if d.name.is_empty() {
        return Err(LocalError::Internal(Str::new_static("Service name missing")));
    }
    if let Some(tagged) = &d.tagged_addresses {
        validate::tagged_addresses(tagged).map_err(|e| LocalError::Internal(Str::from(e.to_string())))?;
    }
    let id = if d.id.is_empty() { &d.name } else { &d.id };
    let mut proxy = d.proxy.clone();
    if let Some(p) = &mut proxy {
        for u in &mut p.upstreams {
            if u.destination_type.is_empty() {
                u.destination_type = Str::new_static("service");
            }
        }
        if !p.destination_service_id.is_empty()
            && p.local_service_address.is_empty()
            && p.local_service_socket_path.is_empty()
        {
            p.local_service_address = Str::new_static("127.0.0.1");
        }
    }
    Ok(NodeService {
        kind: ServiceKind::parse(&d.kind),
        id: ServiceId(id.clone()),
        service: d.name.as_str().into(),
        tags: d.tags.clone(),
        address: d.address.clone(),
        tagged_addresses: tagged(d),
        meta: d.meta.clone(),
        port: d.port,
        socket_path: d.socket_path.clone(),
        weights: d.weights.unwrap_or_default(),
        enable_tag_override: d.enable_tag_override,
        locality: d.locality.clone(),
        proxy,
        connect: ServiceConnect { native: d.native },
        tenancy: d.tenancy.clone(),
        ..NodeService::default()
    })
}

/// An address that is an IP is also the instance's LAN and WAN address of its family, unless those were given.
fn tagged(d: &ServiceDefinition) -> Option<BTreeMap<Str, ServiceAddress>> {
    let names = match d.address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => ["lan_ipv4", "wan_ipv4"],
        Ok(IpAddr::V6(_)) => ["lan_ipv6", "wan_ipv6"],
        Err(_) => return d.tagged_addresses.clone(),
    };
    let mut out = d.tagged_addresses.clone().unwrap_or_default();
    for name in names {
        out.entry(Str::new_static(name))
            .or_insert_with(|| ServiceAddress { address: d.address.clone(), port: d.port });
    }
    Some(out)
}
