//! `/v1/coordinate/*`

use super::done;
use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape},
    reply::Reply,
    respond::accepts_gzip,
};
use bytes::Bytes;
use http::StatusCode;
use runtime::BoxFuture;
use types::{NodeName, Str, coordinate::CoordinateRow, query::Query};

fn enabled(ctx: &Ctx<'_>) -> Result<(), HttpError> {
    if ctx.config.disable_coordinates {
        return Err(HttpError::new(StatusCode::UNAUTHORIZED, "Coordinate support disabled"));
    }
    Ok(())
}

pub(crate) fn datacenters<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        let all = ctx.agent().wan_coordinates().await?;
        let mut out = Vec::with_capacity(256 * all.len() + 2);
        api::encode::datacenter_coordinates(&mut out, &all);
        Ok(Reply::json(out))
    })
}

pub(crate) fn nodes(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    read(ctx, None, Shape::Plain)
}

pub(crate) fn node(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    // Its 404 describes itself only to clients that take gzip.
    read(ctx, Some(NodeName::new(ctx.tail)), Shape::CoordinateNode { tells: accepts_gzip(ctx.headers) })
}

fn read(ctx: &Ctx<'_>, node: Option<NodeName>, shape: Shape) -> Result<Read, HttpError> {
    enabled(ctx)?;
    let mut options = query_options(ctx, Family::Other)?;
    options.filter = None;
    options.near = Str::default();
    let segment = ctx.params.has("segment").then(|| Str::new(ctx.params.get("segment")));
    let query = Query::Coordinates { tenancy: ctx.tenancy(), node, segment };
    Ok(Read { shape, meta_on_error: true, ..Read::plain(query, options) })
}

pub(crate) fn update<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        let update = api::request::coordinate_update(&body).map_err(|e| HttpError::decode(&e))?;
        let tenancy = if update.tenancy.is_default() { ctx.tenancy() } else { update.tenancy };
        let coordinate = update.coordinate.map_err(HttpError::internal)?;
        let row = CoordinateRow { node: update.node, segment: update.segment, coordinate, tenancy };
        done(ctx.agent().update_coordinate(ctx.datacenter().as_deref(), row, ctx.token()).await)
    })
}
