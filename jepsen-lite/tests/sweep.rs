//! A short sweep over the workspace's own program: three workloads, three nemeses, half a minute each.
//!
//! `PRAETOR_ATTACK_SECONDS` makes it longer or shorter, `PRAETOR_SEED` repeats the choices of an earlier run.

use anyhow::{Context, Result, ensure};
use jepsen_lite::{
    attack::{Here, Tried, attack},
    cluster::Setup,
    nemesis::Nemesis,
    report,
    run::Plan,
    workload,
};
use std::time::Duration;

/// Each nemesis meets the workload that says most about it.
const PAIRS: [(&str, Nemesis); 3] =
    [("kv", Nemesis::Partition), ("set", Nemesis::Kill), ("lock", Nemesis::Pause)];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn promises_hold_under_attack() -> Result<()> {
    let seconds = setting("PRAETOR_ATTACK_SECONDS").unwrap_or(30);
    let seed = setting("PRAETOR_SEED").unwrap_or_else(rand::random);
    println!("PRAETOR_SEED={seed} PRAETOR_ATTACK_SECONDS={seconds}");
    let binary = tests::process::binary()?;
    let dir = tempfile::tempdir()?;
    let here = Here::look(dir.path());
    let plan = Plan { time: Duration::from_secs(seconds), seed, linear: "", verbose: false };
    println!("{}", report::HEAD);
    let mut failed = 0;
    for (name, nemesis) in PAIRS {
        let workload = *workload::of(name)?.first().context("no workload")?;
        let setup = Setup {
            binary: binary.clone(),
            ours: true,
            servers: 3,
            fault: None,
            dir: dir.path().join(name),
            spaces: here.net.is_none(),
            small_disks: false,
            clocks: false,
            seed,
        };
        match attack(&setup, workload, nemesis, &plan, &here, false, &|| false)? {
            Tried::Done(outcomes) => {
                println!("{}", report::text(&outcomes, None));
                // So many at least, or nothing was attacked.
                ensure!(outcomes.ok as u64 > 10 * seconds, "only {} calls were answered", outcomes.ok);
                failed += usize::from(!outcomes.passed());
            }
            Tried::NotHere(why) => println!("{name} {}: skipped: {why}", nemesis.name()),
        }
    }
    ensure!(failed == 0, "{failed} of {} attacks found something, see above", PAIRS.len());
    Ok(())
}
