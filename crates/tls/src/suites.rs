//! Versions and cipher suites.

use crate::{
    load::Fault,
    settings::{LoadError, Part},
};
use rustls::{
    ProtocolVersion, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    version::{TLS12, TLS13},
};

/// The library with the suites that the part allows. Suites of TLS 1.3 are not subject to choice.
pub(crate) fn provider(part: &Part) -> Result<CryptoProvider, LoadError> {
    let mut provider = ring::default_provider();
    if part.cipher_suites.is_empty() {
        return Ok(provider);
    }
    let wanted = |name: &str| part.cipher_suites.iter().any(|w| name == &**w);
    provider.cipher_suites.retain(|suite| {
        suite.version().version == ProtocolVersion::TLSv1_3 || suite.suite().as_str().is_some_and(wanted)
    });
    if !provider.cipher_suites.iter().any(|s| s.version().version == ProtocolVersion::TLSv1_2) {
        return Err(Fault(part.name).plain(
            "tls_cipher_suites: none of the suites is supported (CBC suites are not; name a GCM or CHACHA20 suite)",
        ));
    }
    Ok(provider)
}

static NEW: &[&SupportedProtocolVersion] = &[&TLS13];
static ALL: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Versions that the part allows.
pub(crate) fn versions(part: &Part) -> &'static [&'static SupportedProtocolVersion] {
    if part.min_version == "TLSv1_3" { NEW } else { ALL }
}
