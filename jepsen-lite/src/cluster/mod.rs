//! Servers under attack: real processes with directories, addresses and disks of their own.

mod clock;
mod disk;
mod log;

pub use clock::Clock;

use crate::{
    client::{Client, Done},
    net::Net,
};
use anyhow::{Context, Result, bail};
use disk::Disk;
use faults::Fault;
use parking_lot::Mutex;
use rustix::process::Signal;
use std::{
    fmt::Write as _,
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tests::process::{Child, clean_command, free_ports};

/// Made for this program; it protects nothing.
const GOSSIP_KEY: &str = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI=";
/// Patience with servers that should be well.
pub const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

/// What to run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program.
    pub binary: PathBuf,
    /// Whether it is ours; otherwise its own promises are not looked at.
    pub ours: bool,
    /// How many servers.
    pub servers: usize,
    /// A mistake that all of them make.
    pub fault: Option<Fault>,
    /// Where they work.
    pub dir: PathBuf,
    /// Namespaces instead of ports of 127.0.0.1.
    pub spaces: bool,
    /// Each data directory is a small file system of its own.
    pub small_disks: bool,
    /// Clocks can be set.
    pub clocks: bool,
    /// Where random choices come from.
    pub seed: u64,
}

struct Place {
    http: SocketAddr,
    rpc: u16,
    lan: u16,
}

/// One server.
pub struct Server {
    /// Its name.
    pub name: String,
    place: Place,
    process: Mutex<Option<Child>>,
    /// Odd while it runs; changes whenever it begins or ends.
    epoch: AtomicU32,
    dir: PathBuf,
    disk: Option<Disk>,
    clock: Option<Clock>,
}

/// All servers. Dropping it ends them and takes away what was made for them.
pub struct Cluster {
    /// Servers.
    pub servers: Vec<Server>,
    /// The network between them; `None` on 127.0.0.1.
    pub net: Option<Net>,
    setup: Setup,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Before their disks and namespaces go.
        self.servers.iter().for_each(Server::kill);
    }
}

impl Cluster {
    /// Prepares servers and starts none.
    ///
    /// # Errors
    /// When this machine does not give what the setup needs; says what.
    pub fn new(setup: &Setup) -> Result<Self> {
        let net = setup.spaces.then(|| Net::new(setup.servers, setup.seed)).transpose()?;
        let ports = if setup.spaces { Vec::new() } else { free_ports(3 * setup.servers)? };
        let place = |n: usize| match &net {
            Some(net) => Place { http: (net.address(n), 8500).into(), rpc: 8300, lan: 8301 },
            None => Place {
                http: (Ipv4Addr::LOCALHOST, ports[3 * n]).into(),
                rpc: ports[3 * n + 1],
                lan: ports[3 * n + 2],
            },
        };
        let mut servers = Vec::new();
        for n in 0..setup.servers {
            let name = format!("server{}", n + 1);
            let dir = setup.dir.join(&name);
            std::fs::create_dir_all(&dir)?;
            let disk = setup.small_disks.then(|| Disk::mount(&dir.join("data"))).transpose()?;
            let clock = setup.clocks.then(|| Clock::new(&setup.binary, &setup.dir, &name)).transpose()?;
            let (process, epoch) = (Mutex::new(None), AtomicU32::new(0));
            servers.push(Server { name, place: place(n), process, epoch, dir, disk, clock });
        }
        let cluster = Self { servers, net, setup: setup.clone() };
        cluster.servers.iter().try_for_each(|s| cluster.write_config(s))?;
        Ok(cluster)
    }

    fn write_config(&self, server: &Server) -> Result<()> {
        let Place { http, rpc, lan } = &server.place;
        let ip = http.ip();
        let join = self
            .servers
            .iter()
            .map(|s| format!("{:?}", SocketAddr::from((s.place.http.ip(), s.place.lan)).to_string()));
        let mut text = String::new();
        write!(
            text,
            "# Made by jepsen-lite.\n\
             node_name = {:?}\ndatacenter = \"dc1\"\ndata_dir = {:?}\nserver = true\nbootstrap_expect = {}\n\
             bind_addr = \"{ip}\"\nadvertise_addr = \"{ip}\"\nclient_addr = \"{ip}\"\n\
             ports {{ http = {} dns = -1 server = {rpc} serf_lan = {lan} serf_wan = -1 grpc = -1 grpc_tls = -1 }}\n\
             retry_join = [{}]\nretry_interval = \"1s\"\nencrypt = {GOSSIP_KEY:?}\ndisable_update_check = true\nlog_level = \"INFO\"\n\
             # Often, so that snapshots and what follows them are attacked, too.\n\
             raft_snapshot_threshold = 400\nraft_snapshot_interval = \"2s\"\nraft_trailing_logs = 100\n\
             performance {{ raft_multiplier = 1 }}\nautopilot {{ server_stabilization_time = \"1s\" }}\n\
             limits {{ http_max_conns_per_client = 1000 }}\n",
            server.name,
            server.data(),
            self.servers.len(),
            http.port(),
            join.collect::<Vec<_>>().join(", ")
        )?;
        std::fs::write(server.dir.join("config.hcl"), text)?;
        Ok(())
    }

    /// Starts a server that does not run; its log goes on.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&self, n: usize) -> Result<()> {
        let server = &self.servers[n];
        let mut process = server.process.lock();
        if process.is_some() {
            return Ok(());
        }
        let log = OpenOptions::new().create(true).append(true).open(server.dir.join("log"))?;
        let mut command = match &self.net {
            None => clean_command(&self.setup.binary),
            Some(net) => {
                let mut command = clean_command(Path::new("ip"));
                command.args(["netns", "exec", net.space(n)]).arg(&self.setup.binary);
                command
            }
        };
        command.args(["agent", "-config-file"]).arg(server.dir.join("config.hcl"));
        if let Some(fault) = self.setup.fault {
            command.env("PRAETOR_FAULT", fault.name());
        }
        if let Some(clock) = &server.clock {
            clock.apply_to(&mut command);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C is for this program, which ends servers in its own time.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        *process = Some(Child::start(&mut command)?);
        server.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Starts whatever does not run.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start_all(&self) -> Result<()> {
        (0..self.servers.len()).try_for_each(|n| self.start(n))
    }

    /// Waits until every server answers a linearizable read and takes a write, and tells how long it took.
    ///
    /// # Errors
    /// When one does not in time, with the ends of the logs.
    pub fn wait_well(&self, stop: &dyn Fn() -> bool) -> Result<Duration> {
        let begin = Instant::now();
        for (n, server) in self.servers.iter().enumerate() {
            let mut client = Client::new(server.http(), Duration::from_secs(3));
            loop {
                let write = client.send("PUT", &format!("/v1/kv/jepsen/well/{n}"), "1").done();
                let read = client.send("GET", "/v1/kv/jepsen/well?recurse&consistent", "").read();
                if let (Done::Yes(_), Ok((Some(_), _))) = (&write, &read) {
                    break;
                }
                if begin.elapsed() > PATIENCE || stop() {
                    bail!("{} is not well: {write:?}; {read:?}\n{}", server.name, self.logs());
                }
                std::thread::sleep(STEP);
            }
        }
        Ok(begin.elapsed())
    }

    /// The server that leads, as most of those that answer say.
    pub fn leader(&self) -> Option<usize> {
        let mut votes = vec![0; self.servers.len()];
        for server in self.servers.iter().filter(|s| s.runs()) {
            let mut client = Client::new(server.http(), Duration::from_millis(500));
            let Ok((Some(address), _)) = client.send("GET", "/v1/status/leader", "").read() else { continue };
            let address = address.as_str().unwrap_or_default().to_owned();
            let is = |s: &Server| SocketAddr::from((s.place.http.ip(), s.place.rpc)).to_string() == address;
            if let Some(n) = self.servers.iter().position(is) {
                votes[n] += 1;
            }
        }
        let best = (0..votes.len()).max_by_key(|n| votes[*n])?;
        (votes[best] > 0).then_some(best)
    }

    /// Lines of the logs that tell of a panic.
    pub fn panics(&self) -> Vec<String> {
        let mut out = Vec::new();
        for server in &self.servers {
            out.extend(log::panics(&server.log()).map(|l| format!("{}: {l}", server.name)));
        }
        out
    }

    /// Servers that stopped because their log contradicts another's.
    pub fn contradictions(&self) -> Vec<String> {
        let said = |s: &Server| {
            let log = s.log();
            let what = log::contradiction(&log)?;
            Some(format!("{} stopped because its log contradicts another's: {what}", s.name))
        };
        self.servers.iter().filter_map(said).collect()
    }

    /// Ends of the logs.
    pub fn logs(&self) -> String {
        let mut out = String::new();
        for server in &self.servers {
            let log = server.log();
            let lines: Vec<_> = log.lines().rev().take(5).collect();
            out.push_str(&format!("--- {}\n", server.name));
            let short = |l: &str| l.chars().take(200).collect::<String>();
            lines.into_iter().rev().for_each(|l| out.push_str(&format!("{}\n", short(l))));
        }
        out
    }

    /// How the servers were set up.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }
}

impl Server {
    /// HTTP address.
    pub fn http(&self) -> SocketAddr {
        self.place.http
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Whether it was started and not ended by this program.
    pub fn runs(&self) -> bool {
        self.process.lock().is_some()
    }

    /// How it ended, if it did so by itself; told once, from then on it does not run.
    pub fn take_ended(&self) -> Option<ExitStatus> {
        self.wait_end(Duration::ZERO)
    }

    /// The run of it that goes on; `None` if it does not run.
    pub fn epoch(&self) -> Option<u32> {
        Some(self.epoch.load(Ordering::SeqCst)).filter(|e| e % 2 == 1)
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&self) {
        let mut process = self.process.lock();
        if process.take().is_some() {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Sends a signal, if it runs.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.lock().as_mut().map_or(Ok(()), |p| p.signal(signal))
    }

    /// Waits for its end; `None` if it does not come, or nothing runs.
    pub fn wait_end(&self, limit: Duration) -> Option<ExitStatus> {
        let mut process = self.process.lock();
        let status = process.as_mut()?.wait_end(limit)?;
        *process = None;
        self.epoch.fetch_add(1, Ordering::SeqCst);
        Some(status)
    }

    /// Removes all that it has stored. Only while it does not run.
    ///
    /// # Errors
    /// When files cannot be removed.
    pub fn forget(&self) -> Result<()> {
        std::fs::remove_dir_all(self.data()).context("data directory")
    }

    /// Its disk, if it has a small one.
    ///
    /// # Errors
    /// When it has not.
    pub fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().context("the server has no disk of its own")
    }

    /// Its clock, if that can be set.
    ///
    /// # Errors
    /// When it cannot.
    pub fn clock(&self) -> Result<&Clock> {
        self.clock.as_ref().context("the server's clock cannot be set")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("log")).unwrap_or_default()).into_owned()
    }
}

/// Whether small file systems can be had.
///
/// # Errors
/// Why not.
pub fn try_disk(dir: &Path) -> Result<()> {
    Disk::mount(&dir.join("try-disk")).map(drop)
}

/// Whether namespaces and a switch between them can be had.
///
/// # Errors
/// Why not.
pub fn try_net() -> Result<()> {
    Net::new(1, 0).map(drop)
}
