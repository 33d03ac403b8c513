//! Listeners, and the end of them all.

use crate::{
    Limits, Metrics, Refusal, balance::Backends, limits::Sources, log::RefusalLog, pipes::Pipes,
    route::Table, tunnel,
};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::SmallRng};
use runtime::{RngSeed, Shutdown, Tasks};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::Instant,
};

/// Pause after the system gave no connection (out of file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Patience with tasks that were told to end.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A table, and what is known of its backends.
#[derive(Default, Debug)]
pub(crate) struct Routes {
    pub(crate) table: Table,
    pub(crate) backends: Backends,
}

/// What all tunnels share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) routes: ArcSwap<Routes>,
    pub(crate) pipes: Pipes,
    pub(crate) log: RefusalLog,
    pub(crate) rng: Mutex<SmallRng>,
    /// No new tunnels.
    refusing: Shutdown,
    /// No tunnels at all.
    pub(crate) closing: Shutdown,
    places: Arc<Semaphore>,
    sources: Arc<Sources>,
    started: Instant,
    ready: watch::Sender<bool>,
}

impl Shared {
    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn draining(&self) -> bool {
        self.refusing.is_triggered()
    }
}

/// Whether a gateway can be sent connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It has no complete table yet.
    Starting,
    /// It serves.
    Ready,
    /// It takes no more connections.
    Draining,
}

/// A gateway: [`Gateway::listen`] on as many addresses as it has, [`Gateway::publish`] its routes, and [`Gateway::drain`] it.
/// Clones are handles of the same gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    tasks: Tasks,
}

impl Gateway {
    /// A gateway without routes. Its tasks end after [`Gateway::drain`].
    pub fn new(limits: Limits, seed: RngSeed) -> Self {
        let shared = Shared {
            limits,
            metrics: Arc::default(),
            routes: ArcSwap::default(),
            pipes: Pipes::new(limits.pipes_max),
            log: RefusalLog::default(),
            rng: Mutex::new(SmallRng::from_rng(&mut seed.fork("gateway"))),
            refusing: Shutdown::new(),
            closing: Shutdown::new(),
            places: Arc::new(Semaphore::new(limits.tunnels_max as usize)),
            sources: Arc::default(),
            started: Instant::now(),
            ready: watch::Sender::new(false),
        };
        Self { tasks: Tasks::new(shared.closing.clone()), shared: Arc::new(shared) }
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Triggered when the gateway has ended, by [`Gateway::drain`] or because one of its tasks panicked.
    pub fn ended(&self) -> &Shutdown {
        &self.shared.closing
    }

    /// Whether it can be sent connections.
    pub fn state(&self) -> State {
        match (self.shared.draining(), *self.shared.ready.borrow()) {
            (true, _) => State::Draining,
            (false, true) => State::Ready,
            (false, false) => State::Starting,
        }
    }

    /// New connections follow `table` from now on; tunnels stay as they are. `complete`: the table has all that is known, so
    /// the gateway is ready.
    pub fn publish(&self, table: Table, complete: bool) {
        let backends = self.shared.routes.load().backends.carry_over(&table);
        self.shared.metrics.table_changes.fetch_add(1, Relaxed);
        self.shared.routes.store(Arc::new(Routes { table, backends }));
        if complete {
            self.shared.ready.send_replace(true);
        }
    }

    /// Resolves once every route that the agent knows is there. Cancel safe.
    pub async fn complete(&self) {
        let mut ready = self.shared.ready.subscribe();
        // The sender lives as long as this gateway.
        let _always = ready.wait_for(|ready| *ready).await.is_ok();
    }

    /// Looks at the table.
    pub fn with_table<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.shared.routes.load().table)
    }

    /// Metrics as Prometheus reads them.
    pub fn prometheus(&self) -> String {
        let (shared, routes) = (&self.shared, self.shared.routes.load());
        let n = |n: usize| n as u64;
        self.shared.metrics.prometheus(&[
            ("routes", "Names that are routed.", n(routes.table.len())),
            (
                "backends_ejected",
                "Backends left out after failures.",
                n(routes.backends.ejected(shared.now())),
            ),
            ("pipes", "Pipes in use.", n(shared.pipes.in_use())),
            ("ready", "1 while connections are welcome.", u64::from(self.state() == State::Ready)),
        ])
    }

    /// Takes connections from `listener` until the gateway is drained.
    pub fn listen(&self, listener: TcpListener) {
        let this = self.clone();
        self.tasks.spawn("gateway listener", async move {
            loop {
                // A connection that was accepted as the wait ended is dropped, as it would be a moment later.
                let accepted = tokio::select! {
                    biased;
                    () = this.shared.refusing.wait() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => this.take(stream, peer),
                    Err(e) => this.no_connection(&e).await,
                }
            }
        });
    }

    /// Peers that went away while they waited are their own matter; else the system is short of something.
    async fn no_connection(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset};
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
            tracing::warn!(%error, "cannot take a connection; are there too few open files (ulimit -n)?");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    /// Serves a connection if there is a place for it.
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let shared = Arc::clone(&self.shared);
        let refuse = |why, detail: &str| {
            shared.metrics.refused(why);
            shared.log.tell(shared.now(), why, peer, detail);
        };
        let limits = shared.limits;
        let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
            return refuse(Refusal::Limit, &format!("there are {} tunnels", limits.tunnels_max));
        };
        let Some(source) = shared.sources.enter(peer.ip(), limits.tunnels_per_source_max) else {
            let detail = format!("{} has {} tunnels", peer.ip(), limits.tunnels_per_source_max);
            return refuse(Refusal::SourceLimit, &detail);
        };
        self.tasks.spawn("gateway tunnel", async move {
            let _held = (place, source);
            tunnel::serve(&shared, stream, peer).await;
        });
    }

    /// Takes no more connections, waits at most `limit` for tunnels to end, and closes the rest; answers how many were closed.
    pub async fn drain(&self, limit: Duration) -> u64 {
        self.shared.refusing.trigger();
        let all = self.shared.places.acquire_many(self.shared.limits.tunnels_max);
        let ended = tokio::time::timeout(limit, all).await.is_ok();
        let closed = if ended { 0 } else { self.shared.metrics.active() };
        self.shared.closing.trigger();
        self.tasks.join(END_LIMIT).await;
        closed
    }
}
