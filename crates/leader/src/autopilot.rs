//! Who should be in the Raft configuration, and who should vote.

use crate::{
    membership::{RaftServer, ServerHealth, ServerId},
    stability::Stability,
    zones,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::Duration,
};
use types::{
    DatacenterName, Str,
    command::AutopilotConfig,
    member::{Member, MemberStatus},
};

/// A server that gossip does not list at all counts as dead after this long; right after a restart the list is incomplete.
const ABSENT_GRACE: Duration = Duration::from_secs(60);

/// Why a server is taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemoveReason {
    /// It said goodbye, or was made to leave.
    Left,
    /// It is dead, and enough others live.
    Dead,
}

/// One change of the Raft configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Add a follower without a vote, or correct its address.
    AddLearner(ServerId, SocketAddr),
    /// Give it a vote.
    Promote(ServerId),
    /// Take its vote away; it goes on following.
    Demote(ServerId),
    /// Take it out.
    Remove(ServerId, RemoveReason),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = uuid::Uuid::from_u128(self.server());
        match self {
            Self::AddLearner(_, addr) => write!(f, "server {id} at {addr} follows without a vote"),
            Self::Promote(_) => write!(f, "server {id} gets a vote"),
            Self::Demote(_) => write!(f, "server {id} loses its vote"),
            Self::Remove(_, RemoveReason::Left) => write!(f, "server {id} is taken out, it left"),
            Self::Remove(_, RemoveReason::Dead) => write!(f, "server {id} is taken out, it is dead"),
        }
    }
}

impl Action {
    /// Whom it is about.
    pub fn server(&self) -> ServerId {
        match *self {
            Self::AddLearner(id, _) | Self::Promote(id) | Self::Demote(id) | Self::Remove(id, _) => id,
        }
    }
}

/// What the decision is made from.
#[derive(Debug)]
pub struct MembershipView<'a> {
    /// The LAN pool.
    pub members: &'a [Member],
    /// The Raft configuration.
    pub servers: &'a [RaftServer],
    /// Replication state of the followers.
    pub health: &'a BTreeMap<ServerId, ServerHealth>,
    /// This server.
    pub own_id: ServerId,
    /// This datacenter.
    pub datacenter: &'a DatacenterName,
    /// Settings.
    pub config: &'a AutopilotConfig,
    /// Until there are so many voters, a healthy server need not wait for its vote.
    pub bootstrap_expect: u32,
    /// Metadata of the servers' nodes by name; of no use where `config` names no tag for zones.
    pub metadata: &'a BTreeMap<Str, BTreeMap<Str, Str>>,
}

/// The zone of each server that has one; empty where servers are not divided into zones.
pub(crate) fn zones_of(view: &MembershipView<'_>) -> BTreeMap<ServerId, Str> {
    let tag = &view.config.redundancy_zone_tag;
    let zone = |member: &Member| {
        let id = server_id(&member.server()?.id)?;
        let zone = view.metadata.get(&member.name)?.get(tag).filter(|zone| !zone.is_empty())?;
        Some((id, zone.clone()))
    };
    if tag.is_empty() { BTreeMap::new() } else { view.members.iter().filter_map(zone).collect() }
}

/// A server as gossip has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub status: MemberStatus,
    pub addr: SocketAddr,
    pub read_replica: bool,
}

/// The servers of the datacenter that gossip knows.
pub(crate) fn seen(view: &MembershipView<'_>) -> BTreeMap<ServerId, Seen> {
    let mut gossip: BTreeMap<ServerId, Seen> = BTreeMap::new();
    for member in view.members {
        let Some(server) = member.server().filter(|s| s.datacenter == *view.datacenter) else { continue };
        let Some(id) = server_id(&server.id) else { continue };
        // Two members with one id (a renamed node): the living one counts.
        let entry = Seen { status: member.status, addr: server.rpc_addr, read_replica: server.read_replica };
        let known = gossip.entry(id).or_insert(entry);
        if !is_alive(known.status) && is_alive(member.status) {
            *known = entry;
        }
    }
    gossip
}

/// Raft id of a node id, `None` if that is no UUID.
pub fn server_id(node_id: &str) -> Option<ServerId> {
    uuid::Uuid::parse_str(node_id).ok().map(|u| u.as_u128()).filter(|id| *id != 0)
}

/// The changes that are due at `now_ms`, in the order in which to make them. At most one vote is taken away or one server
/// removed at a time, so that each is decided on what is then true.
pub fn plan_membership(view: &MembershipView<'_>, stability: &mut Stability, now_ms: u64) -> Vec<Action> {
    let gossip = seen(view);
    stability.observe(view, &gossip, now_ms);

    let mut actions = Vec::new();
    for (&id, seen) in &gossip {
        let known = view.servers.iter().find(|s| s.id == id);
        if known.is_none() && bootstrap_rival(view, id).is_some() {
            continue;
        }
        if seen.status == MemberStatus::Alive && known.is_none_or(|s| s.addr != seen.addr) {
            actions.push(Action::AddLearner(id, seen.addr));
        }
    }
    let votes = votes(view, &gossip, stability, now_ms);
    actions.extend(votes.promote.iter().map(|id| Action::Promote(*id)));
    let last = removal(view, &gossip, stability, now_ms).or_else(|| {
        // Not in one pass with a new vote: what it replaces goes once it is there.
        votes.promote.is_empty().then(|| demotion(view, &gossip, &votes.surplus)).flatten()
    });
    actions.extend(last);
    actions
}

/// Who should vote: everyone but read replicas, or one server of each zone.
fn votes(
    view: &MembershipView<'_>,
    gossip: &BTreeMap<ServerId, Seen>,
    stability: &Stability,
    now_ms: u64,
) -> zones::Plan {
    let needed = Duration::from_nanos(view.config.server_stabilization_time_ns);
    let zones = zones_of(view);
    let mut voters = view.servers.iter().filter(|s| s.voter).count();
    let mut candidates = Vec::new();
    let mut replicas = Vec::new();
    let unknown = gossip.keys().filter(|id| view.servers.iter().all(|s| s.id != **id));
    for id in view.servers.iter().map(|s| s.id).chain(unknown.copied()) {
        let configured = view.servers.iter().find(|s| s.id == id);
        let seen = gossip.get(&id);
        let voter = configured.is_some_and(|s| s.voter);
        match seen.map(|s| s.status) {
            Some(MemberStatus::Left) => continue,
            _ if seen.is_some_and(|s| s.read_replica) => {
                replicas.extend(voter.then_some(id));
                continue;
            }
            _ => {}
        }
        let bootstrapping = voters < view.bootstrap_expect as usize;
        let stable = stability.healthy_for(id, now_ms).is_some_and(|t| bootstrapping || t >= needed);
        let reached = configured.zip(seen).is_some_and(|(known, seen)| known.addr == seen.addr);
        let ready = stable && reached && !voter;
        voters += usize::from(ready);
        candidates.push(zones::Candidate {
            id,
            zone: zones.get(&id).cloned(),
            voter,
            alive: seen.is_some_and(|s| is_alive(s.status)),
            ready,
            healthy_since: stability.healthy_since(id),
        });
    }
    let mut plan = if zones.is_empty() {
        let promote = candidates.iter().filter(|c| c.ready).map(|c| c.id).collect();
        zones::Plan { promote, surplus: Vec::new() }
    } else {
        zones::plan(&candidates, view.own_id)
    };
    plan.surplus.splice(0..0, replicas);
    plan
}

/// The first vote to take away, if enough living voters remain without it.
fn demotion(
    view: &MembershipView<'_>,
    gossip: &BTreeMap<ServerId, Seen>,
    surplus: &[ServerId],
) -> Option<Action> {
    let id = *surplus.first()?;
    let remaining: Vec<_> = view.servers.iter().filter(|s| s.voter && s.id != id).collect();
    let alive = |s: &&&RaftServer| gossip.get(&s.id).is_some_and(|g| is_alive(g.status));
    let enough = remaining.iter().filter(alive).count() > remaining.len() / 2
        && remaining.len() >= view.config.min_quorum as usize;
    enough.then_some(Action::Demote(id))
}

/// Another member in bootstrap mode, if this server is in it too: then each formed a cluster of its own, and to add one
/// would replace what it has stored.
fn bootstrap_rival(view: &MembershipView<'_>, id: ServerId) -> Option<(Str, Str)> {
    let alone = || {
        let servers = view.members.iter().filter_map(Member::server);
        servers.filter(|s| s.bootstrap && s.datacenter == *view.datacenter)
    };
    let this = alone().find(|s| server_id(&s.id) == Some(id))?;
    let rival = alone().find(|s| server_id(&s.id) != Some(id))?;
    Some((this.name, rival.name))
}

/// Mistakes of the operator that keep servers out of the Raft configuration.
pub fn mistakes(view: &MembershipView<'_>) -> BTreeSet<String> {
    let unknown = view.members.iter().filter(|m| is_alive(m.status)).filter_map(|m| {
        let id = server_id(&m.server()?.id)?;
        view.servers.iter().all(|s| s.id != id).then_some(id)
    });
    let rivals = unknown.filter_map(|id| bootstrap_rival(view, id));
    rivals
        .map(|(a, b)| {
            format!(
                "'{a}' and '{b}' are both in bootstrap mode. Only one node should be in bootstrap mode, not adding Raft peer {a}."
            )
        })
        .collect()
}

fn is_alive(status: MemberStatus) -> bool {
    matches!(status, MemberStatus::Alive | MemberStatus::Leaving)
}

fn removal(
    view: &MembershipView<'_>,
    gossip: &BTreeMap<ServerId, Seen>,
    stability: &Stability,
    now_ms: u64,
) -> Option<Action> {
    let others = || view.servers.iter().filter(|s| s.id != view.own_id);
    let status = |s: &RaftServer| gossip.get(&s.id).map(|g| g.status);
    if let Some(left) = others().find(|s| status(s) == Some(MemberStatus::Left)) {
        return Some(Action::Remove(left.id, RemoveReason::Left));
    }
    if !view.config.cleanup_dead_servers {
        return None;
    }
    let dead = |s: &RaftServer| match status(s) {
        Some(MemberStatus::Failed) => true,
        Some(_) => false,
        None => stability.absent_for(s.id, now_ms).is_some_and(|t| t >= ABSENT_GRACE),
    };
    if let Some(learner) = others().find(|s| !s.voter && dead(s)) {
        return Some(Action::Remove(learner.id, RemoveReason::Dead));
    }
    let voters = view.servers.iter().filter(|s| s.voter).count();
    let dead: Vec<_> = others().filter(|s| s.voter && dead(s)).collect();
    // Fewer than half may be dead, and enough must remain. With three servers a dead one therefore stays until its
    // replacement votes: the configuration then has four.
    let allowed = dead.len() < voters / 2 && voters > view.config.min_quorum as usize;
    dead.first().filter(|_| allowed).map(|s| Action::Remove(s.id, RemoveReason::Dead))
}
