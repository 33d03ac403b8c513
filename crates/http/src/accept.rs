//! Accepting connections and driving them.

use crate::{conn, server::Shared};
use runtime::{BoxFuture, Shutdown};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    task::JoinSet,
};

/// A bound listener.
pub enum HttpListener {
    /// TCP.
    Tcp(tokio::net::TcpListener),
    /// A unix socket; the caller owns the file.
    Unix(tokio::net::UnixListener),
    /// Anything else, as a simulated network.
    Other(Box<dyn runtime::Listener>),
}

/// A byte stream of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How long to wait after the system refused another connection (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 75\r\n\
Connection: close\r\n\r\nToo many connections from this address (limits.http_max_conns_per_client).\n";

impl HttpListener {
    async fn accept(&self) -> io::Result<(Box<dyn Io>, Option<IpAddr>)> {
        match self {
            Self::Tcp(l) => {
                let (s, addr) = l.accept().await?;
                s.set_nodelay(true)?;
                Ok((Box::new(s), Some(addr.ip().to_canonical())))
            }
            Self::Unix(l) => {
                let (s, _) = l.accept().await?;
                Ok((Box::new(s), None))
            }
            Self::Other(l) => {
                let (s, addr) = l.accept().await?;
                Ok((Box::new(s), Some(addr.ip().to_canonical())))
            }
        }
    }
}

/// Accepts until `shutdown`, then waits for the connections.
pub(crate) async fn accept_loop(shared: &Arc<Shared>, listener: HttpListener, shutdown: &Shutdown) {
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        // The place is taken before accepting: when all are taken, clients wait in the kernel's queue.
        let place = tokio::select! {
            () = shutdown.wait() => break,
            place = shared.connections.clone().acquire_owned() => match place {
                Ok(place) => place,
                Err(_closed) => break,
            },
        };
        let accepted = tokio::select! {
            () = shutdown.wait() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((io, peer)) => {
                let task = admit(shared, io, peer, shutdown.clone());
                connections.spawn(async move {
                    task.await;
                    drop(place);
                });
            }
            Err(e) => {
                tracing::warn!(error = %e, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drain = shared.config.load().drain_timeout;
    let done = tokio::time::timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    if done.is_err() {
        tracing::debug!(open = connections.len(), "closing HTTP connections that did not end in time");
        connections.abort_all();
    }
}

/// Counts the connection against its client and serves it, or turns it away.
fn admit(
    shared: &Arc<Shared>,
    mut io: Box<dyn Io>,
    peer: Option<IpAddr>,
    shutdown: Shutdown,
) -> BoxFuture<'static, ()> {
    let max = shared.config.load().max_conns_per_client;
    let slot = match peer.map(|ip| (ip, shared.clients.take(ip, max))) {
        Some((ip, None)) => {
            shared.agent.connection_refused(ip);
            return Box::pin(async move {
                // Nobody depends on whether this arrives.
                let _sent = tokio::time::timeout(Duration::from_secs(1), async {
                    io.write_all(TOO_MANY).await?;
                    io.shutdown().await
                })
                .await;
            });
        }
        Some((_, slot)) => slot,
        None => None,
    };
    let shared = shared.clone();
    Box::pin(async move {
        conn::drive(shared, io, peer, shutdown).await;
        drop(slot);
    })
}
