//! A network of namespaces, one a server and one for the clients, with a switch of ours between them.

mod switch;
mod tun;

pub use switch::{Rules, Switch};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    net::Ipv4Addr,
    os::fd::AsFd,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

/// All namespaces of this program begin so, with the id of the process behind it.
const NAME: &str = "jl";
const PREFIX: [u8; 3] = [10, 77, 0];
const CARD: &str = "eth0";
/// Networks of this process, so that no two have the same names.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Runs a program to its end.
///
/// # Errors
/// With what it wrote, when it fails.
pub fn run(program: &str, args: &[&str]) -> Result<()> {
    let out =
        Command::new(program).args(args).output().with_context(|| format!("{program} cannot be run"))?;
    ensure!(
        out.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim()
    );
    Ok(())
}

/// The network. Dropping it removes the namespaces; what runs in them has to be ended before.
pub struct Net {
    spaces: Vec<String>,
    /// The switch, with a card for each server and a last one for the clients.
    pub switch: Switch,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.spaces.iter().for_each(|s| remove(s));
    }
}

fn remove(space: &str) {
    // Taking the card away ends the thread that reads from it. What cannot be removed is shown by `ip netns`.
    let _ = run("ip", &["-n", space, "link", "del", CARD]);
    let _ = run("ip", &["netns", "del", space]);
}

impl Net {
    /// A network for `servers`.
    ///
    /// # Errors
    /// When this machine gives no namespaces or no cards; says which.
    pub fn new(servers: usize, seed: u64) -> Result<Self> {
        forget_dead();
        let which = MADE.fetch_add(1, Ordering::Relaxed);
        let mut made = Made(Vec::new());
        let mut cards = Vec::new();
        for n in 0..=servers {
            let name = format!("{NAME}{}-{which}-{}", std::process::id(), n + 1);
            run("ip", &["netns", "add", &name])
                .context("network namespaces cannot be had (they need root and iproute2)")?;
            made.0.push(name.clone());
            let card = within(&name, || Ok(tun::card(CARD)?))
                .context("no card for a namespace (the kernel needs CONFIG_TUN, and /dev/net/tun)")?;
            run("ip", &["-n", &name, "link", "set", "lo", "up"])?;
            run("ip", &["-n", &name, "addr", "add", &format!("{}/24", address(n)), "dev", CARD])?;
            run("ip", &["-n", &name, "link", "set", CARD, "up"])?;
            cards.push(card);
        }
        let switch = Switch::start(cards, servers, PREFIX, seed);
        Ok(Self { spaces: std::mem::take(&mut made.0), switch })
    }

    /// Address of a server.
    pub fn address(&self, server: usize) -> Ipv4Addr {
        address(server)
    }

    /// The namespace of a server.
    pub fn space(&self, server: usize) -> &str {
        &self.spaces[server]
    }

    /// Moves this thread to where the clients are.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn enter(&self) -> Result<()> {
        self.spaces.last().map_or(Ok(()), |s| enter(s))
    }
}

/// What was made before something failed.
struct Made(Vec<String>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().for_each(|s| remove(s));
    }
}

fn address(n: usize) -> Ipv4Addr {
    let [a, b, c] = PREFIX;
    Ipv4Addr::new(a, b, c, u8::try_from(n + 1).unwrap_or(u8::MAX))
}

fn enter(space: &str) -> Result<()> {
    let file = File::open(Path::new("/run/netns").join(space))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Does something in a namespace, on a thread that ends there.
fn within<T: Send>(space: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let moved = || enter(space).and_then(|()| work());
    let done = thread::scope(|scope| scope.spawn(moved).join());
    done.map_err(|_panic| anyhow::anyhow!("work in namespace {space} panicked"))?
}

/// Removes namespaces of runs that were killed: those whose process is gone.
fn forget_dead() {
    for name in std::fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|e| e.file_name()) {
        let name = name.to_string_lossy();
        let pid = name.strip_prefix(NAME).and_then(|n| n.split_once('-')).map(|(pid, _)| pid);
        if let Some(pid) = pid.filter(|p| p.parse::<u32>().is_ok())
            && !Path::new("/proc").join(pid).exists()
        {
            remove(&name);
        }
    }
}
