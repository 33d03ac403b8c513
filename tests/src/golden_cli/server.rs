//! A fresh single server for one group.

use crate::process::{Answer, Child, call, clean_command, free_ports};
use anyhow::{Result, bail};
use std::{fmt::Write as _, net::SocketAddr, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;

pub(super) const ROOT_TOKEN: &str = "11111111-2222-3333-4444-555555555555";
pub(super) const NODE_ID: &str = "aaaaaaaa-bbbb-cccc-dddd-000000000001";
const GOSSIP_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const START_LIMIT: Duration = Duration::from_secs(60);

/// The names under which ports appear in expected texts.
pub(super) const PORT_NAMES: [&str; 6] = ["http", "dns", "lan", "wan", "rpc", "grpc"];

pub(super) struct Server {
    pub(super) dir: TempDir,
    /// In the order of [`PORT_NAMES`].
    pub(super) ports: [u16; 6],
    /// Ends the process when dropped.
    _process: Child,
}

impl Server {
    pub(super) fn start(binary: &Path, flavour: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("gl-").tempdir()?;
        let found = free_ports(7)?;
        let [http, dns, lan, wan, rpc, grpc, tls] = found[..] else { bail!("too few ports") };
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
        let mut command = clean_command(binary);
        command.arg("agent").arg("-config-file").arg(&file).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut process = Child::start(&mut command)?;
        let ports = [http, dns, lan, wan, rpc, grpc];
        let token = if flavour == "acl" { ROOT_TOKEN } else { "" };
        let addr = SocketAddr::from(([127, 0, 0, 1], http));
        let up = process.wait_until(START_LIMIT, || {
            let leader = call(addr, "GET", "/v1/status/leader", "", "");
            let nodes = call(addr, "GET", "/v1/catalog/nodes", "", token);
            let ready = leader.status == 200 && leader.body.len() > 4;
            (ready && (flavour == "acl-fresh" || nodes.body.contains("\"lan_ipv4\""))).then_some(())
        });
        if up.is_none() {
            let text = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            let tail: String = text.chars().rev().take(800).collect::<Vec<_>>().into_iter().rev().collect();
            bail!("the server did not come up: {tail}");
        }
        Ok(Self { dir, ports, _process: process })
    }

    pub(super) fn http(&self) -> u16 {
        self.ports[0]
    }

    /// Status 0 if there was no answer.
    pub(super) fn call(&self, method: &str, path: &str, body: &str, token: &str) -> Answer {
        call(SocketAddr::from(([127, 0, 0, 1], self.http())), method, path, body, token)
    }
}
