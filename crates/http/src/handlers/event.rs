//! `/v1/event/*`: user events of this agent.

use crate::{context::Ctx, error::HttpError, reply::Reply};
use bytes::Bytes;
use runtime::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{Str, event::UserEvent};

/// Wait of a list that names none, and the longest one.
const WAIT_MAX: Duration = Duration::from_secs(600);

pub(crate) fn fire<'a>(ctx: &'a Ctx<'a>, payload: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let event = UserEvent {
            name: Str::new(ctx.required_tail("Missing name")?),
            payload,
            node_filter: Str::new(ctx.params.get("node")),
            service_filter: Str::new(ctx.params.get("service")),
            tag_filter: Str::new(ctx.params.get("tag")),
            version: types::event::VERSION,
            ..UserEvent::default()
        };
        let event = ctx.agent().fire_event(ctx.datacenter().as_deref(), event, ctx.token()).await?;
        let mut out = Vec::with_capacity(256 + event.payload.len() * 4 / 3);
        api::encode::user_event(&mut out, &event);
        Ok(Reply::json(out))
    })
}

pub(crate) fn list<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let name = ctx.params.get("name");
        match ctx.params.get("watch") {
            "" => {}
            "sse" => {
                let after = ctx.header("last-event-id").unwrap_or_default().trim();
                return Ok(crate::sse::user_events(ctx, Str::new(name), Str::new(after)));
            }
            other => return Err(crate::sse::unknown(other)),
        }
        let known: u64 = match ctx.params.get("index") {
            "" => 0,
            text => text.parse().map_err(|_e| HttpError::bad_request("Invalid index"))?,
        };
        let wait = match ctx.params.get("wait") {
            "" => Duration::ZERO,
            text => api::duration::parse(text).map_err(|_e| HttpError::bad_request("Invalid wait time"))?,
        };
        let deadline = Instant::now() + if wait.is_zero() { WAIT_MAX } else { wait.min(WAIT_MAX) };
        loop {
            // Asked for before looking, so that no event between the two is missed.
            let changed = ctx.agent().events_changed();
            let mut events = ctx.agent().events();
            events.retain(|e| name.is_empty() || e.name == name);
            // The number names the last event; it does not grow.
            let index = events.last().map_or(1, |e| e.index());
            if known != index || known == 0 || Instant::now() >= deadline {
                let mut out = Vec::with_capacity(2 + events.len() * 384);
                api::encode::user_events(&mut out, events.iter().map(Arc::as_ref));
                return Ok(Reply::json(out).with("x-consul-index", &index.to_string()));
            }
            // Whether something came or the time is up is seen in the next round.
            let _ = tokio::time::timeout_at(deadline, changed).await;
        }
    })
}
