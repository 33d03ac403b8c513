//! `/v1/operator/*`

use super::done;
use crate::{
    context::{Ctx, parse_bool},
    error::HttpError,
    options::{Family, query_options},
    port::{AutopilotHealth, KeyringOp, KeyringPool, PeerSelector, ServerHealth},
    read::Read,
    reply::Reply,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use runtime::BoxFuture;
use serde_json::{Value, json};
use types::{
    Str,
    command::{Command, CommandResponse},
    member::MemberStatus,
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
        let h = ctx.agent().autopilot_health(ctx.datacenter().as_deref()).await?;
        let servers: Vec<Value> = h
            .servers
            .iter()
            .map(|s| {
                json!({
                    "ID": s.id, "Name": s.name, "Address": s.address, "SerfStatus": s.serf_status,
                    "Version": s.version, "Leader": s.leader, "LastContact": api::duration::format(s.last_contact),
                    "LastTerm": s.last_term, "LastIndex": s.last_index, "Healthy": s.healthy, "Voter": s.voter,
                    "StableSince": stable_since(s),
                })
            })
            .collect();
        let body =
            json!({ "Healthy": h.healthy, "FailureTolerance": h.failure_tolerance, "Servers": servers });
        let status = if h.healthy { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        Ok(Reply::json(body.to_string()).status(status))
    })
}

pub(crate) fn autopilot_state<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let h = ctx.agent().autopilot_health(ctx.datacenter().as_deref()).await?;
        Ok(Reply::json(state(&h).to_string()))
    })
}

fn state(h: &AutopilotHealth) -> Value {
    let servers: serde_json::Map<String, Value> = h
        .servers
        .iter()
        .map(|s| {
            let status = match (s.leader, s.voter) {
                (true, _) => "leader",
                (false, true) => "voter",
                (false, false) => "non-voter",
            };
            let v = json!({
                "ID": s.id, "Name": s.name, "Address": s.address, "NodeStatus": s.serf_status,
                "Version": s.version, "LastContact": api::duration::format(s.last_contact),
                "LastTerm": s.last_term, "LastIndex": s.last_index, "Healthy": s.healthy,
                "StableSince": stable_since(s), "ReadReplica": s.read_replica, "Status": status,
                "Meta": s.meta, "NodeType": if s.read_replica { "read-replica" } else { "voter" },
            });
            (s.id.to_string(), v)
        })
        .collect();
    let alive_voters =
        h.servers.iter().filter(|s| s.voter && s.serf_status == MemberStatus::Alive.as_str()).count() as u64;
    let voters: Vec<&Str> = h.servers.iter().filter(|s| s.voter).map(|s| &s.id).collect();
    json!({
        "Healthy": h.healthy,
        "FailureTolerance": h.failure_tolerance,
        "OptimisticFailureTolerance": alive_voters.saturating_sub(1) / 2,
        "Servers": servers,
        "Leader": h.servers.iter().find(|s| s.leader).map_or("", |s| s.id.as_str()),
        "Voters": voters,
    })
}

fn stable_since(s: &ServerHealth) -> String {
    api::time::rfc3339(i64::try_from(s.stable_since_ms).unwrap_or(i64::MAX))
}
