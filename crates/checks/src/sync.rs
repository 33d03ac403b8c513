//! The anti-entropy loop: changed rows at once, everything now and then, again and again until it succeeds.

use crate::inner::Inner;
use local::{Operation, full_sync_delay};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use types::{
    RequestError,
    command::{Command, CommandResponse},
    query::{Query, QueryOptions, QueryResult},
};

/// Most writes in one entry of the log.
const BATCH_MAX: usize = 64;
/// First wait after a failure; doubles up to the largest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// How long a registration waits for its sync before it answers.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How often services are looked for that have been critical for too long.
const REAP_INTERVAL: Duration = Duration::from_secs(30);
/// Full syncs asked for from outside are spread over this time.
const FULL_SOON_SPREAD: Duration = Duration::from_secs(2);

/// How others wake the loop and learn that it has been round.
#[derive(Default)]
pub(crate) struct SyncSignal {
    work: Notify,
    wanted: AtomicU64,
    full: AtomicBool,
    paused: AtomicU64,
    done: watch::Sender<u64>,
}

impl SyncSignal {
    /// Something changed.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    pub(crate) fn full_soon(&self) {
        self.full.store(true, Ordering::Release);
        self.work.notify_one();
    }

    pub(crate) fn pause(&self) {
        self.paused.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn resume(&self) {
        // A resume without pause changes nothing.
        let _ = self.paused.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        self.work.notify_one();
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire) > 0
    }

    /// Waits until a round that began after this call is over, well or not, at most [`ANSWER_WAIT`].
    pub(crate) async fn round(&self) {
        if self.is_paused() {
            return;
        }
        let mine = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut done = self.done.subscribe();
        self.work.notify_one();
        // Too late is no failure: the loop goes on without us.
        let _ = timeout(ANSWER_WAIT, done.wait_for(|n| *n >= mine)).await;
    }
}

struct Loop {
    inner: Arc<Inner>,
    full_at: Instant,
    retry_at: Option<Instant>,
    retry_wait: Duration,
    reap_at: Instant,
}

/// Logs what the catalog now has, as the agent's own doing.
fn report(command: &Command) {
    match command {
        Command::Register(r) if r.service.is_none() && r.checks.is_empty() => {
            tracing::info!(target: "agent", "Synced node info");
        }
        Command::Register(r) => {
            if let Some(service) = &r.service {
                tracing::info!(target: "agent", service = %service.id, "Synced service");
            }
            for check in &r.checks {
                tracing::info!(target: "agent", check = %check.check_id, "Synced check");
            }
        }
        Command::Deregister(d) if !d.service_id.as_str().is_empty() => {
            tracing::info!(target: "agent", service = %d.service_id, "Deregistered service");
        }
        Command::Deregister(d) => {
            tracing::info!(target: "agent", check = %d.check_id, "Deregistered check");
        }
        _ => {}
    }
}

/// Runs until shutdown.
pub(crate) async fn run(inner: Arc<Inner>) {
    let now = Instant::now();
    let mut this =
        Loop { inner, full_at: now, retry_at: None, retry_wait: RETRY_MIN, reap_at: now + REAP_INTERVAL };
    let shutdown = this.inner.ports.tasks.shutdown().clone();
    loop {
        let due = this.next_due();
        tokio::select! {
            () = shutdown.wait() => break,
            () = this.inner.signal.work.notified() => {}
            () = sleep_until(due) => {}
        }
        tokio::select! {
            () = shutdown.wait() => break,
            () = this.round() => {}
        }
    }
}

impl Loop {
    fn next_due(&self) -> Instant {
        let deferred = self.inner.registry.lock().next_deferred_ms().map(|ms| self.inner.at_ms(ms));
        [Some(self.full_at), self.retry_at, deferred, Some(self.reap_at)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.full_at)
    }

    async fn round(&mut self) {
        let now = Instant::now();
        if now >= self.reap_at {
            self.reap_at = now + REAP_INTERVAL;
            self.reap().await;
        }
        let inner = Arc::clone(&self.inner);
        let now_ms = inner.now_ms();
        inner.registry.lock().release_deferred(now_ms);
        if inner.signal.full.swap(false, Ordering::AcqRel) {
            self.full_at = self.full_at.min(now + FULL_SOON_SPREAD.mul_f64(inner.jitter()));
        }
        if inner.signal.is_paused() {
            // The resume wakes us again; nothing else is due before.
            self.full_at = self.full_at.max(now + RETRY_MIN);
            self.retry_at = None;
            return;
        }
        let wanted = inner.signal.wanted.load(Ordering::Acquire);
        let mut outcome = Ok(());
        if now >= self.full_at {
            outcome = self.compare().await;
            let size = (inner.ports.cluster_size)();
            self.full_at = Instant::now() + full_sync_delay(size, inner.jitter());
        }
        if outcome.is_ok() {
            outcome = self.write().await;
        }
        self.after(outcome);
        inner.signal.done.send_if_modified(|seen| std::mem::replace(seen, wanted) != wanted);
    }

    fn after(&mut self, outcome: Result<(), RequestError>) {
        match outcome {
            Ok(()) => {
                self.retry_at = None;
                self.retry_wait = RETRY_MIN;
            }
            Err(error) => {
                let wait = self.retry_wait.mul_f64(0.5 + self.inner.jitter());
                if error.is_transient() {
                    tracing::debug!(%error, ?wait, "the catalog cannot be reached, trying again");
                } else {
                    tracing::warn!(%error, ?wait, "anti-entropy failed, trying again");
                }
                let at = Instant::now() + wait;
                self.retry_at = Some(at);
                // What failed may have been the comparison, or the catalog may have become another one meanwhile.
                self.full_at = self.full_at.min(at);
                self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
            }
        }
    }

    /// Reads what the catalog has of this node and marks what differs.
    async fn compare(&self) -> Result<(), RequestError> {
        let node = self.inner.config.lock().node.clone();
        let query = Query::NodeState { tenancy: node.tenancy.node_scope(), node: node.name };
        let options =
            QueryOptions { token: self.inner.effective_token(&Default::default()), ..Default::default() };
        let answer = self.inner.ports.query.query(query, options).await?;
        let QueryResult::NodeState(remote) = answer.result else {
            return Err(RequestError::Malformed("unexpected answer to a node state query".into()));
        };
        self.inner.change(|r| r.compare(&remote));
        Ok(())
    }

    /// Writes what is not in line. What succeeded is kept even if something after it fails.
    async fn write(&self) -> Result<(), RequestError> {
        let operations = self.inner.registry.lock().plan();
        let mut rest = operations.as_slice();
        let mut failed = None;
        while let Some(first) = rest.first() {
            let same = rest.iter().take(BATCH_MAX).take_while(|op| op.token() == first.token()).count();
            let (now, later) = rest.split_at(same);
            rest = later;
            match self.submit(now).await {
                Ok(()) => {}
                // One forbidden row must not hold up the others.
                Err(RequestError::PermissionDenied(_)) if now.len() > 1 => {
                    for op in now {
                        if let Err(e) = self.single(op).await {
                            failed = Some(e);
                        }
                    }
                }
                Err(e @ RequestError::PermissionDenied(_)) => {
                    for op in now {
                        self.forbidden(op, &e);
                    }
                }
                Err(e @ RequestError::Refused(_)) => failed = Some(e),
                Err(e) => return Err(e),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn single(&self, op: &Operation) -> Result<(), RequestError> {
        match self.submit(std::slice::from_ref(op)).await {
            Err(e @ RequestError::PermissionDenied(_)) => {
                self.forbidden(op, &e);
                Ok(())
            }
            other => other,
        }
    }

    /// Trying again would not help: the row waits for the next full sync.
    fn forbidden(&self, op: &Operation, error: &RequestError) {
        tracing::warn!(%error, "a registration is not synced: its token lacks a permission");
        self.inner.registry.lock().acknowledge(op);
    }

    async fn submit(&self, operations: &[Operation]) -> Result<(), RequestError> {
        let Some(first) = operations.first() else { return Ok(()) };
        let token = self.inner.effective_token(first.token());
        let command = match operations {
            [op] => op.command().clone(),
            several => Command::Batch(several.iter().map(|op| op.command().clone()).collect()),
        };
        let (_, response) = self.inner.ports.submit.submit(None, &token, command).await?;
        let mut refused = None;
        let mut written = Vec::with_capacity(operations.len());
        match response {
            CommandResponse::Batch(answers) => {
                for (op, answer) in operations.iter().zip(answers) {
                    match answer {
                        CommandResponse::Refused(text) => refused = Some(text),
                        _ => written.push(op),
                    }
                }
            }
            CommandResponse::Refused(text) => refused = Some(text),
            _ => written.extend(operations),
        }
        {
            let mut registry = self.inner.registry.lock();
            written.iter().for_each(|op| registry.acknowledge(op));
        }
        written.iter().for_each(|op| report(op.command()));
        refused.map_or(Ok(()), |text| Err(RequestError::Refused(text)))
    }

    async fn reap(&self) {
        let now = self.inner.now_ms();
        let overdue = self.inner.registry.lock().overdue_services(now);
        for key in overdue {
            tracing::info!(service = %key.id, "deregistering a service that has been critical for too long");
            let Ok(change) = self.inner.register(|r, _| r.deregister_service(&key)) else { continue };
            if let Err(error) = self.inner.persist(&change).await {
                tracing::error!(%error, service = %key.id, "cannot remove a persisted registration");
            }
        }
    }
}
