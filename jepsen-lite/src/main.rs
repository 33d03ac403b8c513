//! The command: `cargo run -p jepsen-lite -- --workload kv --nemesis partition --time 30s`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use anyhow::{Context, Result, bail};
use clap::Parser;
use faults::Fault;
use jepsen_lite::{
    catches,
    cluster::{Cluster, Setup, try_disk, try_net},
    nemesis::Nemesis,
    run::{Outcomes, Plan, run, show},
    workload::{self, Workload},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Set by Ctrl-C and SIGTERM.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Attacks real servers and checks what their clients saw.
///
/// Starts servers on a network of its own (or on 127.0.0.1 where there are no namespaces), has clients work on them while a
/// nemesis does harm, takes the harm back, and checks the history. Exits with 1 when a promise was broken, after printing the
/// smallest part of the history that shows it, and with 2 when it could not be tried.
#[derive(Parser, Debug)]
#[command(name = "jepsen-lite", after_help = catalogue())]
struct Flags {
    /// Workloads, separated by commas, or `all`.
    #[arg(long, default_value = "kv")]
    workload: String,
    /// Nemeses, separated by commas, or `all`.
    #[arg(long, default_value = "none")]
    nemesis: String,
    /// Length of each attack, such as 30s or 2m.
    #[arg(long, default_value = "30s", value_parser = duration)]
    time: Duration,
    /// Servers.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    servers: u8,
    /// The program to attack; by default `PRAETOR_BINARY`, or this workspace's, which is built first.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Seed of the random choices; printed, so that a run can be repeated as far as real processes can.
    #[arg(long)]
    seed: Option<u64>,
    /// Parameter of reads that should be linearizable.
    #[arg(long, default_value = "default", value_parser = ["default", "consistent"])]
    reads: String,
    /// Keep logs, data and histories.
    #[arg(long)]
    keep: bool,
    /// Say what happens while it happens.
    #[arg(long, short)]
    verbose: bool,
    /// Build the servers with a mistake, to see that it is found; `all` tries each with what is known to find it. With one
    /// name and no workload the same is chosen.
    #[arg(long)]
    fault: Option<String>,
}

fn catalogue() -> String {
    let mut out = String::from("Workloads:\n");
    for w in workload::ALL {
        out.push_str(&format!("  {:<12} {}\n", w.name(), w.about()));
    }
    out.push_str("\nNemeses:\n");
    for n in Nemesis::ALL {
        out.push_str(&format!("  {:<12} {}\n", n.name(), n.about()));
    }
    out.push_str("\nFaults, and what finds them:\n");
    for c in catches::ALL {
        out.push_str(&format!("  {:<30} --workload {} --nemesis {}\n", c.fault.name(), c.workload, c.nemesis));
    }
    out
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let bad = || format!("{text:?} is no time; 30s, 2m and 1h are");
    let n: u64 = text[..split].parse().map_err(|_e| bad())?;
    match &text[split..] {
        "s" | "" => Ok(Duration::from_secs(n)),
        "m" => Ok(Duration::from_secs(60 * n)),
        "h" => Ok(Duration::from_secs(3600 * n)),
        _ => Err(bad()),
    }
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    watch_signals();
    match attack(&flags) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("jepsen-lite: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// Ctrl-C ends a run as the end of its time does: what was done is undone.
fn watch_signals() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
            eprintln!("jepsen-lite: undoing and ending");
            INTERRUPTED.store(true, Ordering::SeqCst);
        });
    });
}

fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Builds the workspace's program, plain or with faults.
fn build(faulty: bool) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.parent().context("this program lies nowhere")?;
    let name = if faulty { "praetor-faults" } else { "praetor" };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", "praetor", "--bin", name]);
    if faulty {
        command.args(["--features", "faults"]);
    }
    if profile.file_name().is_some_and(|n| n == "release") {
        command.arg("--release");
    }
    if let Some(target) = profile.parent() {
        command.arg("--target-dir").arg(target);
    }
    if !command.status().context("cargo cannot be run; --binary names a program instead")?.success() {
        bail!("the program cannot be built");
    }
    Ok(profile.join(name))
}

/// Whether a program is ours.
fn is_ours(binary: &Path) -> Result<bool> {
    let out = Command::new(binary).arg("version").output().with_context(|| binary.display().to_string())?;
    Ok(String::from_utf8_lossy(&out.stdout).contains("Praetor"))
}

/// One line of what is to be done.
struct Task {
    workload: &'static dyn Workload,
    nemesis: Nemesis,
    fault: Option<Fault>,
}

fn tasks(flags: &Flags) -> Result<Vec<Task>> {
    let known = |c: &catches::Catch| -> Result<Task> {
        let workload = *workload::of(c.workload)?.first().context("a workload")?;
        let nemesis = *Nemesis::of(c.nemesis)?.first().context("a nemesis")?;
        Ok(Task { workload, nemesis, fault: Some(c.fault) })
    };
    let fault = match flags.fault.as_deref() {
        None => None,
        Some("all") => return catches::ALL.iter().map(known).collect(),
        Some(name) => {
            let names = Fault::ALL.map(Fault::name).join(", ");
            Some(Fault::of(name).with_context(|| format!("there is no fault {name:?}; there are {names}, all"))?)
        }
    };
    let said = std::env::args().any(|a| a.starts_with("--workload") || a.starts_with("--nemesis"));
    if let Some(fault) = fault.filter(|_| !said) {
        let catch = catches::ALL.iter().find(|c| c.fault == fault).context("nothing is known to find it")?;
        return Ok(vec![known(catch)?]);
    }
    let (workloads, nemeses) = (workload::of(&flags.workload)?, Nemesis::of(&flags.nemesis)?);
    let both = workloads.iter().flat_map(|w| nemeses.iter().map(move |n| (*w, *n)));
    Ok(both.map(|(workload, nemesis)| Task { workload, nemesis, fault }).collect())
}

/// Why a nemesis cannot be had here, if it cannot.
struct Here {
    net: Option<String>,
    disk: Option<String>,
}

fn attack(flags: &Flags) -> Result<bool> {
    let tasks = tasks(flags)?;
    let faulty = flags.fault.is_some();
    let named = flags.binary.clone().or_else(|| std::env::var_os("PRAETOR_BINARY").map(PathBuf::from));
    let binary = match named {
        Some(binary) if !faulty => binary,
        _ => build(faulty)?,
    };
    let ours = is_ours(&binary)?;
    let seed = flags.seed.unwrap_or_else(rand::random);
    let dir = tempfile::Builder::new().prefix("jepsen-").tempdir()?;
    let why = |r: Result<()>| r.err().map(|e| format!("{e:#}"));
    let here = Here { net: why(try_net()), disk: why(try_disk(dir.path())) };
    if let Some(why) = &here.net {
        println!("no network of our own, servers are on 127.0.0.1: {why}");
    }
    let linear = if flags.reads == "consistent" { "consistent" } else { "" };
    let plan = Plan { time: flags.time, seed, linear, verbose: flags.verbose };
    println!(
        "{} | {} servers | {} s each | --seed {seed}",
        binary.display(),
        flags.servers,
        flags.time.as_secs()
    );
    println!("{HEAD}");
    let (mut passed, mut all_found) = (true, true);
    for (n, task) in tasks.iter().enumerate() {
        if interrupted() {
            bail!("interrupted; {} of {} were tried", n, tasks.len());
        }
        let setup = Setup {
            binary: binary.clone(),
            ours,
            servers: usize::from(flags.servers),
            fault: task.fault,
            dir: dir.path().join(format!("{n}-{}-{}", task.workload.name(), task.nemesis.name())),
            spaces: here.net.is_none(),
            small_disks: task.nemesis == Nemesis::DiskFull,
            clocks: task.nemesis == Nemesis::Clock,
            seed,
        };
        let Some(outcomes) = one(&setup, task, &plan, &here, flags.keep)? else { continue };
        passed &= outcomes.passed();
        all_found &= !outcomes.passed();
        line(&outcomes, task.fault);
    }
    if flags.keep {
        println!("logs and histories: {}", dir.keep().display());
    }
    // What is asked with `all` is whether all are found.
    Ok(if flags.fault.as_deref() == Some("all") { all_found } else { passed })
}

/// Runs one task; `None` when it cannot be had here.
fn one(setup: &Setup, task: &Task, plan: &Plan, here: &Here, keep: bool) -> Result<Option<Outcomes>> {
    let missing = match task.nemesis {
        n if n.needs_net() => here.net.clone(),
        Nemesis::DiskFull => here.disk.clone(),
        _ => None,
    };
    let skip = |why: &str| println!("{:<9} {:<11} not here: {why}", task.workload.name(), task.nemesis.name());
    if let Some(why) = missing {
        skip(&why);
        return Ok(None);
    }
    std::fs::create_dir_all(&setup.dir)?;
    let cluster = match Cluster::new(setup) {
        Err(e) if task.nemesis == Nemesis::Clock => {
            skip(&format!("{e:#}"));
            return Ok(None);
        }
        other => other?,
    };
    // Every thread that asks servers has to be where they can be reached; this one lives as long as the cluster.
    let done = std::thread::scope(|scope| {
        let work = || {
            if let Some(net) = &cluster.net {
                net.enter()?;
            }
            cluster.start_all()?;
            cluster.wait_well(&interrupted)?;
            run(&cluster, task.workload, task.nemesis, plan, keep.then_some(&*setup.dir), &interrupted)
        };
        scope.spawn(work).join()
    });
    let outcomes = done.map_err(|_panic| anyhow::anyhow!("the run panicked"))?;
    drop(cluster);
    if !keep {
        // The next run needs the space; what cannot be removed goes with the parent.
        let _ = std::fs::remove_dir_all(&setup.dir);
    }
    outcomes.map(Some)
}

const HEAD: &str = "\
workload  nemesis         ops      ok unknown  failed  without writes  well after  verdict";

fn line(o: &Outcomes, fault: Option<Fault>) {
    println!(
        "{:<9} {:<11} {:>7} {:>7} {:>7} {:>7}  {:>12.2} s  {:>8.2} s  {}{}",
        o.workload,
        o.nemesis.name(),
        o.ok + o.unknown + o.failed,
        o.ok,
        o.unknown,
        o.failed,
        o.gap.as_secs_f64(),
        o.recovery.as_secs_f64(),
        o.verdict(),
        fault.map(|f| format!(" (fault {f})")).unwrap_or_default()
    );
    for trouble in &o.troubles {
        println!("  {}", trouble.replace('\n', "\n  "));
    }
    // One of each kind says what there is to say.
    let mut said = std::collections::BTreeSet::new();
    let mut small: Vec<_> = o.broken.iter().collect();
    small.sort_by_key(|b| b.calls.len());
    for broken in small.iter().filter(|b| said.insert(b.what.split(char::is_numeric).next().unwrap_or_default())) {
        println!("  {}", show(broken).trim_end().replace('\n', "\n  "));
    }
    if !o.passed() {
        let keys = o.broken.len();
        println!("  {keys} broken promises, {} undecided keys; harm: {}", o.undecided, told(&o.harm));
    }
}

fn told(harm: &[(u64, String)]) -> String {
    let mut out: Vec<_> =
        harm.iter().take(12).map(|(at, what)| format!("{:.1} s {what}", *at as f64 / 1e6)).collect();
    if harm.len() > out.len() {
        out.push(format!("and {} more", harm.len() - out.len()));
    }
    if out.is_empty() { "none".into() } else { out.join(", ") }
}
