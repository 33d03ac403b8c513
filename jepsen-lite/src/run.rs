//! One workload under one nemesis, from the first server to the verdict.

use crate::{
    cluster::Cluster,
    exit::Came,
    history::{self, Call, Outcome},
    nemesis::{Attack, Nemesis},
    ops::Op,
    workload::{Broken, Checked, Shared, Worker, Workload},
};
use anyhow::Result;
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    collections::BTreeSet,
    fs::File,
    io::BufWriter,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Clients of each server.
const CLIENTS: usize = 2;
/// Time for the last reads of all keys: in any case, and for each of them.
const LAST_READS: Duration = Duration::from_secs(30);
const LAST_READ: Duration = Duration::from_millis(50);

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
    /// What shows without a history that a promise was broken: logs that contradict each other, repeated packets that were taken.
    pub findings: Vec<String>,
    /// What went wrong otherwise: servers that ended, panicked or did not recover, clients that could not work.
    pub troubles: Vec<String>,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// Harm that was done, and when.
    pub harm: Vec<(u64, String)>,
}

impl Outcomes {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.came() == Came::Well
    }

    /// What it says about promises.
    pub fn came(&self) -> Came {
        match self {
            o if !o.broken.is_empty() || !o.findings.is_empty() => Came::Broken,
            o if !o.troubles.is_empty() => Came::Unclear,
            o if o.interrupted => Came::Interrupted,
            o if o.undecided > 0 => Came::Unclear,
            _ => Came::Well,
        }
    }

    /// In one word.
    pub fn verdict(&self) -> &'static str {
        match self.came() {
            Came::Well => "ok",
            Came::Interrupted => "interrupted",
            Came::Unclear if self.troubles.is_empty() => "undecided",
            Came::Broken | Came::Unclear | Came::NotHere => "FAILED",
        }
    }
}

/// Stops the clients when it goes, also by a panic: their threads are waited for.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
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
    let mut calls: Vec<Call<Op>> = Vec::new();
    let (mut troubles, mut whole) = (Vec::new(), true);
    let (attacked, recovery) = thread::scope(|scope| {
        let shared = &shared;
        let stop = StopOnDrop(&shared.stop);
        let workers: Vec<_> = (0..clients)
            .map(|id| {
                scope.spawn(move || {
                    // In the namespace of the clients.
                    cluster.net.as_ref().map_or(Ok(()), crate::net::Net::enter)?;
                    let mut worker = Worker::new(shared, id, id % cluster.servers.len(), plan.seed);
                    while !worker.stopped() {
                        workload.step(&mut worker);
                        worker.rest();
                    }
                    anyhow::Ok(worker.calls)
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
        drop(stop);
        for (id, worker) in workers.into_iter().enumerate() {
            match worker.join() {
                Ok(Ok(done)) => calls.extend(done),
                Ok(Err(e)) => troubles.push(format!("client {id} could not begin: {e:#}")),
                Err(_panic) => {
                    whole = false;
                    troubles.push(format!(
                        "client {id} panicked; nothing is checked, what it wrote is not known"
                    ));
                }
            }
        }
        (attacked, recovery)
    });
    if let Err(e) = attacked {
        troubles.push(format!("the attack failed: {e:#}"));
    }
    let recovery = recovery.unwrap_or_else(|e| {
        // Nobody waited for it.
        if !interrupted() {
            troubles.push(format!("{e:#}"));
        }
        Duration::ZERO
    });
    let written = calls.iter().any(|c| c.outcome == Outcome::Ok && is_write(&c.op));
    let ended = shared.now();
    if !interrupted() {
        if !written {
            troubles.push("no write was acknowledged".into());
        }
        if !attack.has_harmed() {
            troubles.push("no harm was done, or there was no time for it".into());
        }
        // Also when not all servers are well: what the others have may tell why.
        let limit = time_of_last_reads(&calls, cluster.servers.len());
        let until = Instant::now() + limit;
        let over = || Instant::now() > until || interrupted();
        let mut last = Worker::new(&shared, clients, 0, plan.seed);
        last.over = Some(&over);
        workload.finish(&mut last);
        troubles.extend(unanswered(&last.calls).filter(|_| !interrupted()));
        calls.extend(last.calls);
    }
    let findings = attack.finding(&|| interrupted()).into_iter().chain(cluster.contradictions()).collect();
    troubles.extend(attack.troubles());
    troubles.extend(cluster.panics());
    if let Some(dir) = keep {
        let file = File::create(dir.join("history.jsonl"))?;
        history::write(&calls, BufWriter::new(file))?;
    }
    let count = |o: Outcome| calls.iter().filter(|c| c.outcome == o).count();
    let checked = if whole { workload.check(&calls) } else { Checked::default() };
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
        findings,
        troubles,
        // Looked at last: what was ended early is not well, whatever else it is.
        interrupted: interrupted(),
        harm: harm.into_inner(),
    })
}

/// Longer when there are more keys to be read from each server.
fn time_of_last_reads(calls: &[Call<Op>], servers: usize) -> Duration {
    let keys = calls.iter().map(|c| &c.key).collect::<BTreeSet<_>>().len();
    LAST_READS + LAST_READ * u32::try_from(keys * servers).unwrap_or(u32::MAX)
}

/// Last reads that nobody answered: what they would have shown is not known.
fn unanswered(last: &[Call<Op>]) -> Option<String> {
    let lost: Vec<_> = last.iter().filter(|c| c.outcome != Outcome::Ok).collect();
    let first = lost.first()?;
    let (n, all) = (lost.len(), last.len());
    Some(format!(
        "{n} of {all} last reads have no answer; {} on server {}: {}",
        first.key,
        first.server + 1,
        first.note
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Outcomes {
        Outcomes {
            workload: "kv",
            nemesis: Nemesis::None,
            ok: 1,
            unknown: 0,
            failed: 0,
            gap: Duration::ZERO,
            recovery: Duration::ZERO,
            broken: Vec::new(),
            undecided: 0,
            findings: Vec::new(),
            troubles: Vec::new(),
            interrupted: false,
            harm: Vec::new(),
        }
    }

    #[test]
    fn a_promise_is_broken_by_the_history_or_by_a_finding_alone() {
        let text = || vec!["why".to_owned()];
        let broken = || vec![Broken { key: "k".into(), what: "why".into(), calls: Vec::new(), of: 0 }];
        let says = |o: Outcomes| (o.came(), o.verdict());
        assert_eq!(says(outcomes()), (Came::Well, "ok"));
        assert_eq!(says(Outcomes { broken: broken(), ..outcomes() }), (Came::Broken, "FAILED"));
        assert_eq!(says(Outcomes { findings: text(), ..outcomes() }), (Came::Broken, "FAILED"));
        assert_eq!(says(Outcomes { troubles: text(), ..outcomes() }), (Came::Unclear, "FAILED"));
        assert_eq!(says(Outcomes { undecided: 1, ..outcomes() }), (Came::Unclear, "undecided"));
        let interrupted = || Outcomes { interrupted: true, ..outcomes() };
        assert_eq!(says(interrupted()), (Came::Interrupted, "interrupted"));
        assert_eq!(says(Outcomes { broken: broken(), ..interrupted() }), (Came::Broken, "FAILED"));
    }

    #[test]
    fn a_panic_of_the_attack_stops_the_clients() {
        let stop = AtomicBool::new(false);
        let begin = Instant::now();
        let stopped = AtomicBool::new(false);
        let run = std::panic::AssertUnwindSafe(|| {
            thread::scope(|scope| {
                let guard = StopOnDrop(&stop);
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) && begin.elapsed() < Duration::from_secs(20) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    stopped.store(stop.load(Ordering::Relaxed), Ordering::Relaxed);
                });
                if !stop.load(Ordering::Relaxed) {
                    panic!("an attack that panics, as it should");
                }
                drop(guard);
            });
        });
        assert!(std::panic::catch_unwind(run).is_err());
        assert!(stopped.into_inner());
    }

    #[test]
    fn last_reads_without_an_answer_are_told() {
        let read = |key: &str, outcome| {
            let op = Op::Pair { value: None, copy: None };
            let (key, note) = (key.to_owned(), "out of time".to_owned());
            Call { client: 0, key, op, outcome, start: 0, end: 1, server: 1, note }
        };
        assert_eq!(unanswered(&[read("a", Outcome::Ok)]), None);
        let told = unanswered(&[read("a", Outcome::Ok), read("b", Outcome::Fail), read("c", Outcome::Fail)]);
        assert_eq!(told.as_deref(), Some("2 of 3 last reads have no answer; b on server 2: out of time"));
        let keys = |n: usize| (0..n).map(|k| read(&k.to_string(), Outcome::Ok)).collect::<Vec<_>>();
        assert!(time_of_last_reads(&keys(1000), 3) > time_of_last_reads(&keys(10), 3));
    }
}
