//! `/v1/query*`: prepared queries.

use crate::{
    context::{Ctx, parse_bool},
    error::HttpError,
    options::{Family, query_options},
    read::Read,
    reply::Reply,
};
use bytes::Bytes;
use runtime::BoxFuture;
use types::{
    Str,
    command::Command,
    prepared::{Execute, ExecuteTarget},
    query::{Query, QueryOptions},
};

/// Length of an id as text.
const ID_LENGTH: usize = 36;
/// What is said to an id that is none.
pub(crate) const NO_ID: &str = "failed prepared query lookup: index error: UUID must be 36 characters";

/// Whether a text could be an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH
}

fn options(ctx: &Ctx<'_>) -> Result<QueryOptions, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    (options.filter, options.node_meta, options.near) = (None, Vec::new(), Str::default());
    Ok(options)
}

fn read(query: Query, options: QueryOptions) -> Read {
    Read { effective: true, meta_on_error: true, ..Read::plain(query, options) }
}

pub(crate) fn list(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(read(Query::PreparedQueries { id: None }, options(ctx)?))
}

pub(crate) fn get(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    if let Some(name) = ctx.tail.strip_suffix("/execute") {
        return execute(ctx, name);
    }
    if let Some(name) = ctx.tail.strip_suffix("/explain") {
        let mut options = options(ctx)?;
        options.min_index = 0;
        let asked = Execute { explain: true, ..Execute::new(ExecuteTarget::Named(Str::new(name))) };
        return Ok(read(Query::Execute(Box::new(asked)), options));
    }
    Ok(read(Query::PreparedQueries { id: Some(Str::new(ctx.tail)) }, options(ctx)?))
}

fn execute(ctx: &Ctx<'_>, name: &str) -> Result<Read, HttpError> {
    let mut options = options(ctx)?;
    options.min_index = 0;
    let p = &ctx.params;
    let limit = match p.get("limit") {
        "" => 0,
        text => text.parse::<i64>().map_err(|e| {
            HttpError::internal(format!("Bad limit: strconv.Atoi: parsing {}: {e}", api::decode::quote(text)))
        })?,
    };
    let connect = match p.get("connect") {
        "" => false,
        text => parse_bool(text).ok_or_else(|| {
            let quoted = api::decode::quote(text);
            HttpError::internal(format!(
                "Error parsing 'connect' value: strconv.ParseBool: parsing {quoted}: invalid syntax"
            ))
        })?,
    };
    // Behind a proxy the first address of the header is the client's.
    let forwarded = ctx.header("x-forwarded-for").and_then(|list| list.split(',').next());
    let source = forwarded.and_then(|ip| ip.trim().parse().ok()).or(ctx.peer);
    let asked = Execute {
        limit: u64::try_from(limit).unwrap_or(0),
        connect,
        near: Str::new(p.get("near")),
        agent: ctx.config.node_name.clone(),
        source,
        seed: ctx.server.random() | 1,
        ..Execute::new(ExecuteTarget::Named(Str::new(name)))
    };
    let missing_is_failure = crate::agent_cache::cache_control(ctx)?.is_some();
    Ok(Read { missing_is_failure, ..read(Query::Execute(Box::new(asked)), options) })
}

pub(crate) fn create<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut given = api::request::prepared_query(&body).map_err(|e| HttpError::decode(&e))?;
        if !given.query.id.is_empty() {
            return Err(HttpError::internal("ID must be empty when creating a new prepared query"));
        }
        given.query.check(given.bad_ttl.as_deref()).map_err(|text| HttpError::internal(text.as_str()))?;
        given.query.id = ctx.agent().fresh_id();
        let id = given.query.id.clone();
        submit(ctx, Command::PreparedQuerySet { query: Box::new(given.query), create: true }).await?;
        Ok(Reply::json(serde_json::json!({ "ID": id }).to_string()))
    })
}

pub(crate) fn update<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut given = match body.is_empty() {
            true => api::request::PreparedQueryBody::default(),
            false => api::request::prepared_query(&body).map_err(|e| HttpError::decode(&e))?,
        };
        // The path decides, whatever the body says.
        given.query.id = id(ctx)?;
        given.query.check(given.bad_ttl.as_deref()).map_err(|text| HttpError::internal(text.as_str()))?;
        submit(ctx, Command::PreparedQuerySet { query: Box::new(given.query), create: false }).await?;
        Ok(Reply::empty())
    })
}

pub(crate) fn delete<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        submit(ctx, Command::PreparedQueryDelete { id: id(ctx)? }).await?;
        Ok(Reply::empty())
    })
}

fn id(ctx: &Ctx<'_>) -> Result<Str, HttpError> {
    if !is_id(ctx.tail) {
        return Err(HttpError::internal(format!("Prepared Query lookup failed: {NO_ID}")));
    }
    Ok(Str::new(ctx.tail))
}

async fn submit(ctx: &Ctx<'_>, command: Command) -> Result<(), HttpError> {
    ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await?;
    Ok(())
}
