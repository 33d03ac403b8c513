//! One agent of the datacenter.

use super::{examples, ports::Ports};
use crate::process::{Answer, Child, call, clean_command};
use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

const END_LIMIT: Duration = Duration::from_secs(60);

/// One agent, running or not.
#[derive(Debug)]
pub struct Node {
    /// Node name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// More arguments for the next start.
    pub args: Vec<String>,
    binary: PathBuf,
    dir: PathBuf,
    ports: Ports,
    process: Option<Child>,
}

impl Node {
    pub(super) fn new(binary: &Path, dir: &Path, name: String, ip: Ipv4Addr, ports: Ports) -> Result<Self> {
        let [http, dns, lan, rpc, _wan] = ports;
        // After the example's own file, as a user would override it. The example's data_dir is relative.
        std::fs::write(
            dir.join("ports.hcl"),
            format!(
                "ports {{ http = {http} dns = {dns} serf_lan = {lan} server = {rpc} serf_wan = -1 grpc = -1 grpc_tls = -1 }}\n"
            ),
        )?;
        let (binary, dir) = (binary.to_owned(), dir.to_owned());
        Ok(Self { name, ip, args: Vec::new(), binary, dir, ports, process: None })
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data").join(&self.name)
    }

    /// Starts it; its log goes on where it ended.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let mut command = clean_command(&self.binary);
        let file = examples().join(format!("{}.hcl", self.name));
        command
            .arg("agent")
            .arg("-config-file")
            .arg(file)
            .arg("-config-file")
            .arg(self.dir.join("ports.hcl"));
        command.args(&self.args).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(Child::start(&mut command)?);
        Ok(())
    }

    /// Whether it was started and not ended by this test.
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// How it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.ended()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.as_mut().context("not running")?.signal(signal)
    }

    /// Waits for its end; the exit code.
    ///
    /// # Errors
    /// When it does not end.
    pub fn wait_end(&mut self) -> Result<Option<i32>> {
        let process = self.process.as_mut().context("not running")?;
        let status = process.wait_end(END_LIMIT).with_context(|| format!("{} does not end", self.name))?;
        self.process = None;
        Ok(status.code())
    }

    /// HTTP address.
    pub fn http(&self) -> SocketAddr {
        (self.ip, self.ports[0]).into()
    }

    /// DNS address.
    pub fn dns(&self) -> SocketAddr {
        (self.ip, self.ports[1]).into()
    }

    /// Address of LAN gossip.
    pub fn gossip(&self) -> SocketAddr {
        (self.ip, self.ports[2]).into()
    }

    /// Address of the server port.
    pub fn rpc(&self) -> SocketAddr {
        (self.ip, self.ports[3]).into()
    }

    /// Address of WAN gossip, for a server that is started with `-serf-wan-port`; the others have none.
    pub fn wan(&self) -> SocketAddr {
        (self.ip, self.ports[4]).into()
    }

    /// Asks by HTTP.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        call(self.http(), method, path, body, "")
    }

    /// A JSON answer of status 200.
    pub fn get(&self, path: &str) -> Option<Value> {
        let answer = self.call("GET", path, "");
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok()).flatten()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }
}
