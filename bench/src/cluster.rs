//! Agents under test: started on free loopback ports, pinned to core 0, killed with the value.

use crate::{cpu, http};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// One agent.
pub struct Agent {
    /// Its process.
    pub child: Child,
    /// HTTP address.
    pub http: SocketAddr,
    /// DNS address.
    pub dns: SocketAddr,
    /// LAN gossip address.
    pub lan: SocketAddr,
    dir: TempDir,
    program: PathBuf,
    core: Option<usize>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Free TCP ports on `ip`.
fn ports(ip: &str, n: usize) -> Result<Vec<u16>> {
    let held: Vec<TcpListener> = (0..n).map(|_| TcpListener::bind((ip, 0))).collect::<Result<_, _>>()?;
    held.iter().map(|l| Ok(l.local_addr()?.port())).collect()
}

/// What differs between agents.
pub struct Plan {
    /// Loopback address.
    pub ip: String,
    /// Server or client.
    pub server: bool,
    /// `bootstrap_expect`.
    pub expect: u32,
    /// Gossip addresses to join.
    pub join: Vec<SocketAddr>,
    /// `raft_multiplier`; 0 leaves the default.
    pub multiplier: u32,
    /// Further settings, merged over the others.
    pub extra: Value,
    /// Pinned to this core; `None` runs anywhere.
    pub core: Option<usize>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            ip: "127.0.0.1".into(),
            server: true,
            expect: 1,
            join: vec![],
            multiplier: 1,
            extra: json!({}),
            core: Some(0),
        }
    }
}

impl Agent {
    /// Starts an agent and waits for nothing.
    pub fn spawn(program: &Path, plan: &Plan) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let p = ports(&plan.ip, 6)?;
        let mut config = json!({
            "node_name": format!("n-{}", p[0]), "data_dir": dir.path().join("data"), "bind_addr": plan.ip, "client_addr": plan.ip,
            "advertise_addr": plan.ip, "log_level": "warn", "disable_update_check": true, "server": plan.server,
            "ports": {"http": p[0], "dns": p[1], "server": p[2], "serf_lan": p[3], "serf_wan": if plan.server { i64::from(p[4]) } else { -1 }, "grpc": -1, "grpc_tls": -1},
            "retry_join": plan.join, "retry_interval": "1s", "limits": {"http_max_conns_per_client": 12000},
        });
        let map = config.as_object_mut().context("object")?;
        if plan.server {
            map.insert("bootstrap_expect".into(), json!(plan.expect));
        }
        if plan.multiplier > 0 {
            map.insert("performance".into(), json!({"raft_multiplier": plan.multiplier}));
        }
        for (k, v) in plan.extra.as_object().into_iter().flatten() {
            map.insert(k.clone(), v.clone());
        }
        let file = dir.path().join("config.json");
        std::fs::write(&file, config.to_string())?;
        let child = start(program, dir.path(), plan.core)?;
        let addr = |port| -> Result<SocketAddr> { Ok(format!("{}:{port}", plan.ip).parse()?) };
        Ok(Self {
            child,
            http: addr(p[0])?,
            dns: addr(p[1])?,
            lan: addr(p[3])?,
            dir,
            program: program.to_owned(),
            core: plan.core,
        })
    }

    /// Kills the process and starts it again over the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = start(&self.program, self.dir.path(), self.core)?;
        Ok(())
    }

    /// Bytes written so far to the disk that its data is on.
    pub fn device_written(&self) -> Result<u64> {
        cpu::device_written(self.dir.path())
    }

    /// Bytes in its data directory.
    pub fn disk(&self) -> Result<u64> {
        fn of(path: &Path) -> Result<u64> {
            let mut sum = 0;
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                sum += if kind.is_dir() { of(&entry.path())? } else { entry.metadata()?.len() };
            }
            Ok(sum)
        }
        of(self.dir.path())
    }

    /// The process; `taskset` replaces itself by the agent, so the id stays.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a write is answered.
    pub fn ready(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            if let Ok((200, body)) = http::once(self.http, "PUT", "/v1/kv/bench-ready", b"1")
                && body == b"true"
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "{} did not become ready: {}",
                self.program.display(),
                std::fs::read_to_string(self.dir.path().join("log"))
                    .unwrap_or_default()
                    .lines()
                    .rev()
                    .take(5)
                    .collect::<Vec<_>>()
                    .join(" | ")
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Starts the process over the configuration in `dir`; its output goes to a file there.
fn start(program: &Path, dir: &Path, core: Option<usize>) -> Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
    let mut command = match core {
        Some(core) => cpu::pinned(core, program),
        None => std::process::Command::new(program),
    };
    let child = command
        .args(["agent", "-config-file"])
        .arg(dir.join("config.json"))
        .stdout(log.try_clone()?)
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// Servers that form a cluster.
pub fn servers(program: &Path, n: u32, multiplier: u32) -> Result<Vec<Agent>> {
    let mut out: Vec<Agent> = vec![];
    for i in 0..n {
        let join = out.iter().map(|a| a.lan).collect();
        let ip = format!("127.0.0.{}", i + 1);
        out.push(Agent::spawn(program, &Plan { ip, expect: n, join, multiplier, ..Plan::default() })?);
    }
    for agent in &out {
        agent.ready(Duration::from_secs(60))?;
    }
    Ok(out)
}
