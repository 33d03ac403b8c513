//! Services of gateways.

use super::writer::{Array, Object, key};
use types::query::GatewayService;

/// `/v1/catalog/gateway-services`.
pub fn gateway_services(out: &mut Vec<u8>, rows: &[GatewayService]) {
    let mut list = Array::open(out);
    for r in rows {
        let mut o = Object::open(list.item());
        name(o.value(key!("Gateway")), &r.gateway);
        name(o.value(key!("Service")), &r.service);
        o.str(key!("GatewayKind"), r.gateway_kind.as_str());
        o.i64_omit(key!("Port"), r.port);
        o.str_omit(key!("Protocol"), &r.protocol);
        if !r.hosts.is_empty() {
            super::strings(o.value(key!("Hosts")), &r.hosts);
        }
        o.str_omit(key!("CAFile"), &r.ca_file);
        o.str_omit(key!("CertFile"), &r.cert_file);
        o.str_omit(key!("KeyFile"), &r.key_file);
        o.str_omit(key!("SNI"), &r.sni);
        o.bool_omit(key!("FromWildcard"), r.from_wildcard);
        o.str_omit(key!("ServiceKind"), &r.service_kind);
        o.index(r.index);
        o.bool_omit(key!("AutoHostRewrite"), r.auto_host_rewrite);
        o.close();
    }
    list.close();
}

fn name(out: &mut Vec<u8>, text: &str) {
    let mut o = Object::open(out);
    o.str(key!("Name"), text);
    o.close();
}
