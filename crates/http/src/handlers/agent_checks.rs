//! Checks of this agent.

use super::{done, filter, refused};
use crate::{context::Ctx, error::HttpError, reply::Reply};
use bytes::Bytes;
use runtime::BoxFuture;
use std::sync::Arc;
use types::record::{HealthCheck, status};

pub(crate) fn list(ctx: &Ctx<'_>) -> Result<Reply, HttpError> {
    let filter = filter::<HealthCheck>(ctx)?;
    let mut checks = ctx.agent().checks();
    checks.retain(|_, c| filter.as_ref().is_none_or(|f| f.matches(c)));
    let mut out = Vec::with_capacity(checks.len() * 384);
    api::encode::agent_checks(&mut out, checks.values().map(Arc::as_ref));
    Ok(Reply::json(out))
}

pub(crate) fn register<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut check = api::request::check_definition(&body).map_err(|e| HttpError::decode(&e))?;
        local::check_request(&check).map_err(refused)?;
        if check.tenancy.is_default() {
            check.tenancy = ctx.tenancy();
        }
        done(ctx.agent().register_check(check, ctx.token()).await)
    })
}

pub(crate) fn deregister<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { done(ctx.agent().deregister_check(ctx.tail, ctx.token()).await) })
}

pub(crate) fn pass<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    note(ctx, status::PASSING)
}

pub(crate) fn warn<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    note(ctx, status::WARNING)
}

pub(crate) fn fail<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    note(ctx, status::CRITICAL)
}

fn note<'a>(ctx: &'a Ctx<'a>, status: &'static str) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move { done(ctx.agent().update_ttl(ctx.tail, status, ctx.params.get("note")).await) })
}

pub(crate) fn update<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let update = api::request::ttl_update(&body).map_err(|e| HttpError::decode(&e))?;
        let status = match update.status.as_str() {
            status::PASSING => status::PASSING,
            status::WARNING => status::WARNING,
            status::CRITICAL => status::CRITICAL,
            other => return Err(HttpError::bad_request(format!("Invalid check status: '{other}'"))),
        };
        done(ctx.agent().update_ttl(ctx.tail, status, &update.output).await)
    })
}
