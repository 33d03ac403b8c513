//! Options of reads: consistency, blocking, filters.

use crate::{context::Ctx, error::HttpError};
use std::time::Duration;
use types::{
    DatacenterName, Str,
    query::{Consistency, QueryOptions},
};

/// Which reads `discovery_max_stale` touches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `/v1/catalog` and `/v1/health`.
    Discovery,
    /// The rest.
    Other,
}

/// Reads the options that every query takes.
pub(crate) fn query_options(ctx: &Ctx<'_>, family: Family) -> Result<QueryOptions, HttpError> {
    let p = &ctx.params;
    let (consistency, max_stale) = consistency(ctx, family)?;
    let (min_index, max_wait) = blocking(ctx)?;
    let near = p.get("near");
    Ok(QueryOptions {
        datacenter: ctx.datacenter().map(DatacenterName::from),
        consistency,
        max_stale,
        min_index,
        max_wait,
        token: ctx.token(),
        filter: Some(p.get("filter")).filter(|f| !f.is_empty()).map(Str::new),
        node_meta: p
            .all("node-meta")
            .map(|pair| {
                let (k, v) = pair.split_once(':').unwrap_or((pair, ""));
                (Str::new(k), Str::new(v))
            })
            .collect(),
        near: if near == "_agent" { ctx.config.node_name.clone() } else { Str::new(near) },
    })
}

/// `index` and `wait`. No `wait`, or 0, is the default time; a longer one than allowed is cut.
fn blocking(ctx: &Ctx<'_>) -> Result<(u64, Option<Duration>), HttpError> {
    let max_wait = match ctx.params.get("wait") {
        "" => None,
        w => {
            let w = api::duration::parse(w).map_err(|_e| HttpError::bad_request("Invalid wait time"))?;
            Some(w.min(ctx.config.max_query_time)).filter(|w| !w.is_zero())
        }
    };
    let min_index = match ctx.params.get("index") {
        "" => 0,
        i => i.parse().map_err(|_e| HttpError::bad_request("Invalid index"))?,
    };
    Ok((min_index, Some(max_wait.unwrap_or(ctx.config.default_query_time))))
}

fn consistency(ctx: &Ctx<'_>, family: Family) -> Result<(Consistency, Option<Duration>), HttpError> {
    let p = &ctx.params;
    let mut stale = p.has("stale");
    let consistent = p.has("consistent");
    let cached = p.has("cached");
    let mut max_stale = None;
    match p.get("max_stale") {
        "" => {}
        text => {
            let d = api::duration::parse(text)
                .map_err(|_e| HttpError::bad_request(format!("Invalid max_stale value {text:?}")))?;
            if !d.is_zero() {
                max_stale = Some(d);
                stale = true;
            }
        }
    }
    let default_stale = ctx.config.discovery_max_stale;
    if family == Family::Discovery
        && !default_stale.is_zero()
        && !(stale || consistent || p.has("leader") || (cached && ctx.config.use_cache))
    {
        return Ok((Consistency::Stale, Some(default_stale)));
    }
    match (stale, consistent, cached) {
        (true, true, _) => {
            Err(HttpError::bad_request("Cannot specify ?stale with ?consistent, conflicting semantics."))
        }
        (_, true, true) => {
            Err(HttpError::bad_request("Cannot specify ?cached with ?consistent, conflicting semantics."))
        }
        (true, false, _) => Ok((Consistency::Stale, max_stale)),
        (false, true, false) => Ok((Consistency::Consistent, None)),
        (false, false, _) => Ok((Consistency::Default, None)),
    }
}
