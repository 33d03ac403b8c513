//! `/v1/operator/*`

use super::done;
use crate::{
    context::{Ctx, parse_bool},
    error::HttpError,
    options::{Family, query_options},
    port::{KeyringOp, KeyringPool, PeerSelector},
    read::Read,
    reply::Reply,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use rpc::report::{AutopilotReport, ServerReport, ServerRole, ZoneReport};
use runtime::BoxFuture;
use serde_json::{Value, json};
use types::{
    Str,
    command::{Command, CommandResponse},
    query::Query,
    validate::error_list,
};

pub(crate) fn raft_configuration<'a>(
    ctx: &'a Ctx<'a>,
    _body: Bytes,
) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let stale = ctx.params.has("stale");
        let c = ctx.agent().raft_configuration(ctx.datacenter().as_deref(), stale).await?;
        let servers: Vec<Value> = c
            .servers
            .iter()
            .map(|s| {
                json!({
                    "ID": s.id, "Node": s.node, "Address": s.address, "Leader": s.leader,
                    "ProtocolVersion": "3", "Voter": s.voter, "LastIndex": s.last_index,
                })
            })
            .collect();
        Ok(Reply::json(json!({ "Servers": servers, "Index": c.index }).to_string()))
    })
}

pub(crate) fn raft_peer<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let selector = match (ctx.params.get("id"), ctx.params.get("address")) {
            ("", "") => {
                return Err(HttpError::bad_request(
                    "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove",
                ));
            }
            (id, "") => PeerSelector::Id(Str::new(id)),
            ("", address) => PeerSelector::Address(Str::new(address)),
            _ => return Err(HttpError::bad_request("Must specify only one of ?id or ?address")),
        };
        done(ctx.agent().raft_remove_peer(ctx.datacenter().as_deref(), selector).await)
    })
}

pub(crate) fn transfer_leader<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let id = Some(ctx.params.get("id")).filter(|id| !id.is_empty());
        ctx.agent().raft_transfer_leader(id).await?;
        Ok(Reply::json(r#"{"Success":true}"#))
    })
}

pub(crate) fn keyring<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let relay_factor = relay_factor(ctx)?;
        let local_only = local_only(ctx)?;
        let list = *ctx.method == Method::GET;
        let op = if list {
            KeyringOp::List { local_only }
        } else {
            let key = api::request::keyring_key(&body).map_err(|e| HttpError::decode(&e))?;
            match *ctx.method {
                Method::POST => KeyringOp::Install(key),
                Method::PUT => KeyringOp::Use(key),
                _ => KeyringOp::Remove(key),
            }
        };
        let pools = ctx.agent().keyring(op, relay_factor).await?;
        let errors = pool_errors(&pools);
        if !errors.is_empty() {
            return Err(HttpError::internal(error_list(errors.iter())));
        }
        if !list {
            return Ok(Reply::empty());
        }
        Ok(Reply::json(Value::from(pools.iter().map(pool).collect::<Vec<_>>()).to_string()))
    })
}

fn relay_factor(ctx: &Ctx<'_>) -> Result<u8, HttpError> {
    let text = ctx.params.get("relay-factor");
    if text.is_empty() {
        return Ok(0);
    }
    let n: i64 =
        text.parse().map_err(|e| HttpError::bad_request(format!("Error parsing relay factor: {e}")))?;
    u8::try_from(n)
        .ok()
        .filter(|n| *n <= 5)
        .ok_or_else(|| HttpError::bad_request("Invalid relay-factor: Relay factor must be in range: [0, 5]"))
}

fn local_only(ctx: &Ctx<'_>) -> Result<bool, HttpError> {
    let text = ctx.params.get("local-only");
    if text.is_empty() {
        return Ok(false);
    }
    let local_only = parse_bool(text).ok_or_else(|| {
        HttpError::bad_request(format!(
            "Error parsing local-only: {} is not a bool",
            api::decode::quote(text)
        ))
    })?;
    if local_only && *ctx.method != Method::GET {
        return Err(HttpError::bad_request(
            "Invalid use of local-only: local-only can only be set for list requests",
        ));
    }
    Ok(local_only)
}

/// The failures of all pools, a line for the pool and one for each member.
fn pool_errors(pools: &[KeyringPool]) -> Vec<String> {
    let mut out = Vec::new();
    for p in pools.iter().filter(|p| !p.error.is_empty()) {
        out.push(match p.wan {
            true => format!("WAN error: {}", p.error),
            false => format!("{} (LAN) error: {}", p.datacenter, p.error),
        });
        out.extend(p.messages.iter().map(|(node, text)| format!("{node}: {text}")));
    }
    out
}

fn pool(p: &KeyringPool) -> Value {
    let mut v = json!({
        "WAN": p.wan, "Datacenter": p.datacenter, "Segment": "", "Keys": p.keys, "PrimaryKeys": p.primary_keys,
        "NumNodes": p.num_nodes,
    });
    if !p.messages.is_empty() {
        v["Messages"] = json!(p.messages);
    }
    v
}

pub(crate) fn autopilot(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    // Not a blocking endpoint.
    options.min_index = 0;
    Ok(Read { meta: false, ..Read::plain(Query::Autopilot, options) })
}

pub(crate) fn set_autopilot<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let config = api::request::autopilot_config(&body)
            .map_err(|e| HttpError::bad_request(format!("Error parsing autopilot config: {e}")))?;
        let cas = match ctx.params.get("cas") {
            "" if !ctx.params.has("cas") => None,
            text => Some(text.parse::<u64>().map_err(|e| {
                HttpError::bad_request(format!("Error parsing cas value: {}: {e}", api::decode::quote(text)))
            })?),
        };
        let command = Command::AutopilotSet { config, cas };
        let (_index, answer) =
            ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await?;
        Ok(Reply::bool(!matches!(answer, CommandResponse::Bool(false))))
    })
}

pub(crate) fn autopilot_health<'a>(
    ctx: &'a Ctx<'a>,
    _body: Bytes,
) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let report = ctx.agent().autopilot(ctx.datacenter().as_deref()).await?;
        let servers: Vec<Value> = report
            .servers
            .iter()
            .map(|s| {
                json!({
                    "ID": s.id, "Name": s.name, "Address": s.address, "SerfStatus": s.status.as_str(),
                    "Version": s.version, "Leader": s.leader, "LastContact": last_contact(s),
                    "LastTerm": s.last_term, "LastIndex": s.last_index, "Healthy": s.healthy, "Voter": s.voter,
                    "StableSince": stable_since(s),
                })
            })
            .collect();
        let body = json!({
            "Healthy": report.healthy, "FailureTolerance": report.failure_tolerance, "Servers": servers,
        });
        let status = if report.healthy { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        Ok(Reply::json(body.to_string()).status(status))
    })
}

pub(crate) fn autopilot_state<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let report = ctx.agent().autopilot(ctx.datacenter().as_deref()).await?;
        Ok(Reply::json(state(&report).to_string()))
    })
}

fn state(report: &AutopilotReport) -> Value {
    let servers: serde_json::Map<String, Value> =
        report.servers.iter().map(|s| (s.id.to_string(), server_state(s))).collect();
    let ids = |wanted: fn(&ServerReport) -> bool| {
        report.servers.iter().filter(|s| wanted(s)).map(|s| s.id.as_str()).collect::<Vec<_>>()
    };
    let mut out = json!({
        "Healthy": report.healthy,
        "FailureTolerance": report.failure_tolerance,
        "OptimisticFailureTolerance": report.optimistic_failure_tolerance,
        "Servers": servers,
        "Leader": ids(|s| s.leader).first().copied().unwrap_or_default(),
        "Voters": ids(|s| s.voter),
    });
    // Both are left out when there are none.
    let replicas = ids(|s| s.role == ServerRole::ReadReplica);
    if !replicas.is_empty() {
        out["ReadReplicas"] = json!(replicas);
    }
    if !report.zones.is_empty() {
        let zones: serde_json::Map<String, Value> = report.zones.iter().map(zone_state).collect();
        out["RedundancyZones"] = Value::Object(zones);
    }
    out
}

fn server_state(s: &ServerReport) -> Value {
    let status = match (s.leader, s.voter) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "non-voter",
    };
    let mut out = json!({
        "ID": s.id, "Name": s.name, "Address": s.address, "NodeStatus": s.status.as_str(),
        "Version": s.version, "LastContact": last_contact(s),
        "LastTerm": s.last_term, "LastIndex": s.last_index, "Healthy": s.healthy,
        "StableSince": stable_since(s), "ReadReplica": s.role == ServerRole::ReadReplica, "Status": status,
        "Meta": s.meta, "NodeType": s.role.as_str(),
    });
    if !s.zone.is_empty() {
        out["RedundancyZone"] = json!(s.zone);
    }
    out
}

fn zone_state(zone: &ZoneReport) -> (String, Value) {
    let body = json!({
        "Servers": zone.servers, "Voters": zone.voters, "FailureTolerance": zone.failure_tolerance,
    });
    (zone.name.to_string(), body)
}

fn last_contact(s: &ServerReport) -> String {
    api::duration::format(s.last_contact)
}

fn stable_since(s: &ServerReport) -> String {
    api::time::rfc3339(i64::try_from(s.stable_since_ms).unwrap_or(i64::MAX))
}
