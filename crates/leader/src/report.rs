//! What the leader tells of the servers' health.

use crate::{
    autopilot::{MembershipView, seen, zones_of},
    membership::ServerId,
    stability::{Stability, is_healthy},
};
use rpc::report::{AutopilotReport, ServerReport, ServerRole, ZoneReport};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};
use types::{
    API_LEVEL, Str,
    member::{Member, MemberStatus},
};

/// What Raft and the catalog know of a server.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// Raft id.
    pub id: ServerId,
    /// Name that the Raft configuration holds.
    pub name: Str,
    /// RPC address that the Raft configuration holds.
    pub address: SocketAddr,
    /// Term of the last entry known to be in its log.
    pub last_term: u64,
    /// Index of that entry.
    pub last_index: u64,
}

/// Judges the servers as the next pass of autopilot would. `now_ms` is the time that `stability` counts by, `unix_ms` what
/// the clock on the wall shows then.
pub fn report(
    view: &MembershipView<'_>,
    mut facts: Vec<ServerFacts>,
    stability: &Stability,
    now_ms: u64,
    unix_ms: u64,
) -> AutopilotReport {
    let gossip = seen(view);
    let mut out = AutopilotReport { healthy: true, ..AutopilotReport::default() };
    let mut zones: BTreeMap<Str, ZoneReport> = BTreeMap::new();
    let mut kept: BTreeSet<Str> = BTreeSet::new();
    let zone_of = zones_of(view);
    // The leader is its zone's voter, whoever else has a vote there; then one that is well.
    facts.sort_by_key(|f| (f.id != view.own_id, !is_healthy(view, &gossip, f.id)));
    for server in facts {
        let id = Str::from(uuid::Uuid::from_u128(server.id).to_string());
        let there = gossip.get(&server.id);
        let voter = view.servers.iter().any(|s| s.id == server.id && s.voter);
        let healthy = is_healthy(view, &gossip, server.id);
        let zone = zone_of.get(&server.id).cloned().unwrap_or_default();
        let role = match (there.is_some_and(|s| s.read_replica), zone.is_empty(), voter) {
            (true, ..) => ServerRole::ReadReplica,
            (false, true, _) => ServerRole::Voter,
            (false, false, false) => ServerRole::ZoneStandby,
            (false, false, true) if kept.insert(zone.clone()) => ServerRole::ZoneVoter,
            (false, false, true) => ServerRole::ZoneExtraVoter,
        };
        if !zone.is_empty() && role != ServerRole::ReadReplica {
            let entry = zones
                .entry(zone.clone())
                .or_insert_with(|| ZoneReport { name: zone.clone(), ..ZoneReport::default() });
            entry.servers.push(id.clone());
            entry.voters.extend(voter.then(|| id.clone()));
            entry.failure_tolerance += u64::from(healthy);
        }
        let name = member_of(view.members, &id).map_or(server.name, |m| m.name.clone());
        out.healthy &= healthy;
        out.servers.push(ServerReport {
            address: server.address,
            status: there.map_or(MemberStatus::None, |s| s.status),
            version: Str::new_static(API_LEVEL),
            leader: server.id == view.own_id,
            voter,
            role,
            zone,
            last_contact: view.health.get(&server.id).map_or(Duration::MAX, |h| h.last_contact),
            last_term: server.last_term,
            last_index: server.last_index,
            healthy,
            stable_since_ms: unix_ms
                .saturating_sub(stability.unchanged_for(server.id, healthy, now_ms).as_millis() as u64),
            meta: view.metadata.get(&name).cloned().unwrap_or_default(),
            name,
            id,
        });
    }
    out.zones = zones
        .into_values()
        .map(|zone| ZoneReport { failure_tolerance: zone.failure_tolerance.saturating_sub(1), ..zone })
        .collect();
    tolerances(&mut out);
    out
}

fn tolerances(out: &mut AutopilotReport) {
    let voters = || out.servers.iter().filter(|s| s.voter);
    let healthy = voters().filter(|s| s.healthy).count();
    out.failure_tolerance = healthy.saturating_sub(voters().count() / 2 + 1) as u64;
    let alive = voters().filter(|s| s.status == MemberStatus::Alive).count();
    let standbys = out.servers.iter().filter(|s| s.role == ServerRole::ZoneStandby && s.healthy).count();
    out.optimistic_failure_tolerance = (alive.saturating_sub(1) / 2 + standbys) as u64;
}

/// The member of an id: a living one, if a node was renamed.
fn member_of<'a>(members: &'a [Member], id: &str) -> Option<&'a Member> {
    let mut found = members.iter().filter(|m| m.tag("id") == id);
    let first = found.next()?;
    Some(if first.status == MemberStatus::Alive {
        first
    } else {
        found.find(|m| m.status == MemberStatus::Alive).unwrap_or(first)
    })
}
