//! The handle that the rest of the agent holds.

use crate::{
    AdminError, BootstrapError, Membership, Observer, Peer, RaftConfig, RaftStatus, Role, ServerId,
    StartError, Transport,
    kinds::{C, Data, Raft},
    log_store::LogStore,
    machine::Published,
    reads, serve,
    snapshot::SnapshotDir,
    status::{self, Heard},
    storage::Storage,
    wire::{Envelope, Response},
};
use bytes::Bytes;
use catalog::Store;
use faults::Fault;
use openraft::{
    async_runtime::watch::WatchReceiver,
    errors::{ClientWriteError, InitializeError, RaftError},
    impls::ProgressResponder,
    metrics::RaftServerMetrics,
};
use runtime::{RngSeed, Shutdown, Tasks, WallClock};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout},
};
use types::{
    RequestError,
    command::{Command, CommandResponse, Proposal},
};

/// Callers of a linearizable read that may wait at once.
const READERS_MAX: usize = 65_536;

/// What the clones of a handle and its tasks share.
pub(crate) struct Shared {
    pub(crate) id: ServerId,
    pub(crate) raft: Raft,
    pub(crate) log: LogStore,
    pub(crate) published: Arc<Published>,
    pub(crate) server_metrics: openraft::type_config::alias::WatchReceiverOf<C, RaftServerMetrics<C>>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) snapshots: SnapshotDir,
    pub(crate) receiving: tokio::sync::Mutex<Option<serve::Receiving>>,
    pub(crate) heard: Heard,
    pub(crate) proposals: Semaphore,
    pub(crate) propose_limit: Duration,
    pub(crate) read_limit: Duration,
    pub(crate) confirm_limit: Duration,
    pub(crate) lease: Duration,
    pub(crate) inline: bool,
    pub(crate) pristine_start: bool,
    /// Ends this handle's own tasks.
    pub(crate) stop: Shutdown,
    pub(crate) tasks: Tasks,
}

impl Shared {
    /// The leader known now, with its address.
    pub(crate) fn leader(&self) -> Option<(ServerId, Peer)> {
        let metrics = self.server_metrics.borrow_watched();
        let id = metrics.current_leader?;
        Some((id, metrics.membership_config.get_node(&id)?.clone()))
    }
    /// Notes that the leader was heard of.
    pub(crate) fn heard_from(&self, leader: ServerId) {
        self.heard.note(leader, Instant::now());
    }
}

/// Consensus on this server. Clones share it.
#[derive(Clone)]
pub struct RaftHandle {
    shared: Arc<Shared>,
    status: watch::Receiver<RaftStatus>,
    reads: mpsc::Sender<reads::Waiter>,
}

impl RaftHandle {
    /// Opens log and snapshot, restores the state and takes part from now on.
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way and where; it never starts from a log it cannot trust.
    pub async fn start(
        config: RaftConfig,
        transport: Arc<dyn Transport>,
        observer: Arc<dyn Observer>,
        clock: Arc<dyn WallClock>,
        seed: RngSeed,
        tasks: Tasks,
    ) -> Result<Self, StartError> {
        let storage = match &config.data_dir {
            Some(dir) if faults::on(Fault::AckBeforeFsync) => Storage {
                files: Arc::new(crate::storage::HeldFiles::default()),
                ..Storage::disk(dir.join("raft"))
            },
            Some(dir) => Storage::disk(dir.join("raft")),
            None => Storage::memory(),
        };
        Self::start_on(config, storage, transport, observer, clock, seed, tasks).await
    }

    /// [`Self::start`] on given storage; the data directory of the configuration is not looked at.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_on(
        config: RaftConfig,
        storage: Storage,
        transport: Arc<dyn Transport>,
        observer: Arc<dyn Observer>,
        clock: Arc<dyn WallClock>,
        seed: RngSeed,
        tasks: Tasks,
    ) -> Result<Self, StartError> {
        let (shared, status) =
            crate::start::start(config, storage, transport, observer, clock, seed, tasks).await?;
        let shared = Arc::new(shared);
        let (reads, waiting) = mpsc::channel(READERS_MAX);
        shared.tasks.spawn("raft-reads", reads::run(shared.clone(), waiting));
        let (tx, status_rx) = watch::channel(status);
        shared.tasks.spawn("raft-status", status::run(shared.clone(), tx));
        Ok(Self { shared, status: status_rx, reads })
    }

    /// Whether this server belongs to a cluster: its log, vote or snapshot is not empty.
    pub fn is_initialized(&self) -> bool {
        if !self.shared.pristine_start {
            return true;
        }
        let metrics = self.shared.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.last_log_index.is_some() || metrics.vote.leader_id.term > 0 || metrics.snapshot.is_some()
    }

    /// Starts a new cluster with these voters. Every one of them may call it with the same set, or only one.
    ///
    /// # Errors
    /// [`BootstrapError`]; a server that ever took part in a cluster refuses.
    pub async fn bootstrap(&self, voters: BTreeMap<ServerId, Peer>) -> Result<(), BootstrapError> {
        if !voters.contains_key(&self.shared.id) {
            return Err(BootstrapError::NotInMembers);
        }
        if self.is_initialized() {
            return Err(BootstrapError::AlreadyInitialized);
        }
        match self.shared.raft.initialize(voters).await {
            Ok(()) => Ok(()),
            Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {
                Err(BootstrapError::AlreadyInitialized)
            }
            Err(RaftError::APIError(InitializeError::NotInMembers(_))) => Err(BootstrapError::NotInMembers),
            Err(RaftError::Fatal(e)) => Err(BootstrapError::Stopped(e.to_string())),
        }
    }

    /// Puts `command` into the log and answers once it is applied here, with its index. Once it is handed over it runs to
    /// the end even if the future is dropped.
    ///
    /// # Errors
    /// `NotLeader`, `Overloaded`, `ShuttingDown`: certainly not applied. `Unknown`: leadership was lost or the time was up
    /// while it was in flight.
    pub async fn propose(&self, command: Command) -> Result<(u64, CommandResponse), RequestError> {
        let shared = &self.shared;
        if shared.server_metrics.borrow_watched().current_leader != Some(shared.id) {
            return Err(RequestError::NotLeader);
        }
        let Ok(_permit) = shared.proposals.try_acquire() else { return Err(RequestError::Overloaded) };
        let proposal = Proposal { proposed_at_ms: shared.clock.unix_ms(), command };
        let bytes =
            types::codec::encode(&proposal).map_err(|e| RequestError::Malformed(e.to_string().into()))?;
        let (responder, answer) = ProgressResponder::complete_only();
        if shared.raft.client_write_ff(Data(bytes.into()), Some(responder)).await.is_err() {
            return Err(RequestError::ShuttingDown);
        }
        match timeout(shared.propose_limit, answer).await {
            Ok(Ok(Ok(done))) => Ok((done.log_id.index, done.data)),
            Ok(Ok(Err(ClientWriteError::ForwardToLeader(_)))) => Err(RequestError::NotLeader),
            // Discarded on a change of leader, consensus ended, or no answer in time: it may be in the log of others.
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(RequestError::Unknown),
        }
    }

    /// An index such that the local state, which has applied it when this answers, reflects every write that was
    /// acknowledged anywhere before the call. Callers share rounds of confirmation. On a follower it asks the leader.
    ///
    /// # Errors
    /// `NoLeader` when none is known or it could not confirm that it still leads.
    pub async fn read_point(&self) -> Result<u64, RequestError> {
        if let Some(index) = self.shared.read_point_now() {
            return Ok(index);
        }
        let (tx, rx) = oneshot::channel();
        match self.reads.try_send(tx) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(RequestError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(RequestError::ShuttingDown),
        }
        rx.await.unwrap_or(Err(RequestError::ShuttingDown))
    }

    /// [`Self::read_point`] without waiting, where no confirmation is needed (the leader that is the only voter).
    pub fn read_point_now(&self) -> Option<u64> {
        self.shared.read_point_now()
    }

    /// Waits until `index` is applied and published here; false if consensus ended before.
    pub async fn wait_applied(&self, index: u64) -> bool {
        self.shared.wait_applied(index).await
    }

    /// The newest published state.
    pub fn state(&self) -> Arc<Store> {
        self.shared.published.store.load_full()
    }

    /// State of consensus as it changes.
    pub fn status(&self) -> watch::Receiver<RaftStatus> {
        self.status.clone()
    }

    /// State of consensus now.
    pub fn status_now(&self) -> RaftStatus {
        let mut status = self.status.borrow().clone();
        if status.role != Role::Leader
            && let Some((leader, _)) = &status.leader
        {
            status.last_contact = self.shared.heard.last(*leader).or(status.last_contact);
        }
        status
    }

    /// This server's id.
    pub fn id(&self) -> ServerId {
        self.shared.id
    }

    /// Answers a request that another server sent through its [`Transport`].
    pub async fn handle(&self, request: Bytes) -> Bytes {
        let response = match types::codec::decode::<Envelope>(&request) {
            Ok(envelope) => self.shared.serve(envelope).await,
            Err(e) => Response::Failed(format!("malformed request: {e}")),
        };
        match types::codec::encode(&response) {
            Ok(bytes) => bytes.into(),
            Err(e) => {
                tracing::error!(error = %e, "an answer to another server cannot be encoded");
                Bytes::new()
            }
        }
    }

    /// The members.
    pub fn membership(&self) -> Arc<Membership> {
        self.status.borrow().membership.clone()
    }

    /// Adds a server that receives the log without voting, or changes name and address of a member.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn add_learner(&self, id: ServerId, peer: Peer) -> Result<(), AdminError> {
        self.shared.add_learner(id, peer).await
    }

    /// Lets a learner vote.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn promote(&self, id: ServerId) -> Result<(), AdminError> {
        self.shared.promote(id).await
    }

    /// Takes a voter's vote away; it keeps receiving the log.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn demote(&self, id: ServerId) -> Result<(), AdminError> {
        self.shared.demote(id).await
    }

    /// Removes a member. A leader that is asked to remove itself hands leadership over and answers `NotLeader`: ask the
    /// next one.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn remove(&self, id: ServerId) -> Result<(), AdminError> {
        self.shared.remove(id).await
    }

    /// Hands leadership to `to`, or to the voter that is furthest, and waits until another server leads.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn transfer_leader(&self, to: Option<ServerId>) -> Result<(), AdminError> {
        self.shared.transfer_leader(to).await
    }

    /// Makes a snapshot now; answers the index it covers once it is on disk.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn trigger_snapshot(&self) -> Result<u64, AdminError> {
        self.shared.trigger_snapshot().await
    }

    /// The transport saw the connection to `id` break. If that is the leader, an election follows as soon as its lease
    /// ends, without the random wait; a leader that is alive is not disturbed.
    pub fn hint_unreachable(&self, id: ServerId) {
        crate::admin::hint_unreachable(&self.shared, id);
    }

    /// Stops taking part. The log is flushed and closed when this answers.
    pub async fn shutdown(&self) {
        self.shared.stop.trigger();
        if let Err(e) = self.shared.raft.shutdown().await {
            tracing::warn!(error = %e, "consensus did not end in order");
        }
        self.shared.log.close().await;
    }
}
