//! Health of this agent's services, for load balancers.

use crate::{
    context::Ctx,
    error::HttpError,
    reply::{Content, Reply},
};
use api::encode as e;
use http::StatusCode;
use std::sync::Arc;
use types::record::{HealthCheck, NodeService, status};

/// Status code of an aggregated state; of several instances the largest counts.
fn code(state: &str) -> StatusCode {
    match state {
        status::PASSING => StatusCode::OK,
        status::WARNING => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Order of badness.
fn rank(state: &str) -> u8 {
    match state {
        status::PASSING => 0,
        status::WARNING => 1,
        status::CRITICAL => 2,
        _ => 3,
    }
}

/// The checks that count for `service`, and what they amount to.
fn aggregate(service: &NodeService, all: &[Arc<HealthCheck>]) -> (&'static str, Vec<Arc<HealthCheck>>) {
    let mine: Vec<_> =
        all.iter().filter(|c| c.service_id.is_empty() || c.service_id == service.id).cloned().collect();
    (local::aggregate_status(mine.iter().map(Arc::as_ref)), mine)
}

fn wants_text(ctx: &Ctx<'_>) -> bool {
    ctx.params.get("format") == "text" || ctx.header("accept").is_some_and(|a| a.starts_with("text/plain"))
}

fn reply(ctx: &Ctx<'_>, code: StatusCode, reason: &str, json: Vec<u8>) -> Reply {
    let reply = if wants_text(ctx) {
        Reply::new(code, Content::Other("text/plain"), reason.to_owned())
    } else {
        Reply::new(code, Content::Json, json)
    };
    reply.with("x-consul-reason", reason)
}

fn instance(
    out: &mut Vec<u8>,
    state: &str,
    service: &NodeService,
    checks: &[Arc<HealthCheck>],
    datacenter: &str,
) {
    let mut o = e::Object::open(out);
    e::string(o.dynamic("AggregatedStatus"), state);
    e::agent_service(o.dynamic("Service"), service, datacenter, None);
    let mut a = e::Array::open(o.dynamic("Checks"));
    for c in checks {
        e::client_check(a.item(), c);
    }
    a.close();
    o.close();
}

pub(crate) fn by_id(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let id = ctx.tail;
    if id.is_empty() {
        return Err(HttpError::internal("Missing serviceID"));
    }
    let Some(service) = ctx.agent().service(id) else {
        let json = br#"{"AggregatedStatus":"critical","Service":null,"Checks":null}"#.to_vec();
        return Ok(reply(ctx, StatusCode::NOT_FOUND, &format!("ServiceId {id} not found"), json));
    };
    let all: Vec<_> = ctx.agent().checks().into_values().collect();
    let (state, checks) = aggregate(&service, &all);
    let mut out = Vec::with_capacity(1024);
    instance(&mut out, state, &service, &checks, &ctx.config.datacenter);
    Ok(reply(ctx, code(state), state, out))
}

pub(crate) fn by_name(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let name = ctx.tail;
    if name.is_empty() {
        return Err(HttpError::internal("Missing service Name"));
    }
    let all: Vec<_> = ctx.agent().checks().into_values().collect();
    let mut worst: Option<&'static str> = None;
    let mut out = Vec::with_capacity(1024);
    let mut a = e::Array::open(&mut out);
    for service in ctx.agent().services().values().filter(|s| *s.service == *name) {
        let (state, checks) = aggregate(service, &all);
        if worst.is_none_or(|w| rank(state) > rank(w)) {
            worst = Some(state);
        }
        instance(a.item(), state, service, &checks, &ctx.config.datacenter);
    }
    a.close();
    Ok(match worst {
        Some(state) => reply(ctx, code(state), state, out),
        None => reply(ctx, StatusCode::NOT_FOUND, &format!("ServiceName {name} Not Found"), out),
    })
}
