//! `PUT /v1/catalog/register` and `…/deregister`.

use super::{
    proxy::{list, proxy},
    service::{locality, tagged_addresses, weights},
};
use crate::decode::{
    DecodeError, Json, fields, first_value, ignore, lenient_fields, str_list, str_lists, str_map,
};
use std::time::Duration;
use types::{
    PeerName, Str, Tenancy,
    command::{Deregister, Register},
    record::{HealthCheck, HealthCheckDefinition, NodeService, ServiceKind},
};

/// Reads partition and namespace of a body.
#[derive(Default)]
struct Owner {
    partition: Str,
    namespace: Str,
}

impl Owner {
    fn tenancy(&self) -> Tenancy {
        Tenancy::new(&self.partition, &self.namespace)
    }
}

/// A catalog registration.
///
/// # Errors
/// What is wrong with the body. Rules about the meaning are the state machine's.
pub fn register(body: &[u8]) -> Result<Register, DecodeError> {
    let mut r = Register::default();
    let mut single = None;
    let mut owner = Owner::default();
    let mut peer = Str::default();
    fields(&first_value(body)?, "structs.RegisterRequest", |k, v| match k {
        "datacenter" => v.set_str(&mut r.datacenter),
        "id" => v.set_str(&mut r.id),
        "node" => v.set_str(&mut r.node),
        "address" => v.set_str(&mut r.address),
        "taggedaddresses" => str_map(v).map(|m| r.tagged_addresses = m).map(|()| true),
        "nodemeta" => str_map(v).map(|m| r.node_meta = m).map(|()| true),
        "locality" => locality(v).map(|l| r.locality = l).map(|()| true),
        "service" => {
            r.service = if *v == Json::Null { None } else { Some(Box::new(node_service(v)?)) };
            Ok(true)
        }
        "check" => {
            if *v != Json::Null {
                let mut c = HealthCheck::default();
                health_check(v, &mut c)?;
                single = Some(c);
            }
            Ok(true)
        }
        "checks" => list(v, "structs.HealthChecks", health_check, &mut r.checks),
        "skipnodeupdate" => v.set_bool(&mut r.skip_node_update),
        "peername" => v.set_str(&mut peer),
        "namespace" => v.set_str(&mut owner.namespace),
        "partition" => v.set_str(&mut owner.partition),
        "token" | "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    r.checks.extend(single);
    r.peer = PeerName::new(&peer);
    r.tenancy = owner.tenancy();
    // Rows without an owner of their own take that of the request.
    if let Some(s) = &mut r.service
        && s.tenancy.is_default()
    {
        s.tenancy = r.tenancy.clone();
    }
    for c in &mut r.checks {
        if c.tenancy.is_default() {
            c.tenancy = r.tenancy.clone();
        }
    }
    Ok(r)
}

/// An instance; weights that are all zero, which clients send when they mean none, are the usual ones.
pub(super) fn node_service(v: &Json) -> Result<NodeService, DecodeError> {
    let mut s = NodeService::default();
    let mut owner = Owner::default();
    let (mut kind, mut peer) = (Str::default(), Str::default());
    fields(v, "structs.NodeService", |k, v| match k {
        "kind" => v.set_str(&mut kind),
        "id" => v.set_str(&mut s.id),
        "service" => v.set_str(&mut s.service),
        "tags" => str_list(v).map(|t| s.tags = t).map(|()| true),
        "address" => v.set_str(&mut s.address),
        "taggedaddresses" => tagged_addresses(v).map(|t| s.tagged_addresses = t).map(|()| true),
        "meta" => str_map(v).map(|m| s.meta = m).map(|()| true),
        "port" => v.set_i64(&mut s.port),
        "socketpath" => v.set_str(&mut s.socket_path),
        "weights" => {
            if let Some(w) = weights(v)?.filter(|w| (w.passing, w.warning) != (0, 0)) {
                s.weights = w;
            }
            Ok(true)
        }
        "enabletagoverride" => v.set_bool(&mut s.enable_tag_override),
        "locality" => locality(v).map(|l| s.locality = l).map(|()| true),
        "proxy" => proxy(v).map(|p| s.proxy = p).map(|()| true),
        "connect" => {
            lenient_fields(v, "structs.ServiceConnect", |k, v| match k {
                "native" => v.set_bool(&mut s.connect.native),
                _ => ignore(v),
            })?;
            Ok(true)
        }
        "peername" => v.set_str(&mut peer),
        "namespace" => v.set_str(&mut owner.namespace),
        "partition" => v.set_str(&mut owner.partition),
        "datacenter" | "contenthash" | "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    s.kind = ServiceKind::parse(&kind);
    s.peer = PeerName::new(&peer);
    s.tenancy = owner.tenancy();
    Ok(s)
}

pub(super) fn health_check(v: &Json, c: &mut HealthCheck) -> Result<(), DecodeError> {
    let mut owner = Owner::default();
    let mut peer = Str::default();
    fields(v, "structs.HealthCheck", |k, v| match k {
        "node" => v.set_str(&mut c.node),
        "checkid" => v.set_str(&mut c.check_id),
        "name" => v.set_str(&mut c.name),
        "status" => v.set_str(&mut c.status),
        "notes" => v.set_str(&mut c.notes),
        "output" => v.set_str(&mut c.output),
        "serviceid" => v.set_str(&mut c.service_id),
        "servicename" => v.set_str(&mut c.service_name),
        "servicetags" => {
            c.service_tags = str_list(v)?.unwrap_or_default();
            Ok(true)
        }
        "type" => v.set_str(&mut c.kind),
        "interval" => v.set_str(&mut c.interval),
        "timeout" => v.set_str(&mut c.timeout),
        "exposedport" => v.set_i64(&mut c.exposed_port),
        "definition" => definition(v).map(|d| c.definition = d).map(|()| true),
        "peername" => v.set_str(&mut peer),
        "namespace" => v.set_str(&mut owner.namespace),
        "partition" => v.set_str(&mut owner.partition),
        "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    // A definition of a probe names its type when the row does not.
    if c.kind.is_empty()
        && let Some(d) = &c.definition
    {
        c.kind = probe_type(d);
    }
    c.peer = PeerName::new(&peer);
    c.tenancy = owner.tenancy();
    Ok(())
}

fn probe_type(d: &HealthCheckDefinition) -> Str {
    Str::new_static(if !d.grpc.is_empty() {
        "grpc"
    } else if !d.http.is_empty() {
        "http"
    } else if !d.ttl.is_zero() {
        "ttl"
    } else if !d.tcp.is_empty() {
        "tcp"
    } else if !d.udp.is_empty() {
        "udp"
    } else if !d.alias_node.is_empty() || !d.alias_service.is_empty() {
        "alias"
    } else if !d.docker_container_id.is_empty() {
        "docker"
    } else if !d.script_args.is_empty() {
        "script"
    } else if !d.h2ping.is_empty() {
        "h2ping"
    } else if !d.os_service.is_empty() {
        "os_service"
    } else {
        ""
    })
}

/// How a check probes; unknown keys are passed over, a definition of which nothing is set is none.
fn definition(v: &Json) -> Result<Option<Box<HealthCheckDefinition>>, DecodeError> {
    let mut d = HealthCheckDefinition::default();
    // `…Duration` keys are what older clients send beside the textual ones.
    let duration = |v: &Json, to: &mut Duration| v.set_duration(to);
    lenient_fields(v, "structs.HealthCheckDefinition", |k, v| match k {
        "http" => v.set_str(&mut d.http),
        "tlsservername" => v.set_str(&mut d.tls_server_name),
        "tlsskipverify" => v.set_bool(&mut d.tls_skip_verify),
        "header" => str_lists(v).map(|h| d.header = h).map(|()| true),
        "method" => v.set_str(&mut d.method),
        "body" => v.set_str(&mut d.body),
        "disableredirects" => v.set_bool(&mut d.disable_redirects),
        "tcp" => v.set_str(&mut d.tcp),
        "tcpusetls" => v.set_bool(&mut d.tcp_use_tls),
        "udp" => v.set_str(&mut d.udp),
        "h2ping" => v.set_str(&mut d.h2ping),
        "h2pingusetls" => v.set_bool(&mut d.h2ping_use_tls),
        "osservice" => v.set_str(&mut d.os_service),
        "interval" => duration(v, &mut d.interval),
        "timeout" => duration(v, &mut d.timeout),
        "deregistercriticalserviceafter" => duration(v, &mut d.deregister_critical_service_after),
        "outputmaxsize" => v.set_u64(&mut d.output_max_size),
        "scriptargs" => str_list(v).map(|a| d.script_args = a.unwrap_or_default()).map(|()| true),
        "dockercontainerid" => v.set_str(&mut d.docker_container_id),
        "shell" => v.set_str(&mut d.shell),
        "grpc" => v.set_str(&mut d.grpc),
        "grpcusetls" => v.set_bool(&mut d.grpc_use_tls),
        "aliasnode" => v.set_str(&mut d.alias_node),
        "aliasservice" => v.set_str(&mut d.alias_service),
        "sessionname" => v.set_str(&mut d.session_name),
        "ttl" => duration(v, &mut d.ttl),
        _ => ignore(v),
    })?;
    Ok(Some(Box::new(d)).filter(|d| **d != HealthCheckDefinition::default()))
}

/// A catalog removal and the datacenter it is meant for (`""` = the agent's own).
#[derive(Clone, Default, PartialEq, Debug)]
pub struct CatalogDeregister {
    /// Datacenter of the body.
    pub datacenter: Str,
    /// The command.
    pub command: Deregister,
}

/// A catalog removal.
///
/// # Errors
/// What is wrong with the body.
pub fn deregister(body: &[u8]) -> Result<CatalogDeregister, DecodeError> {
    let mut d = CatalogDeregister::default();
    let mut owner = Owner::default();
    let mut peer = Str::default();
    fields(&first_value(body)?, "structs.DeregisterRequest", |k, v| match k {
        "datacenter" => v.set_str(&mut d.datacenter),
        "node" => v.set_str(&mut d.command.node),
        "serviceid" => v.set_str(&mut d.command.service_id),
        "checkid" => v.set_str(&mut d.command.check_id),
        "peername" => v.set_str(&mut peer),
        "namespace" => v.set_str(&mut owner.namespace),
        "partition" => v.set_str(&mut owner.partition),
        "token" | "address" => ignore(v),
        _ => Ok(false),
    })?;
    d.command.peer = PeerName::new(&peer);
    d.command.tenancy = owner.tenancy();
    Ok(d)
}
