//! Rules of service instances, proxies and gateways.

use super::{Violation, Violations, upstreams};
use crate::{
    definition::ServiceDefinition,
    names::Str,
    record::{ExposeConfig, Locality, NodeService, ServiceKind, ServiceProxy, Weights},
};
use std::collections::BTreeSet;

/// What the rules look at, in a row of the catalog as in a definition.
struct Subject<'a> {
    kind: ServiceKind,
    port: i64,
    socket_path: &'a str,
    native: bool,
    proxy: Option<&'a ServiceProxy>,
    locality: Option<&'a Locality>,
    sidecar: bool,
}

/// The rules of a row of the catalog: what a catalog registration and a definition with `kind` must keep.
///
/// # Errors
/// Every broken rule.
pub fn node_service(s: &NodeService) -> Result<(), Violations> {
    let subject = Subject {
        kind: s.kind.clone(),
        port: s.port,
        socket_path: &s.socket_path,
        native: s.connect.native,
        proxy: s.proxy.as_deref(),
        locality: s.locality.as_ref(),
        sidecar: false,
    };
    let mut out = Vec::new();
    subject.check(&mut out);
    Violations::or_ok(out)
}

/// The rules of a definition registered over HTTP: those of [`node_service`] and those of its sidecar block.
///
/// # Errors
/// Every broken rule.
pub fn definition(d: &ServiceDefinition) -> Result<(), Violations> {
    let subject = Subject {
        kind: ServiceKind::parse(&d.kind),
        port: d.port,
        socket_path: &d.socket_path,
        native: d.native,
        proxy: d.proxy.as_deref(),
        locality: d.locality.as_ref(),
        sidecar: d.sidecar.is_some(),
    };
    let mut out = Vec::new();
    subject.check(&mut out);
    if let Some(sidecar) = &d.sidecar {
        if !sidecar.id.is_empty() {
            out.push(Violation::SidecarId);
        }
        if sidecar.sidecar.is_some() {
            out.push(Violation::SidecarNested);
        }
    }
    Violations::or_ok(out)
}

impl Subject<'_> {
    fn check(&self, out: &mut Vec<Violation>) {
        if let Some(l) = self.locality {
            out.extend(locality(l).err());
        }
        let listens = self.port != 0 || !self.socket_path.is_empty();
        match &self.kind {
            ServiceKind::ConnectProxy => self.check_proxy(listens, out),
            kind if kind.is_gateway() => self.check_gateway(out),
            _ => {}
        }
        if self.native && self.kind == ServiceKind::Typical && !listens {
            out.push(Violation::NativePort);
        }
    }

    fn check_proxy(&self, listens: bool, out: &mut Vec<Violation>) {
        let destination = self.proxy.map_or("", |p| p.destination_service_name.trim());
        if destination.is_empty() {
            out.push(Violation::ProxyDestinationMissing);
        } else if destination == "*" {
            out.push(Violation::ProxyDestinationWildcard);
        }
        if !listens {
            out.push(Violation::ProxyPort);
        }
        if self.native {
            out.push(Violation::ProxyNative);
        }
        if let Some(p) = self.proxy {
            upstreams(&p.upstreams, out);
            expose(&p.expose, out);
        }
    }

    fn check_gateway(&self, out: &mut Vec<Violation>) {
        let kind = || Str::new(self.kind.as_str());
        // These two take their ports from configuration entries.
        let port_optional = matches!(self.kind, ServiceKind::IngressGateway | ServiceKind::ApiGateway);
        if self.port == 0 && !port_optional {
            out.push(Violation::GatewayPort(kind()));
        }
        if self.sidecar {
            out.push(Violation::GatewaySidecar(kind()));
        }
        let Some(p) = self.proxy else { return };
        for (field, set) in [
            ("DestinationServiceName", !p.destination_service_name.is_empty()),
            ("DestinationServiceID", !p.destination_service_id.is_empty()),
            ("LocalServiceAddress", !p.local_service_address.is_empty()),
            ("LocalServicePort", p.local_service_port != 0),
            ("LocalServiceSocketPath", !p.local_service_socket_path.is_empty()),
            ("Upstreams", !p.upstreams.is_empty()),
        ] {
            if set {
                out.push(Violation::GatewayProxyField { field, kind: kind() });
            }
        }
    }
}

fn expose(e: &ExposeConfig, out: &mut Vec<Violation>) {
    let mut ports = BTreeSet::new();
    for p in &e.paths {
        if p.path.is_empty() {
            out.push(Violation::ExposePathEmpty);
        }
        if !ports.insert(p.listener_port) {
            out.push(Violation::ExposePortDuplicate);
        }
        if !(1..=65535).contains(&p.listener_port) {
            out.push(Violation::ExposePort(p.listener_port));
        }
        if !matches!(p.protocol.as_str(), "" | "http" | "http2") {
            out.push(Violation::ExposeProtocol { protocol: p.protocol.clone(), path: p.path.clone() });
        }
    }
}

/// DNS weights.
///
/// # Errors
/// The first broken rule, one of the `Weight…` variants.
pub fn weights(w: &Weights) -> Result<(), Violation> {
    if w.passing < 1 {
        return Err(Violation::WeightPassing);
    }
    if w.warning < 0 {
        return Err(Violation::WeightWarning);
    }
    if w.passing > 65535 || w.warning > 65535 {
        return Err(Violation::WeightRange);
    }
    Ok(())
}

/// A zone needs a region.
///
/// # Errors
/// [`Violation::LocalityZone`].
pub fn locality(l: &Locality) -> Result<(), Violation> {
    if l.region.is_empty() && !l.zone.is_empty() { Err(Violation::LocalityZone) } else { Ok(()) }
}

/// The word of `proxy.mode`.
///
/// # Errors
/// [`Violation::ProxyMode`].
pub fn proxy_mode(mode: &str) -> Result<(), Violation> {
    match mode {
        "" | "direct" | "transparent" => Ok(()),
        _ => Err(Violation::ProxyMode(Str::new(mode))),
    }
}

/// The word of `mesh_gateway.mode`.
///
/// # Errors
/// [`Violation::MeshGatewayMode`].
pub fn mesh_gateway_mode(mode: &str) -> Result<(), Violation> {
    match mode {
        "" | "none" | "local" | "remote" => Ok(()),
        _ => Err(Violation::MeshGatewayMode(Str::new(mode))),
    }
}
