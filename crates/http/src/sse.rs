//! `?watch=sse`: a read that goes on, as server-sent events (HTML Living Standard, section 9.2).
//!
//! ```text
//! id: 42            index of the answer: send it back as `Last-Event-ID`, or as `index=`, to go on after it
//! event: change
//! data: [...]       the answer's body, on one line; `null` when there is nothing
//! ```
//! A line that begins with `:` says that the connection lives. A failure comes as `event: error` with a JSON object that has the
//! text; the watch goes on after it. Of `/v1/event/list` each user event is told by itself, as `event: fire` with its own id.

use crate::{
    context::Ctx,
    error::HttpError,
    read::{self, Read, Shape},
    reply::{Content, Reply, ReplyBody},
    server::Shared,
};
use bytes::Bytes;
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use types::{Str, event::UserEvent, query::Query};

/// Longest silence.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Pauses after failures.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// Events that wait for a slow reader. What it misses meanwhile is told by the next one.
const AHEAD: usize = 1;

/// Begins a stream of the answers of a read.
///
/// # Errors
/// The read has no body that fits on a line, or its resume index is no number.
pub(crate) fn stream(ctx: &Ctx<'_>, mut plan: Read) -> Result<Reply, HttpError> {
    if matches!(plan.shape, Shape::KvRaw | Shape::Pem) {
        return Err(HttpError::bad_request("watch=sse cannot show a raw value"));
    }
    if matches!(plan.query, Query::Execute(_)) {
        return Err(HttpError::bad_request(
            "watch=sse cannot follow what is executed: watch the services instead",
        ));
    }
    if let Some(id) = ctx.header("last-event-id") {
        let index = id.trim().parse();
        plan.options.min_index = index.map_err(|_e| HttpError::bad_request("Invalid Last-Event-ID"))?;
    }
    Ok(open(ctx, |server, events| async move { follow(&server, plan, &events).await }))
}

/// Begins a stream of user events as they come, those first that came after the one with the id `after`; all that are kept
/// when there is no such event.
pub(crate) fn user_events(ctx: &Ctx<'_>, name: Str, after: Str) -> Reply {
    open(ctx, |server, events| async move { follow_events(&server, &name, after, &events).await })
}

/// What is said to any other form of a watch.
pub(crate) fn unknown(watch: &str) -> HttpError {
    let watch = api::decode::quote(watch);
    HttpError::bad_request(format!("Invalid watch value {watch}: only \"sse\" is known"))
}

/// A reply whose body is what `tell` sends. It ends with the client, or the agent.
fn open<F: Future<Output = ()> + Send + 'static>(
    ctx: &Ctx<'_>,
    tell: impl FnOnce(Arc<Shared>, mpsc::Sender<Bytes>) -> F,
) -> Reply {
    let (events, body) = mpsc::channel(AHEAD);
    let stop = ctx.server.tasks.shutdown().clone();
    let gone = events.clone();
    let telling = tell(ctx.server.clone(), events);
    ctx.server.tasks.spawn("watch by events", async move {
        tokio::select! {
            () = stop.wait() => {}
            () = gone.closed() => {}
            () = telling => {}
        }
    });
    let mut reply = Reply::new(StatusCode::OK, Content::Other("text/event-stream"), Bytes::new());
    reply.body = ReplyBody::Stream(body);
    reply.with("cache-control", "no-store").with("x-accel-buffering", "no")
}

async fn follow_events(server: &Shared, name: &str, mut after: Str, events: &mpsc::Sender<Bytes>) {
    loop {
        // Asked for before looking, so that no event between the two is missed.
        let changed = server.agent.events_changed();
        let kept = server.agent.events();
        let news = kept.iter().position(|e| e.id == after).map_or(0, |at| at + 1);
        for event in &kept[news..] {
            after = event.id.clone();
            if (name.is_empty() || event.name == name) && events.send(fired(event)).await.is_err() {
                return;
            }
        }
        if tokio::time::timeout(KEEP_ALIVE, changed).await.is_err()
            && events.send(Bytes::from_static(b":\n\n")).await.is_err()
        {
            return;
        }
    }
}

fn fired(event: &UserEvent) -> Bytes {
    let mut out = format!("id: {}\nevent: fire\ndata: ", event.id).into_bytes();
    api::encode::user_event(&mut out, event);
    out.extend_from_slice(b"\n\n");
    out.into()
}

async fn follow(server: &Arc<Shared>, mut plan: Read, events: &mpsc::Sender<Bytes>) {
    let longest = plan.options.max_wait.map_or(KEEP_ALIVE, |w| w.min(KEEP_ALIVE));
    plan.options.max_wait = Some(longest);
    let mut pause = RETRY.0;
    loop {
        let asked = Instant::now();
        let reply = match read::begin(server, &plan, false) {
            read::Begun::Done(reply) => reply,
            read::Begun::Ask(version) => read::ask(server, &plan, version, false).await,
        };
        let index = reply.meta.map_or(0, |m| m.meta.index.max(1));
        let failed = !(reply.status.is_success() || reply.status == StatusCode::NOT_FOUND);
        let event = match &reply.body {
            ReplyBody::Bytes(body) if failed => error_event(reply.status, body),
            ReplyBody::Bytes(_) if index == plan.options.min_index => Bytes::from_static(b":\n\n"),
            ReplyBody::Bytes(body) => change_event(index, reply.status, body),
            ReplyBody::Stream(_) | ReplyBody::Whole(_) => return,
        };
        // Some answers have no index of their own (a prepared query that is not there): nothing is waited for then.
        let at_once = index <= plan.options.min_index && asked.elapsed() < longest / 2;
        if !failed {
            // An index that went back belongs to another state, or to something that is gone: it was told anew.
            plan.options.min_index = index;
        }
        if events.send(event).await.is_err() {
            return;
        }
        if failed || at_once {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        } else {
            pause = RETRY.0;
        }
    }
}

fn change_event(index: u64, status: StatusCode, body: &[u8]) -> Bytes {
    // Compact JSON has no line ends; an absent thing has no body.
    let body = if status == StatusCode::NOT_FOUND || body.is_empty() { b"null" } else { body };
    let mut out = format!("id: {index}\nevent: change\ndata: ").into_bytes();
    out.extend_from_slice(body);
    out.extend_from_slice(b"\n\n");
    out.into()
}

fn error_event(status: StatusCode, body: &[u8]) -> Bytes {
    let mut out = format!("event: error\ndata: {{\"Status\":{},\"Error\":", status.as_u16()).into_bytes();
    api::encode::string(&mut out, &String::from_utf8_lossy(body));
    out.extend_from_slice(b"}\n\n");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines() {
        let text = |b: Bytes| String::from_utf8(b.to_vec()).unwrap();
        assert_eq!(text(change_event(7, StatusCode::OK, b"[1]")), "id: 7\nevent: change\ndata: [1]\n\n");
        assert!(text(change_event(7, StatusCode::NOT_FOUND, b"")).ends_with("data: null\n\n"));
        let error = text(error_event(StatusCode::INTERNAL_SERVER_ERROR, b"No \"leader\"\nhere"));
        assert_eq!(error, "event: error\ndata: {\"Status\":500,\"Error\":\"No \\\"leader\\\"\\nhere\"}\n\n");
    }
}
