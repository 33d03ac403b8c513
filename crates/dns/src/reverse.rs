//! Addresses written as names.

use crate::name::Labels;
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ARPA: &[u8] = b"\x04arpa\x00";

/// Whether a wire name lies under `arpa.`.
pub(crate) fn under_arpa(name: &[u8]) -> bool {
    name.len() >= ARPA.len() && name[name.len() - ARPA.len()..].eq_ignore_ascii_case(ARPA) && {
        // The suffix must begin at a label.
        let mut at = 0;
        while at < name.len() - ARPA.len() {
            at += 1 + usize::from(name[at]);
        }
        at == name.len() - ARPA.len()
    }
}

/// The address that a complete reverse name stands for.
pub(crate) fn parse(name: &[u8]) -> Option<IpAddr> {
    let labels: SmallVec<[&[u8]; 34]> = Labels(name).collect();
    let n = labels.len();
    if n == 6 && labels[4].eq_ignore_ascii_case(b"in-addr") {
        let mut octets = [0; 4];
        for (octet, label) in octets.iter_mut().zip(labels[..4].iter().rev()) {
            *octet = std::str::from_utf8(label)
                .ok()
                .filter(|s| s.bytes().all(|b| b.is_ascii_digit()))?
                .parse()
                .ok()?;
        }
        return Some(Ipv4Addr::from(octets).into());
    }
    if n == 34 && labels[32].eq_ignore_ascii_case(b"ip6") {
        let mut bits = 0_u128;
        for label in labels[..32].iter().rev() {
            let [digit] = label else { return None };
            bits = bits << 4 | u128::from((*digit as char).to_digit(16)?);
        }
        return Some(Ipv6Addr::from(bits).into());
    }
    None
}

/// The address that 8 or 32 hexadecimal digits stand for.
pub(crate) fn hex_address(hex: &str) -> Option<IpAddr> {
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    match hex.len() {
        8 => u32::from_str_radix(hex, 16).ok().map(|v| Ipv4Addr::from(v).into()),
        32 => u128::from_str_radix(hex, 16).ok().map(|v| Ipv6Addr::from(v).into()),
        _ => None,
    }
}

/// The digits of an address.
pub(crate) fn address_hex(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
    }
}
