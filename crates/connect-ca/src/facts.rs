//! What can be read off a certificate.

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::net::IpAddr;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

/// The bytes are no certificate.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct FactsError(String);

/// What we want to know of a certificate. Nothing here is verified.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CertFacts {
    /// `CN=server.dc1.consul`
    pub subject: String,
    /// Name of the authority.
    pub issuer: String,
    /// DNS names, in order.
    pub dns_names: Vec<String>,
    /// URIs, in order.
    pub uris: Vec<String>,
    /// Addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Whether it may sign others.
    pub is_ca: bool,
}

impl CertFacts {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`FactsError`] for anything else. Hostile bytes do not panic.
    pub fn read(der: &[u8]) -> Result<Self, FactsError> {
        let (_, cert) = X509Certificate::from_der(der).map_err(|e| FactsError(e.to_string()))?;
        let mut facts = Self {
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            is_ca: cert.is_ca(),
            ..Self::default()
        };
        for extension in cert.extensions() {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
                continue;
            };
            for name in &names.general_names {
                match name {
                    GeneralName::DNSName(name) => facts.dns_names.push((*name).to_owned()),
                    GeneralName::URI(uri) => facts.uris.push((*uri).to_owned()),
                    GeneralName::IPAddress(bytes) => facts.addresses.extend(address(bytes)),
                    _ => {}
                }
            }
        }
        Ok(facts)
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// [`FactsError`].
    pub fn read_pem(text: &str) -> Result<Self, FactsError> {
        let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|e| FactsError(e.to_string()))?;
        Self::read(&der)
    }

    /// Whether `name` is among its DNS names, without regard to case. Wildcards do not count: roles are named in full.
    pub fn carries(&self, name: &str) -> bool {
        self.dns_names.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    /// Its names for people: DNS names, or the subject when it has none.
    pub fn shown(&self) -> String {
        if self.dns_names.is_empty() { self.subject.clone() } else { self.dns_names.join(", ") }
    }
}

pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_bytes_are_an_error() {
        for bytes in [&b""[..], b"nope", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30; 4000]] {
            assert!(CertFacts::read(bytes).is_err());
            assert!(CertFacts::read_pem(&String::from_utf8_lossy(bytes)).is_err());
        }
    }
}
