//! jwt-provider.

use super::{Checked, all_of, ensure, named, quote};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use types::entry::{JsonWebKeySet, JwtLocation, JwtProvider, KeySetCluster, LocalKeySet, RemoteKeySet};

/// Difference of clocks that is tolerated if none is given.
const CLOCK_SKEW_SECONDS: i64 = 30;

const DISCOVERY_TYPES: [&str; 5] = ["STRICT_DNS", "STATIC", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"];

pub(super) fn normalize(b: &mut JwtProvider) {
    if b.clock_skew_seconds == 0 {
        b.clock_skew_seconds = CLOCK_SKEW_SECONDS;
    }
}

pub(super) fn check(name: &str, b: &JwtProvider) -> Checked {
    named(name)?;
    check_keys(b.json_web_key_set.as_ref().ok_or("JSONWebKeySet is required")?)?;
    let errors: Vec<String> = b.locations.iter().filter_map(location).map(str::to_owned).collect();
    all_of(&errors)?;
    ensure(b.forwarding.as_ref().is_none_or(|f| !f.header_name.is_empty()), || {
        "Header name required for forwarding config".to_owned()
    })
}

fn check_keys(keys: &JsonWebKeySet) -> Checked {
    match (&keys.local, &keys.remote) {
        (Some(local), None) => check_local(local),
        (None, Some(remote)) => check_remote(remote),
        _ => Err("must specify exactly one of Local or Remote JSON Web key set".into()),
    }
}

fn check_local(local: &LocalKeySet) -> Checked {
    ensure(local.jwks.is_empty() != local.filename.is_empty(), || {
        "must specify exactly one of String or filename for local keyset".to_owned()
    })?;
    ensure(STANDARD.decode(local.jwks.as_str()).is_ok(), || {
        "JWKS must be valid base64 encoded string".to_owned()
    })
}

fn check_remote(remote: &RemoteKeySet) -> Checked {
    ensure(!remote.uri.is_empty(), || "Remote JWKS URI is required".to_owned())?;
    ensure(is_request_uri(&remote.uri), || {
        format!("Remote JWKS URI is invalid: parse {}: invalid URI for request", quote(&remote.uri))
    })?;
    if let Some(back_off) = remote.retry_policy.as_ref().and_then(|r| r.back_off.as_ref()) {
        ensure(back_off.max_interval.0 == 0 || back_off.max_interval >= back_off.base_interval, || {
            "retry policy backoff's MaxInterval should be greater or equal to BaseInterval".to_owned()
        })?;
    }
    remote.cluster.as_ref().map_or(Ok(()), check_cluster)
}

/// An absolute URI or an absolute path.
fn is_request_uri(uri: &str) -> bool {
    let scheme = uri.split_once(':').map(|(s, _)| s).filter(|s| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    });
    !uri.bytes().any(|b| b.is_ascii_control() || b == b' ') && (uri.starts_with('/') || scheme.is_some())
}

fn check_cluster(c: &KeySetCluster) -> Checked {
    let word = c.discovery_type.as_str();
    ensure(word.is_empty() || DISCOVERY_TYPES.contains(&word), || {
        format!("unsupported jwks cluster discovery type: {}", quote(word))
    })?;
    let Some(tls) = &c.tls_certificates else { return Ok(()) };
    ensure(tls.provider.is_some() != tls.trusted_ca.is_some(), || {
        "must specify exactly one of: CaCertificateProviderInstance or TrustedCA for JKWS' TLSCertificates"
            .to_owned()
    })?;
    let Some(ca) = &tls.trusted_ca else { return Ok(()) };
    let set = [&ca.filename, &ca.environment_variable, &ca.inline_string, &ca.inline_bytes];
    ensure(set.into_iter().filter(|t| !t.is_empty()).count() == 1, || {
        "must specify exactly one of: Filename, EnvironmentVariable, InlineString or InlineBytes for JWKS's TrustedCA"
            .to_owned()
    })
}

fn location(l: &JwtLocation) -> Option<&'static str> {
    let set = usize::from(l.header.is_some())
        + usize::from(l.query_param.is_some())
        + usize::from(l.cookie.is_some());
    if set != 1 {
        return Some("must set exactly one of: JWT location header, query param or cookie");
    }
    let nameless = |name: Option<&types::Str>| name.is_some_and(|n| n.is_empty());
    if nameless(l.header.as_ref().map(|h| &h.name)) {
        Some("JWT location header name must be specified")
    } else if nameless(l.query_param.as_ref().map(|q| &q.name)) {
        Some("JWT location query parameter name must be specified")
    } else if nameless(l.cookie.as_ref().map(|c| &c.name)) {
        Some("JWT location cookie name must be specified")
    } else {
        None
    }
}
