//! The agent's own cache (`?cached`): placeholder.
use crate::{
    read::{CacheControl, Read},
    reply::Reply,
    server::Shared,
};
use std::sync::Arc;

/// Cached answers of the agent.
pub(crate) struct AgentCache;

impl AgentCache {
    pub(crate) fn new(_entries: usize) -> Self {
        Self
    }
    pub(crate) async fn answer(&self, server: &Arc<Shared>, read: Read, _control: CacheControl) -> Reply {
        crate::read::ask(server, &read, None, false).await.with("x-cache", "MISS")
    }
}

/// What a request says about cached answers; `None` when it does not want one.
pub(crate) fn cache_control(
    ctx: &crate::context::Ctx<'_>,
) -> Result<Option<CacheControl>, crate::error::HttpError> {
    let invalid = || crate::error::HttpError::bad_request("Invalid Cache-Control header.");
    if !ctx.config.use_cache || !ctx.params.has("cached") {
        return Ok(None);
    }
    let mut control = CacheControl::default();
    for part in ctx.header("cache-control").unwrap_or("").split(',').map(str::trim).filter(|p| !p.is_empty())
    {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let seconds =
            || value.trim().parse::<u64>().map(std::time::Duration::from_secs).map_err(|_e| invalid());
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => control.max_age = Some(seconds()?),
            "must-revalidate" => control.max_age = Some(std::time::Duration::ZERO),
            "stale-if-error" => control.stale_if_error = seconds()?,
            _ => {}
        }
    }
    Ok(Some(control))
}
