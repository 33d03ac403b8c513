//! Services and checks as the agent's own endpoints show them.

use super::{
    check,
    node::locality,
    proxy::{ProxyForm, proxy},
    service::{tagged_addresses, weights},
    string_map, strings,
    writer::{Object, key},
};
use types::record::{HealthCheck, NodeService, ServiceKind};

/// One local service. `content_hash` is shown when it is given (single reads only).
pub fn agent_service(out: &mut Vec<u8>, s: &NodeService, datacenter: &str, content_hash: Option<&str>) {
    let mut o = Object::open(out);
    o.str_omit(key!("Kind"), s.kind.as_str());
    o.str(key!("ID"), &s.id);
    o.str(key!("Service"), &s.service);
    strings(o.value(key!("Tags")), s.tags.iter().flatten());
    string_map(o.value(key!("Meta")), s.meta.iter().flatten());
    o.i64(key!("Port"), s.port);
    o.str(key!("Address"), &s.address);
    o.str_omit(key!("SocketPath"), &s.socket_path);
    if let Some(t) = s.tagged_addresses.as_ref().filter(|t| !t.is_empty()) {
        tagged_addresses(o.value(key!("TaggedAddresses")), t);
    }
    weights(o.value(key!("Weights")), s.weights);
    o.bool(key!("EnableTagOverride"), s.enable_tag_override);
    if s.index.create != 0 {
        o.u64(key!("CreateIndex"), s.index.create);
    }
    if s.index.modify != 0 {
        o.u64(key!("ModifyIndex"), s.index.modify);
    }
    if let Some(hash) = content_hash {
        o.str(key!("ContentHash"), hash);
    }
    if s.kind == ServiceKind::ConnectProxy || s.kind.is_gateway() {
        match &s.proxy {
            Some(p) => proxy(o.value(key!("Proxy")), p, ProxyForm::Agent),
            None => o.value(key!("Proxy")).extend_from_slice(br#"{"MeshGateway":{},"Expose":{}}"#),
        }
    }
    if s.connect.native {
        o.value(key!("Connect")).extend_from_slice(br#"{"Native":true}"#);
    }
    if s.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), s.tenancy.namespace());
    }
    if s.tenancy.partition() != "default" {
        o.str(key!("Partition"), s.tenancy.partition());
    }
    o.str_omit(key!("PeerName"), s.peer.as_str());
    o.str_omit(key!("Datacenter"), datacenter);
    if let Some(l) = &s.locality {
        locality(o.value(key!("Locality")), l);
    }
    o.close();
}

/// `{"id":{…}}`
pub fn agent_services<'a>(
    out: &mut Vec<u8>,
    services: impl IntoIterator<Item = &'a NodeService>,
    datacenter: &str,
) {
    let mut o = Object::open(out);
    for s in services {
        agent_service(o.dynamic(&s.id), s, datacenter, None);
    }
    o.close();
}

/// One local check: the catalog's form without its probe.
pub fn agent_check(out: &mut Vec<u8>, c: &HealthCheck) {
    if c.definition.is_some() {
        check(out, &HealthCheck { definition: None, ..c.clone() });
    } else {
        check(out, c);
    }
}

/// `{"id":{…}}`
pub fn agent_checks<'a>(out: &mut Vec<u8>, checks: impl IntoIterator<Item = &'a HealthCheck>) {
    let mut o = Object::open(out);
    for c in checks {
        agent_check(o.dynamic(&c.check_id), c);
    }
    o.close();
}

/// A check of `/v1/agent/health/service/*`: few fields are filled, and every key of `Definition` is there.
pub fn client_check(out: &mut Vec<u8>, c: &HealthCheck) {
    let mut o = Object::open(out);
    o.str(key!("Node"), &c.node);
    o.str(key!("CheckID"), &c.check_id);
    o.str(key!("Name"), &c.name);
    o.str(key!("Status"), &c.status);
    o.str(key!("Notes"), &c.notes);
    o.str(key!("Output"), &c.output);
    o.str(key!("ServiceID"), &c.service_id);
    o.str(key!("ServiceName"), &c.service_name);
    if c.service_tags.is_empty() {
        o.value(key!("ServiceTags")).extend_from_slice(b"null");
    } else {
        strings(o.value(key!("ServiceTags")), &c.service_tags);
    }
    o.str(key!("Type"), "");
    o.u64(key!("ExposedPort"), 0);
    o.value(key!("Definition")).extend_from_slice(
        concat!(
            r#"{"HTTP":"","Header":null,"Method":"","Body":"","TLSServerName":"","TLSSkipVerify":false,"TCP":"","#,
            r#""TCPUseTLS":false,"UDP":"","GRPC":"","OSService":"","GRPCUseTLS":false,"Interval":"0s","Timeout":"0s","#,
            r#""DeregisterCriticalServiceAfter":"0s"}"#
        )
        .as_bytes(),
    );
    o.u64(key!("CreateIndex"), 0);
    o.u64(key!("ModifyIndex"), 0);
    o.close();
}
