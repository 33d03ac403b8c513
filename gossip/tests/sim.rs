//! Pools on a simulated network.

mod simnet;

use gossip::{Key, Keyring, Timing};
use simnet::{Sim, form};
use std::time::Duration;
use types::member::MemberStatus;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_form_and_a_crash_is_seen_by_all() {
    let nodes = 1000;
    let mut sim = Sim::new(1, Timing::lan(), None);
    let formed = form(&mut sim, nodes, MINUTE).expect("all see all");
    let bytes = sim.bytes_sent() / nodes as u64;
    assert!(sim.failures.is_empty(), "{:?}", sim.failures);
    sim.crash(500);
    let seen = sim.run_until(MINUTE, |s| s.all_see(nodes - 1)).expect("the crash is seen");
    let name = Sim::name(500);
    assert!(sim.failures.iter().all(|(_, _, who)| *who == name), "nobody else");
    assert_eq!(sim.failures.len(), nodes - 1, "each says so once");
    println!("{nodes} nodes: all see all in {formed:?}, a crash in {seen:?}, {bytes} bytes sent per node");
    assert!(formed < Duration::from_secs(15), "{formed:?}");
    assert!(seen < Duration::from_secs(15), "{seen:?}");
}

#[test]
fn five_percent_loss_makes_no_false_failure() {
    let nodes = 150;
    let mut sim = Sim::new(2, Timing::lan(), None);
    sim.loss = 0.05;
    form(&mut sim, nodes, MINUTE).expect("all see all");
    sim.run(MINUTE * 5);
    assert!(sim.failures.is_empty(), "{:?}", sim.failures);
    assert!(sim.all_see(nodes));
    let refuted: u64 = sim.cores.iter().map(|c| c.counters().suspicions_refuted).sum();
    let failed: u64 = sim.cores.iter().map(|c| c.counters().probes_failed).sum();
    println!("{failed} probes failed, {refuted} suspicions refuted");
}

#[test]
fn a_split_is_seen_and_heals() {
    let nodes = 60;
    let mut sim = Sim::new(3, Timing::lan(), None);
    form(&mut sim, nodes, MINUTE).expect("all see all");
    for i in 0..nodes {
        sim.side[i] = u8::from(i >= 20);
    }
    sim.run_until(MINUTE * 3, |s| {
        (0..20).all(|i| s.cores[i].count(MemberStatus::Alive) == 20)
            && (20..nodes).all(|i| s.cores[i].count(MemberStatus::Alive) == 40)
    })
    .expect("each side sees the other fail");
    sim.side.fill(0);
    let healed = sim.run_until(MINUTE * 3, |s| s.all_see(nodes)).expect("the halves find each other");
    println!("healed in {healed:?}");
    let before = sim.failures.len();
    sim.run(MINUTE);
    assert!(sim.all_see(nodes));
    assert_eq!(sim.failures.len(), before, "and stay together");
}

#[test]
fn small_pools_of_encrypted_members_leave_rejoin_and_move() {
    let ring = Keyring::new(Key::from_bytes(&[7; 16]).unwrap());
    let mut sim = Sim::new(4, Timing::lan(), Some(ring));
    form(&mut sim, 5, MINUTE).expect("all see all");
    // Leaves.
    let now = sim.now;
    sim.cores[4].leave(now);
    sim.drain(4);
    sim.run_until(MINUTE, |s| (0..4).all(|i| s.cores[i].count(MemberStatus::Left) == 1))
        .expect("seen as left");
    assert!(sim.failures.is_empty(), "{:?}", sim.failures);
    sim.crash(4);
    // Comes back under its old address, without files.
    let back = sim.start_as(&Sim::name(4), Sim::addr(4), 2);
    sim.join(back, 0);
    sim.run_until(MINUTE, |s| s.all_see(5)).expect("back");
    assert!(sim.cores[back].id().bump() > 1000, "it learned that there was a later run");
    // Crashes, and comes back elsewhere under the same name.
    sim.crash(back);
    sim.run_until(MINUTE, |s| s.all_see(4)).expect("failed");
    let moved = sim.start_as(&Sim::name(4), Sim::addr(77), 3);
    sim.join(moved, 1);
    sim.run_until(MINUTE, |s| s.all_see(5)).expect("under the new address");
    for i in 0..4 {
        let member = sim.cores[i].members().into_iter().find(|m| m.name == Sim::name(4)).unwrap();
        assert_eq!(member.addr, Sim::addr(77));
    }
    // Is forced out when it has failed, and forgotten.
    sim.crash(moved);
    sim.run_until(MINUTE, |s| s.all_see(4)).expect("failed again");
    let now = sim.now;
    assert!(!sim.cores[0].force_leave(now, "nobody", false));
    assert!(sim.cores[0].force_leave(now, &Sim::name(4), false));
    sim.drain(0);
    sim.run_until(MINUTE, |s| (0..4).all(|i| s.cores[i].count(MemberStatus::Left) == 1))
        .expect("left everywhere");
    let now = sim.now;
    assert!(sim.cores[2].force_leave(now, &Sim::name(4), true));
    sim.drain(2);
    sim.run_until(MINUTE, |s| (0..4).all(|i| s.cores[i].members().len() == 4)).expect("forgotten everywhere");
    sim.run(MINUTE * 2);
    assert!((0..4).all(|i| sim.cores[i].members().len() == 4), "and stays so");
}

#[test]
fn a_name_conflict_is_reported_on_both_sides() {
    let mut sim = Sim::new(5, Timing::lan(), None);
    form(&mut sim, 3, MINUTE).expect("all see all");
    let twin = sim.start_as(&Sim::name(1), Sim::addr(9), 1);
    let mut reports = Vec::new();
    sim.join(twin, 0);
    let end = sim.now + MINUTE;
    while sim.now < end && reports.len() < 4 {
        let until = sim.now + Duration::from_millis(1);
        while sim.step(until) {}
        reports.append(&mut sim.conflicts);
    }
    let ours: Vec<usize> = reports.iter().filter(|(_, c)| c.ours).map(|(i, _)| *i).collect();
    assert!(ours.contains(&1) && ours.contains(&twin), "{reports:?}");
    assert!(reports.iter().any(|(i, _)| *i == 0), "others see it, too");
    let first = sim.cores[0].members().into_iter().find(|m| m.name == Sim::name(1)).unwrap();
    assert_eq!(first.addr, Sim::addr(1), "whoever was first keeps the name");
    // The name is free when its holder is gone.
    sim.crash(1);
    sim.run_until(MINUTE, |s| {
        s.cores[0].members().iter().any(|m| m.addr == Sim::addr(9) && m.status == MemberStatus::Alive)
    })
    .expect("the other one has it now");
}

#[test]
fn tags_reach_everybody_under_churn() {
    let mut sim = Sim::new(6, Timing::lan(), None);
    form(&mut sim, 100, MINUTE).expect("all see all");
    // A flood of updates, and in the middle of it a change of tags.
    for i in 100..200 {
        let new = sim.start();
        sim.join(new, i % 100);
    }
    let mut tags = sim.cores[50].local_member().tags;
    tags.insert("colour".into(), "blue".into());
    sim.cores[50].set_tags(tags).unwrap();
    sim.drain(50);
    let seen = sim
        .run_until(MINUTE, |s| s.cores.iter().all(|c| c.members().iter().any(|m| m.tag("colour") == "blue")))
        .expect("everybody sees the new tag");
    println!("tags seen by all in {seen:?}");
    assert!(seen < Duration::from_secs(10), "{seen:?}");
}

#[test]
fn one_seed_one_trace() {
    let run = |seed| {
        let mut sim = Sim::new(seed, Timing::lan(), None);
        sim.loss = 0.02;
        form(&mut sim, 40, MINUTE);
        sim.crash(7);
        sim.run(MINUTE);
        (sim.trace, sim.packets, sim.failures)
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11).0, run(12).0);
}

#[test]
fn a_user_event_reaches_all_once_and_those_who_missed_it_but_nobody_who_joins_later() {
    let nodes = 100;
    let mut sim = Sim::new(11, Timing::lan(), None);
    form(&mut sim, nodes, MINUTE).expect("all see all");
    sim.loss = 0.2;
    sim.side[7] = 1;
    sim.fire(3, "deploy");
    let took = sim.run_until(MINUTE, |s| s.told("deploy").0 == nodes - 1).expect("all are told");
    println!("{nodes} nodes told in {took:?} at 20 % loss");
    assert_eq!(sim.told("deploy").1, nodes - 1, "once each");
    // What gossip does not repeat any more comes with the full state.
    sim.run(MINUTE);
    sim.side[7] = 0;
    sim.run_until(MINUTE * 5, |s| s.told("deploy").0 == nodes).expect("whoever was away is told, too");
    let new = sim.start();
    sim.join(new, 50);
    sim.run_until(MINUTE, |s| s.all_see(nodes + 1)).expect("the new one is seen");
    sim.run(MINUTE * 2);
    assert_eq!(sim.told("deploy"), (nodes, nodes), "the new one does not hear of old events");
    sim.fire(50, "second");
    sim.run_until(MINUTE, |s| s.told("second").0 == nodes + 1).expect("but of new ones");
    sim.fire(new, "third");
    sim.run_until(MINUTE, |s| s.told("third").0 == nodes + 1).expect("and is heard");
}

#[test]
fn coordinates_tell_sites_apart() {
    let nodes = 30;
    let mut sim = Sim::new(12, Timing::lan(), None);
    sim.sites = 2;
    form(&mut sim, nodes, MINUTE).expect("all see all");
    sim.run(MINUTE * 5);
    let at = |i: usize| *sim.cores[i].coordinate().unwrap();
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for a in 0..nodes {
        for b in 0..a {
            let list = if a % 2 == b % 2 { &mut near } else { &mut far };
            list.push(at(a).round_trip(&at(b)).as_secs_f64() * 1000.0);
        }
    }
    let median = |list: &mut Vec<f64>| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    };
    let (near, far) = (median(&mut near), median(&mut far));
    println!(
        "median estimates: {near:.1} ms within a site (1.4 true), {far:.1} ms between sites (41.4 true)"
    );
    assert!(near < 6.0 && (30.0..55.0).contains(&far), "{near} {far}");
    let other = sim.cores[1].id().addr();
    assert!(sim.cores[0].coordinate_of(other).is_some(), "who was probed is known");
}
