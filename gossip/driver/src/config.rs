//! What the driver is told at start.

use gossip::{Keyring, Timing};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};
use types::{Str, net::Cidr};

/// Which pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pool {
    /// All agents of one datacenter.
    Lan,
    /// The servers of all datacenters.
    Wan,
}

impl Pool {
    /// `LAN` or `WAN`, as log fields and messages have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "LAN",
            Self::Wan => "WAN",
        }
    }
}

/// Everything the driver needs to know.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    /// Which pool.
    pub pool: Pool,
    /// Text that both sides must share for packets to be accepted, beside the pool: the datacenter for a LAN,
    /// empty for the WAN.
    pub label: Str,
    /// Name of this member (LAN: node name; WAN: `node.dc`).
    pub name: Str,
    /// UDP and TCP address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Address that others reach us at. Port 0: the bound port. Unspecified: the bound address.
    pub advertise: SocketAddr,
    /// Tags; see `types::member::Member`.
    pub tags: BTreeMap<Str, Str>,
    /// Intervals and multipliers.
    pub timing: Timing,
    /// Keys to encrypt with; `None` sends plain packets unless `keyring_file` exists.
    pub keyring: Option<Keyring>,
    /// Where the keys are kept; an existing file wins over `keyring`. `None`: in memory only.
    pub keyring_file: Option<PathBuf>,
    /// Where the members are kept for a restart.
    pub snapshot_file: Option<PathBuf>,
    /// Rejoin the members of the snapshot even after a graceful leave.
    pub rejoin_after_leave: bool,
    /// How long a failed member is remembered.
    pub reconnect_timeout: Duration,
    /// How long a member that left is remembered.
    pub tombstone_timeout: Duration,
    /// Sources from which packets and streams are accepted; empty accepts all.
    pub allowed_cidrs: Vec<Cidr>,
    /// Keep a network coordinate.
    pub coordinates: bool,
    /// Refuse plain packets and streams when there are keys.
    pub verify_incoming: bool,
    /// Encrypt what is sent when there are keys.
    pub verify_outgoing: bool,
    /// Most events that wait for the receiver before they are dropped and a resync is asked for.
    pub events_max: usize,
}

impl DriverConfig {
    /// The defaults of `pool` for a member `name` listening on `bind`.
    pub fn new(pool: Pool, name: impl AsRef<str>, bind: SocketAddr) -> Self {
        Self {
            pool,
            label: Str::default(),
            name: Str::new(name),
            bind,
            advertise: SocketAddr::new(bind.ip(), 0),
            tags: BTreeMap::new(),
            timing: match pool {
                Pool::Lan => Timing::lan(),
                Pool::Wan => Timing::wan(),
            },
            keyring: None,
            keyring_file: None,
            snapshot_file: None,
            rejoin_after_leave: false,
            reconnect_timeout: Duration::from_secs(72 * 3600),
            tombstone_timeout: Duration::from_secs(24 * 3600),
            allowed_cidrs: Vec::new(),
            coordinates: true,
            verify_incoming: true,
            verify_outgoing: true,
            events_max: 4096,
        }
    }
}
