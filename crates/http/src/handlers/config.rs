//! `/v1/config*`: configuration entries.

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::Read,
    reply::Reply,
};
use api::entry::EntryError;
use bytes::Bytes;
use runtime::BoxFuture;
use types::{
    Str,
    command::{Command, CommandResponse},
    entry::EntryKind,
    query::Query,
};

/// One entry, all of a kind, or all.
pub(crate) fn get(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    let tenancy = ctx.tenancy();
    let (word, name) = ctx.tail.split_once('/').unwrap_or((ctx.tail, ""));
    let kind = if word.is_empty() { None } else { Some(known(word).map_err(HttpError::internal)?) };
    let query = match kind {
        Some(kind) if !name.is_empty() => {
            options.filter = None;
            Query::ConfigEntry { tenancy, kind, name: Str::new(name) }
        }
        kind => {
            if options.filter.is_some() && kind != Some(EntryKind::ServiceDefaults) {
                return Err(HttpError::internal(format!(
                    "filtering not supported for config entry kind={word}"
                )));
            }
            Query::ConfigEntries { tenancy, kind }
        }
    };
    Ok(Read::plain(query, options))
}

/// The kind of a word, or what clients are told.
fn known(word: &str) -> Result<EntryKind, String> {
    EntryKind::parse(word).ok_or_else(|| EntryError::UnknownKind(word.to_owned()).to_string())
}

pub(crate) fn put<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let refuse = |why: String| HttpError::bad_request(format!("Request decoding failed: {why}"));
        let body = api::decode::first_value(&body).map_err(|e| refuse(e.to_string()))?;
        let mut entry = api::entry::decode(&body.to_value()).map_err(|e| refuse(e.to_string()))?;
        entry.tenancy = ctx.tenancy();
        let cas = cas(ctx)?;
        // What is wrong with an entry itself is told by the first who sees it; a client agent need not ask a server.
        entries::prepare(&mut entry).map_err(|e| HttpError::internal(e.to_string()))?;
        let done = write(ctx, Command::ConfigEntrySet { entry: Box::new(entry), cas }).await?;
        Ok(Reply::bool(done))
    })
}

pub(crate) fn delete<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let (word, name) = ctx.tail.split_once('/').unwrap_or((ctx.tail, ""));
        if name.is_empty() {
            return Err(HttpError::not_found("Must provide both a kind and name to delete"));
        }
        let kind = known(word).map_err(HttpError::bad_request)?;
        if kind == EntryKind::BoundApiGateway {
            return Err(HttpError::internal("Permission denied: only writeable by controller"));
        }
        let cas = cas(ctx)?;
        let command = Command::ConfigEntryDelete { tenancy: ctx.tenancy(), kind, name: Str::new(name), cas };
        let done = write(ctx, command).await?;
        Ok(if cas.is_some() { Reply::bool(done) } else { Reply::json("{}") })
    })
}

/// Expected modify index; what is wrong with it is a 500, as it always was.
fn cas(ctx: &Ctx<'_>) -> Result<Option<u64>, HttpError> {
    match ctx.params.get("cas") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_e| {
            HttpError::internal(format!(
                "strconv.ParseUint: parsing {}: invalid syntax",
                api::decode::quote(text)
            ))
        }),
    }
}

async fn write(ctx: &Ctx<'_>, command: Command) -> Result<bool, HttpError> {
    let (_index, answer) =
        ctx.server.submit.submit(ctx.datacenter().as_deref(), &ctx.token(), command).await?;
    Ok(!matches!(answer, CommandResponse::Bool(false)))
}
