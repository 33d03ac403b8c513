//! Addresses that stand for names.
//!
//! Datacenters that only gateways join may use the same private addresses, so a server of another one is known by its name
//! alone. Gossip and the connection pool tell members apart by address; in such a federation each server is given one
//! that is made of its name, in a unique local prefix (RFC 4193) that nothing routes.

use crate::dial::Target;
use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};
use types::{Str, member::Member, names::fold};

/// `fd70:7261:6574::/48`; the rest is a hash of the name.
const PREFIX: [u8; 6] = [0xfd, 0x70, 0x72, 0x61, 0x65, 0x74];
/// Tag of the WAN pool with the address that a server really listens on.
pub const ADDRESS_TAG: &str = "wan_addr";
/// Tag of the WAN pool with the datacenter that a server takes its shared configuration from.
pub const PRIMARY_TAG: &str = "primary_dc";
/// Node name that means any server of a datacenter.
pub const ANY: &str = "*";

/// The address of the member `name` (`node.datacenter`), without regard to case.
pub fn address_of(name: &str) -> Ipv6Addr {
    let hash = Sha256::digest(fold(name).as_bytes());
    let mut octets = [0; 16];
    let (prefix, rest) = octets.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(&PREFIX);
    rest.copy_from_slice(&hash[..rest.len()]);
    octets.into()
}

/// Whether an address stands for a name.
pub fn stands_for_a_name(addr: SocketAddr) -> bool {
    matches!(addr.ip(), IpAddr::V6(ip) if ip.octets().starts_with(&PREFIX))
}

/// Takes `node.datacenter` apart. Neither part may contain a dot in a federation through gateways.
pub fn split(name: &str) -> Option<(&str, &str)> {
    let (node, datacenter) = name.split_once('.')?;
    (!node.is_empty() && !datacenter.is_empty() && !datacenter.contains('.')).then_some((node, datacenter))
}

/// A member of the WAN pool as people know it: with the address that it really has, and without what servers tell each other.
pub fn shown(mut member: Member) -> Member {
    member.tags.remove(PRIMARY_TAG);
    let real = member.tags.remove(ADDRESS_TAG);
    if stands_for_a_name(member.addr)
        && let Some(Ok(addr)) = real.map(|text| text.parse())
    {
        member.addr = addr;
    }
    member
}

/// Where packets and streams to an address go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// To this address: the member is in the same datacenter.
    Direct(SocketAddr),
    /// Through gateways.
    Tunnel(Target),
}

/// The way to each address that stands for a name; it follows the members of both pools.
#[derive(Default, Debug)]
pub struct Routes(ArcSwap<HashMap<Ipv6Addr, Route>>);

impl Routes {
    /// Takes over what both pools know: `near` are WAN addresses of servers of `own` by node name, `far` the members of the
    /// WAN pool. Any server of each of `always` can be reached, too.
    pub fn set<'a>(
        &self,
        own: &str,
        near: impl Iterator<Item = (Str, SocketAddr)>,
        far: impl Iterator<Item = &'a str>,
        always: &[Str],
    ) {
        let mut routes = HashMap::new();
        for datacenter in always.iter().filter(|dc| dc.as_str() != own) {
            let target = Target { node: Str::new_static(ANY), datacenter: datacenter.clone() };
            routes.insert(address_of(&format!("{ANY}.{datacenter}")), Route::Tunnel(target));
        }
        for name in far {
            if let Some((node, datacenter)) = split(name)
                && fold(datacenter) != own
            {
                let target = Target { node: fold(node), datacenter: fold(datacenter) };
                routes.insert(address_of(name), Route::Tunnel(target));
            }
        }
        for (node, addr) in near {
            routes.insert(address_of(&format!("{node}.{own}")), Route::Direct(addr));
        }
        self.0.store(std::sync::Arc::new(routes));
    }

    /// The way to `to`; `None` for a name that nobody has told of yet. Real addresses are their own way.
    pub fn find(&self, to: SocketAddr) -> Option<Route> {
        match to.ip() {
            IpAddr::V6(ip) if stands_for_a_name(to) => self.0.load().get(&ip).cloned(),
            _ => Some(Route::Direct(to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use types::member::MemberStatus;

    #[test]
    fn a_name_has_one_address() {
        let a = address_of("node1.dc2");
        assert_eq!(a, address_of("NODE1.DC2"));
        assert_ne!(a, address_of("node1.dc3"));
        assert!(stands_for_a_name(SocketAddr::new(a.into(), 8302)));
        assert!(!stands_for_a_name("10.0.0.1:8302".parse().unwrap()));
        assert!(!stands_for_a_name("[fd00::1]:8302".parse().unwrap()));
    }

    #[test]
    fn names_with_more_dots_have_no_way() {
        assert_eq!(split("a.dc1"), Some(("a", "dc1")));
        for bad in ["a", "a.", ".dc1", "a.b.dc1", ""] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn near_ones_are_direct_and_far_ones_go_through_gateways() {
        let routes = Routes::default();
        let near: SocketAddr = "10.0.0.1:8302".parse().unwrap();
        let names = ["s1.dc1", "S2.dc2", "odd"];
        routes.set(
            "dc1",
            [("s1".into(), near)].into_iter(),
            names.into_iter(),
            &["dc0".into(), "dc1".into()],
        );
        let at = |name: &str| routes.find(SocketAddr::new(address_of(name).into(), 8302));
        let tunnel =
            |node: &str, dc: &str| Some(Route::Tunnel(Target { node: node.into(), datacenter: dc.into() }));
        assert_eq!(at("s1.dc1"), Some(Route::Direct(near)));
        assert_eq!(at("s2.dc2"), tunnel("s2", "dc2"));
        assert_eq!(at("*.dc0"), tunnel("*", "dc0"));
        assert_eq!((at("*.dc1"), at("s9.dc9"), at("odd")), (None, None, None));
        assert_eq!(routes.find(near), Some(Route::Direct(near)));
    }

    #[test]
    fn people_see_the_real_address() {
        let real: SocketAddr = "10.0.0.1:8302".parse().unwrap();
        let mut member = Member {
            name: "s1.dc1".into(),
            addr: SocketAddr::new(address_of("s1.dc1").into(), 8302),
            tags: BTreeMap::from([(ADDRESS_TAG.into(), "10.0.0.1:8302".into())]),
            status: MemberStatus::Alive,
        };
        assert_eq!(shown(member.clone()).addr, real);
        member.tags.clear();
        assert!(stands_for_a_name(shown(member).addr), "without the tag there is nothing better to show");
    }
}
