//! One attack with everything around it: what this machine gives, servers, network, and taking it all away again.

use crate::{
    cluster::{Cluster, Setup, try_disk, try_net},
    nemesis::Nemesis,
    run::{Outcomes, Plan, run},
    workload::Workload,
};
use anyhow::Result;
use std::path::Path;

/// What cannot be had on this machine, and why.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// Namespaces and a switch between them.
    pub net: Option<String>,
    /// Small file systems.
    pub disk: Option<String>,
}

impl Here {
    /// Tries everything once, below `dir`.
    pub fn look(dir: &Path) -> Self {
        let why = |r: Result<()>| r.err().map(|e| format!("{e:#}"));
        Self { net: why(try_net()), disk: why(try_disk(dir)) }
    }
}

/// Whether an attack could be made.
#[derive(Debug)]
pub enum Tried {
    /// It was.
    Done(Box<Outcomes>),
    /// Not on this machine, or not on this program; why.
    NotHere(String),
}

/// Starts servers, attacks them, and takes everything away. With `keep`, their directory and the history stay.
///
/// # Errors
/// When servers cannot be started or do not become well before anybody does them harm, or when the attack panics.
pub fn attack(
    setup: &Setup,
    workload: &dyn Workload,
    nemesis: Nemesis,
    plan: &Plan,
    here: &Here,
    keep: bool,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Tried> {
    if setup.servers < nemesis.servers_min() {
        return Ok(Tried::NotHere(format!("it needs {} servers", nemesis.servers_min())));
    }
    let missing = match nemesis {
        n if n.needs_net() => here.net.clone(),
        Nemesis::DiskFull => here.disk.clone(),
        _ => None,
    };
    if let Some(why) = missing {
        return Ok(Tried::NotHere(why));
    }
    std::fs::create_dir_all(&setup.dir)?;
    let cluster = match Cluster::new(setup) {
        // It depends on the program.
        Err(e) if nemesis == Nemesis::Clock => return Ok(Tried::NotHere(format!("{e:#}"))),
        other => other?,
    };
    // Every thread that asks servers has to be where they can be reached; this one lives as long as the cluster.
    let done = std::thread::scope(|scope| {
        let work = || {
            if let Some(net) = &cluster.net {
                net.enter()?;
            }
            cluster.start_all()?;
            cluster.wait_well(interrupted)?;
            run(&cluster, workload, nemesis, plan, keep.then_some(&*setup.dir), interrupted)
        };
        scope.spawn(work).join()
    });
    let outcomes = done.map_err(|_panic| anyhow::anyhow!("the run panicked"))?;
    drop(cluster);
    if !keep {
        // The next run needs the space; what cannot be removed goes with the parent.
        let _ = std::fs::remove_dir_all(&setup.dir);
    }
    outcomes.map(|o| Tried::Done(Box::new(o)))
}
