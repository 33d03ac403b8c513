//! What answers each endpoint.

pub(crate) mod agent;
pub(crate) mod agent_checks;
pub(crate) mod agent_health;
pub(crate) mod agent_services;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod connect;
pub(crate) mod coordinate;
pub(crate) mod event;
pub(crate) mod federation;
pub(crate) mod health;
pub(crate) mod kv;
pub(crate) mod operator;
pub(crate) mod query;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod tenancy;
pub(crate) mod txn;
pub(crate) mod usage;
pub(crate) mod virtual_ip;

use crate::{context::Ctx, error::HttpError, port::PortError, reply::Reply};
use types::Str;

/// The usual answer of a change: nothing.
fn done(r: Result<(), PortError>) -> Result<Reply, HttpError> {
    r.map(|()| Reply::empty()).map_err(HttpError::from)
}

/// A list of strings as JSON.
fn string_list(list: &[Str]) -> Reply {
    let mut out = Vec::with_capacity(64);
    api::encode::strings(&mut out, list);
    Reply::json(out)
}

/// Compiles the filter of a request, if there is one.
fn filter<T: filter::Selectable>(ctx: &Ctx<'_>) -> Result<Option<filter::Filter<T>>, HttpError> {
    match ctx.params.get("filter") {
        "" => Ok(None),
        expression => filter::Filter::compile(expression)
            .map(Some)
            .map_err(|e| HttpError::from(types::RequestError::Filter(Str::from(e.to_string())))),
    }
}

/// A registration that breaks a rule of the agent.
fn refused(e: local::LocalError) -> HttpError {
    PortError::from(e).into()
}
