//! `/v1/health/*`

use crate::{
    agent_cache::cache_control,
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, peer, tags},
};
use types::{
    NodeName, ServiceName, Str,
    query::{Query, ServiceLookup},
};

pub(crate) fn node(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let node = NodeName::new(ctx.required_tail("Missing node name")?);
    Ok(Read::discovery(Query::NodeChecks { tenancy: ctx.tenancy(), peer: peer(ctx), node }, options))
}

pub(crate) fn checks(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let service = ServiceName::new(ctx.required_tail("Missing service name")?);
    Ok(Read::discovery(Query::ServiceChecks { tenancy: ctx.tenancy(), peer: peer(ctx), service }, options))
}

pub(crate) fn state(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let state = Str::new(ctx.required_tail("Missing check state")?);
    Ok(Read::discovery(Query::ChecksInState { tenancy: ctx.tenancy(), peer: peer(ctx), state }, options))
}

pub(crate) fn service(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    instances(ctx, ServiceLookup::Plain)
}

pub(crate) fn connect(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    instances(ctx, ServiceLookup::Connect)
}

pub(crate) fn ingress(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    instances(ctx, ServiceLookup::Ingress)
}

fn instances(ctx: &Ctx<'_>, lookup: ServiceLookup) -> Result<Read, HttpError> {
    let options = query_options(ctx, Family::Discovery)?;
    let group = ["sg", "sameness-group"].iter().any(|n| !ctx.params.get(n).is_empty());
    if group && ctx.params.has("peer") {
        return Err(HttpError::bad_request("peer-name and sameness-group are mutually exclusive"));
    }
    let service = ServiceName::new(ctx.required_tail("Missing service name")?);
    let tags = tags(ctx);
    let lookup = match lookup {
        // A tag turns it into an ordinary lookup.
        ServiceLookup::Ingress if !tags.is_empty() => ServiceLookup::Plain,
        l => l,
    };
    let query = Query::ServiceHealth {
        tenancy: ctx.tenancy(),
        peer: peer(ctx),
        service,
        lookup,
        tags,
        passing_only: passing(ctx)?,
    };
    Ok(Read {
        cached: if lookup == ServiceLookup::Ingress { None } else { cache_control(ctx)? },
        meta_on_error: false,
        ..Read::discovery(query, options)
    })
}

fn passing(ctx: &Ctx<'_>) -> Result<bool, HttpError> {
    if !ctx.params.has("passing") {
        return Ok(false);
    }
    match ctx.params.get("passing") {
        "" => Ok(true),
        _ => ctx.bool_param("passing").ok_or_else(|| HttpError::bad_request("Invalid value for ?passing")),
    }
}
