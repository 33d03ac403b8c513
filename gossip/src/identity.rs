//! Who a member is to the failure detector.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};
use types::Str;

/// Largest bump: it travels in six bytes.
const BUMP_MAX: u64 = (1 << 48) - 1;

/// Identity of one run of one member: 17 bytes on the wire (29 with IPv6).
///
/// The address is what foca tells members apart by; of two identities with one address the higher `bump` wins, so a
/// restart and a refuted death replace their past. `short` is a hash of the name: it tells a member that came back
/// from another one that was given its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// As IPv6, mapped where it is IPv4: foca looks members up by comparing addresses one by one, so this is its
    /// innermost loop.
    ip: u128,
    port: u16,
    short: u32,
    bump: u64,
}

/// What foca tells members apart by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AddrKey(u128, u16);

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl NodeId {
    /// Identity of the member `name` at `addr`. `bump` must be higher than in every earlier run: milliseconds of
    /// wall time at start, or one more than the last one that was saved.
    pub fn new(addr: SocketAddr, name: &Str, bump: u64) -> Self {
        let hash = crate::seal::fnv64(&[name.as_bytes()]);
        Self {
            ip: bits(addr.ip()),
            port: addr.port(),
            short: (hash ^ (hash >> 32)) as u32,
            bump: bump.min(BUMP_MAX),
        }
    }
    pub(crate) fn from_wire(ip: IpAddr, port: u16, bump: u64, short: u32) -> Self {
        Self { ip: bits(ip), port, short, bump: bump.min(BUMP_MAX) }
    }
    /// Gossip address.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(self.ip)).to_canonical(), self.port)
    }
    /// Grows with each run.
    pub fn bump(&self) -> u64 {
        self.bump
    }
    pub(crate) fn key(&self) -> AddrKey {
        AddrKey(self.ip, self.port)
    }
    pub(crate) fn short(&self) -> u32 {
        self.short
    }
    /// The same member in its next run; `None` when the numbers are used up.
    pub(crate) fn after(&self, bump: u64) -> Option<Self> {
        let bump = bump.max(self.bump).checked_add(1).filter(|b| *b <= BUMP_MAX)?;
        Some(Self { bump, ..*self })
    }
    /// Whether both are runs of one member.
    pub(crate) fn same_member(&self, other: &Self) -> bool {
        (self.ip, self.port, self.short) == (other.ip, other.port, other.short)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.addr(), self.bump)
    }
}

impl foca::Identity for NodeId {
    type Addr = AddrKey;
    fn renew(&self) -> Option<Self> {
        self.after(self.bump)
    }
    fn addr(&self) -> AddrKey {
        AddrKey(self.ip, self.port)
    }
    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.bump, self.short) > (other.bump, other.short)
    }
}
