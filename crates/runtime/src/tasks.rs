//! Owned tasks and orderly shutdown.

use parking_lot::Mutex;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Signal that everything should end; cloned into each task.
#[derive(Clone, Default, Debug)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A fresh signal.
    pub fn new() -> Self {
        Self::default()
    }
    /// Asks all to end.
    pub fn trigger(&self) {
        self.0.cancel();
    }
    /// Whether the end was asked for.
    pub fn is_triggered(&self) -> bool {
        self.0.is_cancelled()
    }
    /// Resolves when the end is asked for. Cancel safe.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }
    /// A signal that fires with this one, and can fire alone.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}

/// Owner of tasks. A critical task that ends before shutdown, or any task that panics, triggers shutdown.
#[derive(Clone, Debug)]
pub struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
    shutdown: Shutdown,
}

impl Tasks {
    /// An owner whose tasks end with `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { set: Arc::new(Mutex::new(JoinSet::new())), shutdown }
    }

    /// The signal its tasks listen to.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs a task that may end by itself. A panic in it triggers shutdown.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, false, task);
    }

    /// Runs a task that must live as long as the agent.
    pub fn spawn_critical(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, true, task);
    }

    fn start(&self, name: &'static str, critical: bool, task: impl Future<Output = ()> + Send + 'static) {
        let guard = OnEnd { name, critical, shutdown: self.shutdown.clone(), finished: false };
        let span = tracing::info_span!("task", name);
        let mut set = self.set.lock();
        // Collect what has ended, so that the set does not grow with short tasks.
        while set.try_join_next().is_some() {}
        set.spawn(
            async move {
                let mut guard = guard;
                task.await;
                guard.finished = true;
            }
            .instrument(span),
        );
    }

    /// Waits until every task has ended, at most `limit`; aborts the rest. Answers whether all ended by themselves.
    pub async fn join(&self, limit: Duration) -> bool {
        let mut set = std::mem::take(&mut *self.set.lock());
        let all =
            tokio::time::timeout(limit, async { while set.join_next().await.is_some() {} }).await.is_ok();
        set.abort_all();
        all
    }
}

struct OnEnd {
    name: &'static str,
    critical: bool,
    shutdown: Shutdown,
    finished: bool,
}

impl Drop for OnEnd {
    fn drop(&mut self) {
        if self.shutdown.is_triggered() {
            return;
        }
        if std::thread::panicking() {
            tracing::error!(task = self.name, "task panicked, shutting down");
            self.shutdown.trigger();
        } else if self.critical && self.finished {
            tracing::error!(task = self.name, "critical task ended, shutting down");
            self.shutdown.trigger();
        }
    }
}
