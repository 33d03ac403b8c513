//! Definitions, as a client sends them to `/v1/agent/service/register`.

use super::{
    node::locality,
    proxy::{ProxyForm, proxy},
    service::{tagged_addresses, weights},
    string_lists, string_map, strings,
    writer::{Array, Object, key},
};
use crate::duration::GoDuration;
use std::time::Duration;
use types::definition::{CheckDefinition, ServiceDefinition};

/// One service definition. The token is sent in a header, never in the body, except that of a sidecar.
pub fn service_definition(out: &mut Vec<u8>, d: &ServiceDefinition) {
    definition(out, d, false);
}

fn definition(out: &mut Vec<u8>, d: &ServiceDefinition, sidecar: bool) {
    let mut o = Object::open(out);
    o.str_omit(key!("Kind"), &d.kind);
    o.str_omit(key!("ID"), &d.id);
    o.str_omit(key!("Name"), &d.name);
    if let Some(t) = &d.tags {
        strings(o.value(key!("Tags")), t);
    }
    o.i64_omit(key!("Port"), d.port);
    o.str_omit(key!("Address"), &d.address);
    o.str_omit(key!("SocketPath"), &d.socket_path);
    if let Some(t) = &d.tagged_addresses {
        tagged_addresses(o.value(key!("TaggedAddresses")), t);
    }
    o.bool_omit(key!("EnableTagOverride"), d.enable_tag_override);
    if let Some(m) = &d.meta {
        string_map(o.value(key!("Meta")), m);
    }
    if let Some(w) = d.weights {
        weights(o.value(key!("Weights")), w);
    }
    if sidecar {
        o.str_omit(key!("Token"), d.token.expose());
    }
    if !d.checks.is_empty() {
        let mut a = Array::open(o.value(key!("Checks")));
        for c in &d.checks {
            check(a.item(), c);
        }
        a.close();
    }
    if let Some(p) = &d.proxy {
        proxy(o.value(key!("Proxy")), p, ProxyForm::Agent);
    }
    if d.native || d.sidecar.is_some() {
        let mut c = Object::open(o.value(key!("Connect")));
        c.bool_omit(key!("Native"), d.native);
        if let Some(s) = &d.sidecar {
            definition(c.value(key!("SidecarService")), s, true);
        }
        c.close();
    }
    if let Some(l) = &d.locality {
        locality(o.value(key!("Locality")), l);
    }
    if d.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), d.tenancy.namespace());
    }
    if d.tenancy.partition() != "default" {
        o.str(key!("Partition"), d.tenancy.partition());
    }
    o.close();
}

fn check(out: &mut Vec<u8>, c: &CheckDefinition) {
    fn duration(o: &mut Object<'_>, key: &[u8], d: Duration) {
        if !d.is_zero() {
            o.str(key, &GoDuration::from(d).to_string());
        }
    }
    let mut o = Object::open(out);
    o.str_omit(key!("CheckID"), &c.id);
    o.str_omit(key!("Name"), &c.name);
    o.str_omit(key!("Notes"), &c.notes);
    o.str_omit(key!("Status"), &c.status);
    if !c.script_args.is_empty() {
        strings(o.value(key!("ScriptArgs")), &c.script_args);
    }
    o.str_omit(key!("HTTP"), &c.http);
    if !c.header.is_empty() {
        string_lists(o.value(key!("Header")), c.header.iter().map(|(k, v)| (k.as_str(), v.as_slice())));
    }
    o.str_omit(key!("Method"), &c.method);
    o.str_omit(key!("Body"), &c.body);
    o.bool_omit(key!("DisableRedirects"), c.disable_redirects);
    o.str_omit(key!("TCP"), &c.tcp);
    o.bool_omit(key!("TCPUseTLS"), c.tcp_use_tls);
    o.str_omit(key!("UDP"), &c.udp);
    o.str_omit(key!("H2PING"), &c.h2ping);
    if let Some(v) = c.h2ping_use_tls {
        o.bool(key!("H2PingUseTLS"), v);
    }
    o.str_omit(key!("OSService"), &c.os_service);
    duration(&mut o, key!("Interval"), c.interval);
    duration(&mut o, key!("Timeout"), c.timeout);
    duration(&mut o, key!("TTL"), c.ttl);
    o.str_omit(key!("DockerContainerID"), &c.docker_container_id);
    o.str_omit(key!("Shell"), &c.shell);
    o.str_omit(key!("GRPC"), &c.grpc);
    o.bool_omit(key!("GRPCUseTLS"), c.grpc_use_tls);
    o.str_omit(key!("TLSServerName"), &c.tls_server_name);
    o.bool_omit(key!("TLSSkipVerify"), c.tls_skip_verify);
    o.str_omit(key!("AliasNode"), &c.alias_node);
    o.str_omit(key!("AliasService"), &c.alias_service);
    o.i64_omit(key!("SuccessBeforePassing"), c.success_before_passing);
    o.i64_omit(key!("FailuresBeforeWarning"), c.failures_before_warning);
    o.i64_omit(key!("FailuresBeforeCritical"), c.failures_before_critical);
    duration(&mut o, key!("DeregisterCriticalServiceAfter"), c.deregister_critical_service_after);
    o.i64_omit(key!("OutputMaxSize"), c.output_max_size);
    o.close();
}
