//! Connections that go through mesh gateways, as the connection pool and the server port see them.

use crate::message::PREFACE;
use runtime::{BoxFuture, Stream};
use std::{any::Any, io, net::SocketAddr};
use tls::{Lane, Refused};
use tokio::{io::AsyncReadExt as _, time::Instant};

/// An open tunnel: the server on its other side has taken our certificate.
pub struct Tunnel {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// When to look for a better way; requests under way may end after it.
    pub until: Option<Instant>,
    /// Dropped when it ends.
    pub held: Option<Box<dyn Any + Send>>,
}

/// Ways to servers that cannot be connected to. Such a server has an address that stands for its name.
pub trait Tunnels: Send + Sync + 'static {
    /// Whether `to` stands for a server.
    fn leads_to(&self, to: SocketAddr) -> bool;
    /// Opens a tunnel for requests, within bounds of its own.
    ///
    /// # Errors
    /// [`Refused::Io`] names each gateway that was tried, and why it did not do.
    fn open(&self, to: SocketAddr) -> BoxFuture<'_, Result<Tunnel, Refused>>;
    /// The connection that was opened last to `to` does not answer.
    fn stalled(&self, to: SocketAddr);
}

/// Takes what arrives on the server port and is not requests.
pub trait TunnelSink: Send + Sync + 'static {
    /// Serves a connection to its end.
    fn serve(&self, lane: Lane, stream: Box<dyn Stream>, from: SocketAddr) -> BoxFuture<'_, ()>;
}

/// Waits until the server has taken our certificate, which it says by its preface.
///
/// # Errors
/// [`Refused`] when it has not.
pub async fn taken(stream: &mut Box<dyn Stream>) -> Result<(), Refused> {
    let mut preface = [0; PREFACE.len()];
    if let Err(e) = stream.read_exact(&mut preface).await {
        return Err(tls::refusal(&e).map_or(Refused::Io(e), Refused::Tls));
    }
    if preface != PREFACE {
        return Err(io::Error::other("not a server of this protocol").into());
    }
    Ok(())
}
