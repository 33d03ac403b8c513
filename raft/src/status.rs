//! What a server knows of the cluster at a moment.

use crate::{
    Peer, ServerId,
    handle::Shared,
    kinds::{StoredMembership, index, term},
};
use openraft::{ServerState, async_runtime::watch::WatchReceiver};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Part that a server plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Receives the log but does not vote (yet).
    #[default]
    Learner,
    /// Votes and follows.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Consensus ended, on purpose or by a failing disk.
    Stopped,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name and address.
    pub peer: Peer,
    /// Whether it votes.
    pub voter: bool,
}

/// The members, in the order of their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Membership {
    /// Log index of the entry that set it; 0 before the first.
    pub index: u64,
    /// The members.
    pub servers: Vec<Server>,
    /// Whether a change is half way (joint consensus).
    pub changing: bool,
}

impl Membership {
    /// Finds a member.
    pub fn get(&self, id: ServerId) -> Option<&Server> {
        self.servers.iter().find(|s| s.id == id)
    }
    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|s| s.voter)
    }
    /// The members that do not vote.
    pub fn learners(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|s| !s.voter)
    }
}

/// How far a follower or learner has come, as the leader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Which server.
    pub id: ServerId,
    /// Highest log index known to be on its disk.
    pub matched: u64,
    /// Term of that entry.
    pub matched_term: u64,
    /// When it last answered; `None` if never in this term.
    pub last_contact: Option<Instant>,
}

/// State of consensus on this server. Cheap to clone.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RaftStatus {
    /// Part of this server.
    pub role: Role,
    /// Term.
    pub term: u64,
    /// Leader known in this term.
    pub leader: Option<(ServerId, Peer)>,
    /// Last index in the log of this server.
    pub last_log: u64,
    /// Term of the last entry in the log of this server.
    pub last_log_term: u64,
    /// Highest index known to be committed.
    pub commit: u64,
    /// Highest index applied here.
    pub applied: u64,
    /// Index of the last snapshot here.
    pub snapshot: u64,
    /// Term of the last snapshot here.
    pub snapshot_term: u64,
    /// Last time the leader was heard of (followers), or a quorum answered (leader).
    pub last_contact: Option<Instant>,
    /// Members.
    pub membership: Arc<Membership>,
    /// On the leader: the other members.
    pub progress: Arc<[Progress]>,
}

impl RaftStatus {
    /// Whether this server leads.
    pub fn is_leader(&self) -> bool {
        self.role == Role::Leader
    }
}

/// When the leader was last heard of.
#[derive(Default)]
pub(crate) struct Heard(Mutex<(Option<(ServerId, Instant)>, bool)>);

impl Heard {
    pub(crate) fn note(&self, leader: ServerId, at: Instant) {
        self.0.lock().0 = Some((leader, at));
    }
    pub(crate) fn last(&self, leader: ServerId) -> Option<Instant> {
        self.0.lock().0.filter(|(id, _)| *id == leader).map(|(_, at)| at)
    }
    /// Whether nobody waits for the end of a lease yet.
    pub(crate) fn start_watching(&self) -> bool {
        !std::mem::replace(&mut self.0.lock().1, true)
    }
    pub(crate) fn stop_watching(&self) {
        self.0.lock().1 = false;
    }
}

pub(crate) fn servers_of(stored: &StoredMembership) -> Membership {
    let voters: Vec<ServerId> = stored.voter_ids().collect();
    Membership {
        index: index(stored.log_id().as_ref()),
        servers: stored
            .nodes()
            .map(|(id, peer)| Server { id: *id, peer: peer.clone(), voter: voters.contains(id) })
            .collect(),
        changing: stored.get_joint_config().len() > 1,
    }
}

/// State of consensus now.
pub(crate) fn of(shared: &Shared) -> RaftStatus {
    update(shared, &RaftStatus::default())
}

fn update(shared: &Shared, old: &RaftStatus) -> RaftStatus {
    let metrics = shared.raft.metrics();
    let m = metrics.borrow_watched();
    let now = Instant::now();
    let role = match m.state {
        _ if m.running_state.is_err() => Role::Stopped,
        ServerState::Learner => Role::Learner,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Leader => Role::Leader,
        ServerState::Shutdown => Role::Stopped,
    };
    let stored = &*m.membership_config;
    // Kept when nothing changed, so that a status is cheap to make.
    let same = old.membership.index == index(stored.log_id().as_ref())
        && !old.membership.servers.is_empty()
        && old.membership.changing == (stored.get_joint_config().len() > 1);
    let members = if same { old.membership.clone() } else { Arc::new(servers_of(stored)) };
    let leader = m.current_leader.and_then(|id| Some((id, stored.get_node(&id)?.clone())));
    let progress = match &m.replication {
        Some(all) => all
            .iter()
            .filter(|(id, _)| **id != shared.id)
            .map(|(id, matched)| Progress {
                id: *id,
                matched: index(matched.as_ref()),
                matched_term: matched.as_ref().map_or(0, term),
                last_contact: m
                    .heartbeat
                    .as_ref()
                    .and_then(|h| h.get(id).copied().flatten())
                    .and_then(|at| now.checked_sub(openraft::Instant::elapsed(&*at))),
            })
            .collect(),
        None => Arc::default(),
    };
    let last_contact = match role {
        Role::Leader => {
            m.last_quorum_acked.and_then(|at| now.checked_sub(openraft::Instant::elapsed(&*at))).or(Some(now))
        }
        _ => leader.as_ref().and_then(|(id, _)| shared.heard.last(*id)),
    };
    RaftStatus {
        role,
        term: m.current_term,
        leader,
        last_log: m.last_log_index.unwrap_or(0),
        last_log_term: shared.log.last_term(),
        commit: index(m.local_committed.as_ref()),
        applied: index(m.last_applied.as_ref()),
        snapshot: index(m.snapshot.as_ref()),
        snapshot_term: m.snapshot.as_ref().map_or(0, term),
        last_contact,
        membership: members,
        progress,
    }
}

/// How long a half-way membership change of a former leader is left alone.
const CHANGE_GRACE: Duration = Duration::from_secs(5);

/// Publishes the state of consensus until it ends; ends the agent when a failing disk or a panic ended it.
pub(crate) async fn run(shared: Arc<Shared>, out: watch::Sender<RaftStatus>) {
    let mut metrics = shared.raft.metrics();
    let mut changing_since: Option<Instant> = None;
    loop {
        let ended = tokio::select! {
            biased;
            result = metrics.changed() => result.is_err(),
            () = shared.stop.wait() => true,
        };
        let status = update(&shared, &out.borrow());
        // A panic closes the channel and leaves no error behind.
        let failed = metrics.borrow_watched().running_state.clone().err().map(|e| e.to_string());
        let failed = failed.or_else(|| ended.then(|| "it panicked".to_owned()));
        if status.role == Role::Leader && status.membership.changing {
            let since = *changing_since.get_or_insert_with(Instant::now);
            if since.elapsed() > CHANGE_GRACE {
                changing_since = None;
                let owner = shared.clone();
                shared.tasks.spawn("raft-finish-change", async move { owner.finish_change().await });
            }
        } else {
            changing_since = None;
        }
        out.send_replace(status);
        if let Some(e) = failed
            && !shared.stop.is_triggered()
        {
            tracing::error!(error = %e, "consensus stopped; this server ends");
            shared.stop.trigger();
            shared.tasks.shutdown().trigger();
            return;
        }
        if ended {
            out.send_modify(|s| s.role = Role::Stopped);
            return;
        }
    }
}
