//! The listener for operators: `/metrics`, `/ready`, `/routes`.

use crate::{Gateway, State};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::Tasks;
use serde_json::{Map, Value, json};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};

/// Most connections at a time; others wait.
const CONNECTIONS: usize = 16;
/// A connection is closed after this, idle or not.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// Answers on `listener` until the owner of `tasks` shuts down.
pub fn serve(gateway: &Gateway, listener: TcpListener, tasks: &Tasks) {
    let (gateway, owner) = (gateway.clone(), tasks.clone());
    tasks.spawn("gateway admin listener", async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // Nothing is lost that matters when the wait ends: a connection that just came is closed.
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = owner.shutdown().wait() => return,
                next = next => next,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (gateway, shutdown) = (gateway.clone(), owner.shutdown().clone());
            owner.spawn("gateway admin connection", async move {
                let _held = place;
                let service = service_fn(|request| {
                    let answer = answer(&gateway, &request);
                    async { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .serve_connection(TokioIo::new(stream), service);
                // An operator who is cut off asks again.
                tokio::select! {
                    () = shutdown.wait() => {}
                    _ = tokio::time::timeout(CONNECTION_LIMIT, connection) => {}
                }
            });
        }
    });
}

fn answer(gateway: &Gateway, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD alone\n");
    }
    match request.uri().path() {
        "/ready" => match gateway.state() {
            State::Ready => text(StatusCode::OK, "ready\n"),
            State::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "waiting for the agent's catalog\n"),
            State::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        },
        "/metrics" => typed("text/plain; version=0.0.4", gateway.prometheus()),
        "/routes" => typed("application/json", routes(gateway)),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /ready and /routes\n"),
    }
}

fn routes(gateway: &Gateway) -> String {
    let all: Map<String, Value> = gateway.with_table(|table| {
        let shown = table.patterns().into_iter().map(|(name, route)| {
            let backends: Vec<String> = route.backends.iter().map(ToString::to_string).collect();
            (name, json!({ "Route": route.kind.label(), "Backends": backends }))
        });
        shown.collect()
    });
    format!("{:#}\n", Value::Object(all))
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut out = typed("text/plain", body.to_owned());
    *out.status_mut() = status;
    out
}

fn typed(kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut out = Response::new(Full::from(body));
    out.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    out
}
