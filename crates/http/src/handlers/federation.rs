//! `/v1/internal/federation-state*`: mesh gateways of the datacenters.

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape},
};
use types::query::Query;

pub(crate) fn states(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read::plain(Query::FederationStates, query_options(ctx, Family::Other)?))
}

pub(crate) fn gateways(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read { shape: Shape::Gateways, ..states(ctx)? })
}

pub(crate) fn state(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    if ctx.tail.is_empty() {
        return Err(HttpError::bad_request("Missing datacenter name"));
    }
    let options = query_options(ctx, Family::Other)?;
    Ok(Read::plain(Query::FederationState { datacenter: ctx.tail.into() }, options))
}
