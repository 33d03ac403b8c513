//! Proxy blocks.

use super::writer::{Array, Object, key};
use types::record::{ExposeConfig, ServiceProxy, TransparentProxy, Upstream};

/// The two forms in which a proxy block is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyForm {
    /// In catalog and health answers: `Mode` and an upstream's type and datacenter are always there.
    Catalog,
    /// In agent answers and in definitions: what is empty is left out.
    Agent,
}

/// A block of which nothing is set, in the catalog's form.
pub(super) const EMPTY_CATALOG: &[u8] = br#"{"Mode":"","MeshGateway":{},"Expose":{}}"#;

/// One proxy block.
pub(super) fn proxy(out: &mut Vec<u8>, p: &ServiceProxy, form: ProxyForm) {
    let mut o = Object::open(out);
    if !p.envoy_extensions.is_empty() {
        let mut a = Array::open(o.value(key!("EnvoyExtensions")));
        for e in &p.envoy_extensions {
            let mut x = Object::open(a.item());
            x.str(key!("Name"), &e.name);
            x.bool(key!("Required"), e.required);
            let args = e.arguments.as_ref().map_or("null", |v| v.as_json_text());
            x.value(key!("Arguments")).extend_from_slice(args.as_bytes());
            x.str(key!("ConsulVersion"), &e.consul_version);
            x.str(key!("EnvoyVersion"), &e.envoy_version);
            x.close();
        }
        a.close();
    }
    o.str_omit(key!("DestinationServiceName"), &p.destination_service_name);
    o.str_omit(key!("DestinationServiceID"), &p.destination_service_id);
    o.str_omit(key!("LocalServiceAddress"), &p.local_service_address);
    o.i64_omit(key!("LocalServicePort"), p.local_service_port);
    o.str_omit(key!("LocalServiceSocketPath"), &p.local_service_socket_path);
    if form == ProxyForm::Catalog || !p.mode.is_empty() {
        o.str(key!("Mode"), &p.mode);
    }
    if let Some(c) = &p.config {
        o.value(key!("Config")).extend_from_slice(c.as_json_text().as_bytes());
    }
    if !p.upstreams.is_empty() {
        let mut a = Array::open(o.value(key!("Upstreams")));
        for u in &p.upstreams {
            upstream(a.item(), u, form);
        }
        a.close();
    }
    mesh_gateway(o.value(key!("MeshGateway")), &p.mesh_gateway.mode);
    expose(o.value(key!("Expose")), &p.expose, form);
    if let Some(t) = &p.transparent_proxy {
        transparent(o.value(key!("TransparentProxy")), t);
    }
    if let Some(l) = &p.access_logs {
        let mut x = Object::open(o.value(key!("AccessLogs")));
        x.bool_omit(key!("Enabled"), l.enabled);
        x.bool_omit(key!("DisableListenerLogs"), l.disable_listener_logs);
        x.str_omit(key!("Type"), &l.kind);
        x.str_omit(key!("Path"), &l.path);
        x.str_omit(key!("JSONFormat"), &l.json_format);
        x.str_omit(key!("TextFormat"), &l.text_format);
        x.close();
    }
    o.close();
}

fn upstream(out: &mut Vec<u8>, u: &Upstream, form: ProxyForm) {
    let mut o = Object::open(out);
    let always = form == ProxyForm::Catalog;
    if always || !u.destination_type.is_empty() {
        o.str(key!("DestinationType"), &u.destination_type);
    }
    o.str_omit(key!("DestinationNamespace"), &u.destination_namespace);
    o.str_omit(key!("DestinationPartition"), &u.destination_partition);
    o.str_omit(key!("DestinationPeer"), &u.destination_peer);
    o.str(key!("DestinationName"), &u.destination_name);
    if always || !u.datacenter.is_empty() {
        o.str(key!("Datacenter"), &u.datacenter);
    }
    o.str_omit(key!("LocalBindAddress"), &u.local_bind_address);
    o.i64_omit(key!("LocalBindPort"), u.local_bind_port);
    o.str_omit(key!("LocalBindSocketPath"), &u.local_bind_socket_path);
    o.str_omit(key!("LocalBindSocketMode"), &u.local_bind_socket_mode);
    if let Some(c) = &u.config {
        o.value(key!("Config")).extend_from_slice(c.as_json_text().as_bytes());
    }
    mesh_gateway(o.value(key!("MeshGateway")), &u.mesh_gateway.mode);
    o.bool_omit(key!("CentrallyConfigured"), u.centrally_configured);
    o.close();
}

fn mesh_gateway(out: &mut Vec<u8>, mode: &str) {
    let mut o = Object::open(out);
    o.str_omit(key!("Mode"), mode);
    o.close();
}

fn expose(out: &mut Vec<u8>, e: &ExposeConfig, form: ProxyForm) {
    let mut o = Object::open(out);
    o.bool_omit(key!("Checks"), e.checks);
    if !e.paths.is_empty() {
        let mut a = Array::open(o.value(key!("Paths")));
        for p in &e.paths {
            let mut x = Object::open(a.item());
            x.i64_omit(key!("ListenerPort"), p.listener_port);
            x.str_omit(key!("Path"), &p.path);
            x.i64_omit(key!("LocalPathPort"), p.local_path_port);
            x.str_omit(key!("Protocol"), &p.protocol);
            match form {
                ProxyForm::Catalog => x.bool_omit(key!("ParsedFromCheck"), p.parsed_from_check),
                ProxyForm::Agent => x.bool(key!("ParsedFromCheck"), p.parsed_from_check),
            }
            x.close();
        }
        a.close();
    }
    o.close();
}

fn transparent(out: &mut Vec<u8>, t: &TransparentProxy) {
    let mut o = Object::open(out);
    o.i64_omit(key!("OutboundListenerPort"), t.outbound_listener_port);
    o.bool_omit(key!("DialedDirectly"), t.dialed_directly);
    o.close();
}
