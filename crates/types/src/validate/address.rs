//! Addresses of services.

use super::Violation;
use crate::{names::Str, record::ServiceAddress};
use std::{collections::BTreeMap, net::IpAddr};

/// An instance must not announce the unspecified address; host names and `""` are fine.
///
/// # Errors
/// [`Violation::ServiceAddress`].
pub fn service_address(address: &str) -> Result<(), Violation> {
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Err(Violation::ServiceAddress),
        _ => Ok(()),
    }
}

/// The well-known names must hold an address of their family. (`wan_ipv6` is accepted as it comes, as it always was.)
///
/// # Errors
/// [`Violation::TaggedAddressIpv4`], [`Violation::TaggedAddressIpv6`].
pub fn tagged_addresses(tagged: &BTreeMap<Str, ServiceAddress>) -> Result<(), Violation> {
    let ip = |name: &str| tagged.get(name).map(|a| a.address.parse::<IpAddr>());
    for name in ["lan_ipv4", "wan_ipv4"] {
        if ip(name).is_some_and(|ip| !ip.is_ok_and(|ip| ip.is_ipv4())) {
            return Err(Violation::TaggedAddressIpv4(Str::new_static(name)));
        }
    }
    if ip("lan_ipv6").is_some_and(|ip| !ip.is_ok_and(|ip| ip.is_ipv6())) {
        return Err(Violation::TaggedAddressIpv6(Str::new_static("lan_ipv6")));
    }
    Ok(())
}
