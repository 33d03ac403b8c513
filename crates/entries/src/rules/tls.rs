//! TLS versions and cipher suites.

use super::{Checked, ensure};
use types::Str;

/// From the oldest; the first leaves the choice to the proxy.
const VERSIONS: [&str; 5] = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"];

/// Suites of TLS 1.2 and earlier that Envoy has.
const SUITES: [&str; 14] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
];

/// Looks at the versions and suites of one side.
pub(super) fn check(min: &str, max: &str, suites: &[Str]) -> Checked {
    for version in [min, max] {
        ensure(version.is_empty() || VERSIONS.contains(&version), || {
            format!(
                "no matching TLS version found for {version}, please specify one of [{}]",
                VERSIONS.join(", ")
            )
        })?;
    }
    // The choice of the proxy is neither older nor newer than anything.
    let age = |version: &str| VERSIONS.iter().position(|v| *v == version).filter(|n| *n > 0);
    if let (Some(from), Some(to)) = (age(min), age(max)) {
        ensure(from <= to, || {
            format!("configuring max version {max} less than the configured min version {min} is invalid")
        })?;
    }
    ensure(suites.is_empty() || min != "TLSv1_3", || {
        "configuring CipherSuites is only applicable to connections negotiated with TLS 1.2 or earlier, \
         TLSMinVersion is set to TLSv1_3"
            .to_owned()
    })?;
    suites.iter().try_for_each(|s| {
        ensure(SUITES.contains(&s.as_str()), || {
            format!(
                "no matching TLS Cipher Suite found for {s}, please specify one of [{}]",
                SUITES.join(", ")
            )
        })
    })
}
