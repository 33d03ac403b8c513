//! The state machine: applies batches of committed entries, publishes one version a batch, then answers the proposers.

use crate::{
    Observer,
    kinds::{C, LogId, SnapshotMeta, StoredMembership, term},
    snapshot::{SnapshotDir, SnapshotFile},
};
use catalog::{ApplyCtx, ChangeSet, Store};
use futures_util::{Stream, StreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine, Snapshot},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use types::command::{CommandResponse, Proposal};

/// Entries applied before a version is published although more are waiting.
const BATCH_MAX: usize = 1024;

/// What readers outside the state machine see.
pub struct Published {
    /// Highest index applied and published.
    pub applied: watch::Sender<u64>,
    /// Term of the entry at that index.
    pub applied_term: AtomicU64,
    /// The state at that index.
    pub store: arc_swap::ArcSwap<Store>,
    /// Makes the next snapshot be built without regard to the last one.
    pub force_snapshot: AtomicBool,
}

/// When snapshots are due.
#[derive(Clone, Copy)]
pub struct SnapshotRule {
    /// Not more often than this …
    pub interval: Duration,
    /// … unless this many entries have come since the last one.
    pub entries: u64,
}

/// The state machine.
pub struct Machine {
    store: Store,
    applied: Option<LogId>,
    membership: StoredMembership,
    published: Arc<Published>,
    observer: Arc<dyn Observer>,
    snapshots: SnapshotDir,
    current: Option<(SnapshotMeta, SnapshotFile)>,
    newest: Arc<parking_lot::Mutex<Option<(SnapshotMeta, SnapshotFile)>>>,
    rule: SnapshotRule,
    built_at: Option<Instant>,
    /// In simulated time nothing may happen on another thread.
    inline: bool,
}

impl Machine {
    /// Begins with the newest snapshot, if there is one.
    pub fn new(
        found: Option<(SnapshotMeta, Store, SnapshotFile)>,
        snapshots: SnapshotDir,
        observer: Arc<dyn Observer>,
        rule: SnapshotRule,
        inline: bool,
    ) -> (Self, Arc<Published>) {
        let published = Arc::new(Published {
            applied: watch::Sender::new(0),
            applied_term: AtomicU64::new(0),
            store: arc_swap::ArcSwap::from_pointee(Store::new()),
            force_snapshot: AtomicBool::new(false),
        });
        let mut machine = Self {
            store: Store::new(),
            applied: None,
            membership: StoredMembership::default(),
            published: published.clone(),
            observer,
            snapshots,
            current: None,
            newest: Arc::default(),
            rule,
            built_at: None,
            inline,
        };
        if let Some((meta, store, file)) = found {
            machine.replace(&meta, store, file);
        }
        (machine, published)
    }

    fn replace(&mut self, meta: &SnapshotMeta, store: Store, file: SnapshotFile) {
        self.store = store;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.current = Some((meta.clone(), file));
        self.publish(None);
    }

    fn publish(&self, changes: Option<&ChangeSet>) {
        let store = Arc::new(self.store.clone());
        self.published.store.store(store.clone());
        match changes {
            Some(changes) => self.observer.published(store, changes),
            None => self.observer.replaced(store),
        }
        if let Some(id) = &self.applied {
            self.published.applied_term.store(term(id), Ordering::Release);
            self.published.applied.send_replace(id.index);
        }
    }

    fn apply_one(
        &mut self,
        id: LogId,
        payload: EntryPayload<crate::kinds::Data, crate::ServerId, crate::Peer>,
        changes: &mut ChangeSet,
    ) -> io::Result<CommandResponse> {
        self.applied = Some(id);
        match payload {
            EntryPayload::Blank => Ok(CommandResponse::Ok),
            EntryPayload::Membership(members) => {
                self.membership = StoredMembership::new(Some(id), members);
                Ok(CommandResponse::Ok)
            }
            EntryPayload::Normal(data) => {
                let proposal: Proposal = types::codec::decode(&data.0).map_err(|e| {
                    // Skipping it would make this server's state differ from that of the others.
                    let what = format!("log entry {} cannot be applied by this version: {e}", id.index);
                    io::Error::new(io::ErrorKind::InvalidData, what)
                })?;
                let ctx = ApplyCtx { index: id.index, proposed_at_ms: proposal.proposed_at_ms };
                Ok(self.store.apply(&ctx, &proposal.command, changes))
            }
        }
    }

    /// Newest of what was built here and what was installed.
    fn newest(&mut self) -> Option<(SnapshotMeta, SnapshotFile)> {
        if let Some(built) = self.newest.lock().take()
            && self.current.as_ref().is_none_or(|(meta, _)| meta.last_log_id < built.0.last_log_id)
        {
            self.current = Some(built);
        }
        self.current.clone()
    }
}

impl RaftStateMachine<C> for Machine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<C>>> + Unpin + OptionalSend,
    {
        let mut changes = ChangeSet::new();
        let mut answers = Vec::new();
        let mut n = 0;
        loop {
            let next = entries.next().await.transpose()?;
            let end = next.is_none();
            if let Some((entry, responder)) = next {
                let response = self.apply_one(entry.log_id, entry.payload, &mut changes)?;
                answers.extend(responder.map(|r| (r, response)));
                n += 1;
            }
            if n > 0 && (end || n >= BATCH_MAX) {
                self.publish(Some(&changes));
                changes.clear();
                n = 0;
                for (responder, response) in answers.drain(..) {
                    responder.send(response);
                }
            }
            if end {
                return Ok(());
            }
        }
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder> {
        let forced = self.published.force_snapshot.swap(false, Ordering::AcqRel) || force;
        let snapshot = self.newest().and_then(|(meta, _)| meta.last_log_id).map_or(0, |id| id.index);
        let behind = crate::kinds::index(self.applied.as_ref()).saturating_sub(snapshot);
        let recent = self.built_at.is_some_and(|at| at.elapsed() < self.rule.interval);
        if recent && !forced && behind < self.rule.entries {
            return None;
        }
        self.built_at = Some(Instant::now());
        Some(self.builder())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.builder()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        let file = snapshot.clone();
        let read = move || file.restore();
        let (_, store) = if self.inline {
            read()?
        } else {
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??
        };
        self.replace(meta, store, snapshot);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<openraft::type_config::alias::SnapshotOf<C, SnapshotFile>>> {
        Ok(self.newest().map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

impl Machine {
    fn builder(&self) -> Builder {
        Builder {
            meta: SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() },
            store: self.store.clone(),
            dir: self.snapshots.clone(),
            newest: self.newest.clone(),
            inline: self.inline,
        }
    }
}

/// Writes one snapshot while the state machine goes on.
pub struct Builder {
    meta: SnapshotMeta,
    store: Store,
    dir: SnapshotDir,
    newest: Arc<parking_lot::Mutex<Option<(SnapshotMeta, SnapshotFile)>>>,
    inline: bool,
}

impl RaftSnapshotBuilder<C> for Builder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(
        &mut self,
    ) -> io::Result<openraft::type_config::alias::SnapshotOf<C, SnapshotFile>> {
        let (dir, meta, store) = (self.dir.clone(), self.meta.clone(), self.store.clone());
        let build = move || dir.write(&meta, store.clone());
        let snapshot = if self.inline { build()? } else { in_the_background(build).await? };
        *self.newest.lock() = Some((self.meta.clone(), snapshot.clone()));
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}

/// How much less than others the building of a snapshot gets of a processor that is not free (`nice`): what is acknowledged
/// meanwhile must not wait for it, and the log keeps everything until it is done.
const SNAPSHOT_NICE: i32 = 10;

/// Pause before a thread is asked for again where the system has none to give.
const THREAD_RETRY: Duration = Duration::from_secs(5);

/// Runs `build` on a thread of its own, which steps back behind all others. An error would end the server: that there is no
/// thread now is none, the log merely stays longer.
async fn in_the_background<T: Send + 'static>(
    build: impl Fn() -> io::Result<T> + Clone + Send + 'static,
) -> io::Result<T> {
    let ended = |_panicked| io::Error::other("the thread that builds a snapshot ended early");
    loop {
        let (done, built) = tokio::sync::oneshot::channel();
        let build = build.clone();
        let step_back_and_build = move || {
            // Of this thread alone, as Linux has it. Without it the thread is merely more of a burden.
            if let Err(error) = rustix::process::setpriority_process(None, SNAPSHOT_NICE) {
                tracing::debug!(%error, "the priority of the thread that builds snapshots stays as it is");
            }
            // Nobody waits any more when this server ends meanwhile.
            let _ = done.send(build());
        };
        match std::thread::Builder::new().name("raft snapshot".into()).spawn(step_back_and_build) {
            Ok(_detached) => return built.await.map_err(ended)?,
            Err(error) => tracing::warn!(%error, "no thread to build a snapshot, trying again"),
        }
        tokio::time::sleep(THREAD_RETRY).await;
    }
}
