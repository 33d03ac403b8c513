//! Health checks as catalog and health answers show them.

use super::{
    strings,
    writer::{Array, Object, key},
};
use crate::duration::{self, GoDuration};
use std::time::Duration;
use types::record::{HealthCheck, HealthCheckDefinition};

/// One check.
pub fn check(out: &mut Vec<u8>, c: &HealthCheck) {
    check_as(out, c, b"[]");
}

/// As [`checks`], but what is empty is `null`.
pub(super) fn found_checks<'a>(out: &mut Vec<u8>, list: impl ExactSizeIterator<Item = &'a HealthCheck>) {
    if list.len() == 0 {
        return out.extend_from_slice(b"null");
    }
    let mut a = Array::open(out);
    for c in list {
        check_as(a.item(), c, b"null");
    }
    a.close();
}

/// One check; of no tags is said `null`.
pub(super) fn check_or_null_tags(out: &mut Vec<u8>, c: &HealthCheck) {
    check_as(out, c, b"null");
}

fn check_as(out: &mut Vec<u8>, c: &HealthCheck, no_tags: &[u8]) {
    let mut o = Object::open(out);
    o.str(key!("Node"), &c.node);
    o.str(key!("CheckID"), &c.check_id);
    o.str(key!("Name"), &c.name);
    o.str(key!("Status"), &c.status);
    o.str(key!("Notes"), &c.notes);
    o.str(key!("Output"), &c.output);
    o.str(key!("ServiceID"), &c.service_id);
    o.str(key!("ServiceName"), &c.service_name);
    match c.service_tags.is_empty() {
        true => o.value(key!("ServiceTags")).extend_from_slice(no_tags),
        false => strings(o.value(key!("ServiceTags")), &c.service_tags),
    }
    o.str(key!("Type"), &c.kind);
    o.str(key!("Interval"), &c.interval);
    o.str(key!("Timeout"), &c.timeout);
    o.i64(key!("ExposedPort"), c.exposed_port);
    if c.tenancy.partition() != "default" {
        o.str(key!("Partition"), c.tenancy.partition());
    }
    if c.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), c.tenancy.namespace());
    }
    o.str_omit(key!("PeerName"), c.peer.as_str());
    match &c.definition {
        Some(d) => definition(o.value(key!("Definition")), d),
        None => o.value(key!("Definition")).extend_from_slice(b"{}"),
    }
    o.index(c.index);
    o.close();
}

/// A list of checks.
pub fn checks<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a HealthCheck>) {
    let mut a = Array::open(out);
    for c in list {
        check(a.item(), c);
    }
    a.close();
}

/// How a check probes: every key is left out when it is zero.
fn definition(out: &mut Vec<u8>, d: &HealthCheckDefinition) {
    fn duration(o: &mut Object<'_>, key: &[u8], d: Duration) {
        if !d.is_zero() {
            o.str(key, &GoDuration::from(d).to_string());
        }
    }
    let mut o = Object::open(out);
    duration(&mut o, key!("Interval"), d.interval);
    duration(&mut o, key!("Timeout"), d.timeout);
    duration(&mut o, key!("DeregisterCriticalServiceAfter"), d.deregister_critical_service_after);
    o.str_omit(key!("HTTP"), &d.http);
    o.str_omit(key!("TLSServerName"), &d.tls_server_name);
    o.bool_omit(key!("TLSSkipVerify"), d.tls_skip_verify);
    if !d.header.is_empty() {
        super::string_lists(
            o.value(key!("Header")),
            d.header.iter().map(|(k, v)| (k.as_str(), v.as_slice())),
        );
    }
    o.str_omit(key!("Method"), &d.method);
    o.str_omit(key!("Body"), &d.body);
    o.bool_omit(key!("DisableRedirects"), d.disable_redirects);
    o.str_omit(key!("TCP"), &d.tcp);
    o.bool_omit(key!("TCPUseTLS"), d.tcp_use_tls);
    o.str_omit(key!("UDP"), &d.udp);
    o.str_omit(key!("H2PING"), &d.h2ping);
    o.str_omit(key!("OSService"), &d.os_service);
    o.bool_omit(key!("H2PingUseTLS"), d.h2ping_use_tls);
    if d.output_max_size != 0 {
        o.u64(key!("OutputMaxSize"), d.output_max_size);
    }
    if !d.script_args.is_empty() {
        strings(o.value(key!("ScriptArgs")), &d.script_args);
    }
    o.str_omit(key!("DockerContainerID"), &d.docker_container_id);
    o.str_omit(key!("Shell"), &d.shell);
    o.str_omit(key!("GRPC"), &d.grpc);
    o.bool_omit(key!("GRPCUseTLS"), d.grpc_use_tls);
    o.str_omit(key!("AliasNode"), &d.alias_node);
    o.str_omit(key!("AliasService"), &d.alias_service);
    o.str_omit(key!("SessionName"), &d.session_name);
    o.i64_omit(key!("TTL"), duration::to_ns(d.ttl));
    o.close();
}
