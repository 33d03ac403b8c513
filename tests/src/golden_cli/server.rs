//! A fresh single server for one group.

use super::process::Running;
use anyhow::{Context, Result, bail};
use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

pub(super) const ROOT_TOKEN: &str = "11111111-2222-3333-4444-555555555555";
pub(super) const NODE_ID: &str = "aaaaaaaa-bbbb-cccc-dddd-000000000001";
const GOSSIP_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Variables of the surroundings that commands would listen to.
const FOREIGN: [&str; 5] = ["CONSUL_", "HCP_", "CONNECT_", "ENVOY_", "UPSTREAM_"];
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The names under which ports appear in expected texts.
pub(super) const PORT_NAMES: [&str; 6] = ["http", "dns", "lan", "wan", "rpc", "grpc"];

pub(super) struct Server {
    pub(super) dir: TempDir,
    /// In the order of [`PORT_NAMES`].
    pub(super) ports: [u16; 6],
    /// Ends the process when dropped.
    _process: Running,
}

/// A command that inherits nothing it could listen to.
pub(super) fn clean(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|p| name.to_string_lossy().starts_with(p)) {
            command.env_remove(name);
        }
    }
    command
}

impl Server {
    pub(super) fn start(binary: &Path, flavour: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("gl-").tempdir()?;
        let [http, dns, lan, wan, rpc, grpc, tls] = free_ports()?;
        let tls = if flavour == "peer" { i32::from(tls) } else { -1 };
        let mut config = format!(
            "data_dir = \"{}/data\"\nserver = true\nbootstrap = true\nbind_addr = \"127.0.0.1\"\nnode_name = \"n1\"\n\
             datacenter = \"dc1\"\nnode_id = \"{NODE_ID}\"\ndisable_update_check = true\ndisable_remote_exec = false\n\
             performance {{ raft_multiplier = 1 }}\nports {{ http = {http} dns = {dns} serf_lan = {lan} serf_wan = {wan} \
             server = {rpc} grpc = {grpc} grpc_tls = {tls} }}\n",
            dir.path().display()
        );
        match flavour {
            "acl" => writeln!(
                config,
                "acl {{ enabled = true default_policy = \"deny\" tokens {{ initial_management = \"{ROOT_TOKEN}\" agent = \"{ROOT_TOKEN}\" }} }}"
            )?,
            "acl-fresh" => writeln!(config, "acl {{ enabled = true default_policy = \"deny\" }}")?,
            "gossip" => writeln!(config, "encrypt = \"{GOSSIP_KEY}\"")?,
            _ => {}
        }
        let file = dir.path().join("server.hcl");
        std::fs::write(&file, config)?;
        let log = std::fs::File::create(dir.path().join("log"))?;
        let mut command = clean(binary);
        command.arg("agent").arg("-config-file").arg(&file).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut process = Running::start(&mut command)?;
        let ports = [http, dns, lan, wan, rpc, grpc];
        let token = if flavour == "acl" { ROOT_TOKEN } else { "" };
        let up = process.wait_until(START_LIMIT, POLL, || {
            let leader = call(http, "GET", "/v1/status/leader", "", "");
            let nodes = call(http, "GET", "/v1/catalog/nodes", "", token);
            leader.0 == 200
                && leader.1.len() > 4
                && (flavour == "acl-fresh" || nodes.1.contains("\"lan_ipv4\""))
        });
        if !up {
            let text = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            let tail: String = text.chars().rev().take(800).collect::<Vec<_>>().into_iter().rev().collect();
            bail!("the server did not come up: {tail}");
        }
        Ok(Self { dir, ports, _process: process })
    }

    pub(super) fn http(&self) -> u16 {
        self.ports[0]
    }

    /// Status and body; status 0 if there was no answer.
    pub(super) fn call(&self, method: &str, path: &str, body: &str, token: &str) -> (u16, String) {
        call(self.http(), method, path, body, token)
    }
}

/// Asks by HTTP/1.0, whose answers end with the connection and are never chunked.
fn call(port: u16, method: &str, path: &str, body: &str, token: &str) -> (u16, String) {
    let ask = || -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(15)))?;
        let token = if token.is_empty() { String::new() } else { format!("X-Consul-Token: {token}\r\n") };
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{token}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, body.to_owned()))
    };
    ask().unwrap_or_else(|e| (0, e.to_string()))
}

/// Ports that are free now for TCP and UDP.
fn free_ports() -> Result<[u16; 7]> {
    let listeners: Vec<_> = (0..7).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut out = [0; 7];
    for (slot, listener) in out.iter_mut().zip(&listeners) {
        *slot = listener.local_addr()?.port();
    }
    Ok(out)
}
