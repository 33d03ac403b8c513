//! Network namespaces: one for each datacenter, and a router between them that lets only the ports of gateways through.

use crate::process::clean_command;
use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

/// Port of every gateway.
pub const GATEWAY_PORT: u16 = 8443;

/// Runs a program to its end.
///
/// # Errors
/// With what it wrote, when it fails.
pub fn run(program: &str, args: &[&str]) -> Result<Output> {
    let out =
        Command::new(program).args(args).output().with_context(|| format!("{program} cannot be run"))?;
    ensure!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(out)
}

/// A namespace, or the one that this process is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Space(Option<String>);

impl Space {
    /// The surroundings of this process.
    pub fn here() -> Self {
        Self(None)
    }

    /// Does something in it; sockets that are made there stay there.
    ///
    /// # Errors
    /// Those of `work`, or when the namespace cannot be entered.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let Some(name) = &self.0 else { return work() };
        let file = File::open(Path::new("/run/netns").join(name))?;
        // Only the thread moves, and it ends here.
        let done = thread::scope(|scope| {
            let moved = move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            };
            scope.spawn(moved).join()
        });
        done.map_err(|_panic| anyhow::anyhow!("the work in namespace {name} panicked"))?
    }

    /// A command that runs in it.
    pub fn command(&self, program: &Path) -> Command {
        match &self.0 {
            None => clean_command(program),
            Some(name) => {
                let mut command = clean_command(&PathBuf::from("ip"));
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        }
    }
}

/// A router and namespaces around it. Dropping it removes them.
#[derive(Debug)]
pub struct Net {
    prefix: String,
    made: Vec<String>,
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.made {
            // What cannot be removed is shown by the next run, whose names differ.
            let _ = run("ip", &["netns", "del", name]);
        }
    }
}

impl Net {
    /// `datacenters` namespaces, each with one network card `eth0` on the router's side and the private addresses 10.0.0.1 to
    /// 10.0.0.19, the same ones everywhere. What leaves takes the address of `eth0`.
    ///
    /// # Errors
    /// When this machine does not give namespaces, network cards or packet filters.
    pub fn new(datacenters: u8) -> Result<Self> {
        let mut net = Self { prefix: format!("pf{}", std::process::id()), made: Vec::new() };
        let router = net.add("r")?;
        for dc in 1..=datacenters {
            let name = net.add(&dc.to_string())?;
            let (card, [outside, inside]) = (net.card(dc), [net.gate(dc), net.wan(dc)].map(|ip| ip + "/30"));
            run("ip", &["link", "add", &card, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
            run("ip", &["link", "set", &card, "netns", &router])?;
            run("ip", &["-n", &router, "addr", "add", &outside, "dev", &card])?;
            run("ip", &["-n", &router, "link", "set", &card, "up"])?;
            run("ip", &["-n", &name, "addr", "add", &inside, "dev", "eth0"])?;
            run("ip", &["-n", &name, "link", "set", "eth0", "up"])?;
            run("ip", &["-n", &name, "route", "add", "default", "via", &net.gate(dc)])?;
            for host in 1..20 {
                run("ip", &["-n", &name, "addr", "add", &format!("10.0.0.{host}/32"), "dev", "lo"])?;
            }
            let nat = "add table ip n; add chain ip n out { type nat hook postrouting priority 100; }; add rule ip n out oifname eth0 masquerade";
            run("ip", &["netns", "exec", &name, "nft", nat])?;
        }
        net.in_router(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        let filter = format!(
            "add table ip f; add set ip f cut {{ type ifname; }}; add chain ip f passing {{ type filter hook forward priority 0; policy drop; }}; \
             add rule ip f passing iifname @cut drop; add rule ip f passing oifname @cut drop; \
             add rule ip f passing ct state established,related accept; add rule ip f passing tcp dport {GATEWAY_PORT}-{} accept",
            GATEWAY_PORT + 1
        );
        net.in_router(&["nft", &filter])?;
        Ok(net)
    }

    fn add(&mut self, what: &str) -> Result<String> {
        let name = format!("{}-{what}", self.prefix);
        run("ip", &["netns", "add", &name])?;
        self.made.push(name.clone());
        run("ip", &["-n", &name, "link", "set", "lo", "up"])?;
        Ok(name)
    }

    fn in_router(&self, command: &[&str]) -> Result<()> {
        let router = format!("{}-r", self.prefix);
        let mut args = vec!["netns", "exec", &router];
        args.extend(command);
        run("ip", &args).map(drop)
    }

    fn card(&self, dc: u8) -> String {
        format!("{}v{dc}", self.prefix)
    }

    /// Address of a datacenter as others see it.
    pub fn wan(&self, dc: u8) -> String {
        format!("172.30.77.{}", 4 * dc + 2)
    }

    /// The router's address on the side of a datacenter.
    pub fn gate(&self, dc: u8) -> String {
        format!("172.30.77.{}", 4 * dc + 1)
    }

    /// Namespace of a datacenter.
    pub fn space(&self, dc: u8) -> Space {
        Space(Some(format!("{}-{dc}", self.prefix)))
    }

    /// Namespace of the router.
    pub fn router(&self) -> Space {
        Space(Some(format!("{}-r", self.prefix)))
    }

    /// Lets nothing in or out of a datacenter, or everything as before. Nobody is told: packets are lost.
    ///
    /// # Errors
    /// When the filter cannot be changed.
    pub fn cut(&self, dc: u8, cut: bool) -> Result<()> {
        let verb = if cut { "add" } else { "delete" };
        self.in_router(&["nft", &format!("{verb} element ip f cut {{ {} }}", self.card(dc))])
    }
}
