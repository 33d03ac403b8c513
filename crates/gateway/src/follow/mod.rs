//! Keeps a gateway's routes in step with the catalog, through blocking reads of an agent's HTTP API.
//!
//! One task owns the [`model::Model`] and publishes tables; each read that is repeated is a task of its own, which hands what it
//! got to the owner through a bounded channel. While the agent does not answer the last table goes on serving.

pub mod model;
mod shapes;
mod watch;

use crate::{Gateway, route::Place};
use bytes::Bytes;
use model::{Model, Read, Update};
use rand::Rng;
use runtime::{BoxFuture, RngSeed, Shutdown, Tasks};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};
use watch::Watch;

/// Updates that wait for the owner; watches wait when it is full.
const QUEUE: usize = 64;
/// Reads of endpoints that are under way at a time. An agent bounds the connections of one client (200 by default).
const PARALLEL: usize = 64;
/// Pause after a table, so that a catalog in motion costs one table per pause.
const TABLE_PAUSE: Duration = Duration::from_millis(20);
/// Pauses between attempts while the agent does not answer.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(8);

/// An answer of the agent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `X-Consul-Index`, 0 if there is none.
    pub index: u64,
    /// Body.
    pub body: Bytes,
}

/// The HTTP API of an agent.
pub trait AgentApi: Send + Sync + 'static {
    /// GET of `path` with parameters, neither of them percent-encoded, within `limit`. Cancel safe. The error says who could not be reached and why.
    fn get<'a>(
        &'a self,
        path: &'a str,
        query: &'a [(&'static str, String)],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Reply, String>>;

    /// Called when the agent answers again after it did not.
    fn returned(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Whether the agent answers, told once each time that changes.
pub(crate) struct Link {
    away: AtomicBool,
    gateway: Gateway,
}

impl Link {
    fn failed(&self, error: &str) {
        self.gateway.metrics().agent_errors.fetch_add(1, Relaxed);
        if !self.away.swap(true, Relaxed) {
            self.gateway.metrics().agent_away.store(1, Relaxed);
            tracing::warn!(error, "the agent does not answer; the last routes go on serving");
        }
    }

    /// Answers whether it was away before.
    fn answered(&self) -> bool {
        let back = self.away.swap(false, Relaxed);
        if back {
            self.gateway.metrics().agent_away.store(0, Relaxed);
            tracing::info!("the agent answers again");
        }
        back
    }
}

/// What all watches share.
pub(crate) struct Common {
    api: Arc<dyn AgentApi>,
    link: Link,
    updates: mpsc::Sender<Update>,
    places: Arc<Semaphore>,
    /// Watches of endpoints.
    endpoints: AtomicUsize,
    seed: RngSeed,
}

/// Follows the catalog for a gateway.
pub struct Follower {
    common: Arc<Common>,
    gateway: Gateway,
    updates: mpsc::Receiver<Update>,
    model: Model,
    tasks: Tasks,
    running: BTreeMap<Read, Shutdown>,
}

impl Follower {
    /// For `gateway`; `expose_servers` and `own` as in [`crate::route::World`]. Its tasks belong to `tasks`.
    pub fn new(
        api: Arc<dyn AgentApi>,
        gateway: Gateway,
        expose_servers: bool,
        own: BTreeSet<Place>,
        tasks: Tasks,
        seed: RngSeed,
    ) -> Self {
        let (sender, updates) = mpsc::channel(QUEUE);
        let common = Common {
            api,
            link: Link { away: AtomicBool::new(false), gateway: gateway.clone() },
            updates: sender,
            places: Arc::new(Semaphore::new(PARALLEL)),
            endpoints: AtomicUsize::new(0),
            seed,
        };
        Self {
            common: Arc::new(common),
            gateway,
            updates,
            model: Model::new(expose_servers, own),
            tasks,
            running: BTreeMap::new(),
        }
    }

    /// Runs until the tasks' owner shuts down.
    pub async fn run(mut self) {
        let shutdown = self.tasks.shutdown().clone();
        tokio::select! {
            () = shutdown.wait() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        let myself = watch::until_answered(&self.common, "/v1/agent/self", shapes::agent_self).await;
        tracing::info!(
            datacenter = myself.datacenter,
            domain = myself.domain,
            "following the agent's catalog"
        );
        self.model.apply(Update::Agent(myself));
        loop {
            self.watch_what_is_wanted();
            let Some(first) = self.updates.recv().await else { return };
            let mut changed = self.model.apply(first);
            while let Ok(more) = self.updates.try_recv() {
                changed |= self.model.apply(more);
            }
            let complete = self.model.complete();
            if changed || (complete && self.gateway.state() == crate::State::Starting) {
                self.gateway.publish(crate::route::Table::new(self.model.world()), complete);
                tokio::time::sleep(TABLE_PAUSE).await;
            }
        }
    }

    /// Starts reads that are new and ends those that nobody wants.
    fn watch_what_is_wanted(&mut self) {
        let wanted = self.model.wanted();
        self.running.retain(|read, stop| {
            let keep = wanted.contains(read);
            if !keep {
                stop.trigger();
            }
            keep
        });
        for read in wanted {
            if self.running.contains_key(&read) {
                continue;
            }
            let stop = self.tasks.shutdown().child();
            let watch = Watch::new(Arc::clone(&self.common), read.clone());
            self.running.insert(read, stop.clone());
            self.tasks.spawn("catalog watch", async move {
                // What a read had so far is read again by the next.
                tokio::select! {
                    () = stop.wait() => {}
                    () = watch.run() => {}
                }
            });
        }
    }
}

/// The pause before attempt `n` (from 0), with a random half.
fn pause(n: u32, rng: &mut impl Rng) -> Duration {
    let full = RETRY_FIRST.saturating_mul(1_u32.checked_shl(n).unwrap_or(u32::MAX)).min(RETRY_MAX);
    full / 2 + rng.random_range(Duration::ZERO..=full / 2)
}

#[cfg(test)]
mod tests;
