//! The handle that the rest of the agent holds.

use crate::{
    AdminError, BootstrapError, Membership, Observer, Peer, RaftConfig, RaftStatus, ServerId, StartError,
    Transport,
};
use bytes::Bytes;
use runtime::{RngSeed, Tasks, WallClock};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;
use types::{
    RequestError,
    command::{Command, CommandResponse},
};

/// Consensus on this server. Clones share it.
#[derive(Clone)]
pub struct RaftHandle {
    status: watch::Receiver<RaftStatus>,
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
        let _ = (transport, observer, clock, seed, tasks, config.validate()?);
        let (_, status) = watch::channel(RaftStatus::default());
        Ok(Self { status })
    }

    /// Whether this server belongs to a cluster: its log, vote or snapshot is not empty.
    pub fn is_initialized(&self) -> bool {
        false
    }

    /// Starts a new cluster with these voters. Every one of them may call it with the same set, or only one.
    ///
    /// # Errors
    /// [`BootstrapError`]; a server that ever took part in a cluster refuses.
    pub async fn bootstrap(&self, voters: BTreeMap<ServerId, Peer>) -> Result<(), BootstrapError> {
        let _ = voters;
        Err(BootstrapError::Stopped(String::new()))
    }

    /// Puts `command` into the log and answers once it is applied here, with its index. Runs to the end even if the
    /// future is dropped.
    ///
    /// # Errors
    /// `NotLeader`, `Overloaded`, `ShuttingDown`: certainly not applied. `Unknown`: leadership was lost or the time was up
    /// while it was in flight.
    pub async fn propose(&self, command: Command) -> Result<(u64, CommandResponse), RequestError> {
        let _ = command;
        Err(RequestError::NotLeader)
    }

    /// An index such that the local state, which has applied it when this answers, reflects every write that was
    /// acknowledged anywhere before the call. Callers share rounds of confirmation. On a follower it asks the leader.
    ///
    /// # Errors
    /// `NoLeader` when none is known or it could not confirm that it still leads.
    pub async fn read_point(&self) -> Result<u64, RequestError> {
        Err(RequestError::NoLeader)
    }

    /// [`Self::read_point`] without waiting, where no confirmation is needed (the only voter).
    pub fn read_point_now(&self) -> Option<u64> {
        None
    }

    /// State of consensus as it changes.
    pub fn status(&self) -> watch::Receiver<RaftStatus> {
        self.status.clone()
    }

    /// State of consensus now.
    pub fn status_now(&self) -> RaftStatus {
        self.status.borrow().clone()
    }

    /// Answers a request that another server sent through its [`Transport`].
    pub async fn handle(&self, request: Bytes) -> Bytes {
        request
    }

    /// The members.
    pub fn membership(&self) -> Arc<Membership> {
        self.status.borrow().membership.clone()
    }

    /// Adds a server that receives the log without voting, or changes the address of a member.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn add_learner(&self, id: ServerId, peer: Peer) -> Result<(), AdminError> {
        let _ = (id, peer);
        Err(AdminError::NotLeader)
    }

    /// Lets a learner vote.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn promote(&self, id: ServerId) -> Result<(), AdminError> {
        let _ = id;
        Err(AdminError::NotLeader)
    }

    /// Takes a voter's vote away; it keeps receiving the log.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn demote(&self, id: ServerId) -> Result<(), AdminError> {
        let _ = id;
        Err(AdminError::NotLeader)
    }

    /// Removes a member.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn remove(&self, id: ServerId) -> Result<(), AdminError> {
        let _ = id;
        Err(AdminError::NotLeader)
    }

    /// Hands leadership to `to`, or to the voter that is furthest, and waits until it leads.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn transfer_leader(&self, to: Option<ServerId>) -> Result<(), AdminError> {
        let _ = to;
        Err(AdminError::NotLeader)
    }

    /// Makes a snapshot now; answers the index it covers once it is on disk.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn trigger_snapshot(&self) -> Result<u64, AdminError> {
        Err(AdminError::NotLeader)
    }

    /// The transport saw the connection to `id` break. If that is the leader, an election follows as soon as its lease
    /// ends, without the random wait; a leader that is alive is not disturbed.
    pub fn hint_unreachable(&self, id: ServerId) {
        let _ = id;
    }

    /// Stops taking part. The log is flushed and closed when this answers.
    pub async fn shutdown(&self) {}
}
