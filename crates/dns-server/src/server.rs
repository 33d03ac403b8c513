//! The server's face: what starts it and what it needs.

use crate::{batch, counters::DnsCounters, hot::Hot, sockets::Sockets, tcp, udp};
use arc_swap::ArcSwap;
use dns::{Compressor, DnsConfig, Zone};
use parking_lot::Mutex;
use rand::RngCore;
use runtime::{Net, RngSeed, Tasks, WallClock};
use std::{io, net::SocketAddr, os::fd::AsFd, sync::Arc};
use tokio::sync::Semaphore;

/// Questions that wait for another server or a recursor at the same time; further ones get `SERVFAIL`.
const WAITING_MAX: usize = 4096;
/// TCP connections at the same time, on all addresses.
const TCP_CONNECTIONS_MAX: usize = 1024;
/// Idle working sets kept for TCP and for questions that wait.
const SPARE_MAX: usize = 4;

/// What the server is given.
#[derive(Clone)]
pub struct Deps {
    /// Reloadable settings; storing new ones is the whole reload.
    pub config: Arc<ArcSwap<DnsConfig>>,
    /// Reads of the catalog.
    pub query: Arc<dyn rpc::Query>,
    /// Sockets towards recursors.
    pub net: Arc<dyn Net>,
    /// Owner of the loops.
    pub tasks: Tasks,
    /// Source of shuffling and message ids.
    pub seed: RngSeed,
    /// Serial number of the SOA.
    pub clock: Arc<dyn WallClock>,
}

/// What the loops and the waiting questions share.
pub(crate) struct Shared {
    pub zone: Zone,
    pub config: Arc<ArcSwap<DnsConfig>>,
    pub query: Arc<dyn rpc::Query>,
    pub net: Arc<dyn Net>,
    pub tasks: Tasks,
    pub clock: Arc<dyn WallClock>,
    pub counters: Arc<DnsCounters>,
    pub waiting: Arc<Semaphore>,
    pub connections: Arc<Semaphore>,
    spare: Mutex<Vec<Hot>>,
    names: Mutex<Vec<Compressor>>,
    seeds: Mutex<Box<dyn RngCore + Send>>,
}

impl Shared {
    pub fn now(&self) -> u32 {
        (self.clock.unix_ms() / 1000) as u32
    }

    pub fn seed(&self) -> u64 {
        self.seeds.lock().next_u64()
    }

    /// Runs `work` with a working set that no UDP loop owns.
    pub fn with_hot<T>(self: &Arc<Self>, work: impl FnOnce(&mut Hot) -> T) -> T {
        let spare = self.spare.lock().pop();
        let mut hot = spare.unwrap_or_else(|| Hot::new(Arc::clone(self), self.seed()));
        hot.refresh();
        let out = work(&mut hot);
        let mut spare = self.spare.lock();
        if spare.len() < SPARE_MAX && !self.tasks.shutdown().is_triggered() {
            spare.push(hot);
        }
        out
    }

    /// Runs `work` with a compression table.
    pub fn with_names<T>(&self, work: impl FnOnce(&mut Compressor) -> T) -> T {
        let spare = self.names.lock().pop();
        let mut names = spare.unwrap_or_default();
        let out = work(&mut names);
        let mut spare = self.names.lock();
        if spare.len() < SPARE_MAX {
            spare.push(names);
        }
        out
    }
}

/// A running DNS interface. Its loops end when the owner of its tasks shuts down.
pub struct DnsServer {
    addrs: Vec<SocketAddr>,
    counters: Arc<DnsCounters>,
}

impl DnsServer {
    /// Starts one loop for each UDP socket and one for each TCP listener. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A socket that cannot be registered with the runtime.
    pub fn start(sockets: Sockets, zone: Zone, deps: Deps) -> io::Result<Self> {
        let counters = Arc::new(DnsCounters::default());
        let shared = Arc::new(Shared {
            zone,
            config: deps.config,
            query: deps.query,
            net: deps.net,
            tasks: deps.tasks,
            clock: deps.clock,
            counters: Arc::clone(&counters),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            connections: Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX)),
            spare: Mutex::new(Vec::new()),
            names: Mutex::new(Vec::new()),
            seeds: Mutex::new(Box::new(deps.seed.fork("dns"))),
        });
        for socket in sockets.udp {
            let local = socket.local_addr()?;
            if local.ip().is_unspecified() {
                batch::want_packet_info(socket.as_fd(), local.is_ipv6())?;
            }
            let socket = Arc::new(tokio::net::UdpSocket::from_std(socket)?);
            let hot = Hot::new(Arc::clone(&shared), shared.seed());
            shared.tasks.spawn_critical("dns-udp", udp::run(socket, hot, Arc::clone(&shared)));
        }
        for listener in sockets.tcp {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            shared.tasks.spawn_critical("dns-tcp", tcp::run(listener, Arc::clone(&shared)));
        }
        Ok(Self { addrs: sockets.addrs, counters })
    }

    /// Addresses it answers on.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Its totals.
    pub fn counters(&self) -> &Arc<DnsCounters> {
        &self.counters
    }
}
