//! `/v1/catalog/*`

use super::string_list;
use crate::{
    agent_cache::cache_control,
    context::Ctx,
    dispatch::own_datacenter,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape, peer, tags},
    reply::Reply,
};
use bytes::Bytes;
use runtime::BoxFuture;
use types::{
    DatacenterName, NodeName, ServiceName,
    command::{Command, CommandResponse},
    query::{Query, ServiceLookup},
};

const NO_SERVICE: &str = "Missing service name";
const NO_NODE: &str = "Missing node name";

pub(crate) fn datacenters<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let cached = cache_control(ctx)?;
        // The list comes from gossip, so that it is always as good as a cached one.
        let reply = string_list(&ctx.agent().datacenters().await?);
        Ok(match cached {
            Some(_) => reply.with("x-cache", "MISS"),
            None => reply,
        })
    })
}

pub(crate) fn nodes(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    Ok(Read::discovery(Query::Nodes { tenancy: ctx.tenancy(), peer: peer(ctx) }, options))
}

pub(crate) fn services(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let query = Query::Services { tenancy: ctx.tenancy(), peer: peer(ctx) };
    Ok(Read { cached: cache_control(ctx)?, ..Read::discovery(query, options) })
}

pub(crate) fn service(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    service_nodes(ctx, ServiceLookup::Plain)
}

pub(crate) fn connect(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    service_nodes(ctx, ServiceLookup::Connect)
}

fn service_nodes(ctx: &Ctx<'_>, lookup: ServiceLookup) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let service = ServiceName::new(ctx.required_tail(NO_SERVICE)?);
    let query =
        Query::ServiceNodes { tenancy: ctx.tenancy(), peer: peer(ctx), service, lookup, tags: tags(ctx) };
    Ok(Read { cached: cache_control(ctx)?, ..Read::discovery(query, options) })
}

pub(crate) fn node(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let node = NodeName::new(ctx.required_tail(NO_NODE)?);
    Ok(Read::discovery(Query::NodeServices { tenancy: ctx.tenancy(), peer: peer(ctx), node }, options))
}

pub(crate) fn node_services(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read { shape: Shape::NodeList, ..node(ctx)? })
}

pub(crate) fn gateway_services(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let gateway = ServiceName::new(ctx.required_tail("Missing gateway name")?);
    Ok(Read::discovery(Query::GatewayServices { tenancy: ctx.tenancy(), gateway }, options))
}

pub(crate) fn register<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut register = api::request::register(&body).map_err(|e| HttpError::decode(&e))?;
        if !register.peer.is_local() {
            return Err(HttpError::internal("cannot register requests with PeerName in them"));
        }
        let dc = register.datacenter.clone();
        if dc.is_empty() {
            register.datacenter = DatacenterName::from(ctx.config.datacenter.clone());
        }
        write(ctx, &dc, Command::Register(Box::new(register))).await
    })
}

pub(crate) fn deregister<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let request = api::request::deregister(&body).map_err(|e| HttpError::decode(&e))?;
        if request.command.node.is_empty() {
            return Err(HttpError::internal("Must provide node"));
        }
        write(ctx, &request.datacenter, Command::Deregister(request.command)).await
    })
}

/// Sends a write to the datacenter that its body names.
async fn write(ctx: &Ctx<'_>, dc: &str, command: Command) -> Result<Reply, HttpError> {
    let dc = (!own_datacenter(ctx.config, dc)).then(|| types::names::fold(dc));
    let (_index, answer) = ctx.server.submit.submit(dc.as_deref(), &ctx.token(), command).await?;
    Ok(Reply::bool(!matches!(answer, CommandResponse::Bool(false))))
}
