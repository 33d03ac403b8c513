//! A whole datacenter on simulated time, network and disks: three servers and two client agents in one process, each the
//! real agent but for its sockets, its clock and the files of its log.
//!
//! A seed decides everything that happens to them: partitions (whole, partial, one way), loss and delay, power failures that
//! lose what was not synced, ends of processes, leadership handed over. Meanwhile applications write, read, block on queries
//! and register services through every agent. `check.rs` says what must hold.
//!
//! `PRAETOR_SIM_SEEDS` says how many histories are run (10), `PRAETOR_SIM_SEED` runs a single one again, and
//! `PRAETOR_SIM_LOG=1` shows what happened, with simulated time.

#![allow(missing_docs, clippy::print_stdout, clippy::panic, reason = "a test")]

#[cfg(not(tokio_unstable))]
compile_error!(
    "a history repeats only with --cfg tokio_unstable: RUSTFLAGS of the environment replaces .cargo/config.toml"
);

#[path = "sim/check.rs"]
mod check;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/world.rs"]
mod world;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn history(seed: u64) -> world::History {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()))
        .build()
        .expect("a runtime");
    runtime.block_on(world::history(seed))
}

fn run(seed: u64) {
    let world::History { failures, trace, .. } = history(seed);
    if env("PRAETOR_SIM_LOG").is_some() {
        println!("seed {seed}:\n  {}", trace.join("\n  "));
    }
    assert!(
        failures.is_empty(),
        "seed {seed}:\n  {}\nwhat happened:\n  {}\nreplay with: PRAETOR_SIM_SEED={seed} cargo test -p praetor --test sim",
        failures.join("\n  "),
        trace.join("\n  ")
    );
}

#[test]
fn a_datacenter_keeps_its_promises() {
    match env("PRAETOR_SIM_SEED") {
        Some(seed) => run(seed),
        None => {
            let all = env("PRAETOR_SIM_SEEDS").unwrap_or(10);
            let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
            std::thread::scope(|scope| {
                for first in 1..=threads {
                    scope.spawn(move || (first..=all).step_by(threads as usize).for_each(run));
                }
            });
        }
    }
}

#[test]
fn a_seed_decides_everything() {
    let (first, second) = (history(4), history(4));
    assert!(first.operations.len() > 50, "{first:?}");
    assert!(first == second, "{first:#?}\n{second:#?}");
}
