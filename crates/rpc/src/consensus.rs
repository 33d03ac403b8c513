//! What the query and submit services need of consensus; the `raft` crate's handle is plugged in by the agent.

use crate::message::RaftConfiguration;
use bytes::Bytes;
use runtime::BoxFuture;
use std::{net::SocketAddr, time::Duration};
use tokio::sync::watch;
use types::{
    RequestError,
    command::{Command, CommandResponse},
};

/// Who leads, as this server sees it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Leadership {
    /// This server leads.
    pub is_leader: bool,
    /// RPC address of the leader, if one is known.
    pub leader: Option<SocketAddr>,
    /// Current term.
    pub term: u64,
}

/// Consensus of one server.
pub trait Consensus: Send + Sync + 'static {
    /// Proposes a command; only the leader can.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>>;
    /// Read point without waiting: only where it needs no confirmation and the state has reached it.
    fn read_point_now(&self) -> Option<u64>;
    /// Read point of the leader, confirmed with a quorum and applied here.
    fn read_point(&self) -> BoxFuture<'_, Result<u64, RequestError>>;
    /// Answers an opaque raft request.
    fn handle_raft(&self, request: Bytes) -> BoxFuture<'_, Bytes>;
    /// Who leads.
    fn leadership(&self) -> Leadership;
    /// Changes of it.
    fn leadership_changes(&self) -> watch::Receiver<Leadership>;
    /// Since the leader was heard of; zero on the leader.
    fn last_contact(&self) -> Duration;
    /// RPC addresses in the configuration.
    fn peers(&self) -> Vec<SocketAddr>;
    /// The configuration with details.
    fn configuration(&self) -> RaftConfiguration;
    /// Takes a server out of the configuration; only the leader can.
    fn remove_server(&self, id: u128) -> BoxFuture<'_, Result<(), RequestError>>;
    /// Promises to take part in a first configuration of exactly these servers and, for a while, in no other. Refused once this
    /// server has any Raft state.
    fn promise_bootstrap(&self, servers: &[u128]) -> bool;
    /// Hands leadership over, to `to` or to the best other voter.
    fn transfer_leader(&self, to: Option<u128>) -> BoxFuture<'_, Result<(), RequestError>>;
}
