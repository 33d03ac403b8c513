//! `PUT /v1/agent/check/register` and `…/update/:id`, and the checks of a service definition.

use crate::decode::{DecodeError, Json, fields, first_value, ignore, str_list, str_lists};
use types::{Str, Tenancy, definition::CheckDefinition};

/// A check definition.
///
/// # Errors
/// What is wrong with the body.
pub fn check_definition(body: &[u8]) -> Result<CheckDefinition, DecodeError> {
    let mut c = CheckDefinition::default();
    let (mut partition, mut namespace) = (Str::default(), Str::default());
    fields(&first_value(body)?, "structs.CheckDefinition", |k, v| match k {
        "id" => v.set_str(&mut c.id),
        "serviceid" | "service_id" => v.set_str(&mut c.service_id),
        "token" => v.set_secret(&mut c.token),
        "disable_redirects" => v.set_bool(&mut c.disable_redirects),
        "namespace" => v.set_str(&mut namespace),
        "partition" => v.set_str(&mut partition),
        _ => common(k, v, &mut c),
    })?;
    c.tenancy = Tenancy::new(&partition, &namespace);
    Ok(c)
}

/// A check inside a service definition: its id is called `CheckID`, its service is given.
pub(super) fn service_check(v: &Json, c: &mut CheckDefinition) -> Result<(), DecodeError> {
    fields(v, "structs.CheckType", |k, v| match k {
        "checkid" => v.set_str(&mut c.id),
        "serviceid" | "service_id" => ignore(v),
        "proxyhttp" => v.set_str(&mut c.proxy_http),
        "proxygrpc" => v.set_str(&mut c.proxy_grpc),
        _ => common(k, v, c),
    })
}

fn common(k: &str, v: &Json, c: &mut CheckDefinition) -> Result<bool, DecodeError> {
    match k {
        "name" => v.set_str(&mut c.name),
        "notes" => v.set_str(&mut c.notes),
        "status" => v.set_str(&mut c.status),
        "scriptargs" | "script_args" | "args" => {
            if let Some(args) = str_list(v)? {
                c.script_args = args;
            }
            Ok(true)
        }
        "http" => v.set_str(&mut c.http),
        "header" => str_lists(v).map(|h| c.header = h).map(|()| true),
        "method" => v.set_str(&mut c.method),
        "body" => v.set_str(&mut c.body),
        "disableredirects" => v.set_bool(&mut c.disable_redirects),
        "tcp" => v.set_str(&mut c.tcp),
        "tcpusetls" | "tcp_use_tls" => v.set_bool(&mut c.tcp_use_tls),
        "udp" => v.set_str(&mut c.udp),
        "h2ping" => v.set_str(&mut c.h2ping),
        "h2pingusetls" | "h2ping_use_tls" => {
            if *v != Json::Null {
                let mut b = false;
                v.set_bool(&mut b)?;
                c.h2ping_use_tls = Some(b);
            }
            Ok(true)
        }
        "osservice" | "os_service" => v.set_str(&mut c.os_service),
        "interval" => v.set_duration(&mut c.interval),
        "timeout" => v.set_duration(&mut c.timeout),
        "ttl" => v.set_duration(&mut c.ttl),
        "dockercontainerid" | "docker_container_id" => v.set_str(&mut c.docker_container_id),
        "shell" => v.set_str(&mut c.shell),
        "grpc" => v.set_str(&mut c.grpc),
        "grpcusetls" | "grpc_use_tls" => v.set_bool(&mut c.grpc_use_tls),
        "tlsservername" | "tls_server_name" => v.set_str(&mut c.tls_server_name),
        "tlsskipverify" | "tls_skip_verify" => v.set_bool(&mut c.tls_skip_verify),
        "aliasnode" | "alias_node" => v.set_str(&mut c.alias_node),
        "aliasservice" | "alias_service" => v.set_str(&mut c.alias_service),
        "successbeforepassing" | "success_before_passing" => v.set_i64(&mut c.success_before_passing),
        "failuresbeforewarning" | "failures_before_warning" => v.set_i64(&mut c.failures_before_warning),
        "failuresbeforecritical" | "failures_before_critical" => v.set_i64(&mut c.failures_before_critical),
        "deregistercriticalserviceafter" | "deregister_critical_service_after" => {
            v.set_duration(&mut c.deregister_critical_service_after)
        }
        "outputmaxsize" | "output_max_size" => v.set_i64(&mut c.output_max_size),
        _ => Ok(false),
    }
}

/// Body of `PUT /v1/agent/check/update/:id`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TtlUpdate {
    /// Status word as given.
    pub status: Str,
    /// Output.
    pub output: Str,
}

/// A TTL update.
///
/// # Errors
/// What is wrong with the body.
pub fn ttl_update(body: &[u8]) -> Result<TtlUpdate, DecodeError> {
    let mut u = TtlUpdate::default();
    fields(&first_value(body)?, "agent.checkUpdate", |k, v| match k {
        "status" => v.set_str(&mut u.status),
        "output" => v.set_str(&mut u.output),
        _ => Ok(false),
    })?;
    Ok(u)
}
