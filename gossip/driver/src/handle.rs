//! The handle that the agent holds.

use crate::{
    DriverConfig, ForceLeaveError, JoinError, KeyringError, KeyringOp, KeyringResponse, RetryJoin,
    RetryJoinError, SetTagsError, StartError,
};
use gossip::MemberEvent;
use runtime::{Net, RngSeed, Tasks, WallClock};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::sync::{mpsc, watch};
use types::{Str, member::Member};

/// A running pool. Cloning shares it; it ends with the shutdown signal of the tasks it was started with.
#[derive(Clone)]
pub struct GossipHandle {}

impl GossipHandle {
    /// Binds UDP and TCP at once, loads keys and former members, and starts to gossip.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(
        _config: DriverConfig,
        _net: Arc<dyn Net>,
        _clock: Arc<dyn WallClock>,
        _seed: RngSeed,
        _tasks: Tasks,
    ) -> Result<(Self, mpsc::Receiver<MemberEvent>), StartError> {
        unimplemented!()
    }
    /// All members, self, failed and left ones included, sorted by name. Takes no lock.
    pub fn members(&self) -> Arc<Vec<Member>> {
        unimplemented!()
    }
    /// This member.
    pub fn local_member(&self) -> Member {
        unimplemented!()
    }
    /// Where UDP and TCP listen.
    pub fn local_addr(&self) -> SocketAddr {
        unimplemented!()
    }
    /// A number that grows with each change of [`Self::members`].
    pub fn member_changes(&self) -> watch::Receiver<u64> {
        unimplemented!()
    }
    /// Whether events were dropped since this was last asked: then compare the member list with what you know.
    pub fn take_resync(&self) -> bool {
        unimplemented!()
    }
    /// Joins through each target (`host`, `host:port`, `ip`, `[v6]:port`); answers how many worked.
    ///
    /// # Errors
    /// [`JoinError`] when none did, with the reason of each.
    pub async fn join(&self, _targets: &[String]) -> Result<usize, JoinError> {
        unimplemented!()
    }
    /// Joins and tries again until one target works.
    ///
    /// # Errors
    /// [`RetryJoinError`] after the last attempt that was allowed.
    pub async fn retry_join(&self, _plan: RetryJoin) -> Result<usize, RetryJoinError> {
        unimplemented!()
    }
    /// Leaves gracefully: announces it, waits (bounded) until it has spread. Later calls return at once.
    pub async fn leave(&self) {
        unimplemented!()
    }
    /// Turns a failed member into one that left; with `prune` it is forgotten at once.
    ///
    /// # Errors
    /// [`ForceLeaveError`].
    pub async fn force_leave(&self, _name: &str, _prune: bool) -> Result<(), ForceLeaveError> {
        unimplemented!()
    }
    /// Replaces the tags of this member.
    ///
    /// # Errors
    /// [`SetTagsError`]; the old tags stay then.
    pub async fn set_tags(&self, _tags: BTreeMap<Str, Str>) -> Result<(), SetTagsError> {
        unimplemented!()
    }
    /// Asks every living member to do `op` with its keyring. `local_only` asks this one alone.
    ///
    /// # Errors
    /// [`KeyringError`] when nobody was asked; what members refuse is in the response.
    pub async fn keyring(&self, _op: KeyringOp, _local_only: bool) -> Result<KeyringResponse, KeyringError> {
        unimplemented!()
    }
    /// Whether packets are encrypted.
    pub fn encrypted(&self) -> bool {
        unimplemented!()
    }
    /// What `agent/self` shows under `serf_lan` or `serf_wan`.
    pub fn stats(&self) -> Vec<(&'static str, String)> {
        unimplemented!()
    }
}
