//! Who a member is to the failure detector.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
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
    ip: IpAddr,
    port: u16,
    short: u32,
    bump: u64,
}

impl NodeId {
    /// Identity of the member `name` at `addr`. `bump` must be higher than in every earlier run: milliseconds of
    /// wall time at start, or one more than the last one that was saved.
    pub fn new(addr: SocketAddr, name: &Str, bump: u64) -> Self {
        let hash = crate::seal::fnv64(&[name.as_bytes()]);
        Self {
            ip: addr.ip().to_canonical(),
            port: addr.port(),
            short: (hash ^ (hash >> 32)) as u32,
            bump: bump.min(BUMP_MAX),
        }
    }
    pub(crate) fn from_wire(ip: IpAddr, port: u16, bump: u64, short: u32) -> Self {
        Self { ip: ip.to_canonical(), port, short, bump: bump.min(BUMP_MAX) }
    }
    /// Gossip address.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
    /// Grows with each run.
    pub fn bump(&self) -> u64 {
        self.bump
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
        self.addr() == other.addr() && self.short == other.short
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.addr(), self.bump)
    }
}

impl foca::Identity for NodeId {
    type Addr = SocketAddr;
    fn renew(&self) -> Option<Self> {
        self.after(self.bump)
    }
    fn addr(&self) -> SocketAddr {
        Self::addr(self)
    }
    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.bump, self.short) > (other.bump, other.short)
    }
}
