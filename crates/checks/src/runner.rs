//! The life of one check: when it runs, and what becomes of its results.

mod alias;
mod ttl;

use crate::inner::Inner;
use local::{Key, ProbeKind};
use parking_lot::Mutex;
use runtime::Shutdown;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use types::definition::CheckDefinition;

/// Shortest interval of a probe.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

struct Handle {
    stop: Shutdown,
    /// Of TTL checks: when the application must have spoken.
    deadline: Option<watch::Sender<Instant>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.trigger();
    }
}

/// The running checks. Each is a task that ends with its handle.
#[derive(Default)]
pub(crate) struct Runners(Mutex<HashMap<Key, Handle>>);

impl Runners {
    pub(crate) fn stop(&self, key: &Key) {
        self.0.lock().remove(key);
    }

    /// Starts a check, in place of one that may run under the same key.
    pub(crate) fn start(&self, inner: &Arc<Inner>, key: &Key, definition: Arc<CheckDefinition>) {
        let Some(kind) = ProbeKind::of(&definition) else { return self.stop(key) };
        let tasks = &inner.ports.tasks;
        let stop = tasks.shutdown().child();
        let mut deadline = None;
        let run = Run { inner: Arc::clone(inner), key: key.clone(), definition, stop: stop.clone() };
        match kind {
            ProbeKind::Ttl => {
                let (sender, receiver) = watch::channel(Instant::now() + run.definition.ttl);
                deadline = Some(sender);
                tasks.spawn("check-ttl", ttl::run(run, receiver));
            }
            ProbeKind::Alias => tasks.spawn("check-alias", alias::run(run)),
            _ => tasks.spawn("check", run.probe_forever(kind)),
        }
        self.0.lock().insert(key.clone(), Handle { stop, deadline });
    }

    /// An application has spoken: its TTL begins anew.
    pub(crate) fn extend_ttl(&self, key: &Key, ttl: Duration) {
        if let Some(sender) = self.0.lock().get(key).and_then(|h| h.deadline.as_ref()) {
            sender.send_replace(Instant::now() + ttl);
        }
    }
}

/// What the task of a check works with.
struct Run {
    inner: Arc<Inner>,
    key: Key,
    definition: Arc<CheckDefinition>,
    stop: Shutdown,
}

impl Run {
    async fn probe_forever(self, kind: ProbeKind) {
        let interval = self.definition.interval.max(INTERVAL_MIN);
        // The first run is at a random point, so that many checks do not run together.
        let mut next = Instant::now() + interval.mul_f64(self.inner.jitter());
        loop {
            tokio::select! {
                () = self.stop.wait() => return,
                () = tokio::time::sleep_until(next) => {}
            }
            let limit = self.inner.registry.lock().output_limit(&self.definition);
            tokio::select! {
                () = self.stop.wait() => return,
                result = self.inner.prober.probe(kind, &self.definition, limit) => {
                    if self.stop.is_triggered() {
                        return;
                    }
                    self.inner.observe(&self.key, result.status, &result.output);
                }
            }
            next = Instant::now() + interval;
        }
    }
}
