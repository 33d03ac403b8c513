//! Networks.

use std::{fmt, net::IpAddr};

/// A network in prefix notation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    /// Base address, host bits cleared.
    pub addr: IpAddr,
    /// Prefix length.
    pub bits: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`; the mask is required.
    pub fn parse(text: &str) -> Option<Self> {
        let (addr, bits) = text.trim().split_once('/')?;
        let addr: IpAddr = addr.parse().ok()?;
        if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bits: u8 = bits.parse().ok()?;
        if bits > if addr.is_ipv4() { 32 } else { 128 } {
            return None;
        }
        Some(Self { addr: masked(addr, bits), bits })
    }
    /// Whether `ip` lies in this network; a v4-mapped v6 address counts as v4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.contains_exactly(ip.to_canonical())
    }
    /// The same without reading v4-mapped addresses as v4.
    pub fn contains_exactly(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.addr.is_ipv4() && masked(ip, self.bits) == self.addr
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.bits)
    }
}

fn masked(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(a) & mask).into())
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_mask_and_knows_its_own() {
        let net = |text| Cidr::parse(text).unwrap();
        assert!(net("10.1.2.3/16").contains("10.1.255.1".parse().unwrap()));
        assert!(!net("10.1.0.0/16").contains("10.2.0.1".parse().unwrap()));
        assert!(net("0.0.0.0/0").contains("9.9.9.9".parse().unwrap()));
        assert!(net("fd00::/8").contains("fd12::1".parse().unwrap()));
        assert!(net("10.0.0.0/8").contains("::ffff:10.0.0.1".parse().unwrap()), "v4 in v6 clothes");
        assert!(!net("10.0.0.0/8").contains_exactly("::ffff:10.0.0.1".parse().unwrap()));
        assert_eq!(net("10.1.2.3/16").to_string(), "10.1.0.0/16");
        for bad in
            ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "x/8", "fd00::/129", "10.0.0.0/008x"]
        {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
