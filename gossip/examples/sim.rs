//! `cargo run -p gossip --example sim -- --nodes 1000 [--seed 1] [--loss 0.0]`: forms a pool on a simulated network,
//! crashes a member, and prints nodes, seconds until all see all, seconds until all see the crash, bytes per node.

#[path = "../tests/simnet/mod.rs"]
mod simnet;

use gossip::Timing;
use simnet::{Sim, form};
use std::time::Duration;

fn argument(name: &str, default: f64) -> f64 {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[expect(clippy::print_stdout, reason = "a program that prints its findings")]
fn main() {
    let nodes = (argument("--nodes", 1000.0) as usize).max(3);
    let mut sim = Sim::new(argument("--seed", 1.0) as u64, Timing::lan(), None);
    sim.loss = argument("--loss", 0.0).clamp(0.0, 0.9);
    let limit = Duration::from_secs(argument("--limit", 300.0) as u64);
    let formed = form(&mut sim, nodes, limit);
    if formed.is_none() {
        let mut counts = std::collections::BTreeMap::new();
        for c in &sim.cores {
            *counts.entry(c.count(types::member::MemberStatus::Alive)).or_insert(0) += 1;
        }
        println!("members alive, and how many say so: {counts:?}; {} failures reported", sim.failures.len());
        println!("first core: {:?} backlog {:?}", sim.cores[0].counters(), sim.cores[0].backlog());
    }
    let forming = sim.bytes_sent() / nodes as u64;
    sim.run(Duration::from_secs(10));
    let before = sim.bytes_sent();
    sim.run(Duration::from_secs(30));
    let idle = (sim.bytes_sent() - before) / nodes as u64 / 30;
    sim.crash(nodes / 2);
    let seen = sim.run_until(limit, |s| s.all_see(nodes - 1));
    let seconds = |d: Option<Duration>| d.map_or("never".to_owned(), |d| format!("{:.2}", d.as_secs_f64()));
    println!(
        "nodes={nodes} all_see_all_s={} crash_seen_by_all_s={} forming_bytes_per_node={forming} idle_bytes_per_node_s={idle} false_failures={}",
        seconds(formed),
        seconds(seen),
        sim.failures.iter().filter(|(_, _, who)| *who != Sim::name(nodes / 2)).count(),
    );
}
