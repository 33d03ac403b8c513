//! Services of this agent.

use super::{done, filter, refused};
use crate::{context::Ctx, error::HttpError, reply::Reply};
use bytes::Bytes;
use runtime::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use types::record::NodeService;

pub(crate) fn list(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let filter = filter::<NodeService>(ctx)?;
    let mut services = ctx.agent().services();
    services.retain(|_, s| filter.as_ref().is_none_or(|f| f.matches(s)));
    let mut out = Vec::with_capacity(services.len() * 384);
    api::encode::agent_services(&mut out, services.values().map(Arc::as_ref), &ctx.config.datacenter);
    Ok(Reply::json(out))
}

pub(crate) fn get<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let id = ctx.tail;
        let dc = &ctx.config.datacenter;
        let known = ctx.params.get("hash");
        let deadline = if known.is_empty() { None } else { Some(Instant::now() + wait_time(ctx)?) };
        loop {
            // Asked for before looking, so that no change between the two is missed.
            let changed = ctx.agent().services_changed();
            let Some(service) = ctx.agent().service(id) else {
                return Err(HttpError::not_found(format!("unknown service ID: {id}")));
            };
            let hash = local::service_hash(&service);
            let expired = deadline.is_none_or(|d| Instant::now() >= d);
            if expired || hash.as_str() != known {
                let mut out = Vec::with_capacity(512);
                api::encode::agent_service(&mut out, &service, dc, Some(hash.as_str()));
                return Ok(Reply::json(out).with("x-consul-contenthash", hash.as_str()));
            }
            if let Some(deadline) = deadline {
                // Whether it changed or the time is up is seen in the next round.
                let _ = tokio::time::timeout_at(deadline, changed).await;
            }
        }
    })
}

/// `wait` with its default, bound and jitter.
pub(super) fn wait_time(ctx: &Ctx<'_>) -> Result<Duration, HttpError> {
    let wait = match ctx.params.get("wait") {
        "" => Duration::ZERO,
        text => api::duration::parse(text).map_err(|_e| HttpError::bad_request("Invalid wait time"))?,
    };
    let wait =
        if wait.is_zero() { ctx.config.default_query_time } else { wait.min(ctx.config.max_query_time) };
    Ok(wait + wait.mul_f64(ctx.server.jitter() / 16.0))
}

pub(crate) fn register<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut service = api::request::service_definition(&body).map_err(|e| HttpError::decode(&e))?;
        local::service_request(&service).map_err(refused)?;
        if service.tenancy.is_default() {
            service.tenancy = ctx.tenancy();
        }
        let replace = ctx.params.has("replace-existing-checks")
            && matches!(ctx.params.get("replace-existing-checks"), "" | "true");
        done(ctx.agent().register_service(service, replace, ctx.token()).await)
    })
}

pub(crate) fn deregister<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { done(ctx.agent().deregister_service(ctx.tail, ctx.token()).await) })
}

pub(crate) fn maintenance<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let id = ctx.required_tail("Missing service ID")?;
        let enable = super::agent::enable(ctx)?;
        let reason = ctx.params.get("reason");
        done(ctx.agent().service_maintenance(id, enable, reason, ctx.token()).await)
    })
}
