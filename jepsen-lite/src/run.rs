//! One workload under one nemesis, from the first server to the verdict.

use crate::{
    cluster::Cluster,
    history::{self, Call, Outcome},
    nemesis::{Attack, Nemesis},
    ops::Op,
    workload::{Broken, Shared, Worker, Workload},
};
use anyhow::Result;
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    fs::File,
    io::BufWriter,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Clients of each server.
const CLIENTS: usize = 2;
/// Time for the last reads of all keys.
const LAST_READS: Duration = Duration::from_secs(30);

/// What is common to all runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Length of the attack.
    pub time: Duration,
    /// Seed of all random choices; with the same one the same harm is done in the same order.
    pub seed: u64,
    /// Query parameter of linearizable reads.
    pub linear: &'static str,
    /// Say what happens while it happens.
    pub verbose: bool,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcomes {
    /// Name of the workload.
    pub workload: &'static str,
    /// The nemesis.
    pub nemesis: Nemesis,
    /// Calls that were answered.
    pub ok: usize,
    /// Calls of unknown outcome.
    pub unknown: usize,
    /// Calls that certainly had no effect, or reads without an answer.
    pub failed: usize,
    /// The longest time without an acknowledged write.
    pub gap: Duration,
    /// From the end of the attack until all servers were well.
    pub recovery: Duration,
    /// Broken promises.
    pub broken: Vec<Broken>,
    /// Keys that could not be decided.
    pub undecided: usize,
    /// What went wrong otherwise: servers that did not recover, or panicked.
    pub troubles: Vec<String>,
    /// Harm that was done, and when.
    pub harm: Vec<(u64, String)>,
}

impl Outcomes {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.broken.is_empty() && self.troubles.is_empty() && self.undecided == 0
    }

    /// In one word.
    pub fn verdict(&self) -> &'static str {
        match (self.broken.is_empty() && self.troubles.is_empty(), self.undecided) {
            (false, _) => "FAILED",
            (true, 0) => "ok",
            _ => "undecided",
        }
    }
}

fn is_write(op: &Op) -> bool {
    matches!(
        op,
        Op::Write { .. }
            | Op::Cas { done: true, .. }
            | Op::Delete
            | Op::Add { .. }
            | Op::Acquire { done: true, .. }
            | Op::Release { .. }
            | Op::Destroy { .. }
    )
}

/// Runs servers that are up under attack.
///
/// # Errors
/// When the attack or the workload cannot be made; not when something is found.
pub fn run(
    cluster: &Cluster,
    workload: &dyn Workload,
    nemesis: Nemesis,
    plan: &Plan,
    keep: Option<&Path>,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Outcomes> {
    let shared = Shared::new(cluster, "jepsen/".into(), plan.linear);
    let mut first = Worker::new(&shared, 0, 0, plan.seed);
    workload.prepare(&mut first)?;
    let clients = CLIENTS * cluster.servers.len();
    let end = Instant::now() + plan.time;
    let over = || Instant::now() >= end || interrupted();
    let mut attack = Attack::new(nemesis, cluster, SmallRng::seed_from_u64(plan.seed));
    let harm = parking_lot::Mutex::new(Vec::new());
    let tell = |what: &str| {
        harm.lock().push((shared.now(), what.to_owned()));
        if plan.verbose {
            #[expect(clippy::print_stderr, reason = "asked for on the command line")]
            {
                eprintln!("{:8.3} s  {what}", shared.begin.elapsed().as_secs_f64());
            }
        }
    };
    let panics = AtomicU64::new(0);
    let mut calls: Vec<Call<Op>> = Vec::new();
    let mut troubles = Vec::new();
    let (attacked, recovery) = thread::scope(|scope| {
        let shared = &shared;
        let workers: Vec<_> = (0..clients)
            .map(|id| {
                scope.spawn(move || {
                    // In the namespace of the clients.
                    let entered = cluster.net.as_ref().map_or(Ok(()), crate::net::Net::enter);
                    let mut worker = Worker::new(shared, id, id % cluster.servers.len(), plan.seed);
                    while entered.is_ok() && !worker.stopped() {
                        workload.step(&mut worker);
                        worker.rest();
                    }
                    worker.calls
                })
            })
            .collect();
        let attacked = if nemesis == Nemesis::None {
            while !over() {
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        } else {
            attack.run(&over, &tell)
        };
        let recovery = cluster.wait_well(interrupted);
        // Some calls while all is well.
        if attacked.is_ok() && recovery.is_ok() {
            thread::sleep(Duration::from_millis(500));
        }
        shared.stop.store(true, Ordering::Relaxed);
        for worker in workers {
            match worker.join() {
                Ok(done) => calls.extend(done),
                Err(_panic) => {
                    panics.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        (attacked, recovery)
    });
    attacked?;
    let recovery = recovery.unwrap_or_else(|e| {
        troubles.push(format!("{e:#}"));
        Duration::ZERO
    });
    let ended = shared.now();
    if !interrupted() {
        // Also when not all servers are well: what the others have may tell why.
        let mut last = Worker::new(&shared, clients, 0, plan.seed);
        last.until = Some(Instant::now() + LAST_READS);
        workload.finish(&mut last);
        calls.extend(last.calls);
    }
    troubles.extend(attack.finding(&|| interrupted()));
    troubles.extend(cluster.panics());
    if panics.load(Ordering::Relaxed) > 0 {
        troubles.push("a client of ours panicked".into());
    }
    if let Some(dir) = keep {
        let file = File::create(dir.join("history.jsonl"))?;
        history::write(&calls, BufWriter::new(file))?;
    }
    let count = |o: Outcome| calls.iter().filter(|c| c.outcome == o).count();
    let checked = workload.check(&calls);
    Ok(Outcomes {
        workload: workload.name(),
        nemesis,
        ok: count(Outcome::Ok),
        unknown: calls
            .iter()
            .filter(|c| c.outcome == Outcome::Info && !matches!(c.op, Op::Expire { .. }))
            .count(),
        failed: count(Outcome::Fail),
        gap: Duration::from_micros(history::longest_gap(&calls, ended, is_write)),
        recovery,
        broken: checked.broken,
        undecided: checked.undecided.len(),
        troubles,
        harm: harm.into_inner(),
    })
}
