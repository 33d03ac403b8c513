//! Three datacenters as real processes, from `configs/federation`: three servers and two gateways in dc1, one of each in dc2 and dc3,
//! a client everywhere. In network namespaces where the machine has them, else on addresses of 127.0.0.0/8.
#![allow(clippy::print_stdout, reason = "a test says in which form it runs")]

mod relay;
mod space;

pub use relay::Relay;
pub use space::{GATEWAY_PORT, Net, Space};

use crate::{
    cluster::wait_for,
    process::{Answer, Child, binary, call, clean_command},
};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs::OpenOptions,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;

/// How long a program may take to end.
const END_LIMIT: Duration = Duration::from_secs(30);

/// A program in a datacenter, running or not.
#[derive(Debug)]
pub struct Process {
    /// `dc1-s1`, `dc2-gw1`, …
    pub name: String,
    /// Where it runs.
    pub space: Space,
    /// Its address in the datacenter.
    pub ip: IpAddr,
    args: Vec<String>,
    dir: PathBuf,
    binary: PathBuf,
    process: Option<Child>,
}

impl Process {
    /// Starts it; its log goes on where it ended.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log"))?;
        let mut command = self.space.command(&self.binary);
        command.args(&self.args).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(Child::start(&mut command)?);
        Ok(())
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

    /// Where an agent answers HTTP.
    pub fn http(&self) -> SocketAddr {
        (self.ip, 8500).into()
    }

    /// Asks an agent by HTTP.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let asked = self.space.within(|| Ok(call(self.http(), method, path, body, "")));
        asked.unwrap_or_else(|e| Answer { status: 0, head: String::new(), body: e.to_string() })
    }

    /// A JSON answer of status 200.
    pub fn get(&self, path: &str) -> Option<Value> {
        let answer = self.call("GET", path, "");
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok()).flatten()
    }

    /// Writes something that must be taken.
    ///
    /// # Errors
    /// With the answer, when it is not.
    pub fn put(&self, path: &str, body: &str) -> Result<()> {
        let answer = self.call("PUT", path, body);
        ensure!(answer.status == 200, "{}: PUT {path}: {} {}", self.name, answer.status, answer.body);
        Ok(())
    }

    /// Runs a command of the program against this agent; what it wrote.
    ///
    /// # Errors
    /// When it fails.
    pub fn cli(&self, args: &[&str]) -> Result<String> {
        let mut command = self.space.command(&self.binary);
        let out = command.args(args).arg(format!("-http-addr={}", self.http())).output()?;
        ensure!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Runs a command of the program that asks nobody; what it wrote.
    ///
    /// # Errors
    /// When it fails.
    pub fn plain(&self, args: &[&str]) -> Result<String> {
        let out = clean_command(&self.binary).args(args).output()?;
        ensure!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// The same address to ask, without the process.
    pub fn twin(&self) -> Self {
        Self {
            name: self.name.clone(),
            space: self.space.clone(),
            ip: self.ip,
            args: Vec::new(),
            dir: self.dir.clone(),
            binary: self.binary.clone(),
            process: None,
        }
    }

    /// Makes an agent that is not started yet the only one of a datacenter of its own.
    pub fn alone(&mut self, datacenter: u8) {
        for (flag, value) in
            [("-datacenter", format!("dc{datacenter}")), ("-retry-join", self.ip.to_string())]
        {
            if let Some(at) = self.args.iter().position(|a| a == flag)
                && let Some(given) = self.args.get_mut(at + 1)
            {
                *given = value;
            }
        }
    }

    /// Takes a flag and its value off the command line.
    pub fn forget(&mut self, flag: &str) {
        if let Some(at) = self.args.iter().position(|a| a == flag) {
            self.args.drain(at..=at + 1);
        }
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

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).unwrap_or_default()).into_owned()
    }

    /// Where it runs: data and certificates lie here.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The datacenters. Dropping it kills everything.
#[derive(Debug)]
pub struct World {
    /// Agents and gateways.
    pub processes: Vec<Process>,
    /// The network between datacenters; `None` on loopback.
    pub net: Option<Net>,
    /// A line in front of the gateway of dc2 that can be made long.
    pub line: Option<Relay>,
    binary: PathBuf,
    dir: TempDir,
}

/// First octets of the addresses on loopback, so that two of them run side by side.
fn loopback() -> (u8, u8) {
    let pid = std::process::id();
    (u8::try_from(64 + pid % 60).unwrap_or(64), u8::try_from(pid / 60 % 200).unwrap_or(0))
}

impl World {
    /// Nothing started yet; `namespaces` is whether to try them.
    ///
    /// # Errors
    /// When certificates or directories cannot be made.
    pub fn new(namespaces: bool) -> Result<Self> {
        let net = match namespaces.then(|| Net::new(3)) {
            Some(Ok(net)) => Some(net),
            Some(Err(why)) => {
                println!("no network namespaces here, the smaller form on 127.0.0.0/8 runs: {why:#}");
                None
            }
            None => None,
        };
        let dir = tempfile::Builder::new().prefix("federation-").tempdir()?;
        let mut world = Self { processes: Vec::new(), net, line: None, binary: binary()?, dir };
        world.tls(&["ca", "create"])?;
        // As `configs/federation/secondary.hcl`, with the addresses of this network.
        let (gateways, file) = (world.gateways(1)?, world.dir.path().join("secondary.hcl"));
        std::fs::write(&file, format!("primary_gateways = {gateways:?}\n"))?;
        let seconds = ["-config-file".to_owned(), file.display().to_string()];
        for n in 1..=3 {
            world.agent(1, &format!("s{n}"), n, 3, &[])?;
        }
        world.agent(2, "s1", 1, 1, &seconds)?;
        world.agent(3, "s1", 1, 1, &seconds)?;
        for dc in 1..=3 {
            world.agent(dc, "c1", 8, 0, &[])?;
        }
        for (dc, n) in [(1, 1), (1, 2), (2, 1), (3, 1)] {
            world.gateway(dc, n)?;
        }
        Ok(world)
    }

    fn tls(&self, args: &[&str]) -> Result<String> {
        let out = clean_command(&self.binary).arg("tls").args(args).current_dir(self.dir.path()).output()?;
        ensure!(out.status.success(), "tls {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Makes a certificate and puts it where the agent looks for it; one that is there is replaced.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn certificate(&self, process: &str, args: &[&str]) -> Result<()> {
        let mut all = vec!["cert", "create"];
        all.extend(args);
        let said = self.tls(&all)?;
        let cert = said.lines().find_map(|l| l.strip_prefix("==> Saved ")).context("nothing saved")?;
        let (from, to) = (self.dir.path(), self.dir.path().join(process).join("tls"));
        std::fs::create_dir_all(&to)?;
        std::fs::copy(from.join("consul-agent-ca.pem"), to.join("ca.pem"))?;
        std::fs::rename(from.join(cert.replace(".pem", "-key.pem")), to.join("key.pem"))?;
        std::fs::rename(from.join(cert), to.join("cert.pem"))?;
        Ok(())
    }

    fn space(&self, dc: u8) -> Space {
        self.net.as_ref().map_or_else(Space::here, |net| net.space(dc))
    }

    /// An address in a datacenter.
    ///
    /// # Errors
    /// None in practice.
    pub fn ip(&self, dc: u8, host: u8) -> Result<IpAddr> {
        let (a, b) = loopback();
        Ok(match &self.net {
            Some(_) => [10, 0, 0, host].into(),
            None => [127, a, b, 20 * dc + host].into(),
        })
    }

    /// What others dial to reach the gateways of a datacenter.
    fn gateways(&self, dc: u8) -> Result<Vec<String>> {
        (1..=2).map(|n| self.wan_address(dc, n)).collect()
    }

    fn wan_address(&self, dc: u8, n: u8) -> Result<String> {
        Ok(match &self.net {
            // The second gateway of a datacenter has another port there: both share one card.
            Some(net) if dc == 2 => format!("{}:{GATEWAY_PORT}", net.gate(2)),
            Some(net) => format!("{}:{}", net.wan(dc), GATEWAY_PORT + u16::from(n) - 1),
            None => format!("{}:{GATEWAY_PORT}", self.ip(dc, 8 + n)?),
        })
    }

    /// Adds an agent; `expect` 0 makes it a client.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn agent(&mut self, dc: u8, node: &str, host: u8, expect: u8, more: &[String]) -> Result<()> {
        let (name, datacenter, ip) = (format!("dc{dc}-{node}"), format!("dc{dc}"), self.ip(dc, host)?);
        if expect > 0 {
            self.certificate(&name, &["-server", "-dc", &datacenter, "-node", node])?;
        } else {
            self.certificate(&name, &["-client", "-dc", &datacenter])?;
        }
        let file = example(if expect > 0 { "server.hcl" } else { "client.hcl" });
        let (ip_text, join) = (ip.to_string(), self.ip(dc, 1)?.to_string());
        let mut args = vec!["agent", "-config-file", &file, "-datacenter", &datacenter, "-node", node];
        args.extend(["-bind", &ip_text, "-client", &ip_text, "-retry-join", &join]);
        let expect = expect.to_string();
        if expect != "0" {
            args.extend(["-bootstrap-expect", &expect]);
        }
        let args = args.into_iter().map(str::to_owned).chain(more.iter().cloned()).collect();
        self.add(dc, name, ip, args)
    }

    fn gateway(&mut self, dc: u8, n: u8) -> Result<()> {
        let (ip, agent) = (self.ip(dc, 8 + n)?, self.ip(dc, n)?);
        let port = GATEWAY_PORT + if self.net.is_some() { u16::from(n) - 1 } else { 0 };
        let mut args: Vec<String> =
            ["connect", "gateway", "-mesh", "-register", "-expose-servers"].map(String::from).into();
        args.push(format!("-service=mesh-gateway-{n}"));
        args.push(format!("-address={ip}:{port}"));
        if self.net.is_some() {
            args.push(format!("-bind-address=wan={{{{ GetInterfaceIP \"eth0\" }}}}:{port}"));
            args.push(format!("-bind-address=lan={ip}:{port}"));
        }
        args.push(match &self.net {
            Some(_) if dc != 2 => format!("-wan-address={{{{ GetInterfaceIP \"eth0\" }}}}:{port}"),
            _ => format!("-wan-address={}", self.wan_address(dc, n)?),
        });
        args.push(format!("-http-addr={agent}:8500"));
        let name = format!("dc{dc}-gw{n}");
        std::fs::create_dir_all(self.dir.path().join(&name))?;
        self.add(dc, name, ip, args)
    }

    fn add(&mut self, dc: u8, name: String, ip: IpAddr, args: Vec<String>) -> Result<()> {
        let (space, dir, binary) = (self.space(dc), self.dir.path().join(&name), self.binary.clone());
        self.processes.push(Process { name, space, ip, args, dir, binary, process: None });
        Ok(())
    }

    /// Starts everything that does not run: agents, and gateways once their agents answer.
    ///
    /// # Errors
    /// When something cannot be started.
    pub fn start(&mut self) -> Result<()> {
        if let (Some(net), None) = (&self.net, &self.line) {
            let at = format!("{}:{GATEWAY_PORT}", net.gate(2)).parse()?;
            let to = format!("{}:{GATEWAY_PORT}", net.wan(2)).parse()?;
            self.line = Some(Relay::start(&net.router(), at, to)?);
        }
        let idle = |p: &&mut Process| p.process.is_none() && !p.name.contains("-gw");
        self.processes.iter_mut().filter(idle).try_for_each(Process::start)?;
        for agent in self.processes.iter().filter(|p| p.name.contains("-s")) {
            let led = || agent.get("/v1/status/leader")?.as_str().filter(|l| !l.is_empty()).map(drop);
            self.told(wait_for(&format!("a leader for {}", agent.name), led))?;
        }
        let idle = |p: &&mut Process| p.process.is_none() && p.name.contains("-gw");
        self.processes.iter_mut().filter(idle).try_for_each(Process::start)
    }

    /// A process by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(&self, name: &str) -> Result<&Process> {
        self.processes.iter().find(|p| p.name == name).with_context(|| format!("no {name}"))
    }

    /// A process by its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_mut(&mut self, name: &str) -> Result<&mut Process> {
        self.processes.iter_mut().find(|p| p.name == name).with_context(|| format!("no {name}"))
    }

    /// Adds the ends of all logs to an error.
    ///
    /// # Errors
    /// As given.
    pub fn told<T>(&self, result: Result<T>) -> Result<T> {
        let Err(error) = result else { return result };
        let tail = |p: &Process| {
            let log = p.log();
            let lines: Vec<_> = log.lines().rev().take(15).collect();
            lines.into_iter().rev().fold(format!("--- {}\n", p.name), |out, line| out + line + "\n")
        };
        let logs: String = self.processes.iter().map(tail).collect();
        bail!("{error:#}\n{logs}")
    }

    /// Panics that anything logged.
    pub fn panics(&self) -> Vec<String> {
        let of = |p: &Process| -> Vec<String> {
            let log = p.log();
            log.lines().filter(|l| l.contains("panicked")).map(|l| format!("{}: {l}", p.name)).collect()
        };
        self.processes.iter().flat_map(of).collect()
    }
}

fn example(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/federation").join(file).display().to_string()
}
