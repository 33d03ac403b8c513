//! The rules that a registration must keep, with the exact texts that users see, shared by definition files, the agent's
//! HTTP API and the catalog.
//!
//! Every function here looks at one value and answers with a [`Violation`] or, where several rules may be broken at once,
//! with [`Violations`], whose `Display` is the list form `1 error occurred:\n\t* …\n\n`. The caller adds its own prefix
//! (`Validation failed: `, `Invalid check: `, `service "web": `).

mod address;
mod check;
mod metadata;
mod service;
mod upstream;

pub use address::{service_address, tagged_addresses};
pub use check::{check, registration_status, update_status};
pub use metadata::{METADATA_KEY_LEN_MAX, METADATA_PAIRS_MAX, METADATA_VALUE_LEN_MAX, metadata};
pub use service::{definition, locality, mesh_gateway_mode, node_service, proxy_mode, weights};
pub use upstream::{socket_mode, upstreams};

use crate::names::Str;
use std::fmt;

/// A broken rule. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Violation {
    #[error("Invalid service address")]
    ServiceAddress,
    #[error("Service tagged address {0:?} must be a valid ipv4 address")]
    TaggedAddressIpv4(Str),
    #[error("Service tagged address {0:?} must be a valid ipv6 address")]
    TaggedAddressIpv6(Str),
    #[error("Passing must be greater than 0")]
    WeightPassing,
    #[error("Warning must be greater or equal than 0")]
    WeightWarning,
    #[error("DNS Weight must be between 0 and 65535")]
    WeightRange,
    #[error("Node metadata cannot contain more than {METADATA_PAIRS_MAX} key/value pairs")]
    MetadataPairs,
    #[error("Couldn't load metadata pair ('{key}', '{value}'): {reason}")]
    MetadataPair { key: Str, value: Str, reason: MetadataReason },
    #[error("zone cannot be set without region")]
    LocalityZone,

    #[error("Port or SocketPath must be set for a connect-proxy")]
    ProxyPort,
    #[error("Proxy.DestinationServiceName must be non-empty for Connect proxy services")]
    ProxyDestinationMissing,
    #[error("Proxy.DestinationServiceName must not be a wildcard for Connect proxy services")]
    ProxyDestinationWildcard,
    #[error("A Proxy cannot also be Connect Native, only typical services")]
    ProxyNative,
    #[error("Port or SocketPath must be set for a Connect native service.")]
    NativePort,
    #[error("Invalid Proxy Mode: {0:?}")]
    ProxyMode(Str),
    #[error("Invalid Mesh Gateway Mode: {0:?}")]
    MeshGatewayMode(Str),

    #[error("unknown upstream destination type: {0:?}")]
    UpstreamType(Str),
    #[error("upstream destination name cannot be empty")]
    UpstreamNameMissing,
    #[error("upstream destination name cannot be a wildcard")]
    UpstreamNameWildcard,
    #[error("upstream cannot specify both destination peer and datacenter")]
    UpstreamPeerAndDatacenter,
    #[error("upstream local bind port or local socket path must be defined and nonzero")]
    UpstreamBindMissing,
    #[error("only one of upstream local bind port or local socket path can be defined and nonzero")]
    UpstreamBindTwice,
    #[error("upstreams cannot contain duplicates of {0}")]
    UpstreamDuplicate(Str),
    #[error(
        "upstreams cannot contain duplicates by local bind address and port or unix path; {0:?} is specified twice"
    )]
    UpstreamBindDuplicate(Str),
    #[error("local_bind_socket_mode: invalid mode: {0}")]
    UpstreamSocketMode(Str),

    #[error("expose.paths: empty path exposed")]
    ExposePathEmpty,
    #[error("expose.paths: duplicate listener ports exposed")]
    ExposePortDuplicate,
    #[error("expose.paths: invalid listener port: {0}")]
    ExposePort(i64),
    #[error("protocol '{protocol}' not supported for path: {path}, must be in: [http http2]")]
    ExposeProtocol { protocol: Str, path: Str },

    #[error("Port must be non-zero for a {0}")]
    GatewayPort(Str),
    #[error("A {0} cannot have a sidecar service defined")]
    GatewaySidecar(Str),
    #[error("The Proxy.{field} configuration is invalid for a {kind}")]
    GatewayProxyField { field: &'static str, kind: Str },

    #[error("A SidecarService cannot specify an ID as this is managed by the agent")]
    SidecarId,
    #[error("A SidecarService cannot have a nested SidecarService")]
    SidecarNested,

    #[error("Interval and TTL cannot both be specified")]
    CheckIntervalAndTtl,
    #[error("Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks")]
    CheckInterval,
    #[error("Interval cannot be set for Alias checks")]
    CheckAliasInterval,
    #[error("TTL must be not be set for Alias checks")]
    CheckAliasTtl,
    #[error("TTL must be > 0 for TTL checks")]
    CheckTtl,
    #[error("MaxOutputMaxSize must be positive")]
    CheckOutputMaxSize,
    #[error("FailuresBeforeWarning can't be higher than FailuresBeforeCritical")]
    CheckFailures,
    #[error("Bad check status")]
    CheckStatus,
    #[error("Invalid check status: '{0}'")]
    CheckUpdateStatus(Str),
}

/// What is wrong with one pair of metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum MetadataReason {
    #[error("Key cannot be blank")]
    KeyBlank,
    #[error("Key contains invalid characters")]
    KeyCharacters,
    #[error("Key is too long (limit: {METADATA_KEY_LEN_MAX} characters)")]
    KeyLength,
    #[error("Key prefix 'consul-' is reserved for internal use")]
    KeyReserved,
    #[error("Value is too long (limit: {METADATA_VALUE_LEN_MAX} characters)")]
    ValueLength,
}

/// One or more broken rules, shown as a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// `Ok` when nothing was broken.
    ///
    /// # Errors
    /// The list, when it is not empty.
    pub fn or_ok(list: Vec<Violation>) -> Result<(), Self> {
        if list.is_empty() { Ok(()) } else { Err(Self(list)) }
    }
    /// The broken rules, at least one.
    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_list(self.0.iter()))
    }
}

impl std::error::Error for Violations {}

/// The text form of a list of errors: a count, then a bullet a line, then an empty line.
pub fn error_list<T: fmt::Display>(errors: impl ExactSizeIterator<Item = T>) -> String {
    use fmt::Write as _;
    let n = errors.len();
    let mut out = format!("{n} error{} occurred:\n", if n == 1 { "" } else { "s" });
    for e in errors {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\t* {e}");
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests;
