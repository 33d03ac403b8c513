//! Attributes of an address, and arithmetic on it.

use super::{IfAddr, filter};
use std::net::IpAddr;

/// The number behind an address, and how many bits it has.
fn number(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(a) => (u128::from(u32::from(a)), 32),
        IpAddr::V6(a) => (u128::from(a), 128),
    }
}

fn address(number: u128, width: u32) -> IpAddr {
    if width == 32 { IpAddr::V4((number as u32).into()) } else { IpAddr::V6(number.into()) }
}

/// The network mask.
fn mask(bits: u8, width: u32) -> u128 {
    let all = if width == 32 { u128::from(u32::MAX) } else { u128::MAX };
    let host = width - u32::from(bits).min(width);
    let cleared = 1u128.checked_shl(host).map_or(0, |v| v.wrapping_neg());
    cleared & all
}

/// First and last number of the network.
fn bounds(i: &IfAddr) -> (u128, u128, u32) {
    let (n, width) = number(i.ip);
    let mask = mask(i.bits, width);
    let all = self::mask(width as u8, width);
    (n & mask, (n & mask) | (!mask & all), width)
}

/// `10.0.0.5/24`; the prefix length is left out for a single host.
pub(super) fn string(i: &IfAddr) -> String {
    let (_, width) = number(i.ip);
    if u32::from(i.bits) == width { i.ip.to_string() } else { format!("{}/{}", i.ip, i.bits) }
}

/// The attribute `name` of an address.
pub(super) fn of(i: &IfAddr, name: &str) -> Result<String, String> {
    let (n, width) = number(i.ip);
    let (first, last, _) = bounds(i);
    // The ends of a network are not for hosts, unless there is nothing else.
    let room = last - first >= 2 && width == 32;
    let v4 = width == 32;
    Ok(match name {
        "address" | "host" => i.ip.to_string(),
        "binary" => format!("{n:0w$b}", w = width as usize),
        "broadcast" if v4 => address(last, width).to_string(),
        "first_usable" => address(if room { first + 1 } else { first }, width).to_string(),
        "flags" => flags(i),
        "hex" => format!("{n:0w$x}", w = width as usize / 4),
        "last_usable" => address(if room { last - 1 } else { last }, width).to_string(),
        "mask_bits" => i.bits.to_string(),
        "name" => i.name.clone(),
        "netmask" if v4 => address(mask(i.bits, width), width).to_string(),
        "netmask" => format!("{:032x}", mask(i.bits, width)),
        "network" => string(&IfAddr { ip: address(first, width), ..i.clone() }),
        "octets" => {
            let bytes = n.to_be_bytes();
            let texts: Vec<String> = bytes[16 - width as usize / 8..].iter().map(u8::to_string).collect();
            texts.join(" ")
        }
        "path" => String::new(),
        "port" => "0".to_owned(),
        "size" => (last - first)
            .checked_add(1)
            .map_or_else(|| "340282366920938463463374607431768211456".to_owned(), |s| s.to_string()),
        "string" => string(i),
        "type" => if v4 { "IPv4" } else { "IPv6" }.to_owned(),
        "uint32" if v4 => n.to_string(),
        "uint128" if !v4 => n.to_string(),
        other => return Err(format!("unsupported attribute name {other:?}")),
    })
}

fn flags(i: &IfAddr) -> String {
    ["up", "broadcast", "loopback", "point-to-point", "multicast"]
        .into_iter()
        .filter(|name| match *name {
            "loopback" => i.loopback,
            name => filter::flag(name).is_ok_and(|has| has(i)),
        })
        .collect::<Vec<_>>()
        .join("|")
}

/// `address` or `network` moved by a signed number, or a new `mask`.
pub(super) fn math(i: &IfAddr, operation: &str, value: &str) -> Result<IfAddr, String> {
    let (n, width) = number(i.ip);
    let (first, last, _) = bounds(i);
    let all = mask(width as u8, width);
    let moved = |base: u128, by: i64| {
        let step = u128::from(by.unsigned_abs());
        (if by < 0 { base.wrapping_sub(step) } else { base.wrapping_add(step) }) & all
    };
    let signed = || -> Result<i64, String> {
        if !value.starts_with(['+', '-']) {
            return Err(format!("sign (+/-) is required for operation {operation:?}, got {value:?}"));
        }
        value.parse().map_err(|_e| format!("unable to convert {value:?} to int for operation {operation:?}"))
    };
    Ok(match operation {
        "address" => IfAddr { ip: address(moved(n, signed()?), width), ..i.clone() },
        "network" => {
            let by = signed()?;
            // A negative number counts back from the end of the network.
            let base = if by < 0 { last.wrapping_add(1) & all } else { first };
            IfAddr { ip: address(moved(base, by), width), ..i.clone() }
        }
        "mask" => {
            let bits = value.parse::<u8>().ok().filter(|b| u32::from(*b) <= width);
            let bits = bits.ok_or_else(|| format!("unable to convert {value:?} to a mask size"))?;
            IfAddr { ip: address(n & mask(bits, width), width), bits, ..i.clone() }
        }
        other => return Err(format!("unsupported math operation: {other:?}")),
    })
}
