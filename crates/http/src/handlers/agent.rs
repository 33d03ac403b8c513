//! The agent itself: identity, pools, life, metrics, logs.

use super::{done, filter};
use crate::{
    context::{Ctx, parse_bool},
    dispatch::acl_disabled,
    error::HttpError,
    port::{AgentTokenKind, LogLevel, SelfInfo},
    reply::{Content, Reply, ReplyBody},
};
use api::encode as e;
use bytes::Bytes;
use runtime::BoxFuture;
use serde_json::json;
use types::member::Member;

/// Versions of Envoy that this API level drives.
const ENVOY_VERSIONS: [&str; 4] = ["1.34.1", "1.33.2", "1.32.5", "1.31.8"];

pub(crate) fn self_info(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let SelfInfo { config, debug_config, coord, member, stats, meta, xds } = ctx.agent().self_info();
    let mut c = json!({
        "Datacenter": config.datacenter,
        "PrimaryDatacenter": config.primary_datacenter,
        "NodeName": config.node_name,
        "NodeID": config.node_id,
        "Revision": config.revision,
        "Server": config.server,
        "Version": config.version,
        "BuildDate": config.build_date,
    });
    if !config.partition.is_empty() && config.partition != "default" {
        c["Partition"] = json!(config.partition);
    }
    let mut out = Vec::with_capacity(4096);
    let mut o = e::Object::open(&mut out);
    o.dynamic("Config").extend_from_slice(c.to_string().as_bytes());
    o.dynamic("DebugConfig").extend_from_slice(debug_config.to_string().as_bytes());
    o.dynamic("Coord").extend_from_slice(coord.to_string().as_bytes());
    match &member {
        Some(m) => e::member(o.dynamic("Member"), m),
        None => o.dynamic("Member").extend_from_slice(b"null"),
    }
    let mut groups = e::Object::open(o.dynamic("Stats"));
    for (group, values) in &stats {
        e::string_map(groups.dynamic(group), values);
    }
    groups.close();
    e::string_map(o.dynamic("Meta"), &meta);
    if let Some(x) = xds {
        let port = if x.tls > 0 { x.tls } else { x.plaintext };
        let x = json!({
            "SupportedProxies": { "envoy": ENVOY_VERSIONS },
            "Port": port,
            "Ports": { "Plaintext": x.plaintext, "TLS": x.tls },
        });
        o.dynamic("xDS").extend_from_slice(x.to_string().as_bytes());
    }
    o.close();
    Ok(Reply::json(out))
}

pub(crate) fn version(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let v = ctx.agent().version();
    let mut out = Vec::with_capacity(128);
    let mut o = e::Object::open(&mut out);
    e::string(o.dynamic("SHA"), &v.sha);
    e::string(o.dynamic("BuildDate"), &v.build_date);
    e::string(o.dynamic("HumanVersion"), &v.human_version);
    e::string(o.dynamic("FIPS"), "");
    o.close();
    Ok(Reply::json(out))
}

pub(crate) fn host<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { Ok(Reply::json(ctx.agent().host().await?.to_string())) })
}

pub(crate) fn members(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let wan = !ctx.params.get("wan").is_empty();
    match ctx.params.get("segment") {
        "" => {}
        _ if wan => return Err(HttpError::bad_request("Cannot provide a segment with wan=true")),
        "_all" => {}
        _ => {
            return Err(HttpError::internal("Network segments are not supported in this version of Consul"));
        }
    }
    let filter = filter::<Member>(ctx)?;
    let mut out = Vec::with_capacity(1024);
    match ctx.agent().members(wan) {
        Some(members) => {
            e::members(&mut out, members.iter().filter(|m| filter.as_ref().is_none_or(|f| f.matches(m))));
        }
        None => out.extend_from_slice(b"null"),
    }
    Ok(Reply::json(out))
}

pub(crate) fn join<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let wan = !ctx.params.get("wan").is_empty();
        done(ctx.agent().join(ctx.tail, wan).await)
    })
}

pub(crate) fn leave<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { done(ctx.agent().leave().await) })
}

pub(crate) fn force_leave<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let (prune, wan) = (ctx.params.has("prune"), ctx.params.has("wan"));
        done(ctx.agent().force_leave(ctx.tail, prune, wan).await)
    })
}

pub(crate) fn reload<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { done(ctx.agent().reload().await) })
}

/// The required parameter `enable`.
pub(super) fn enable(ctx: &Ctx<'_>) -> Result<bool, HttpError> {
    match ctx.params.get("enable") {
        "" => Err(HttpError::bad_request("Missing value for enable")),
        text => parse_bool(text).ok_or_else(|| {
            HttpError::bad_request(format!("Invalid value for enable: {}", api::decode::quote(text)))
        }),
    }
}

pub(crate) fn maintenance<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let enable = enable(ctx)?;
        done(ctx.agent().node_maintenance(enable, ctx.params.get("reason"), ctx.token()).await)
    })
}

pub(crate) fn token<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        if !ctx.config.acl_enabled {
            return Err(acl_disabled());
        }
        let token = api::request::token_body(&body).map_err(|e| HttpError::decode(&e))?;
        let kind = match ctx.tail {
            "default" | "acl_token" => AgentTokenKind::Default,
            "agent" | "acl_agent_token" => AgentTokenKind::Agent,
            "agent_recovery" | "agent_master" | "acl_agent_master_token" => AgentTokenKind::AgentRecovery,
            "replication" | "acl_replication_token" => AgentTokenKind::Replication,
            "config_file_service_registration" => AgentTokenKind::ConfigFileServiceRegistration,
            "dns" | "dns_token" => AgentTokenKind::Dns,
            other => {
                let text = format!("Token {} is unknown", api::decode::quote(other));
                return Err(HttpError::not_found(text));
            }
        };
        done(ctx.agent().set_token(kind, token).await)
    })
}

pub(crate) fn metrics(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let accepts = ctx.header("accept").is_some_and(|a| {
        a.split(',').map(|t| t.replace(' ', "")).any(|t| {
            t.starts_with("application/openmetrics-text") || t.starts_with("text/plain;version=0.4.0")
        })
    });
    if !accepts && ctx.params.get("format") != "prometheus" {
        return Ok(Reply::json(ctx.agent().metrics_json()));
    }
    Ok(match ctx.agent().metrics_prometheus() {
        Some(text) => {
            Reply::new(http::StatusCode::OK, Content::Other("text/plain; version=0.0.4; charset=utf-8"), text)
        }
        None => Reply::empty()
            .with("x-consul-reason", "Prometheus is not enabled since its retention time is not positive"),
    })
}

fn stream(rx: tokio::sync::mpsc::Receiver<Bytes>, content: Content) -> Reply {
    let mut reply = Reply::empty();
    reply.content = content;
    reply.body = ReplyBody::Stream(rx);
    reply
}

pub(crate) fn metrics_stream(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    Ok(stream(ctx.agent().metrics_stream(), Content::Json))
}

pub(crate) fn monitor(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let text = ctx.params.get("loglevel");
    let level = match text.to_ascii_uppercase().as_str() {
        "TRACE" => LogLevel::Trace,
        "DEBUG" => LogLevel::Debug,
        "" | "INFO" => LogLevel::Info,
        "WARN" => LogLevel::Warn,
        "ERR" | "ERROR" => LogLevel::Error,
        _ => return Err(HttpError::bad_request(format!("Unknown log level: {text}"))),
    };
    Ok(stream(ctx.agent().monitor(level, ctx.params.has("logjson")), Content::Text))
}
