//! `PUT /v1/agent/service/register`.

use super::{
    check::service_check,
    proxy::{list, proxy},
};
use crate::decode::{DecodeError, Json, fields, first_value, ignore, lenient_fields, str_list, str_map};
use std::collections::BTreeMap;
use types::{
    Str, Tenancy,
    definition::ServiceDefinition,
    record::{Locality, ServiceAddress, Weights},
};

/// A service definition.
///
/// # Errors
/// What is wrong with the body. Rules about the meaning are checked elsewhere.
pub fn service_definition(body: &[u8]) -> Result<ServiceDefinition, DecodeError> {
    service(&first_value(body)?)
}

fn service(v: &Json) -> Result<ServiceDefinition, DecodeError> {
    let mut d = ServiceDefinition::default();
    // The single check comes first whatever the order of the keys.
    let mut single = None;
    let (mut partition, mut namespace) = (Str::default(), Str::default());
    fields(v, "structs.ServiceDefinition", |k, v| match k {
        "kind" => v.set_str(&mut d.kind),
        "id" => v.set_str(&mut d.id),
        "name" => v.set_str(&mut d.name),
        "tags" => str_list(v).map(|t| d.tags = t).map(|()| true),
        "address" => v.set_str(&mut d.address),
        "taggedaddresses" | "tagged_addresses" => {
            d.tagged_addresses = tagged_addresses(v)?;
            Ok(true)
        }
        "meta" => str_map(v).map(|m| d.meta = m).map(|()| true),
        "port" => v.set_i64(&mut d.port),
        "socketpath" => v.set_str(&mut d.socket_path),
        "check" => {
            if *v != Json::Null {
                let mut c = Default::default();
                service_check(v, &mut c)?;
                single = Some(c);
            }
            Ok(true)
        }
        "checks" => list(v, "structs.CheckTypes", service_check, &mut d.checks),
        "weights" => weights(v).map(|w| d.weights = w).map(|()| true),
        "token" => v.set_secret(&mut d.token),
        "enabletagoverride" | "enable_tag_override" => v.set_bool(&mut d.enable_tag_override),
        "locality" => locality(v).map(|l| d.locality = l).map(|()| true),
        "proxy" => proxy(v).map(|p| d.proxy = p).map(|()| true),
        "connect" => connect(v, &mut d).map(|()| true),
        "namespace" => v.set_str(&mut namespace),
        "partition" => v.set_str(&mut partition),
        _ => Ok(false),
    })?;
    d.checks.splice(0..0, single);
    d.tenancy = Tenancy::new(&partition, &namespace);
    Ok(d)
}

/// Unknown keys of this block are passed over; the sidecar's definition is strict again.
fn connect(v: &Json, d: &mut ServiceDefinition) -> Result<(), DecodeError> {
    lenient_fields(v, "structs.ServiceConnect", |k, v| match k {
        "native" => v.set_bool(&mut d.native),
        "sidecarservice" | "sidecar_service" => {
            d.sidecar = if *v == Json::Null { None } else { Some(Box::new(service(v)?)) };
            Ok(true)
        }
        _ => ignore(v),
    })
}

/// Named addresses; `null` is none.
pub(super) fn tagged_addresses(v: &Json) -> Result<Option<BTreeMap<Str, ServiceAddress>>, DecodeError> {
    let o = match v {
        Json::Null => return Ok(None),
        Json::Object(o) => o,
        v => {
            return Err(DecodeError::Type {
                found: v.kind().to_owned(),
                wanted: "map[string]structs.ServiceAddress",
            });
        }
    };
    let mut out = BTreeMap::new();
    for (name, v) in o {
        let mut a = ServiceAddress::default();
        fields(v, "structs.ServiceAddress", |k, v| match k {
            "address" => v.set_str(&mut a.address),
            "port" => v.set_i64(&mut a.port),
            _ => Ok(false),
        })?;
        out.insert(Str::new(name), a);
    }
    Ok(Some(out))
}

/// Weights; a given object starts from zero, not from the default.
pub(super) fn weights(v: &Json) -> Result<Option<Weights>, DecodeError> {
    let mut w = Weights { passing: 0, warning: 0 };
    fields(v, "structs.Weights", |k, v| match k {
        "passing" => v.set_i64(&mut w.passing),
        "warning" => v.set_i64(&mut w.warning),
        _ => Ok(false),
    })?;
    Ok(if *v == Json::Null { None } else { Some(w) })
}

/// Region and zone.
pub(super) fn locality(v: &Json) -> Result<Option<Locality>, DecodeError> {
    let mut l = Locality::default();
    fields(v, "structs.Locality", |k, v| match k {
        "region" => v.set_str(&mut l.region),
        "zone" => v.set_str(&mut l.zone),
        _ => Ok(false),
    })?;
    Ok(if *v == Json::Null { None } else { Some(l) })
}
