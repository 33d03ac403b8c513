//! Membership and leadership.

use crate::{
    AdminError, Peer, ServerId,
    handle::Shared,
    kinds::{C, index},
};
use openraft::{
    ChangeMembers, ServerState,
    async_runtime::watch::WatchReceiver,
    errors::{ChangeMembershipError, ClientWriteError, RaftError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Longest time that a change of membership may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// Longest time that a snapshot may take.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(600);

type Change = ChangeMembers<ServerId, Peer>;

fn admin_error(e: RaftError<C, ClientWriteError<C>>) -> AdminError {
    match e {
        RaftError::Fatal(e) => AdminError::Stopped(e.to_string()),
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => AdminError::NotLeader,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(e)) => match e {
            ChangeMembershipError::InProgress(_) => AdminError::InProgress,
            ChangeMembershipError::EmptyMembership(_) => AdminError::LastVoter,
            ChangeMembershipError::LearnerNotFound(e) => AdminError::UnknownServer(e.node_id),
            other => AdminError::Refused(other.to_string()),
        },
        RaftError::APIError(ClientWriteError::PreconditionFailed(e)) => AdminError::Refused(e.to_string()),
        RaftError::APIError(e @ ClientWriteError::LogEntryDiscarded(_)) => AdminError::Unknown(e.to_string()),
    }
}

impl Shared {
    fn ensure_leader(&self) -> Result<(), AdminError> {
        let leads = self.server_metrics.borrow_watched().state == ServerState::Leader;
        if leads { Ok(()) } else { Err(AdminError::NotLeader) }
    }

    /// A leader that does not vote (any more) may not change the membership: its leadership is ending.
    fn ensure_voting_leader(&self) -> Result<(), AdminError> {
        self.ensure_leader()?;
        let votes = self.server_metrics.borrow_watched().membership_config.voter_ids().any(|v| v == self.id);
        if votes { Ok(()) } else { Err(AdminError::NotLeader) }
    }

    /// A leader does not take its own vote: it hands leadership over, and the next leader does it.
    async fn ensure_not_self(&self, id: ServerId) -> Result<(), AdminError> {
        self.ensure_leader()?;
        if id != self.id {
            return Ok(());
        }
        match self.transfer_leader(None).await {
            Ok(()) => Err(AdminError::NotLeader),
            Err(AdminError::NoTarget) => Err(AdminError::LastVoter),
            Err(e) => Err(e),
        }
    }

    async fn change(&self, change: Change, keep_as_learner: bool) -> Result<(), AdminError> {
        self.ensure_voting_leader()?;
        match timeout(CHANGE_LIMIT, self.raft.change_membership(change, keep_as_learner)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(admin_error(e)),
            Err(_) => Err(AdminError::Unknown("no quorum in time".into())),
        }
    }

    pub(crate) async fn add_learner(&self, id: ServerId, peer: Peer) -> Result<(), AdminError> {
        self.ensure_voting_leader()?;
        let known = self.server_metrics.borrow_watched().membership_config.get_node(&id).cloned();
        match known {
            Some(same) if same == peer => Ok(()),
            Some(_) => self.change(Change::SetNodes(BTreeMap::from([(id, peer)])), true).await,
            None => match timeout(CHANGE_LIMIT, self.raft.add_learner(id, peer, false)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(e)) => Err(admin_error(e)),
                Err(_) => Err(AdminError::Unknown("no quorum in time".into())),
            },
        }
    }

    pub(crate) async fn promote(&self, id: ServerId) -> Result<(), AdminError> {
        self.change(Change::AddVoterIds(BTreeSet::from([id])), true).await
    }

    pub(crate) async fn demote(&self, id: ServerId) -> Result<(), AdminError> {
        self.ensure_not_self(id).await?;
        self.change(Change::RemoveVoters(BTreeSet::from([id])), true).await
    }

    pub(crate) async fn remove(&self, id: ServerId) -> Result<(), AdminError> {
        let (member, voter) = {
            let metrics = self.server_metrics.borrow_watched();
            let members = &metrics.membership_config;
            (members.get_node(&id).is_some(), members.voter_ids().any(|v| v == id))
        };
        if !member {
            self.ensure_leader()?;
            return Err(AdminError::UnknownServer(id));
        }
        self.ensure_not_self(id).await?;
        let ids = BTreeSet::from([id]);
        self.change(if voter { Change::RemoveVoters(ids) } else { Change::RemoveNodes(ids) }, false).await
    }

    /// Finishes a change that a former leader left half way.
    pub(crate) async fn finish_change(&self) {
        if let Err(e) = self.change(Change::AddVoterIds(BTreeSet::new()), true).await {
            tracing::debug!(error = %e, "finishing a membership change");
        }
    }

    pub(crate) async fn transfer_leader(&self, to: Option<ServerId>) -> Result<(), AdminError> {
        self.ensure_leader()?;
        let target = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            let voters: BTreeSet<ServerId> =
                metrics.membership_config.voter_ids().filter(|v| *v != self.id).collect();
            match to {
                Some(id) if id == self.id => return Ok(()),
                Some(id) if voters.contains(&id) => id,
                Some(id) => return Err(AdminError::UnknownServer(id)),
                None => {
                    let matched = |id: &ServerId| {
                        let progress = metrics.replication.as_ref()?.get(id)?.as_ref();
                        Some(index(progress))
                    };
                    voters.into_iter().max_by_key(|id| (matched(id), *id)).ok_or(AdminError::NoTarget)?
                }
            }
        };
        self.raft.trigger().transfer_leader(target).await.map_err(|e| AdminError::Stopped(e.to_string()))?;
        let mut metrics = self.server_metrics.clone();
        let led = async {
            loop {
                if metrics.borrow_watched().current_leader.is_some_and(|l| l != self.id) {
                    return true;
                }
                if metrics.changed().await.is_err() {
                    return false;
                }
            }
        };
        match timeout(self.lease * 4, led).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AdminError::Stopped("while leadership was handed over".into())),
            Err(_) => Err(AdminError::Unknown("no other server has taken over yet".into())),
        }
    }

    pub(crate) async fn trigger_snapshot(&self) -> Result<u64, AdminError> {
        let mut metrics = self.raft.metrics();
        let wanted = index(metrics.borrow_watched().last_applied.as_ref());
        if wanted == 0 {
            return Err(AdminError::Refused("there is nothing to snapshot yet".into()));
        }
        let done = async {
            loop {
                let (have, running) = {
                    let m = metrics.borrow_watched();
                    (index(m.snapshot.as_ref()), m.running_state.clone())
                };
                if have >= wanted {
                    return Ok(have);
                }
                running.map_err(|e| AdminError::Stopped(e.to_string()))?;
                // Asked for again after each change: a build that was under way covers less than what is wanted.
                self.published.force_snapshot.store(true, Ordering::Release);
                self.raft.trigger().snapshot().await.map_err(|e| AdminError::Stopped(e.to_string()))?;
                metrics.changed().await.map_err(|e| AdminError::Stopped(e.to_string()))?;
            }
        };
        let result = timeout(SNAPSHOT_LIMIT, done).await;
        self.published.force_snapshot.store(false, Ordering::Release);
        result.unwrap_or_else(|_| Err(AdminError::Unknown("the snapshot is not finished yet".into())))
    }
}

/// See [`crate::RaftHandle::hint_unreachable`].
pub(crate) fn hint_unreachable(shared: &Arc<Shared>, id: ServerId) {
    let term = {
        let metrics = shared.server_metrics.borrow_watched();
        if metrics.current_leader != Some(id) || metrics.state != ServerState::Follower {
            return;
        }
        metrics.vote.leader_id.term
    };
    if !shared.heard.start_watching() {
        return;
    }
    let owner = shared.clone();
    shared.tasks.spawn("raft-hint", async move {
        owner.elect_when_lease_ends(id, term).await;
        owner.heard.stop_watching();
    });
}

impl Shared {
    async fn elect_when_lease_ends(&self, leader: ServerId, term: u64) {
        // Until the lease of its last message ends no server votes for another. All followers get the hint at the same
        // moment: each waits its own time longer, another one in each term, so that they do not split the votes.
        let turn = ((self.id.0 as u64 ^ (self.id.0 >> 64) as u64).wrapping_add(term))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 58;
        let wait = self.lease + self.lease * turn as u32 / 320;
        let heard = self.heard.last(leader).unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(heard + wait) => {}
            () = self.stop.wait() => return,
        }
        let same = {
            let metrics = self.server_metrics.borrow_watched();
            metrics.current_leader == Some(leader) && metrics.vote.leader_id.term == term
        };
        // Heard of since: the connection is back.
        let silent = self.heard.last(leader).is_none_or(|at| at <= heard);
        if same
            && silent
            && let Err(e) = self.raft.trigger().elect(true).await
        {
            tracing::debug!(error = %e, "standing for election");
        }
    }
}
