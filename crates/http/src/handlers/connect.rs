//! Roots of the mesh's authority.

use crate::{
    context::{Ctx, parse_bool},
    error::HttpError,
    options::{Family, query_options},
    read::{CacheControl, Read, Shape},
};
use types::query::Query;

pub(crate) fn roots(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let shape = match ctx.params.get("pem") {
        "" => Shape::Plain,
        text => match parse_bool(text) {
            Some(true) => Shape::Pem,
            Some(false) => Shape::Plain,
            None => return Err(HttpError::bad_request("The 'pem' query parameter must be a boolean value")),
        },
    };
    Ok(Read { shape, ..read(ctx)? })
}

/// The agent's form: always from the cache.
pub(crate) fn agent_roots(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read { cached: Some(CacheControl::default()), ..read(ctx)? })
}

fn read(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    if !ctx.config.connect_enabled {
        return Err(HttpError::internal("Connect must be enabled in order to use this endpoint"));
    }
    let options = query_options(ctx, Family::Other)?;
    Ok(Read::plain(Query::CaRoots, options))
}
