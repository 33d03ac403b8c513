//! The example datacenter of `configs/cluster`, as real processes in a directory of its own.

mod dns;
mod node;
mod ports;
mod tls;

pub use dns::ask_dns;
pub use node::Node;

use crate::process::{binary, now};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Patience with anything that an agent does; far more than it needs, for machines that do much else.
pub const PATIENCE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(10);

/// Asks until there is an answer, and tells how long that took.
///
/// # Errors
/// When there is none in time; `what` is in the text.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<(T, Duration)> {
    let start: Instant = now();
    loop {
        if let Some(found) = ready() {
            return Ok((found, start.elapsed()));
        }
        if start.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} in vain: {what}");
        }
        thread::sleep(STEP);
    }
}

/// `configs/cluster` of this checkout.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/cluster")
}

/// Agents and the directory they work in. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    /// Agents: servers first.
    pub nodes: Vec<Node>,
    dir: TempDir,
}

impl Cluster {
    /// `servers` and `clients` of the example, not started yet. Each keeps its address; ports are free ones, alike for
    /// all, and data directories lie below a new directory, so that a running agent is not disturbed.
    ///
    /// # Errors
    /// When the system has no ports or no space.
    pub fn new(servers: u8, clients: u8) -> Result<Self> {
        let binary = binary()?;
        let dir = tempfile::Builder::new().prefix("cluster-").tempdir()?;
        // The example: servers on 127.0.0.1-3, clients on 127.0.0.4-5.
        let names = (1..=servers).map(|n| (format!("server{n}"), n));
        let names = names.chain((1..=clients).map(|n| (format!("client{n}"), n + 3)));
        let names: Vec<_> = names.map(|(name, last)| (name, Ipv4Addr::new(127, 0, 0, last))).collect();
        let ports = ports::common(&names.iter().map(|(_, ip)| *ip).collect::<Vec<_>>())?;
        let nodes = names
            .into_iter()
            .map(|(name, ip)| Node::new(&binary, dir.path(), name, ip, ports))
            .collect::<Result<_>>()?;
        Ok(Self { nodes, dir })
    }

    /// Starts every agent that does not run.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start(&mut self) -> Result<()> {
        self.nodes.iter_mut().filter(|n| !n.runs()).try_for_each(Node::start)
    }

    /// The directory they work in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An agent by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|n| n.name == name).with_context(|| format!("no node {name}"))
    }

    /// An agent by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn node_mut(&mut self, name: &str) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|n| n.name == name).with_context(|| format!("no node {name}"))
    }

    /// Waits until every agent that runs answers through a leader and sees `nodes` healthy nodes; tells how long it took.
    ///
    /// # Errors
    /// When that does not happen; what the agents logged is in the text.
    pub fn wait_formed(&self, nodes: usize) -> Result<Duration> {
        let formed = |node: &Node| {
            let checks = node.get("/v1/health/state/passing?stale")?;
            let serf = checks.as_array()?.iter().filter(|c| c["CheckID"] == "serfHealth").count();
            let leader = node.get("/v1/status/leader")?;
            let linear = node.get("/v1/catalog/nodes")?.as_array()?.len();
            (serf == nodes && linear >= nodes && leader.as_str().is_some_and(|l| !l.is_empty())).then_some(())
        };
        let all = || self.nodes.iter().filter(|n| n.runs()).all(|n| formed(n).is_some()).then_some(());
        match wait_for(&format!("{nodes} healthy nodes on every agent"), all) {
            Ok(((), took)) => Ok(took),
            Err(e) => bail!("{e}\n{}", self.logs()),
        }
    }

    /// The server that leads, as a running agent sees it.
    ///
    /// # Errors
    /// When there is none.
    pub fn leader(&self) -> Result<String> {
        let find = || {
            self.nodes.iter().filter(|n| n.runs()).find_map(|n| {
                let addr = n.get("/v1/status/leader")?;
                let ip = addr.as_str()?.split(':').next()?.to_owned();
                let leads = self.nodes.iter().find(|n| n.ip.to_string() == ip && n.runs())?;
                Some(leads.name.clone())
            })
        };
        Ok(wait_for("a leader", find)?.0)
    }

    /// A value that every running agent shows.
    ///
    /// # Errors
    /// When one does not in time.
    pub fn wait_everywhere(&self, what: &str, path: &str, good: impl Fn(&Value) -> bool) -> Result<Duration> {
        let all = || {
            let running = self.nodes.iter().filter(|n| n.runs());
            running.into_iter().all(|n| n.get(path).is_some_and(|v| good(&v))).then_some(())
        };
        match wait_for(what, all) {
            Ok(((), took)) => Ok(took),
            Err(e) => bail!("{e}\n{}", self.logs()),
        }
    }

    /// Ends of the logs, for failures.
    pub fn logs(&self) -> String {
        let tail = |n: &Node| {
            let log = n.log();
            let lines: Vec<_> = log.lines().rev().take(25).collect();
            lines.into_iter().rev().fold(format!("--- {}\n", n.name), |out, line| out + line + "\n")
        };
        self.nodes.iter().map(tail).collect()
    }

    /// Panics that any agent logged.
    pub fn panics(&self) -> Vec<String> {
        let of = |n: &Node| -> Vec<String> {
            let log = n.log();
            let bad = log.lines().filter(|l| l.contains("panicked at") || l.contains("task panicked"));
            bad.map(|l| format!("{}: {l}", n.name)).collect()
        };
        self.nodes.iter().flat_map(of).collect()
    }
}
