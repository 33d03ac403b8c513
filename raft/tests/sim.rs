//! A cluster on simulated time, network and disks: loss, delay, partitions, power failures that lose what was not synced.
//!
//! Each seed is one history. `PRAETOR_SIM_SEEDS` says how many (20), `PRAETOR_SIM_SEED` runs a single one again.

#![allow(missing_docs, reason = "a test")]

#[path = "sim/check.rs"]
mod check;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/world.rs"]
mod world;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let failures = runtime.block_on(world::history(seed));
    assert!(
        failures.is_empty(),
        "seed {seed}:\n  {}\nreplay with: PRAETOR_SIM_SEED={seed} cargo test -p raft --test sim",
        failures.join("\n  ")
    );
}

#[test]
fn histories_keep_every_promise() {
    match env("PRAETOR_SIM_SEED") {
        Some(seed) => run(seed),
        None => (1..=env("PRAETOR_SIM_SEEDS").unwrap_or(20)).for_each(run),
    }
}
