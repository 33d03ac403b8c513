//! The mesh's authority: roots, settings, leaves, and who may talk to whom.

use super::agent_services::wait_time;
use crate::{
    context::{Ctx, parse_bool},
    error::HttpError,
    options::{Family, query_options},
    read::{CacheControl, Read, Shape},
    reply::Reply,
};
use api::request::{authorize_request, ca_configuration};
use bytes::Bytes;
use connect_ca::{Identity, SpiffeId};
use entries::{Decision, decide};
use http::StatusCode;
use runtime::BoxFuture;
use std::sync::Arc;
use types::{
    RequestError, Str,
    entry::{ConfigEntry, EntryKind},
    query::{Query, QueryOptions, QueryResult},
};

const READ_ONLY: &str = "Provider State is read-only. It must be omitted or identical to the current value";

fn enabled(ctx: &Ctx<'_>) -> Result<(), HttpError> {
    if ctx.config.connect_enabled {
        return Ok(());
    }
    Err(HttpError::internal("Connect must be enabled in order to use this endpoint"))
}

pub(crate) fn roots(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    let shape = match ctx.params.get("pem") {
        "" => Shape::Plain,
        text => match parse_bool(text) {
            Some(true) => Shape::Pem,
            Some(false) => Shape::Plain,
            None => return Err(HttpError::bad_request("The 'pem' query parameter must be a boolean value")),
        },
    };
    let read = read(ctx)?;
    Ok(Read { meta: shape != Shape::Pem, shape, ..read })
}

/// The agent's form: always from the cache.
pub(crate) fn agent_roots(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read { cached: Some(CacheControl::default()), ..read(ctx)? })
}

fn read(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    enabled(ctx)?;
    let options = query_options(ctx, Family::Other)?;
    Ok(Read::plain(Query::CaRoots, options))
}

pub(crate) fn configuration(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    enabled(ctx)?;
    let options = query_options(ctx, Family::Other)?;
    Ok(Read { meta: false, ..Read::plain(Query::CaConfig, options) })
}

pub(crate) fn configure<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        let (update, state) = ca_configuration(&body).map_err(|e| HttpError::decode(&e))?;
        let datacenter = ctx.datacenter();
        if let Some(state) = state {
            let options = QueryOptions {
                datacenter: datacenter.clone().map(Into::into),
                token: ctx.token(),
                ..QueryOptions::default()
            };
            let now = match ctx.server.query.query(Query::CaConfig, options).await?.result {
                QueryResult::CaConfig(config) => config.and_then(|c| c.state()),
                _ => None,
            };
            if now != Some(state.to_json()) {
                return Err(HttpError::bad_request(READ_ONLY));
            }
        }
        ctx.agent().configure_ca(datacenter.as_deref(), update, ctx.token()).await?;
        Ok(Reply::empty())
    })
}

pub(crate) fn leaf<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        if ctx.tail.is_empty() {
            return Err(HttpError::internal("URI must be either service, agent, server, or kind"));
        }
        let min_index = match ctx.params.get("index") {
            "" => 0,
            text => text.parse().map_err(|_e| HttpError::bad_request("Invalid index"))?,
        };
        // Leaves change seldom: who names no time waits as long as anybody may.
        let wait = if ctx.params.has("wait") { wait_time(ctx)? } else { ctx.config.max_query_time };
        let (leaf, hit) = ctx.agent().leaf(&ctx.tenancy(), ctx.tail, min_index, wait, ctx.token()).await?;
        let mut out = Vec::with_capacity(2048);
        api::encode::service_leaf(&mut out, &leaf);
        let index = leaf.cert.index.to_string();
        Ok(Reply::json(out).with("x-consul-index", &index).with("x-cache", if hit { "HIT" } else { "MISS" }))
    })
}

/// The intentions for one destination, or for all (`*`).
async fn intentions(ctx: &Ctx<'_>, name: &str) -> Result<Option<Arc<ConfigEntry>>, HttpError> {
    let query = Query::ConfigEntry {
        tenancy: ctx.tenancy(),
        kind: EntryKind::ServiceIntentions,
        name: Str::new(name),
    };
    let options = QueryOptions { token: ctx.token(), ..QueryOptions::default() };
    match ctx.server.query.query(query, options).await?.result {
        QueryResult::ConfigEntry(entry) => Ok(entry),
        _ => Err(RequestError::Malformed("configuration entry expected".into()).into()),
    }
}

pub(crate) fn authorize<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        enabled(ctx)?;
        let request = authorize_request(&body).map_err(|e| HttpError::decode(&e))?;
        if request.target.is_empty() {
            return Err(HttpError::bad_request("Target service must be specified"));
        }
        let id = SpiffeId::parse(&request.client_cert_uri)
            .map_err(|_why| HttpError::bad_request("ClientCertURI not a valid Connect identifier"))?;
        let Identity::Service { namespace, service, .. } = &id.who else {
            return Err(HttpError::bad_request("ClientCertURI not a valid Service identifier"));
        };
        let mut found = Vec::new();
        for name in [request.target.as_str(), "*"] {
            found.extend(intentions(ctx, name).await?);
        }
        let own = ctx.tenancy();
        // Intentions of one namespace say nothing of the services of another, unless they name it, which they cannot yet.
        let source = (namespace.eq_ignore_ascii_case(own.namespace())).then_some(service.as_str());
        let (authorized, reason) = match decide(found.iter().map(Arc::as_ref), source, own.namespace()) {
            Some(Decision { allowed, text }) => (allowed, text),
            None => match ctx.config.default_intention_policy.as_str() {
                "allow" => (true, "Default intention policy".to_owned()),
                "deny" => (false, "Default intention policy".to_owned()),
                _ => {
                    let allowed = !ctx.config.acl_enabled || ctx.config.acl_default_policy == "allow";
                    (allowed, "Default behavior configured by ACLs".to_owned())
                }
            },
        };
        let mut out = Vec::new();
        api::encode::authorization(&mut out, authorized, &reason);
        Ok(Reply::json(out).status(StatusCode::OK).with("x-cache", "MISS"))
    })
}
