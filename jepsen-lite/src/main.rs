//! The command: `cargo run -p jepsen-lite -- --workload kv --nemesis partition --time 30s`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use anyhow::{Context, Result, bail};
use clap::Parser;
use faults::Fault;
use jepsen_lite::{
    attack::{Here, Tried, attack},
    catches,
    cluster::Setup,
    exit::{self, Asked, Came},
    nemesis::Nemesis,
    report,
    run::Plan,
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
/// smallest part of the history that shows it, or when something else went wrong, and with 2 when it could not be tried.
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
    /// Build the servers with a mistake, to see that it is found (exit code 1; 2 when something else went wrong). With one
    /// name and no workload what is known to find it is chosen; `all` tries each so, and exits with 0 when each was found.
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
        out.push_str(&format!(
            "  {:<30} --workload {} --nemesis {}\n",
            c.fault.name(),
            c.workload,
            c.nemesis
        ));
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
    match sweep(&flags) {
        Ok(code) => ExitCode::from(code),
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

/// Whether a program was built with faults: only such a one minds a name that is none.
fn has_faults(binary: &Path) -> Result<bool> {
    let out = Command::new(binary).arg("version").env("PRAETOR_FAULT", "?").output();
    Ok(!out.with_context(|| binary.display().to_string())?.status.success())
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
            Some(
                Fault::of(name)
                    .with_context(|| format!("there is no fault {name:?}; there are {names}, all"))?,
            )
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

fn sweep(flags: &Flags) -> Result<u8> {
    let tasks = tasks(flags)?;
    let faulty = flags.fault.is_some();
    let other = || std::env::var_os("PRAETOR_BINARY").filter(|_| !faulty).map(PathBuf::from);
    let binary = flags.binary.clone().or_else(other).map_or_else(|| build(faulty), Ok)?;
    if faulty && !has_faults(&binary)? {
        bail!(
            "{} makes no mistakes on demand; without --binary the build that does is made",
            binary.display()
        );
    }
    let ours = is_ours(&binary)?;
    let seed = flags.seed.unwrap_or_else(rand::random);
    let dir = tempfile::Builder::new().prefix("jepsen-").tempdir()?;
    let here = Here::look(dir.path());
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
    println!("{}", report::HEAD);
    // What is asked with `all` is whether all are found.
    let asked = match flags.fault.as_deref() {
        None => Asked::Promises,
        Some("all") => Asked::AllFaults,
        Some(_) => Asked::Fault,
    };
    let mut came = Vec::new();
    for (n, task) in tasks.iter().enumerate() {
        if interrupted() {
            break;
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
        let tried = attack(&setup, task.workload, task.nemesis, &plan, &here, flags.keep, &interrupted);
        match tried {
            Ok(Tried::Done(outcomes)) => {
                println!("{}", report::text(&outcomes, task.fault));
                came.push(outcomes.came());
            }
            Ok(Tried::NotHere(why)) => {
                println!("{:<9} {:<11} not here: {why}", task.workload.name(), task.nemesis.name());
                came.push(Came::NotHere);
            }
            // Servers that nobody waited for.
            Err(_) if interrupted() => break,
            Err(e) => return Err(e),
        }
        if let (Asked::AllFaults, Some(fault)) = (asked, task.fault)
            && came.last() != Some(&Came::Broken)
        {
            println!("  {fault} was not found");
        }
    }
    if came.len() < tasks.len() {
        println!("interrupted; {} of {} were tried", came.len(), tasks.len());
        came.push(Came::Interrupted);
    }
    if flags.keep {
        println!("logs and histories: {}", dir.keep().display());
    }
    if came.iter().all(|c| *c == Came::NotHere) {
        println!("nothing was tried");
    }
    Ok(exit::code(asked, &came))
}
