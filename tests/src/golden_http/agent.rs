//! The agent that recordings are replayed against.

use super::{Vars, case::folder, client};
use crate::process::{Child, clean_command, free_ports};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs::File, net::SocketAddr, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(120);
const PORTS: [&str; 7] = ["http", "dns", "server", "serf_lan", "serf_wan", "grpc", "grpc_tls"];

/// Whether an answer is as a recording begins.
type Ready<'a> = &'a dyn Fn(&Value) -> bool;

pub(super) struct Agent {
    pub(super) http: SocketAddr,
    pub(super) dns: SocketAddr,
    /// Ports of the run by the names that recordings use.
    pub(super) vars: Vars,
    dir: TempDir,
    process: Child,
}

impl Agent {
    /// Starts it with `golden/http/agent.json` and waits until it is as a recording begins.
    pub(super) fn start(binary: &Path) -> Result<Self> {
        let config = folder("http").join("agent.json");
        let text = std::fs::read(&config).with_context(|| config.display().to_string())?;
        let text: Value = serde_json::from_slice(&text)?;
        let node = text["node_name"].as_str().context("node_name")?;
        let dir = tempfile::Builder::new().prefix("gh-").tempdir()?;
        let numbers = free_ports(PORTS.len())?;
        let mut ports: Map<String, Value> =
            PORTS.iter().zip(&numbers).map(|(name, port)| ((*name).to_owned(), json!(port))).collect();
        let vars = ports.iter().map(|(name, port)| (format!("{name}_port"), port.clone())).collect();
        ports.insert("https".to_owned(), json!(-1));
        let run = dir.path().join("run.json");
        std::fs::write(&run, json!({"data_dir": dir.path().join("data"), "ports": ports}).to_string())?;
        let log = File::create(dir.path().join("agent.log"))?;
        let mut command = clean_command(binary);
        command.arg("agent").arg("-config-file").arg(&config).arg("-config-file").arg(&run);
        command.current_dir(dir.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let process = Child::start(&mut command)?;
        let mut agent = Self { http: local(numbers[0]), dns: local(numbers[1]), vars, dir, process };
        agent.wait(node)?;
        Ok(agent)
    }

    fn wait(&mut self, node: &str) -> Result<()> {
        let text = |v: &Value| v.as_str().is_some_and(|s| !s.is_empty());
        let http = self.http;
        let get = |path: &str| {
            let reply = client::ask(http, "GET", path, &BTreeMap::new(), None).ok()?;
            let body = || serde_json::from_slice::<Value>(&reply.body).ok();
            (reply.status == 200).then(body).flatten()
        };
        let path = format!("/v1/catalog/node/{node}");
        let steps: [(&str, Ready<'_>); 4] = [
            ("/v1/status/leader", &|v| text(v)),
            ("/v1/health/service/consul?passing", &|v| !v[0]["Checks"].as_array().is_none_or(Vec::is_empty)),
            ("/v1/connect/ca/roots", &|v| text(&v["ActiveRootID"])),
            (&path, &|v| {
                v["Node"]["TaggedAddresses"].as_object().is_some_and(|t| !t.is_empty())
                    && v["Services"].get("consul").is_some()
            }),
        ];
        for (path, ready) in steps {
            let up = self.process.wait_until(START_LIMIT, || get(path).filter(ready));
            if up.is_none() {
                bail!("the agent is not ready ({path}): {}", self.log());
            }
        }
        Ok(())
    }

    fn log(&self) -> String {
        let text = std::fs::read(self.dir.path().join("agent.log")).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(3000)..]).into_owned()
    }

    /// Fails with the log when the agent has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.process.ended() {
            Some(status) => bail!("the agent ended with {status}: {}", self.log()),
            None => Ok(()),
        }
    }
}
