//! Who should be in the Raft configuration, and who should vote.

use crate::membership::{RaftServer, ServerHealth, ServerId};
use std::{
    collections::{BTreeMap, BTreeSet},
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
    /// Take it out.
    Remove(ServerId, RemoveReason),
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
}

/// Since when each server has been healthy, and since when it has been missing from gossip. Milliseconds of a monotonic
/// clock.
#[derive(Clone, Default, Debug)]
pub struct Stability {
    healthy_since: BTreeMap<ServerId, u64>,
    absent_since: BTreeMap<ServerId, u64>,
}

/// Raft id of a node id, `None` if that is no UUID.
pub fn server_id(node_id: &str) -> Option<ServerId> {
    uuid::Uuid::parse_str(node_id).ok().map(|u| u.as_u128()).filter(|id| *id != 0)
}

/// The changes that are due at `now_ms`, in the order in which to make them. At most one server is removed at a time, so
/// that each removal is decided on what is then true.
pub fn plan_membership(view: &MembershipView<'_>, stability: &mut Stability, now_ms: u64) -> Vec<Action> {
    let mut gossip: BTreeMap<ServerId, (MemberStatus, SocketAddr, bool)> = BTreeMap::new();
    for member in view.members {
        let Some(server) = member.server().filter(|s| s.datacenter == *view.datacenter) else { continue };
        let Some(id) = server_id(&server.id) else { continue };
        // Two members with one id (a renamed node): the living one counts.
        let entry = (member.status, server.rpc_addr, server.read_replica);
        let known = gossip.entry(id).or_insert(entry);
        if !is_alive(known.0) && is_alive(member.status) {
            *known = entry;
        }
    }
    stability.observe(view, &gossip, now_ms);

    let mut actions = Vec::new();
    for (&id, &(status, addr, _)) in &gossip {
        let known = view.servers.iter().find(|s| s.id == id);
        if known.is_none() && bootstrap_rival(view, id).is_some() {
            continue;
        }
        if status == MemberStatus::Alive && known.is_none_or(|s| s.addr != addr) {
            actions.push(Action::AddLearner(id, addr));
        }
    }
    let mut voters = view.servers.iter().filter(|s| s.voter).count();
    for server in view.servers.iter().filter(|s| !s.voter) {
        let Some(&(MemberStatus::Alive, addr, false)) = gossip.get(&server.id) else { continue };
        let needed = Duration::from_nanos(view.config.server_stabilization_time_ns);
        let bootstrapping = voters < view.bootstrap_expect as usize;
        let stable = stability.healthy_for(server.id, now_ms).is_some_and(|t| bootstrapping || t >= needed);
        if stable && addr == server.addr {
            actions.push(Action::Promote(server.id));
            voters += 1;
        }
    }
    actions.extend(removal(view, &gossip, stability, now_ms));
    actions
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
    gossip: &BTreeMap<ServerId, (MemberStatus, SocketAddr, bool)>,
    stability: &Stability,
    now_ms: u64,
) -> Option<Action> {
    let others = || view.servers.iter().filter(|s| s.id != view.own_id);
    let status = |s: &RaftServer| gossip.get(&s.id).map(|g| g.0);
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

impl Stability {
    fn observe(
        &mut self,
        view: &MembershipView<'_>,
        gossip: &BTreeMap<ServerId, (MemberStatus, SocketAddr, bool)>,
        now_ms: u64,
    ) {
        let configured: BTreeSet<ServerId> = view.servers.iter().map(|s| s.id).collect();
        self.healthy_since.retain(|id, _| configured.contains(id));
        self.absent_since.retain(|id, _| configured.contains(id) && !gossip.contains_key(id));
        for &id in &configured {
            let alive = gossip.get(&id).is_some_and(|g| g.0 == MemberStatus::Alive);
            let follows = view.health.get(&id).is_some_and(|h| {
                h.last_contact <= Duration::from_nanos(view.config.last_contact_threshold_ns)
                    && h.lag <= view.config.max_trailing_logs
            });
            if alive && follows {
                self.healthy_since.entry(id).or_insert(now_ms);
            } else {
                self.healthy_since.remove(&id);
            }
            if !gossip.contains_key(&id) {
                self.absent_since.entry(id).or_insert(now_ms);
            }
        }
    }

    fn healthy_for(&self, id: ServerId, now_ms: u64) -> Option<Duration> {
        self.healthy_since.get(&id).map(|since| Duration::from_millis(now_ms.saturating_sub(*since)))
    }

    fn absent_for(&self, id: ServerId, now_ms: u64) -> Option<Duration> {
        self.absent_since.get(&id).map(|since| Duration::from_millis(now_ms.saturating_sub(*since)))
    }
}
