//! `/v1/session/*`

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::Read,
    reply::Reply,
};
use bytes::Bytes;
use runtime::BoxFuture;
use types::{NodeName, RequestError, Str, command::Command, query::Query};

const NO_SESSION: &str = "Missing session";

pub(crate) fn create<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let request = api::request::session(&body).map_err(|e| HttpError::decode(&e))?;
        let datacenter = ctx.datacenter();
        if datacenter.is_some() && !ctx.config.server {
            return Err(HttpError::internal("cross datacenter lock must be created at server agent"));
        }
        let ttl_min = i64::try_from(ctx.config.session_ttl_min.as_nanos()).unwrap_or(i64::MAX);
        let mut session = request.check(ttl_min).map_err(HttpError::internal)?;
        session.id = ctx.agent().fresh_id();
        session.tenancy = ctx.tenancy();
        if session.node.is_empty() {
            session.node = NodeName::from(ctx.config.node_name.clone());
        }
        let id = session.id.clone();
        let command = Command::SessionCreate(Box::new(session));
        let done = ctx.server.submit.submit(datacenter.as_deref(), &ctx.token(), command).await;
        done.map_err(|e| match e {
            RequestError::Refused(text) => HttpError::internal(format!("apply failed: {text}")),
            other => other.into(),
        })?;
        Ok(Reply::json(format!("{{\"ID\":\"{id}\"}}")))
    })
}

pub(crate) fn destroy<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let id = Str::new(ctx.required_tail(NO_SESSION)?);
        let command = Command::SessionDestroy { tenancy: ctx.tenancy(), id };
        ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await?;
        Ok(Reply::bool(true))
    })
}

pub(crate) fn renew<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let id = Str::new(ctx.required_tail(NO_SESSION)?);
        let (dc, token) = (ctx.datacenter(), ctx.token());
        let renewed = ctx.agent().renew_session(dc.as_deref(), &ctx.tenancy(), &id, token).await?;
        let session = renewed.ok_or_else(|| HttpError::not_found(format!("Session id '{id}' not found")))?;
        let mut out = Vec::new();
        api::encode::sessions(&mut out, [&*session]);
        Ok(Reply::json(out))
    })
}

pub(crate) fn info(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let id = Str::new(ctx.required_tail(NO_SESSION)?);
    list_of(ctx, Query::Session { tenancy: ctx.tenancy(), id })
}

pub(crate) fn of_node(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let node = NodeName::new(ctx.required_tail("Missing node name")?);
    list_of(ctx, Query::NodeSessions { tenancy: ctx.tenancy(), node })
}

pub(crate) fn list(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    list_of(ctx, Query::Sessions { tenancy: ctx.tenancy() })
}

fn list_of(ctx: &Ctx<'_>, query: Query) -> Result<Read, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    options.filter = None;
    options.node_meta = Vec::new();
    Ok(Read { meta_on_error: true, ..Read::plain(query, options) })
}
