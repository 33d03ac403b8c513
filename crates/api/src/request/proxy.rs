//! Proxy blocks.

use crate::decode::{DecodeError, Json, fields, ignore, opaque};
use types::record::{
    AccessLogs, EnvoyExtension, ExposeConfig, ExposePath, MeshGatewayConfig, ServiceProxy, TransparentProxy,
    Upstream,
};

/// A block of which nothing is set is none.
pub(super) fn proxy(v: &Json) -> Result<Option<Box<ServiceProxy>>, DecodeError> {
    let mut p = ServiceProxy::default();
    fields(v, "structs.ConnectProxyConfig", |k, v| match k {
        "envoyextensions" => list(v, "[]structs.EnvoyExtension", extension, &mut p.envoy_extensions),
        "destinationservicename" | "destination_service_name" => v.set_str(&mut p.destination_service_name),
        "destinationserviceid" | "destination_service_id" => v.set_str(&mut p.destination_service_id),
        "localserviceaddress" | "local_service_address" => v.set_str(&mut p.local_service_address),
        "localserviceport" | "local_service_port" => v.set_i64(&mut p.local_service_port),
        "localservicesocketpath" | "local_service_socket_path" => v.set_str(&mut p.local_service_socket_path),
        "mode" => v.set_str(&mut p.mode),
        "config" => opaque(v).map(|c| p.config = c).map(|()| true),
        "upstreams" => list(v, "structs.Upstreams", upstream, &mut p.upstreams),
        "meshgateway" | "mesh_gateway" => mesh_gateway(v, &mut p.mesh_gateway),
        "expose" => expose(v, &mut p.expose),
        "transparentproxy" | "transparent_proxy" => {
            let mut t = p.transparent_proxy.take().unwrap_or_default();
            transparent(v, &mut t)?;
            p.transparent_proxy = Some(t).filter(|t| *t != TransparentProxy::default());
            Ok(true)
        }
        "accesslogs" | "access_logs" => {
            let mut l = p.access_logs.take().unwrap_or_default();
            access_logs(v, &mut l)?;
            p.access_logs = Some(l).filter(|l| *l != AccessLogs::default());
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(Some(Box::new(p)).filter(|p| **p != ServiceProxy::default()))
}

/// Reads every element of an array with `one`.
pub(super) fn list<T: Default>(
    v: &Json,
    wanted: &'static str,
    one: impl Fn(&Json, &mut T) -> Result<(), DecodeError>,
    to: &mut Vec<T>,
) -> Result<bool, DecodeError> {
    match v {
        Json::Null => {}
        Json::Array(a) => {
            *to = a
                .iter()
                .map(|v| {
                    let mut t = T::default();
                    one(v, &mut t).map(|()| t)
                })
                .collect::<Result<_, _>>()?;
        }
        v => return Err(DecodeError::Type { found: v.kind().to_owned(), wanted }),
    }
    Ok(true)
}

fn extension(v: &Json, e: &mut EnvoyExtension) -> Result<(), DecodeError> {
    fields(v, "structs.EnvoyExtension", |k, v| match k {
        "name" => v.set_str(&mut e.name),
        "required" => v.set_bool(&mut e.required),
        "arguments" => opaque(v).map(|a| e.arguments = a).map(|()| true),
        "consulversion" => v.set_str(&mut e.consul_version),
        "envoyversion" => v.set_str(&mut e.envoy_version),
        _ => Ok(false),
    })
}

fn upstream(v: &Json, u: &mut Upstream) -> Result<(), DecodeError> {
    fields(v, "structs.Upstream", |k, v| match k {
        "destinationtype" | "destination_type" => v.set_str(&mut u.destination_type),
        "destinationnamespace" | "destination_namespace" => v.set_str(&mut u.destination_namespace),
        "destinationpartition" | "destination_partition" => v.set_str(&mut u.destination_partition),
        "destinationpeer" | "destination_peer" => v.set_str(&mut u.destination_peer),
        "destinationname" | "destination_name" => v.set_str(&mut u.destination_name),
        "datacenter" => v.set_str(&mut u.datacenter),
        "localbindaddress" | "local_bind_address" => v.set_str(&mut u.local_bind_address),
        "localbindport" | "local_bind_port" => v.set_i64(&mut u.local_bind_port),
        "localbindsocketpath" | "local_bind_socket_path" => v.set_str(&mut u.local_bind_socket_path),
        "localbindsocketmode" | "local_bind_socket_mode" => v.set_str(&mut u.local_bind_socket_mode),
        "config" => opaque(v).map(|c| u.config = c).map(|()| true),
        "meshgateway" | "mesh_gateway" => mesh_gateway(v, &mut u.mesh_gateway),
        "centrallyconfigured" => v.set_bool(&mut u.centrally_configured),
        "ingresshosts" => ignore(v),
        _ => Ok(false),
    })
}

fn mesh_gateway(v: &Json, m: &mut MeshGatewayConfig) -> Result<bool, DecodeError> {
    fields(v, "structs.MeshGatewayConfig", |k, v| match k {
        "mode" => v.set_str(&mut m.mode),
        _ => Ok(false),
    })?;
    Ok(true)
}

fn expose(v: &Json, e: &mut ExposeConfig) -> Result<bool, DecodeError> {
    fields(v, "structs.ExposeConfig", |k, v| match k {
        "checks" => v.set_bool(&mut e.checks),
        "paths" => list(v, "[]structs.ExposePath", expose_path, &mut e.paths),
        _ => Ok(false),
    })?;
    Ok(true)
}

fn expose_path(v: &Json, p: &mut ExposePath) -> Result<(), DecodeError> {
    fields(v, "structs.ExposePath", |k, v| match k {
        "listenerport" | "listener_port" => v.set_i64(&mut p.listener_port),
        "path" => v.set_str(&mut p.path),
        "localpathport" | "local_path_port" => v.set_i64(&mut p.local_path_port),
        "protocol" => v.set_str(&mut p.protocol),
        "parsedfromcheck" | "parsed_from_check" => v.set_bool(&mut p.parsed_from_check),
        _ => Ok(false),
    })
}

fn transparent(v: &Json, t: &mut TransparentProxy) -> Result<(), DecodeError> {
    fields(v, "structs.TransparentProxyConfig", |k, v| match k {
        "outboundlistenerport" | "outbound_listener_port" => v.set_i64(&mut t.outbound_listener_port),
        "dialeddirectly" | "dialed_directly" => v.set_bool(&mut t.dialed_directly),
        _ => Ok(false),
    })
}

fn access_logs(v: &Json, l: &mut AccessLogs) -> Result<(), DecodeError> {
    fields(v, "structs.AccessLogsConfig", |k, v| match k {
        "enabled" => v.set_bool(&mut l.enabled),
        "disablelistenerlogs" | "disable_listener_logs" => v.set_bool(&mut l.disable_listener_logs),
        "type" => v.set_str(&mut l.kind),
        "path" => v.set_str(&mut l.path),
        "jsonformat" | "json_format" => v.set_str(&mut l.json_format),
        "textformat" | "text_format" => v.set_str(&mut l.text_format),
        _ => Ok(false),
    })
}
