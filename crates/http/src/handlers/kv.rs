//! `/v1/kv/*`

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape},
    reply::Reply,
};
use bytes::Bytes;
use runtime::BoxFuture;
use types::{
    RequestError, Str,
    command::{Command, CommandResponse, KvOp},
    query::Query,
};

/// Bounds of a key's time to live, milliseconds.
const TTL_MIN_MS: u64 = 1_000;
const TTL_MAX_MS: u64 = 87_600 * 3_600 * 1_000;
const NO_KEY: &str = "Missing key name";

pub(crate) fn get(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    // Keys know neither filters nor nodes.
    options.filter = None;
    options.node_meta = Vec::new();
    options.near = Str::default();
    let tenancy = ctx.tenancy();
    let p = &ctx.params;
    if p.has("keys") {
        let separator = match p.get("separator") {
            // A misspelling that clients rely on.
            "" => p.get("seperator"),
            s => s,
        };
        let query = Query::KvKeys { tenancy, prefix: Str::new(ctx.tail), separator: Str::new(separator) };
        return Ok(Read { empty_is_missing: !ctx.tail.is_empty(), ..Read::plain(query, options) });
    }
    if p.has("recurse") {
        return Ok(Read::plain(Query::KvList { tenancy, prefix: Str::new(ctx.tail) }, options));
    }
    let key = Str::new(ctx.required_tail(NO_KEY)?);
    let shape = if p.has("raw") { Shape::KvRaw } else { Shape::Plain };
    Ok(Read { shape, ..Read::plain(Query::KvGet { tenancy, key }, options) })
}

pub(crate) fn put<'a>(ctx: &'a Ctx<'a>, value: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let key = Str::new(ctx.required_tail(NO_KEY)?);
        refuse_conflict(ctx, &["cas", "acquire", "release"])?;
        let flags = match ctx.params.get("flags") {
            "" if !ctx.params.has("flags") => 0,
            text => number(text)?,
        };
        let op = if ctx.params.has("cas") {
            KvOp::Cas { key, value, flags, index: number(ctx.params.get("cas"))? }
        } else if ctx.params.has("acquire") {
            KvOp::Lock { key, value, flags, session: Str::new(ctx.params.get("acquire")) }
        } else if ctx.params.has("release") {
            KvOp::Unlock { key, value, flags, session: Str::new(ctx.params.get("release")) }
        } else {
            KvOp::Set { key, value, flags }
        };
        let op = match ttl_ms(ctx)? {
            Some(ttl_ms) => KvOp::WithTtl { ttl_ms, write: Box::new(op) },
            None => op,
        };
        write(ctx, op).await
    })
}

pub(crate) fn delete<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        refuse_conflict(ctx, &["recurse", "cas"])?;
        if ctx.params.has("recurse") {
            return write(ctx, KvOp::DeleteTree { prefix: Str::new(ctx.tail) }).await;
        }
        let key = Str::new(ctx.required_tail(NO_KEY)?);
        let op = if ctx.params.has("cas") {
            KvOp::DeleteCas { key, index: number(ctx.params.get("cas"))? }
        } else {
            KvOp::Delete { key }
        };
        write(ctx, op).await
    })
}

async fn write(ctx: &Ctx<'_>, op: KvOp) -> Result<Reply, HttpError> {
    let command = Command::Kv { tenancy: ctx.tenancy(), op };
    let (_index, answer) =
        ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await.map_err(|e| {
            match e {
                RequestError::Refused(text) => HttpError::internal(format!("raft apply failed: {text}")),
                other => other.into(),
            }
        })?;
    Ok(Reply::bool(!matches!(answer, CommandResponse::Bool(false))))
}

/// `ttl`: how long the key lives if it is not written again; beyond Consul's API.
fn ttl_ms(ctx: &Ctx<'_>) -> Result<Option<u64>, HttpError> {
    if !ctx.params.has("ttl") {
        return Ok(None);
    }
    let text = ctx.params.get("ttl");
    let bad = |why: &str| HttpError::bad_request(format!("Invalid ttl {}: {why}", api::decode::quote(text)));
    let ns = api::duration::parse_ns(text).map_err(|e| bad(&e.to_string()))?;
    let ms = u64::try_from(ns / 1_000_000).unwrap_or(0);
    if (TTL_MIN_MS..=TTL_MAX_MS).contains(&ms) {
        Ok(Some(ms))
    } else {
        Err(bad("it must be between 1s and 87600h"))
    }
}

fn refuse_conflict(ctx: &Ctx<'_>, names: &[&str]) -> Result<(), HttpError> {
    if names.iter().filter(|n| ctx.params.has(n)).count() > 1 {
        return Err(HttpError::bad_request(format!("Conflicting flags: {}\n", ctx.params.encode())));
    }
    Ok(())
}

/// A number of a parameter; what is wrong with it is a 500, as it always was.
fn number(text: &str) -> Result<u64, HttpError> {
    text.parse().map_err(|e: std::num::ParseIntError| {
        let why = match e.kind() {
            std::num::IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        HttpError::internal(format!("strconv.ParseUint: parsing {}: {why}", api::decode::quote(text)))
    })
}
