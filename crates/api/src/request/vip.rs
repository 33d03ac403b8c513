//! Body of `PUT /v1/internal/service-virtual-ip`.

use crate::decode::{DecodeError, fields, first_value, str_list};
use std::net::{IpAddr, Ipv4Addr};
use types::{ServiceName, Str};

/// Addresses that one service may be given.
const ADDRESSES_MAX: usize = 8;

/// Virtual addresses that an operator gives a service.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct ManualVips {
    /// The service.
    pub service: ServiceName,
    /// Datacenter, if the body names one.
    pub datacenter: Str,
    /// Partition, if the body names one.
    pub partition: Str,
    /// Namespace, if the body names one.
    pub namespace: Str,
    addresses: Vec<Str>,
}

impl ManualVips {
    /// The addresses.
    ///
    /// # Errors
    /// The text that clients see.
    pub fn addresses(&self) -> Result<Vec<Ipv4Addr>, String> {
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(format!(
                "cannot associate more than {ADDRESSES_MAX} manual virtual IPs with the same service"
            ));
        }
        let address = |text: &Str| match text.parse() {
            Ok(IpAddr::V4(ip)) => Ok(ip),
            // What is no address at all is shown as clients know it.
            Ok(IpAddr::V6(ip)) => Err(format!("\"{ip}\" is not a valid IPv4 address")),
            Err(_) => Err("\"<nil>\" is not a valid IPv4 address".to_owned()),
        };
        self.addresses.iter().map(address).collect()
    }
}

/// Reads the request.
///
/// # Errors
/// What is wrong with the body.
pub fn manual_vips(body: &[u8]) -> Result<ManualVips, DecodeError> {
    let mut out = ManualVips::default();
    fields(&first_value(body)?, "structs.AssignServiceManualVIPsRequest", |k, v| match k {
        "service" => v.set_str(&mut out.service),
        "datacenter" => v.set_str(&mut out.datacenter),
        "partition" => v.set_str(&mut out.partition),
        "namespace" => v.set_str(&mut out.namespace),
        "manualvips" => str_list(v).map(|l| out.addresses = l.unwrap_or_default()).map(|()| true),
        _ => Ok(false),
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        let of = |list: &str| {
            manual_vips(format!("{{\"Service\":\"web\",\"ManualVIPs\":[{list}]}}").as_bytes())
                .unwrap()
                .addresses()
        };
        assert_eq!(of(r#""1.2.3.4""#).unwrap(), [Ipv4Addr::new(1, 2, 3, 4)]);
        assert_eq!(of(r#""::1""#).unwrap_err(), "\"::1\" is not a valid IPv4 address");
        assert_eq!(of(r#""x""#).unwrap_err(), "\"<nil>\" is not a valid IPv4 address");
        assert!(of(&[r#""1.1.1.1""#; 9].join(",")).unwrap_err().contains("more than 8"));
        assert!(manual_vips(br#"{"Bogus":1}"#).is_err() && manual_vips(b"").is_err());
    }
}
