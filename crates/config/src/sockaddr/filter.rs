//! Selecting and sorting interface addresses.

use super::{IfAddr, blocks, is_forwardable, is_private};
use crate::settings::Cidr;
use regex::Regex;
use std::{cmp::Ordering, net::IpAddr};

/// The addresses that `selector` with `param` matches (`keep`) or does not match.
pub(super) fn select(
    selector: &str,
    param: &str,
    list: &[IfAddr],
    keep: bool,
) -> Result<Vec<IfAddr>, String> {
    let matches = matcher(selector, param)?;
    Ok(list.iter().filter(|i| matches(i) == keep).cloned().collect())
}

type Matcher = Box<dyn Fn(&IfAddr) -> bool>;

fn matcher(selector: &str, param: &str) -> Result<Matcher, String> {
    let regex =
        || Regex::new(param).map_err(|e| format!("Unable to compile {selector} regexp {param:?}: {e}"));
    Ok(match selector.to_lowercase().as_str() {
        "address" => {
            let r = regex()?;
            Box::new(move |i| r.is_match(&i.ip.to_string()))
        }
        "name" => {
            let r = regex()?;
            Box::new(move |i| r.is_match(&i.name))
        }
        // Interface addresses have no port.
        "port" => {
            let r = regex()?;
            Box::new(move |_| r.is_match("0"))
        }
        "flag" | "flags" => {
            let flags = param.split('|').map(|f| flag(f.trim())).collect::<Result<Vec<_>, _>>()?;
            Box::new(move |i| flags.iter().all(|f| f(i)))
        }
        "network" => {
            let nets = param
                .split('|')
                .map(|n| Cidr::parse(n).ok_or_else(|| format!("unable to parse network {n:?}")))
                .collect::<Result<Vec<_>, _>>()?;
            Box::new(move |i| nets.iter().any(|n| n.contains_exactly(i.ip)))
        }
        "rfc" | "rfcs" => {
            let numbers = param
                .split('|')
                .map(|n| {
                    let number =
                        n.trim().parse().map_err(|_e| format!("unable to parse RFC number {n:?}"))?;
                    blocks::in_rfc(number, IpAddr::from([0, 0, 0, 0]))
                        .map(|_| number)
                        .ok_or_else(|| format!("unsupported RFC {number}"))
                })
                .collect::<Result<Vec<u32>, String>>()?;
            Box::new(move |i| numbers.iter().any(|n| blocks::in_rfc(*n, i.ip) == Some(true)))
        }
        "size" => {
            let bits: u8 = param
                .trim_start_matches('/')
                .parse()
                .map_err(|_e| format!("unable to parse mask size {param:?}"))?;
            Box::new(move |i| i.bits == bits)
        }
        "type" => {
            let types = param
                .split('|')
                .map(|t| match t.trim().to_lowercase().as_str() {
                    "ip" => Ok((true, true)),
                    "ipv4" => Ok((true, false)),
                    "ipv6" => Ok((false, true)),
                    "unix" => Ok((false, false)),
                    _ => Err(format!("unsupported type {t:?}")),
                })
                .collect::<Result<Vec<_>, _>>()?;
            Box::new(move |i| types.iter().any(|(v4, v6)| if i.ip.is_ipv4() { *v4 } else { *v6 }))
        }
        other => return Err(format!("invalid filter selector: {other:?}")),
    })
}

/// Whether an address has the flag of that name.
pub(super) fn flag(name: &str) -> Result<fn(&IfAddr) -> bool, String> {
    Ok(match name.to_lowercase().as_str() {
        "broadcast" => |i| i.broadcast,
        "down" => |i| !i.up,
        "forwardable" => |i| is_forwardable(i.ip),
        "global unicast" => {
            |i| !i.ip.is_loopback() && !i.ip.is_multicast() && !i.ip.is_unspecified() && !link_local(i.ip)
        }
        "interface-local multicast" => |i| multicast_scope(i.ip) == Some(1),
        "link-local multicast" => |i| {
            multicast_scope(i.ip) == Some(2)
                || matches!(i.ip, IpAddr::V4(a) if a.octets()[..3] == [224, 0, 0])
        },
        "link-local unicast" => |i| link_local(i.ip),
        "loopback" => |i| i.loopback || i.ip.is_loopback(),
        "multicast" => |i| i.multicast,
        "point-to-point" => |i| i.point_to_point,
        "unspecified" => |i| i.ip.is_unspecified(),
        "up" => |i| i.up,
        _ => return Err(format!("Invalid interface flag: {name:?}")),
    })
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.segments()[0] & 0xffc0 == 0xfe80,
    }
}

fn multicast_scope(ip: IpAddr) -> Option<u16> {
    match ip {
        IpAddr::V6(a) if a.is_multicast() => Some(a.segments()[0] & 0xf),
        _ => None,
    }
}

/// One sort key.
pub(super) struct Order {
    key: String,
    descending: bool,
}

impl Order {
    pub(super) fn asc(key: &str) -> Self {
        Self { key: key.to_owned(), descending: false }
    }
    /// Reads `default,-type,+size`.
    pub(super) fn parse(keys: &str) -> Result<Vec<Self>, String> {
        keys.split(',')
            .map(|k| {
                let k = k.trim();
                let (descending, name) = match k.strip_prefix('-') {
                    Some(rest) => (true, rest),
                    None => (false, k.strip_prefix('+').unwrap_or(k)),
                };
                let name = name.to_lowercase();
                match name.as_str() {
                    "address" | "default" | "name" | "port" | "private" | "size" | "type" => {
                        Ok(Self { key: name, descending })
                    }
                    _ => Err(format!("unknown sort type: {k:?}")),
                }
            })
            .collect()
    }
    fn compare(&self, a: &IfAddr, b: &IfAddr) -> Ordering {
        let order = match self.key.as_str() {
            "address" => a.ip.cmp(&b.ip),
            "default" => b.default_route.cmp(&a.default_route),
            "name" => a.name.cmp(&b.name),
            "private" => is_private(b.ip).cmp(&is_private(a.ip)),
            // The smallest network first, families apart.
            "size" => a.ip.is_ipv6().cmp(&b.ip.is_ipv6()).then(b.bits.cmp(&a.bits)),
            "type" => a.ip.is_ipv6().cmp(&b.ip.is_ipv6()),
            _ => Ordering::Equal,
        };
        if self.descending { order.reverse() } else { order }
    }
}

/// Sorts by the keys in order; what they leave equal keeps its order.
pub(super) fn sort(list: &mut [IfAddr], keys: &[Order]) {
    list.sort_by(|a, b| keys.iter().map(|k| k.compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
}
