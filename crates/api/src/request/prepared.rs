//! Bodies of `/v1/query`.

use crate::{
    decode::{DecodeError, Json, fields, first_value, ignore},
    duration,
};
use types::{
    Str,
    prepared::{FailoverTarget, PreparedQuery, QueryFailover, QueryService},
    record::Map,
};

/// A query as it was sent.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct PreparedQueryBody {
    /// The query.
    pub query: PreparedQuery,
    /// Why its TTL is no duration.
    pub bad_ttl: Option<String>,
}

/// Reads a query.
///
/// # Errors
/// What is wrong with the body.
pub fn prepared_query(body: &[u8]) -> Result<PreparedQueryBody, DecodeError> {
    let mut q = PreparedQuery::default();
    fields(&first_value(body)?, "structs.PreparedQuery", |k, v| match k {
        "id" => v.set_str(&mut q.id),
        "name" => v.set_str(&mut q.name),
        "session" => v.set_str(&mut q.session),
        "token" => v.set_secret(&mut q.token),
        "template" => {
            let t = &mut q.template;
            fields(v, "structs.QueryTemplateOptions", |k, v| match k {
                "type" => v.set_str(&mut t.kind),
                "regexp" => v.set_str(&mut t.regexp),
                "removeemptytags" => v.set_bool(&mut t.remove_empty_tags),
                _ => Ok(false),
            })?;
            Ok(true)
        }
        "service" => service(v, &mut q.service).map(|()| true),
        "dns" => {
            let ttl = &mut q.dns_ttl;
            fields(v, "structs.QueryDNSOptions", |k, v| match k {
                "ttl" => v.set_str(ttl),
                _ => Ok(false),
            })?;
            Ok(true)
        }
        "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    let mut bad_ttl = None;
    if !q.dns_ttl.is_empty() {
        match duration::parse_ns(&q.dns_ttl) {
            Ok(ns) => q.dns_ttl_ns = ns,
            Err(e) => bad_ttl = Some(e.to_string()),
        }
    }
    Ok(PreparedQueryBody { query: q, bad_ttl })
}

fn service(v: &Json, s: &mut QueryService) -> Result<(), DecodeError> {
    fields(v, "structs.ServiceQuery", |k, v| match k {
        "service" => v.set_str(&mut s.service),
        "samenessgroup" => v.set_str(&mut s.sameness_group),
        "failover" => failover(v, &mut s.failover).map(|()| true),
        "onlypassing" => v.set_bool(&mut s.only_passing),
        "ignorecheckids" => list(v, &mut s.ignore_check_ids),
        "near" => v.set_str(&mut s.near),
        "tags" => list(v, &mut s.tags),
        "nodemeta" => map(v, &mut s.node_meta),
        "servicemeta" => map(v, &mut s.service_meta),
        "connect" => v.set_bool(&mut s.connect),
        "peer" => v.set_str(&mut s.peer),
        "enterprisemeta" => ignore(v),
        _ => Ok(false),
    })
}

fn failover(v: &Json, f: &mut QueryFailover) -> Result<(), DecodeError> {
    fields(v, "structs.QueryFailoverOptions", |k, v| match k {
        "nearestn" => v.set_i64(&mut f.nearest_n),
        "datacenters" => list(v, &mut f.datacenters),
        "targets" => {
            match v {
                Json::Null => {}
                Json::Array(all) => f.targets = Some(all.iter().map(target).collect::<Result<_, _>>()?),
                other => return wrong(other, "[]structs.QueryFailoverTarget"),
            }
            Ok(true)
        }
        _ => Ok(false),
    })
}

fn target(v: &Json) -> Result<FailoverTarget, DecodeError> {
    let mut t = FailoverTarget::default();
    fields(v, "structs.QueryFailoverTarget", |k, v| match k {
        "peer" => v.set_str(&mut t.peer),
        "datacenter" => v.set_str(&mut t.datacenter),
        "partition" | "namespace" => ignore(v),
        _ => Ok(false),
    })?;
    Ok(t)
}

fn wrong<T>(v: &Json, wanted: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::Type { found: v.kind().to_owned(), wanted })
}

fn list(v: &Json, to: &mut Option<Vec<Str>>) -> Result<bool, DecodeError> {
    match v {
        Json::Null => {}
        Json::Array(all) => {
            let text = |v: &Json| {
                let mut s = Str::default();
                v.set_str(&mut s).map(|_known| s)
            };
            *to = Some(all.iter().map(text).collect::<Result<_, _>>()?);
        }
        other => return wrong(other, "[]string"),
    }
    Ok(true)
}

fn map(v: &Json, to: &mut Option<Map>) -> Result<bool, DecodeError> {
    match v {
        Json::Null => {}
        Json::Object(all) => {
            let mut out = Map::default();
            for (k, v) in all {
                let mut s = Str::default();
                v.set_str(&mut s)?;
                out.insert(Str::new(k), s);
            }
            *to = Some(out);
        }
        other => return wrong(other, "map[string]string"),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_query_is_read_and_unknown_fields_are_errors() {
        let body = br#"{"name":"q","Service":{"Service":"db","Tags":["a","!b"],"NodeMeta":{"k":"v"},"Failover":
            {"NearestN":2,"Targets":[{"Peer":"p"}]}},"DNS":{"TTL":"10s"},"Template":{"Type":"name_prefix_match"}}"#;
        let PreparedQueryBody { query: q, bad_ttl } = prepared_query(body).unwrap();
        assert_eq!((q.name.as_str(), q.dns_ttl_ns, bad_ttl), ("q", 10_000_000_000, None));
        assert_eq!(q.service.tags.as_ref().map(Vec::len), Some(2));
        assert_eq!(q.service.failover.targets.as_ref().map(|t| t[0].peer.to_string()), Some("p".into()));
        assert!(prepared_query(br#"{"DNS":{"TTL":"bogus"}}"#).unwrap().bad_ttl.is_some());
        for bad in [r#"{"Bogus":1}"#, r#"{"Service":{"x":1}}"#, r#"{"Service":{"Tags":[1]}}"#, "{", "", "[]"]
        {
            assert!(prepared_query(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
