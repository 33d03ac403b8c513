//! Redundancy zones: one server of each votes, the others stand by.
//!
//! A zone that is lost as a whole is made up for by a second voter elsewhere, until it is back. Servers without a zone are
//! each their own.

use crate::membership::ServerId;
use std::collections::{BTreeMap, BTreeSet};
use types::Str;

/// A server that may vote.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub id: ServerId,
    /// `None` for a server of its own.
    pub zone: Option<Str>,
    pub voter: bool,
    pub alive: bool,
    /// A learner that may have a vote now.
    pub ready: bool,
    /// Since when it has been healthy, if it is. Milliseconds.
    pub healthy_since: Option<u64>,
}

/// Who should vote and who should not.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// Learners to give a vote.
    pub promote: Vec<ServerId>,
    /// Voters that their zones do not need, those to demote first in front.
    pub surplus: Vec<ServerId>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Zone {
    Named(Str),
    Own(ServerId),
}

/// Decides from all servers that gossip or the configuration knows; `leader` keeps its vote.
pub(crate) fn plan(candidates: &[Candidate], leader: ServerId) -> Plan {
    let zone_of = |c: &Candidate| c.zone.clone().map_or(Zone::Own(c.id), Zone::Named);
    let mut zones: BTreeMap<Zone, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        zones.entry(zone_of(candidate)).or_default().push(candidate);
    }
    // The leader first, then who has been well for longest.
    let steadiest = |c: &Candidate| (c.id != leader, c.healthy_since.unwrap_or(u64::MAX), c.id);
    let mut kept = BTreeSet::new();
    let mut promote = Vec::new();
    // Zones without anybody, and those whose servers are not ready yet.
    let (mut lost, mut waiting) = (0, 0);
    for members in zones.values() {
        let votes = members.iter().filter(|c| c.voter && c.alive).min_by_key(|c| steadiest(c));
        let stands_by = || members.iter().filter(|c| !c.voter && c.ready).min_by_key(|c| steadiest(c));
        if let Some(voter) = votes {
            kept.insert(voter.id);
        } else if let Some(standby) = stands_by() {
            promote.push(standby.id);
        } else if members.iter().all(|c| !c.alive) {
            lost += 1;
        } else {
            waiting += 1;
        }
    }
    let mut extras: Vec<_> =
        candidates.iter().filter(|c| c.voter && c.alive && !kept.contains(&c.id)).collect();
    extras.sort_by_key(|c| steadiest(c));
    for _ in extras.len()..lost {
        let votes_in = |zone: &Zone| {
            let there = |c: &&&Candidate| c.alive && (c.voter || promote.contains(&c.id));
            zones.get(zone).map_or(0, |members| members.iter().filter(there).count())
        };
        let spare = candidates.iter().filter(|c| c.ready && !c.voter && !promote.contains(&c.id));
        match spare.min_by_key(|c| (votes_in(&zone_of(c)), steadiest(c))) {
            Some(spare) => promote.push(spare.id),
            None => break,
        }
    }
    // What made up for a zone goes on until the zone votes again.
    let surplus = extras.iter().skip(lost + waiting).rev().map(|c| c.id).collect();
    Plan { promote, surplus }
}
