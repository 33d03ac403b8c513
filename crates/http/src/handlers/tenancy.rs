//! `/v1/partition*`, `/v1/namespace*`, and whether what a request names exists.

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape},
    reply::Reply,
};
use api::decode::DecodeError;
use bytes::Bytes;
use http::Method;
use runtime::BoxFuture;
use types::{
    Str, Tenancy,
    command::Command,
    names::fold,
    query::{Query, QueryOptions, QueryResult},
};

const NO_NAME: &str = "Must specify a name in the path or in the body";

pub(crate) fn partitions(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    plain(ctx, Query::Partitions { name: None }, Shape::Plain)
}

pub(crate) fn partition(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let name = fold(ctx.required_tail(NO_NAME)?);
    plain(ctx, Query::Partitions { name: Some(name) }, Shape::One)
}

pub(crate) fn namespaces(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    plain(ctx, Query::Namespaces { partition: partition_of(ctx), name: None }, Shape::Plain)
}

pub(crate) fn namespace(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let name = fold(ctx.required_tail(NO_NAME)?);
    plain(ctx, Query::Namespaces { partition: partition_of(ctx), name: Some(name) }, Shape::One)
}

fn plain(ctx: &Ctx<'_>, query: Query, shape: Shape) -> Result<Read, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    options.filter = None;
    Ok(Read { shape, ..Read::plain(query, options) })
}

fn partition_of(ctx: &Ctx<'_>) -> Str {
    Str::new(ctx.tenancy().partition())
}

pub(crate) fn set_partition<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut row = api::request::partition(&body).map_err(refuse)?;
        row.name = name(ctx, &row.name)?;
        let query = Query::Partitions { name: Some(row.name.clone()) };
        submit(ctx, Command::PartitionSet(Box::new(row))).await?;
        match stored(ctx, query).await? {
            QueryResult::Partitions(rows) => Ok(show(rows.first().map(|r| &**r), api::encode::partition)),
            _ => Err(unexpected()),
        }
    })
}

pub(crate) fn set_namespace<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut row = api::request::namespace(&body).map_err(refuse)?;
        row.name = name(ctx, &row.name)?;
        row.partition = match row.partition.as_str() {
            "" => partition_of(ctx),
            given => fold(given),
        };
        let query = Query::Namespaces { partition: row.partition.clone(), name: Some(row.name.clone()) };
        submit(ctx, Command::NamespaceSet(Box::new(row))).await?;
        match stored(ctx, query).await? {
            QueryResult::Namespaces(rows) => Ok(show(rows.first().map(|r| &**r), api::encode::namespace)),
            _ => Err(unexpected()),
        }
    })
}

pub(crate) fn delete_partition<'a>(
    ctx: &'a Ctx<'a>,
    _body: Bytes,
) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let name = fold(ctx.required_tail(NO_NAME)?);
        submit(ctx, Command::PartitionDelete { name }).await.map(|()| Reply::empty())
    })
}

pub(crate) fn delete_namespace<'a>(
    ctx: &'a Ctx<'a>,
    _body: Bytes,
) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let name = fold(ctx.required_tail(NO_NAME)?);
        submit(ctx, Command::NamespaceDelete { partition: partition_of(ctx), name })
            .await
            .map(|()| Reply::empty())
    })
}

fn refuse(e: DecodeError) -> HttpError {
    HttpError::bad_request(format!("Request decoding failed: {e}"))
}

/// The name in the path, which that of the body must not contradict.
fn name(ctx: &Ctx<'_>, body: &str) -> Result<Str, HttpError> {
    match (ctx.tail, body) {
        ("", "") => Err(HttpError::bad_request(NO_NAME)),
        ("", name) | (name, "") => Ok(fold(name)),
        (path, name) if path.eq_ignore_ascii_case(name) => Ok(fold(name)),
        (path, name) => Err(HttpError::bad_request(format!(
            "Name of the path {} and of the body {} differ",
            api::decode::quote(path),
            api::decode::quote(name)
        ))),
    }
}

async fn submit(ctx: &Ctx<'_>, command: Command) -> Result<(), HttpError> {
    ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await?;
    Ok(())
}

/// The row as it was stored, with its indexes.
async fn stored(ctx: &Ctx<'_>, query: Query) -> Result<QueryResult, HttpError> {
    let datacenter = ctx.datacenter().map(Into::into);
    let options = QueryOptions { datacenter, token: ctx.token(), ..QueryOptions::default() };
    Ok(ctx.server.query.query(query, options).await?.result)
}

fn show<T>(row: Option<&T>, encode: fn(&mut Vec<u8>, &T)) -> Reply {
    let mut out = Vec::new();
    match row {
        Some(row) => encode(&mut out, row),
        None => out.extend_from_slice(b"null"),
    }
    Reply::json(out)
}

fn unexpected() -> HttpError {
    types::RequestError::Malformed("partition or namespace expected".into()).into()
}

/// Whether partition and namespace of a request exist. What is always there is not looked up.
///
/// # Errors
/// 400 with the name that does not exist.
pub(crate) async fn must_exist(ctx: &Ctx<'_>) -> Result<(), HttpError> {
    let tenancy: Tenancy = ctx.tenancy();
    if tenancy.is_default() {
        return Ok(());
    }
    let (partition, namespace) = (Str::new(tenancy.partition()), Str::new(tenancy.namespace()));
    let query = Query::Namespaces { partition: partition.clone(), name: Some(namespace) };
    let QueryResult::Namespaces(found) = stored(ctx, query).await? else { return Err(unexpected()) };
    if !found.is_empty() {
        return Ok(());
    }
    let partitions = stored(ctx, Query::Partitions { name: Some(partition) }).await?;
    let there = !matches!(partitions, QueryResult::Partitions(rows) if rows.is_empty());
    Err(HttpError::bad_request(tenancy.missing(there)))
}

/// Whether a request is about partitions and namespaces themselves, or needs none.
pub(crate) fn is_exempt(pattern: &str, method: &Method) -> bool {
    const FREE: [&str; 5] = ["/v1/namespace", "/v1/partition", "/v1/status/", "/v1/operator/", "/v1/acl/"];
    *method == Method::OPTIONS || FREE.iter().any(|free| pattern.starts_with(free))
}
