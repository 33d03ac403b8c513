//! One connection.

use crate::{accept::Io, dispatch::answer, reply::ReplyBody, server::Shared};
use futures_util::FutureExt as _;
use http::{Response, StatusCode};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime::Shutdown;
use std::{convert::Infallible, net::IpAddr, panic::AssertUnwindSafe, pin::pin, sync::Arc};

/// Serves requests on `io` until the client is gone or the agent ends.
pub(crate) async fn drive(shared: Arc<Shared>, io: Box<dyn Io>, peer: Option<IpAddr>, shutdown: Shutdown) {
    let header_read_timeout = shared.config.load().header_read_timeout;
    let stop = shutdown.clone();
    let service = service_fn(move |request| {
        let (shared, stop) = (shared.clone(), stop.clone());
        async move {
            // A defect of one handler must not take other requests with it.
            let answered = AssertUnwindSafe(answer(&shared, request, peer, &stop)).catch_unwind().await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_panic| {
                tracing::error!("a request handler panicked");
                let mut r = Response::new(ReplyBody::Bytes("internal error".into()));
                *r.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                r
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read_timeout)
        .title_case_headers(true)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        // Clients go away in all kinds of ways; none of them is our trouble.
        tracing::trace!(error = %e, ?peer, "HTTP connection ended");
    }
}
