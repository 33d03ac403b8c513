//! What a server knows of the cluster at a moment.

use crate::{Peer, ServerId};
use std::sync::Arc;
use tokio::time::Instant;

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
