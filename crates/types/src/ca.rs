//! Records of the built-in certificate authority.

use crate::{names::Str, record::RaftIndex};
use serde::{Deserialize, Serialize};

/// One root certificate. Times are Unix seconds.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaRoot {
    /// Colon-separated hex SHA-1 of the DER.
    pub id: Str,
    /// Human name.
    pub name: Str,
    /// Serial number.
    pub serial_number: u64,
    /// Colon-separated hex key id.
    pub signing_key_id: Str,
    /// UUID of the trust domain.
    pub external_trust_domain: Str,
    /// Start of validity.
    pub not_before: i64,
    /// End of validity.
    pub not_after: i64,
    /// PEM of the root.
    pub root_cert: Str,
    /// PEM of intermediates.
    pub intermediate_certs: Vec<Str>,
    /// Whether new leaves are signed under it.
    pub active: bool,
    /// When it was rotated out, Unix seconds, 0 while active.
    pub rotated_out_at: i64,
    /// `ec` or `rsa`.
    pub private_key_type: Str,
    /// Bits of the key.
    pub private_key_bits: u32,
    /// Indexes.
    pub index: RaftIndex,
}

/// Configuration of the authority as replicated.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaConfig {
    /// Trust domain's UUID.
    pub cluster_id: Str,
    /// `consul` for the built-in one.
    pub provider: Str,
    /// Provider settings as given.
    pub config: Option<crate::names::Opaque>,
    /// Indexes.
    pub index: RaftIndex,
}

/// Roots and trust domain: answer of `/v1/connect/ca/roots`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaRoots {
    /// Id of the active root.
    pub active_root_id: Str,
    /// `<cluster id>.consul`.
    pub trust_domain: Str,
    /// All roots that leaves may still chain to.
    pub roots: Vec<CaRoot>,
}

/// Private part of the built-in provider, replicated to servers only; its `Debug` hides the key.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaProviderState {
    /// PEM of the active root's private key.
    pub private_key_pem: Str,
    /// PEM of the active root.
    pub root_pem: Str,
}

impl std::fmt::Debug for CaProviderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CaProviderState(hidden)")
    }
}
