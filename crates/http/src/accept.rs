//! Accepting connections and driving them.

use crate::{conn, server::Shared};
use runtime::{BoxFuture, Shutdown};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tls::{Accepted, Refused, Tls};
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
    /// HTTPS over another.
    Secure(Box<Self>, Arc<Tls>),
}

/// A byte stream of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How long to wait after the system refused another connection (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 75\r\n\
Connection: close\r\n\r\nToo many connections from this address (limits.http_max_conns_per_client).\n";

const NOT_HTTPS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

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
            // The handshake is the connection's own affair: it must not hold up others.
            Self::Secure(l, _) => Box::pin(l.accept()).await,
        }
    }

    fn tls(&self) -> Option<&Arc<Tls>> {
        match self {
            Self::Secure(_, tls) => Some(tls),
            Self::Tcp(_) | Self::Unix(_) | Self::Other(_) => None,
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
                let task = admit(shared, io, peer, listener.tls().cloned(), shutdown.clone());
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
    tls: Option<Arc<Tls>>,
    shutdown: Shutdown,
) -> BoxFuture<'static, ()> {
    let max = shared.config.load().max_conns_per_client;
    let slot = match peer.map(|ip| (ip, shared.clients.take(ip, max))) {
        Some((ip, None)) => {
            shared.agent.connection_refused(ip);
            return Box::pin(async move {
                // A client that expects a handshake could not read it.
                if tls.is_none() {
                    turn_away(io.as_mut(), TOO_MANY).await;
                }
            });
        }
        Some((_, slot)) => slot,
        None => None,
    };
    let shared = shared.clone();
    Box::pin(async move {
        match tls {
            None => conn::drive(shared, io, peer, shutdown).await,
            Some(tls) => {
                // A handshake is large, and over soon.
                if let Some(io) = Box::pin(secure(&shared, &tls, io, peer)).await {
                    conn::drive(shared, io, peer, shutdown).await;
                }
            }
        }
        drop(slot);
    })
}

/// The handshake of an HTTPS client; `None` when there is no session, and it was said why.
async fn secure(shared: &Shared, tls: &Tls, io: Box<dyn Io>, peer: Option<IpAddr>) -> Option<Box<dyn Io>> {
    let limit = shared.config.load().https_handshake_timeout;
    match tokio::time::timeout(limit, tls.accept_https(io)).await {
        Ok(Ok(Accepted::Session(session))) => return Some(session),
        Ok(Ok(Accepted::Plain(mut io))) => turn_away(io.as_mut(), NOT_HTTPS).await,
        Ok(Err(Refused::Tls(why))) => {
            // Once for each reason: anyone who can connect could fill the log.
            if shared.refusals.is_news(peer, &why) {
                let from = peer.map_or_else(|| "a unix socket".to_owned(), |ip| ip.to_string());
                tracing::warn!("refused an HTTPS connection from {from}: {why}");
            }
        }
        Ok(Err(Refused::Io(e))) => tracing::trace!(?peer, error = %e, "HTTPS client went away"),
        Err(_elapsed) => tracing::debug!(?peer, "HTTPS client did not finish its handshake in time"),
    }
    None
}

/// Says why not, and ends the connection. Nobody depends on whether it arrives.
async fn turn_away(io: &mut dyn Io, text: &[u8]) {
    let sent = tokio::time::timeout(Duration::from_secs(1), io.write_all(text)).await;
    if matches!(sent, Ok(Ok(()))) {
        tls::linger(io).await;
    }
}
