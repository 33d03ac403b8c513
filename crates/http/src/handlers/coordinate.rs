//! `/v1/coordinate/*`: no coordinates are kept yet, so every list is empty.

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape, peer},
    reply::Reply,
    respond::accepts_gzip,
};
use bytes::Bytes;
use http::StatusCode;
use runtime::BoxFuture;
use types::query::Query;

fn enabled(ctx: &Ctx<'_>) -> Result<(), HttpError> {
    if ctx.config.disable_coordinates {
        return Err(HttpError::new(StatusCode::UNAUTHORIZED, "Coordinate support disabled"));
    }
    Ok(())
}

pub(crate) fn datacenters<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        let all = ctx.agent().datacenters().await?;
        let list: Vec<_> = all
            .iter()
            .map(|dc| serde_json::json!({ "Datacenter": dc, "AreaID": "wan", "Coordinates": [] }))
            .collect();
        Ok(Reply::json(serde_json::Value::from(list).to_string()))
    })
}

pub(crate) fn nodes(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    none(ctx, Shape::EmptyList)
}

pub(crate) fn node(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    // This 404 describes itself only to clients that take gzip.
    Ok(Read { meta: accepts_gzip(ctx.headers), ..none(ctx, Shape::Missing)? })
}

fn none(ctx: &Ctx<'_>, shape: Shape) -> Result<Read, HttpError> {
    enabled(ctx)?;
    let mut options = query_options(ctx, Family::Other)?;
    options.filter = None;
    let query = Query::Nodes { tenancy: ctx.tenancy(), peer: peer(ctx) };
    Ok(Read { shape, meta_on_error: true, ..Read::plain(query, options) })
}
