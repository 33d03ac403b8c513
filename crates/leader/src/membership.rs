//! The Raft configuration as autopilot sees and changes it.

use runtime::BoxFuture;
use std::{net::SocketAddr, time::Duration};

/// Raft id of a server: its node id (a UUID) as a number.
pub type ServerId = u128;

/// One server of the Raft configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaftServer {
    /// Id.
    pub id: ServerId,
    /// RPC address that the configuration holds.
    pub addr: SocketAddr,
    /// Votes, as opposed to a learner that only follows.
    pub voter: bool,
}

/// How a follower keeps up, as the leader knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerHealth {
    /// Since the server last answered.
    pub last_contact: Duration,
    /// How many entries it is behind the leader's log.
    pub lag: u64,
}

/// Why the configuration was not changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MembershipError {
    /// This server no longer leads. Try nothing further in this term.
    #[error("not the leader")]
    NotLeader,
    /// Another change is under way; the next pass tries again.
    #[error("a membership change is in progress")]
    Busy,
    /// Raft refused or failed; the change may have been applied, which the next pass sees.
    #[error("{0}")]
    Failed(String),
}

/// Reads and changes the Raft configuration. Changes are idempotent.
pub trait Membership: Send + Sync + 'static {
    /// This server's id.
    fn own_id(&self) -> ServerId;
    /// The current configuration.
    fn servers(&self) -> Vec<RaftServer>;
    /// Replication state of a server, `None` if it is not known (yet). Only asked on the leader.
    fn health(&self, id: ServerId) -> Option<ServerHealth>;
    /// Adds a server that follows without a vote, or corrects the address of one that is there.
    fn add_learner(&self, id: ServerId, addr: SocketAddr) -> BoxFuture<'_, Result<(), MembershipError>>;
    /// Gives a learner its vote.
    fn promote(&self, id: ServerId) -> BoxFuture<'_, Result<(), MembershipError>>;
    /// Takes a voter's vote away; it goes on following.
    fn demote(&self, id: ServerId) -> BoxFuture<'_, Result<(), MembershipError>>;
    /// Takes a server out.
    fn remove(&self, id: ServerId) -> BoxFuture<'_, Result<(), MembershipError>>;
}
