//! The server's parts and its life.

use crate::{
    HttpConfig,
    accept::{HttpListener, accept_loop},
    agent_cache::AgentCache,
    answers::Answers,
    limit::ClientLimit,
    port::AgentPort,
    route::Router,
};
use arc_swap::ArcSwap;
use rpc::{Query, Submit};
use runtime::{Shutdown, Tasks, WallClock};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;

/// The server. Cheap to clone; all clones share limits and caches.
#[derive(Clone)]
pub struct HttpServer(Arc<Shared>);

/// What connections and handlers share.
pub(crate) struct Shared {
    pub(crate) config: ArcSwap<HttpConfig>,
    pub(crate) query: Arc<dyn Query>,
    pub(crate) submit: Arc<dyn Submit>,
    pub(crate) agent: Arc<dyn AgentPort>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) router: Router,
    pub(crate) answers: Answers,
    pub(crate) agent_cache: AgentCache,
    pub(crate) clients: Arc<ClientLimit>,
    pub(crate) connections: Arc<Semaphore>,
    /// HTTPS clients that were turned away.
    pub(crate) refusals: tls::Refusals<Option<IpAddr>>,
    /// Refreshers of the agent's cache.
    pub(crate) tasks: Tasks,
}

impl Shared {
    /// Any number, another one each time; its quality does not matter.
    pub(crate) fn random(&self) -> u64 {
        ahash::RandomState::new().hash_one(self.clock.unix_ms())
    }

    /// A number in 0..1 that spreads waits.
    pub(crate) fn jitter(&self) -> f64 {
        (self.random() >> 11) as f64 / (1u64 << 53) as f64
    }
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
        Self(Arc::new(Shared {
            query,
            submit,
            agent,
            clock,
            router: Router::new(),
            answers: Answers::new(config.answer_cache_bytes),
            agent_cache: AgentCache::new(config.agent_cache_entries),
            clients: Arc::default(),
            refusals: tls::Refusals::default(),
            connections: Arc::new(Semaphore::new(config.max_conns.clamp(1, Semaphore::MAX_PERMITS))),
            tasks: Tasks::new(Shutdown::new()),
            config: ArcSwap::from_pointee(config),
        }))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.0.clone()
    }

    /// Replaces the configuration; requests that begin later see it. The sizes of caches and the number of all connections
    /// stay as they were at start.
    pub fn reconfigure(&self, config: HttpConfig) {
        self.0.config.store(Arc::new(config));
    }

    /// Accepts on `listener` until `shutdown`, then lets requests in flight end (at most `drain_timeout`). Runs as one task per
    /// listener; connections are its children.
    pub async fn serve(self, listener: HttpListener, shutdown: Shutdown) {
        accept_loop(&self.0, listener, &shutdown).await;
        self.0.tasks.shutdown().trigger();
    }
}
