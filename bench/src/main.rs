//! The benchmark command: `cargo run --release -p bench -- [--ours PATH] [--consul PATH] [--only T3,T9] [--seconds N]`,
//! and for the mesh gateway `cargo run --release -p bench -- gateway [--ours PATH] [--envoy PATH] [--seconds N]`.
//!
//! Servers are pinned to core 0, the load to core 1. Figures of two programs are taken in turn (A, B, A, B) and shown with
//! their ratio; absolute figures of two runs are not comparable.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
#![allow(clippy::disallowed_methods, reason = "measures real time")]

mod cluster;
mod cpu;
mod dns;
mod gateway;
mod http;
mod load;
mod report;
mod scale;
mod targets;
mod watchers;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What was asked for on the command line.
pub struct Options {
    /// Our binary.
    pub ours: PathBuf,
    /// A real Consul to compare with.
    pub consul: Option<PathBuf>,
    /// Only these targets; empty = all.
    pub only: Vec<String>,
    /// Length of each measurement, seconds.
    pub seconds: u64,
    /// How often each program is measured.
    pub rounds: usize,
}

fn options() -> Result<Options> {
    let own = std::env::current_exe()?;
    let ours = own.parent().context("directory of the benchmark")?.join("praetor");
    let mut out = Options { ours, consul: None, only: vec![], seconds: 6, rounds: 2 };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let mut value = || args.next().with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--ours" => out.ours = value()?.into(),
            "--consul" => out.consul = Some(value()?.into()),
            "--only" => out.only = value()?.split(',').map(str::to_uppercase).collect(),
            "--seconds" => out.seconds = value()?.parse()?,
            "--rounds" => out.rounds = value()?.parse()?,
            _ => bail!(
                "unknown flag {flag}; there is gateway as the first argument, and there are --ours, --consul, --only, --seconds, --rounds"
            ),
        }
    }
    if !out.ours.exists() {
        bail!("{} does not exist: build it first with cargo build --release -p praetor", out.ours.display());
    }
    Ok(out)
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("gateway") {
        cpu::pin_self(1)?;
        return gateway::run(std::env::args().skip(2));
    }
    let options = options()?;
    cpu::pin_self(1)?;
    println!("{}", report::HEAD);
    for target in targets::ALL {
        if options.only.is_empty()
            || options.only.iter().any(|t| target.id.split_whitespace().next() == Some(t))
        {
            report::run(target, &options)?;
        }
    }
    Ok(())
}
