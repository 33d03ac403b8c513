use super::*;
use crate::report::{ServerFacts, report};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rpc::report::ServerRole;
use std::collections::BTreeSet;

const STABLE: u64 = 20_000;

/// Servers 1, 2, … in the zones that the letters name; `.` has none. Those in front vote.
fn divided(zones: &str, voters: u8) -> World {
    let servers = zones.len() as u8;
    let members = (1..=servers).map(|n| member(n, Alive, true)).collect();
    let mut w = World::new(members, (1..=servers).map(|n| raft(n, n <= voters)).collect());
    let named = (1..).zip(zones.chars()).filter(|(_, zone)| *zone != '.');
    let meta = |zone: char| BTreeMap::from([("zone".into(), zone.to_string().into())]);
    w.metadata = named.map(|(n, zone)| (format!("n{n}").into(), meta(zone))).collect();
    w.config.redundancy_zone_tag = "zone".into();
    assert_eq!(w.at(0).iter().filter(|a| matches!(a, Action::Promote(_))).count(), 0, "nobody is stable yet");
    w
}

impl World {
    /// Does what is planned, as Raft would.
    fn settle(&mut self, mut now: u64) -> u64 {
        for _ in 0..50 {
            let actions = self.at(now);
            if actions.is_empty() {
                return now;
            }
            for action in actions {
                self.apply(action);
            }
            now += 2_000;
        }
        panic!("it never settles: {:?}", self.servers);
    }

    fn apply(&mut self, action: Action) {
        let voters = self.voters().len();
        match action {
            Action::AddLearner(id, addr) => self.servers.push(RaftServer { id, addr, voter: false }),
            Action::Promote(id) => self.server(id).voter = true,
            Action::Demote(id) => {
                self.server(id).voter = false;
                let alive = self.voters().iter().filter(|n| self.is_alive(**n)).count();
                assert!(alive > (voters - 1) / 2, "without {id:x} there is no majority");
            }
            Action::Remove(id, _) => self.servers.retain(|s| s.id != id),
        }
    }

    fn server(&mut self, id: ServerId) -> &mut RaftServer {
        self.servers.iter_mut().find(|s| s.id == id).expect("it is in the configuration")
    }

    fn is_alive(&self, n: u8) -> bool {
        self.members[usize::from(n) - 1].status == Alive
    }

    fn set(&mut self, n: u8, status: MemberStatus) {
        self.members[usize::from(n) - 1].status = status;
    }

    fn voters(&self) -> BTreeSet<u8> {
        self.servers.iter().filter(|s| s.voter).map(|s| (s.id & 0xff) as u8).collect()
    }
}

#[test]
fn one_server_of_each_zone_votes() {
    let mut w = divided("aabbcc", 6);
    let mut now = w.settle(STABLE);
    assert_eq!(w.voters(), [1, 3, 5].into());
    // A voter dies: who stands by in its zone takes its place, nobody else.
    w.set(3, Failed);
    now = w.settle(now);
    assert_eq!(w.voters(), [1, 4, 5].into());
    // It comes back and stands by.
    w.set(3, Alive);
    now = w.settle(now);
    now = w.settle(now + STABLE);
    assert_eq!(w.voters(), [1, 4, 5].into());
    // A whole zone is lost: another makes up for it, until the zone is back.
    w.set(5, Failed);
    w.set(6, Failed);
    now = w.settle(now);
    assert_eq!(w.voters(), [1, 2, 4].into());
    w.set(6, Alive);
    now = w.settle(now);
    assert_eq!(w.voters(), [1, 2, 4].into(), "until the one that came back votes, nobody gives a vote up");
    w.settle(now + STABLE);
    assert_eq!(w.voters(), [1, 4, 6].into());
}

#[test]
fn a_new_zone_gets_its_vote_and_the_leader_keeps_its_own() {
    // The leader stands second in its zone.
    let mut w = divided("aab", 0);
    w.servers[0].id = id(2);
    w.servers[0].addr = addr(2);
    w.servers[1].id = id(1);
    w.servers[1].addr = addr(1);
    w.server(id(1)).voter = true;
    w.settle(STABLE);
    assert_eq!(w.voters(), [1, 3].into());
}

#[test]
fn without_a_zone_a_server_is_its_own() {
    let mut w = divided("aa..", 1);
    w.settle(STABLE);
    assert_eq!(w.voters(), [1, 3, 4].into());
}

#[test]
fn a_zone_waits_for_its_own_server_to_be_stable() {
    let mut w = divided("aab", 1);
    w.servers.retain(|s| s.id != id(3));
    assert_eq!(w.at(STABLE), [Action::AddLearner(id(3), addr(3))]);
    w.apply(Action::AddLearner(id(3), addr(3)));
    // No second vote in the other zone meanwhile.
    assert_eq!(w.at(STABLE), []);
    assert_eq!(w.at(STABLE + 10_000), [Action::Promote(id(3))]);
}

#[test]
fn a_vote_is_not_taken_where_it_is_needed() {
    let mut w = divided("aab", 3);
    w.set(3, Failed);
    // Without the second server of zone a one of two voters would live.
    assert_eq!(w.at(STABLE), []);
    w.set(3, Alive);
    w.config.min_quorum = 3;
    assert_eq!(w.at(STABLE), []);
    w.config.min_quorum = 2;
    assert_eq!(w.at(STABLE), [Action::Demote(id(2))]);
}

#[test]
fn a_server_that_became_a_read_replica_gives_its_vote_up() {
    let members = (1..=4).map(|n| member(n, Alive, true)).collect();
    let mut w = World::new(members, vec![raft(1, true), raft(2, true), raft(3, true), raft(4, false)]);
    for n in [2, 4] {
        w.members[n - 1].tags.insert("read_replica".into(), "1".into());
    }
    assert_eq!(w.at(0), [Action::Demote(id(2))]);
    w.apply(Action::Demote(id(2)));
    assert_eq!(w.at(STABLE), [], "and neither votes again");
}

/// Servers die and return at random: in the end each zone that lives has one vote, each that is lost is made up for where
/// somebody stands by, and no step on the way takes the majority.
#[test]
fn any_history_ends_with_one_vote_for_each_zone() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = rng.random_range(3..=9usize);
        let zones: String = (0..count).map(|_| ['a', 'b', 'c', '.'][rng.random_range(0..4)]).collect();
        let mut w = divided(&zones, rng.random_range(1..=count as u8));
        w.config.cleanup_dead_servers = rng.random();
        let mut now = w.settle(STABLE);
        for _ in 0..6 {
            let n = rng.random_range(2..=count as u8);
            let alive = w.voters().iter().filter(|v| w.is_alive(**v)).count();
            // A cluster that has lost its majority decides nothing.
            let spare = !w.voters().contains(&n) || alive - 1 > w.voters().len() / 2;
            if w.is_alive(n) && spare {
                w.set(n, Failed);
            } else {
                w.set(n, Alive);
            }
            now = w.settle(now);
            now = w.settle(now + STABLE);

            let zone = |n: u8| {
                let meta = w.metadata.get(format!("n{n}").as_str());
                meta.map_or(format!("own {n}"), |m| m["zone"].to_string())
            };
            let all: BTreeSet<String> = (1..=count as u8).map(zone).collect();
            let living: BTreeSet<String> = (1..=count as u8).filter(|n| w.is_alive(*n)).map(zone).collect();
            let votes: Vec<u8> = w.voters().into_iter().filter(|n| w.is_alive(*n)).collect();
            for z in &living {
                assert!(
                    votes.iter().any(|n| zone(*n) == *z),
                    "seed {seed}: zone {z} of {zones} has no vote: {votes:?}"
                );
            }
            let standing_by = (1..=count as u8).filter(|n| w.is_alive(*n)).count() - votes.len();
            let lost = all.len() - living.len();
            let extra = votes.len() - living.len();
            let kept_for_majority = w.voters().len() > votes.len();
            assert!(
                extra == lost || (extra < lost && standing_by == 0) || (extra > lost && kept_for_majority),
                "seed {seed}: {zones}, {lost} lost, {extra} extra, {standing_by} stand by, votes {votes:?}"
            );
        }
    }
}

#[test]
fn the_report_tells_zones_and_parts() {
    let mut w = divided("aab.", 4);
    w.members[3].tags.insert("read_replica".into(), "1".into());
    w.server(id(4)).voter = false;
    w.set(3, Failed);
    w.at(STABLE);
    let facts = [2, 1, 3, 4].map(|n| ServerFacts {
        id: id(n),
        name: "from raft".into(),
        address: addr(n),
        last_term: 3,
        last_index: 90 + u64::from(n),
    });
    let health = BTreeMap::from([1, 2, 4].map(|n| {
        (id(n), ServerHealth { last_contact: Duration::from_millis(if n == 4 { 900 } else { 5 }), lag: 0 })
    }));
    let told = w.with_view(&health, |view, stability| {
        report(view, facts.to_vec(), stability, STABLE + 7_000, 100_000)
    });
    let roles: Vec<_> = told.servers.iter().map(|s| (s.name.as_str(), s.role, s.healthy, s.voter)).collect();
    assert_eq!(
        roles,
        [
            ("n1", ServerRole::ZoneVoter, true, true),
            ("n2", ServerRole::ZoneExtraVoter, true, true),
            ("n3", ServerRole::ZoneVoter, false, true),
            ("n4", ServerRole::ReadReplica, false, false),
        ]
    );
    // Healthy since the beginning; failed since the last pass; silent since nobody knows when.
    assert_eq!(
        told.servers.iter().map(|s| s.stable_since_ms).collect::<Vec<_>>(),
        [73_000, 73_000, 93_000, 100_000]
    );
    assert_eq!((told.healthy, told.failure_tolerance, told.optimistic_failure_tolerance), (false, 0, 0));
    let zones: Vec<_> = told
        .zones
        .iter()
        .map(|z| (z.name.as_str(), z.servers.len(), z.voters.len(), z.failure_tolerance))
        .collect();
    assert_eq!(zones, [("a", 2, 2, 1), ("b", 1, 1, 0)]);
}
