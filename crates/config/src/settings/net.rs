//! Addresses, ports and listeners.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};
use types::Str;

/// Where a listener listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ListenAddr {
    /// TCP (and for DNS also UDP).
    Tcp(SocketAddr),
    /// Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(a) => write!(f, "tcp://{a}"),
            Self::Unix(p) => write!(f, "unix://{}", p.display()),
        }
    }
}

/// A range of ports to assign from; both 0 = off.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct PortRange {
    /// First port.
    pub min: u16,
    /// Last port.
    pub max: u16,
}

impl PortRange {
    /// Whether nothing is assigned from it.
    pub fn is_off(&self) -> bool {
        self.min == 0 || self.max == 0
    }
}

/// Port numbers; `None` = the listener is off.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PortSettings {
    /// DNS over UDP and TCP.
    pub dns: Option<u16>,
    /// HTTP API.
    pub http: Option<u16>,
    /// HTTPS API.
    pub https: Option<u16>,
    /// Plain gRPC.
    pub grpc: Option<u16>,
    /// gRPC over TLS.
    pub grpc_tls: Option<u16>,
    /// LAN gossip.
    pub serf_lan: u16,
    /// WAN gossip.
    pub serf_wan: Option<u16>,
    /// RPC between agents.
    pub server: u16,
    /// Automatic sidecar ports.
    pub sidecar: PortRange,
    /// Automatic ports of exposed checks.
    pub expose: PortRange,
}

/// Owner and mode of created unix sockets, as written.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct UnixSocketSettings {
    /// User id or name.
    pub user: Str,
    /// Group id or name.
    pub group: Str,
    /// Octal mode.
    pub mode: Str,
}

/// Addresses, ports, listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetSettings {
    /// `bind_addr`.
    pub bind: IpAddr,
    /// Address that others of the datacenter reach this agent by.
    pub advertise_lan: IpAddr,
    /// Address that other datacenters reach it by.
    pub advertise_wan: IpAddr,
    /// `client_addr` after expansion.
    pub client: Vec<IpAddr>,
    /// Listener of the RPC port.
    pub rpc_bind: SocketAddr,
    /// Advertised RPC address.
    pub rpc_advertise: SocketAddr,
    /// Listener of LAN gossip.
    pub serf_lan_bind: SocketAddr,
    /// Advertised LAN gossip address.
    pub serf_lan_advertise: SocketAddr,
    /// Listener of WAN gossip; `None` = off.
    pub serf_wan_bind: Option<SocketAddr>,
    /// Advertised WAN gossip address; `None` = off.
    pub serf_wan_advertise: Option<SocketAddr>,
    /// DNS listeners (UDP and TCP each).
    pub dns: Vec<SocketAddr>,
    /// HTTP listeners.
    pub http: Vec<ListenAddr>,
    /// HTTPS listeners.
    pub https: Vec<ListenAddr>,
    /// gRPC listeners.
    pub grpc: Vec<ListenAddr>,
    /// gRPC over TLS listeners.
    pub grpc_tls: Vec<ListenAddr>,
    /// Port numbers.
    pub ports: PortSettings,
    /// Unix socket ownership.
    pub unix_sockets: UnixSocketSettings,
    /// `lan`, `wan`, `lan_ipv4`, … and the user's own.
    pub tagged_addresses: BTreeMap<Str, Str>,
    /// Answers about other datacenters use the `wan` address.
    pub translate_wan_addrs: bool,
}
