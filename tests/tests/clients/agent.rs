//! One server with a few services.

use anyhow::{Result, ensure};
use serde_json::Value;
use std::{
    fs::File,
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};
use tests::process::{Answer, Child, binary, call, clean_command, free_ports};

/// Patience with anything that a process does; far more than it needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What every test finds: two instances of `web`, `six` with an IPv6 address, and `broken`, whose check fails.
const SERVICES: &str = r#"
services {
  name = "web"
  id = "web-1"
  address = "127.0.0.2"
  port = 8080
  tags = ["v1"]
  check { ttl = "1h" status = "passing" }
}
services {
  name = "web"
  id = "web-2"
  address = "127.0.0.3"
  port = 8081
  tags = ["v2"]
}
services {
  name = "six"
  address = "2001:db8::6"
  port = 8082
}
services {
  name = "broken"
  address = "127.0.0.9"
  port = 8083
  check { ttl = "1h" }
}
"#;

pub(crate) struct Agent {
    pub(crate) process: Child,
    pub(crate) http: SocketAddr,
    pub(crate) dns: u16,
    /// Also for what a test needs.
    pub(crate) dir: tempfile::TempDir,
}

impl Agent {
    /// Started, leading, and with its services in the catalog. `more` is further configuration.
    pub(crate) fn start(more: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("clients-").tempdir()?;
        let ports = free_ports(6)?;
        let [http, dns, lan, wan, rpc, grpc] = ports[..] else { anyhow::bail!("too few ports") };
        let config = format!(
            "data_dir = \"{}/data\"\nserver = true\nbootstrap = true\nbind_addr = \"127.0.0.1\"\nnode_name = \"one\"\n\
             node_meta {{ rack = \"r1\" }}\nperformance {{ raft_multiplier = 1 }}\n\
             ports {{ http = {http} dns = {dns} serf_lan = {lan} serf_wan = {wan} server = {rpc} grpc = {grpc} }}\n{SERVICES}\n{more}\n",
            dir.path().display()
        );
        let file = dir.path().join("agent.hcl");
        std::fs::write(&file, config)?;
        let log = File::create(dir.path().join("log"))?;
        let mut command = clean_command(&binary()?);
        command.arg("agent").arg("-config-file").arg(&file).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut agent = Self {
            process: Child::start(&mut command)?,
            http: SocketAddr::from(([127, 0, 0, 1], http)),
            dns,
            dir,
        };
        let address = agent.http;
        let complete = || {
            let nodes = call(address, "GET", "/v1/catalog/nodes", "", "");
            let services = call(address, "GET", "/v1/catalog/services", "", "");
            let named = ["web", "six", "broken"].iter().all(|name| services.body.contains(name));
            (named && nodes.body.contains("lan_ipv4")).then_some(())
        };
        let up = agent.process.wait_until(PATIENCE, complete);
        ensure!(up.is_some(), "the agent did not come up:\n{}", agent.log());
        Ok(agent)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Registers a service of this agent.
    pub(crate) fn register(&self, service: &Value) -> Result<()> {
        let body = service.to_string();
        let Answer { status, body: text, .. } =
            call(self.http, "PUT", "/v1/agent/service/register", &body, "");
        ensure!(status == 200, "{status} {text}");
        Ok(())
    }

    /// And takes it away.
    pub(crate) fn deregister(&self, id: &str) -> Result<()> {
        let Answer { status, body, .. } =
            call(self.http, "PUT", &format!("/v1/agent/service/deregister/{id}"), "", "");
        ensure!(status == 200, "{status} {body}");
        Ok(())
    }
}

/// Says on the real stdout, past the test runner that keeps what passing tests print, that a test tested nothing.
pub(crate) fn skipped(why: &str) {
    // Nobody reads where stdout is closed.
    let _ = writeln!(std::io::stdout(), "SKIPPED: {why}");
}

/// Whether a program can be run; says so if not.
pub(crate) fn installed(program: &str, argument: &str) -> bool {
    let found = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        skipped(&format!("{program} is not installed"));
    }
    found
}
