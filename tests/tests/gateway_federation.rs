//! Two datacenters that know nothing of each other but the address of one built-in gateway: they join, read and write across,
//! and lose and regain a gateway.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use tests::{
    cluster::wait_for,
    process::{Answer, Child, binary, call, clean_command, free_ports},
};

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn launch(mut command: Command, dir: &Path, log: &str) -> Result<Child> {
    let file = File::options().create(true).append(true).open(dir.join(log))?;
    Child::start(command.current_dir(dir).stdout(file.try_clone()?).stderr(file).stdin(Stdio::null()))
}

/// One server, and the gateway of its datacenter.
struct Datacenter {
    name: &'static str,
    binary: PathBuf,
    dir: PathBuf,
    http: SocketAddr,
    gateway: SocketAddr,
    admin: SocketAddr,
    _server: Child,
    running: Option<Child>,
}

impl Datacenter {
    /// The server of `name` in `dir`, which has the authority's files. `primary` is the address of the primary's gateway.
    fn start(dir: &Path, name: &'static str, primary: Option<SocketAddr>) -> Result<Self> {
        let binary = binary()?;
        let node = format!("server-{name}");
        let made = clean_command(&binary)
            .args(["tls", "cert", "create", "-server", "-dc", name, "-node", &node])
            .current_dir(dir)
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let p = free_ports(6)?;
        let primary = primary.map_or(String::new(), |at| {
            format!(
                "primary_gateways = [\"{at}\"] primary_gateways_interval = \"1s\" retry_interval_wan = \"1s\""
            )
        });
        let config = format!(
            r#"node_name = "{node}"  datacenter = "{name}"  primary_datacenter = "one"  server = true  bootstrap_expect = 1
               data_dir = "{name}-data"  bind_addr = "127.0.0.1"  client_addr = "127.0.0.1"
               ports {{ http = {} dns = -1 grpc = -1 grpc_tls = -1 serf_lan = {} serf_wan = {} server = {} }}
               connect {{ enabled = true  enable_mesh_gateway_wan_federation = true }}
               tls {{
                 defaults {{
                   ca_file = "consul-agent-ca.pem"
                   cert_file = "{name}-server-consul-0.pem"  key_file = "{name}-server-consul-0-key.pem"
                   verify_incoming = true  verify_outgoing = true
                 }}
                 internal_rpc {{ verify_server_hostname = true }}
               }}
               {primary}
            "#,
            p[0], p[1], p[2], p[3]
        );
        let file = dir.join(format!("{name}.hcl"));
        std::fs::write(&file, config)?;
        let mut command = clean_command(&binary);
        command.args(["agent", "-config-file"]).arg(&file);
        let server = launch(command, dir, &format!("{name}.log"))?;
        let (http, gateway, admin) = (local(p[0]), local(p[4]), local(p[5]));
        let this =
            Self { name, binary, dir: dir.to_owned(), http, gateway, admin, _server: server, running: None };
        wait_for("its catalog", || this.get("/v1/catalog/nodes")?.as_array()?.first().cloned())
            .with_context(|| this.log())?;
        Ok(this)
    }

    fn run_gateway(&mut self) -> Result<()> {
        let mut command = clean_command(&self.binary);
        let at = self.gateway.to_string();
        command
            .args(["connect", "gateway", "-mesh", "-register", "-expose-servers", "-drain", "0s"])
            .args(["-address", &at, "-wan-address", &at, "-admin-bind", &self.admin.to_string()])
            .env("CONSUL_HTTP_ADDR", self.http.to_string());
        self.running = Some(launch(command, &self.dir, &format!("{}-gateway.log", self.name))?);
        let ready = || (call(self.admin, "GET", "/ready", "", "").status == 200).then_some(());
        wait_for("the gateway's readiness", ready).with_context(|| self.log())?;
        Ok(())
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        call(self.http, method, path, body, "")
    }

    fn get(&self, path: &str) -> Option<Value> {
        let answer = self.call("GET", path, "");
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok()).flatten()
    }

    /// Tunnels to the server that its gateway has opened.
    fn tunnels(&self) -> u64 {
        let text = call(self.admin, "GET", "/metrics", "", "").body;
        let line = "praetor_gateway_tunnels_opened_total{route=\"local_server\"}";
        text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0)
    }

    fn log(&self) -> String {
        let read = |name: String| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let both = read(format!("{}.log", self.name)) + &read(format!("{}-gateway.log", self.name));
        both.lines().rev().take(40).map(|l| format!("{l}\n")).collect()
    }
}

/// A write in `to` from `from`, as soon as it works.
fn crosses(from: &Datacenter, to: &Datacenter, value: &str) -> Result<()> {
    let path = format!("/v1/kv/crossing?dc={}", to.name);
    let written = || (from.call("PUT", &path, value).body == "true").then_some(());
    let ((), took) = wait_for("a write", written).with_context(|| format!("{}{}", from.log(), to.log()))?;
    println!("{} writes in {} after {took:?}", from.name, to.name);
    let there = to.call("GET", "/v1/kv/crossing?raw", "").body;
    ensure!(there == value, "{there}");
    Ok(())
}

#[test]
fn two_datacenters_join_through_their_gateways() -> Result<()> {
    let dir: TempDir = tempfile::Builder::new().prefix("federation-").tempdir()?;
    let made = clean_command(&binary()?).args(["tls", "ca", "create"]).current_dir(dir.path()).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut one = Datacenter::start(dir.path(), "one", None)?;
    one.run_gateway()?;
    let mut two = Datacenter::start(dir.path(), "two", Some(one.gateway))?;
    two.run_gateway()?;

    for dc in [&one, &two] {
        let members = || {
            let all = dc.get("/v1/agent/members?wan=1")?;
            let alive = all.as_array()?.iter().filter(|m| m["Status"] == 1).count();
            (alive == 2).then_some(())
        };
        let ((), took) = wait_for("two members of the WAN pool", members).with_context(|| dc.log())?;
        println!("{} sees both servers after {took:?}", dc.name);
    }
    crosses(&two, &one, "from two")?;
    crosses(&one, &two, "from one")?;
    ensure!(one.tunnels() > 0 && two.tunnels() > 0, "{} and {} tunnels", one.tunnels(), two.tunnels());

    // The primary loses its gateway, and has another at the same address.
    one.running = None;
    one.run_gateway()?;
    crosses(&two, &one, "again")?;
    ensure!(one.tunnels() > 0, "the new gateway carries it");
    Ok(())
}
