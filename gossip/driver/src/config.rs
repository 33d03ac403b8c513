//! What the driver is told at start.

use gossip::{Keyring, Timing};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use types::Str;

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

/// A network prefix from which gossip is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    /// Base address.
    pub addr: IpAddr,
    /// Leading bits that count.
    pub bits: u8,
}

impl Cidr {
    /// Whether `ip` lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.addr, ip.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits.min(32))).unwrap_or(0);
                u32::from(a) & mask == u32::from(b) & mask
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits.min(128))).unwrap_or(0);
                u128::from(a) & mask == u128::from(b) & mask
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Cidr {
    type Err = CidrError;
    fn from_str(s: &str) -> Result<Self, CidrError> {
        let bad = || CidrError(s.to_owned());
        let (addr, bits) = s.split_once('/').ok_or_else(bad)?;
        let addr: IpAddr = addr.parse().ok().ok_or_else(bad)?;
        let bits: u8 = bits.parse().ok().ok_or_else(bad)?;
        if bits > if addr.is_ipv4() { 32 } else { 128 } {
            return Err(bad());
        }
        Ok(Self { addr, bits })
    }
}

/// Not a network prefix; the caller's mistake.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct CidrError(String);

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
            verify_incoming: true,
            verify_outgoing: true,
            events_max: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_parse_and_match() {
        let c: Cidr = "10.1.0.0/16".parse().unwrap();
        assert!(c.contains("10.1.255.1".parse().unwrap()));
        assert!(!c.contains("10.2.0.1".parse().unwrap()));
        assert!(!c.contains("::1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!("fd00::/8".parse::<Cidr>().unwrap().contains("fd12::1".parse().unwrap()));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", ""] {
            assert_eq!(bad.parse::<Cidr>().unwrap_err().to_string(), format!("invalid CIDR address: {bad}"));
        }
    }
}
