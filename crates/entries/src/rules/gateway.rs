//! ingress-gateway, terminating-gateway, exported-services.

use super::{Checked, ensure, is_hostname, named, quote, service::passive_health_check, tls};
use std::collections::BTreeSet;
use types::{
    Str,
    entry::{
        EXPORTED_SERVICES_NAME, ExportConsumer, ExportedServices, GatewaySds, GatewayTls, HeaderModifiers,
        IngressGateway, IngressListener, IngressService, TerminatingGateway,
    },
};

pub(super) fn normalize_ingress(b: &mut IngressGateway) {
    for l in &mut b.listeners {
        l.protocol = match l.protocol.as_str() {
            "" => Str::new_static("tcp"),
            word => types::names::fold(word),
        };
    }
}

pub(super) fn check_ingress(name: &str, b: &IngressGateway) -> Checked {
    named(name)?;
    gateway_tls(&b.tls)?;
    let mut ports = BTreeSet::new();
    for l in &b.listeners {
        ensure(ports.insert(l.port), || format!("port {} declared on two listeners", l.port))?;
        check_listener(b, l)?;
    }
    match b.defaults.as_ref().and_then(|d| d.passive_health_check.as_ref()).and_then(passive_health_check) {
        Some(e) => Err(e.into()),
        None => Ok(()),
    }
}

fn gateway_tls(t: &GatewayTls) -> Checked {
    tls::check(&t.min_version, &t.max_version, &t.cipher_suites)
}

fn check_listener(gateway: &IngressGateway, l: &IngressListener) -> Checked {
    let place = format!("(listener on port {})", l.port);
    ensure(matches!(l.protocol.as_str(), "tcp" | "http" | "http2" | "grpc"), || {
        format!(
            "protocol must be 'tcp', 'http', 'http2', or 'grpc'. '{}' is an unsupported protocol",
            l.protocol
        )
    })?;
    ensure((1..=65535).contains(&l.port), || format!("listener port {} not in the range 1-65535", l.port))?;
    if let Some(t) = &l.tls {
        gateway_tls(t)?;
    }
    check_sds(gateway, l, &place)?;
    ensure(!l.services.is_empty(), || format!("No service declared for listener with port {}", l.port))?;
    let tcp = l.protocol == "tcp";
    ensure(!tcp || l.services.len() == 1, || {
        format!(
            "Multiple services per listener are only supported for L7 protocols, 'http', 'grpc' and 'http2' {place}"
        )
    })?;
    let with_tls = gateway.tls.enabled || l.tls.as_ref().is_some_and(|t| t.enabled);
    let (mut names, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    for s in &l.services {
        check_service(l, s, &place)?;
        ensure(names.insert(&s.name), || {
            format!("Service {} cannot be added multiple times {place}", s.name)
        })?;
        for h in &s.hosts {
            ensure(hosts.insert(h), || format!("Hosts must be unique within a specific listener {place}"))?;
            check_host(h, with_tls)?;
        }
    }
    Ok(())
}

fn check_sds(gateway: &IngressGateway, l: &IngressListener, place: &str) -> Checked {
    let empty = GatewaySds::default();
    let of_gateway = gateway.tls.sds.as_ref().unwrap_or(&empty);
    let of_listener = l.tls.as_ref().and_then(|t| t.sds.as_ref()).unwrap_or(&empty);
    let either = |a: &Str, b: &Str| !a.is_empty() || !b.is_empty();
    let cluster = either(&of_listener.cluster_name, &of_gateway.cluster_name);
    ensure(of_listener.cert_resource.is_empty() || cluster, || {
        format!("TLS.SDS.ClusterName is required if CertResource is set {place}")
    })?;
    ensure(
        of_listener.cluster_name.is_empty() || either(&of_listener.cert_resource, &of_gateway.cert_resource),
        || format!("TLS.SDS.CertResource is required if ClusterName is set for listener {place}"),
    )?;
    for s in &l.services {
        let Some(sds) = s.tls.as_ref().and_then(|t| t.sds.as_ref()) else { continue };
        let place = format!("(service {} on listener on port {})", quote(&s.name), l.port);
        ensure(!sds.cert_resource.is_empty() || sds.cluster_name.is_empty(), || {
            format!("TLS.SDS.CertResource is required if ClusterName is set for service {place}")
        })?;
        ensure(sds.cert_resource.is_empty() || !sds.cluster_name.is_empty() || cluster, || {
            format!("TLS.SDS.ClusterName is required if CertResource is set {place}")
        })?;
    }
    Ok(())
}

fn check_service(l: &IngressListener, s: &IngressService, place: &str) -> Checked {
    ensure(!s.name.is_empty(), || format!("Service name cannot be blank {place}"))?;
    let (wildcard, tcp) = (s.name == "*", l.protocol == "tcp");
    ensure(!wildcard || l.protocol == "http", || {
        format!("Wildcard service name is only valid for protocol = 'http' {place}")
    })?;
    ensure(!wildcard || s.hosts.is_empty(), || {
        format!("Associating hosts to a wildcard service is not supported {place}")
    })?;
    ensure(!tcp || s.hosts.is_empty(), || {
        format!("Associating hosts to a service is not supported for the tcp protocol {place}")
    })?;
    for (what, headers) in [("request", &s.request_headers), ("response", &s.response_headers)] {
        ensure(!tcp || headers.as_ref().is_none_or(|h| *h == HeaderModifiers::default()), || {
            format!(
                "{what} headers only valid for http, http2 and grpc protocols (service {} on listener on port {})",
                quote(&s.name),
                l.port
            )
        })?;
    }
    match s.passive_health_check.as_ref().and_then(passive_health_check) {
        Some(e) => Err(e.into()),
        None => Ok(()),
    }
}

fn check_host(host: &str, with_tls: bool) -> Checked {
    if host == "*" {
        return ensure(!with_tls, || {
            "Host '*' is not allowed when TLS is enabled, all hosts must be valid DNS records to add as a DNSSAN"
                .to_owned()
        });
    }
    let rest = host.strip_prefix("*.").unwrap_or(host);
    ensure(!rest.contains('*'), || {
        format!(
            "Host {} is not valid, a wildcard specifier is only allowed as the leftmost label",
            quote(host)
        )
    })?;
    ensure(is_hostname(rest), || format!("Host {} must be a valid DNS hostname", quote(host)))
}

pub(super) fn check_terminating(name: &str, b: &TerminatingGateway) -> Checked {
    named(name)?;
    let mut seen = BTreeSet::new();
    for s in &b.services {
        ensure(!s.name.is_empty(), || "Service name cannot be blank.".to_owned())?;
        ensure(seen.insert(&s.name), || {
            format!("Service {} was specified more than once within a namespace", quote(&s.name))
        })?;
        let own = !s.cert_file.is_empty() || !s.key_file.is_empty();
        let all = !s.cert_file.is_empty() && !s.key_file.is_empty() && !s.ca_file.is_empty();
        ensure(!own || all, || {
            format!(
                "Service {} must have a CertFile, CAFile, and KeyFile specified for TLS origination",
                quote(&s.name)
            )
        })?;
    }
    Ok(())
}

pub(super) fn check_exports(name: &str, b: &ExportedServices) -> Checked {
    ensure(name == EXPORTED_SERVICES_NAME, || "exported-services Name must be \"default\"".to_owned())?;
    for (i, s) in b.services.iter().enumerate() {
        ensure(!s.name.is_empty(), || format!("Services[{i}]: service name cannot be empty"))?;
        ensure(!s.consumers.is_empty(), || format!("Services[{i}]: must have at least one consumer"))?;
        for (j, c) in s.consumers.iter().enumerate() {
            check_consumer(c).map_err(|e| format!("Services[{i}].Consumers[{j}]: {e}"))?;
        }
    }
    Ok(())
}

fn check_consumer(c: &ExportConsumer) -> Result<(), &'static str> {
    let set = [&c.peer, &c.partition, &c.sameness_group].into_iter().filter(|t| !t.is_empty()).count();
    if set > 1 {
        Err("must define at most one of Peer, Partition, or SamenessGroup")
    } else if !c.partition.is_empty() {
        Err("partitions are an enterprise-only feature")
    } else if !c.sameness_group.is_empty() {
        Err("sameness-groups are an enterprise-only feature")
    } else if c.peer == "*" {
        Err("exporting to all peers (wildcard) is not supported")
    } else {
        Ok(())
    }
}
