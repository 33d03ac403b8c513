//! Records of the built-in certificate authority.

use crate::{
    names::{Opaque, SecretToken, Str},
    record::RaftIndex,
};
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
    pub config: Option<Opaque>,
    /// Indexes.
    pub index: RaftIndex,
}

impl CaConfig {
    /// What the provider shows of its state, which for the built-in one is what its settings ask it to show (`test_state`).
    pub fn state(&self) -> Option<serde_json::Value> {
        let config = self.config.as_ref()?.to_json();
        config.get("test_state").filter(|s| s.is_object()).cloned()
    }
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
    /// PEM of the private key that signs: the active root's, or that of the intermediate authority.
    pub private_key_pem: Str,
    /// PEM of the certificate of that key.
    pub root_pem: Str,
}

impl std::fmt::Debug for CaProviderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CaProviderState(hidden)")
    }
}

/// What a client is told when more leaves are asked for than the authority signs; public.
pub const CSR_RATE_LIMITED: &str = "Rate limit reached, try again later";

/// New settings of the authority. `Debug` hides them, for they may hold a private key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaUpdate {
    /// Provider.
    pub provider: Str,
    /// Settings of the provider, which replace the stored ones whole.
    pub config: Opaque,
    /// Rotate to a new root even if the old one cannot sign it.
    pub force_without_cross_signing: bool,
}

impl std::fmt::Debug for CaUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaUpdate").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// What only the authority of a datacenter can do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CaRequest {
    /// Sign a leaf.
    Sign {
        /// PEM of the request.
        csr: Str,
    },
    /// Sign the authority of a secondary datacenter; only the primary does.
    SignIntermediate {
        /// PEM of the request.
        csr: Str,
    },
    /// Change the settings.
    Configure(CaUpdate),
    /// Sign a certificate of a client agent (`auto_encrypt`).
    Enroll {
        /// PEM of the request.
        csr: Str,
    },
}

/// What was done; who enrolls gets a leaf.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CaAnswer {
    /// A leaf.
    Leaf(SignedLeaf),
    /// PEM of the intermediate authority.
    Intermediate(Str),
    /// Done.
    Done,
}

/// A leaf certificate. Times are Unix seconds.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedLeaf {
    /// Pairs of hexadecimal digits.
    pub serial_number: Str,
    /// The leaf and all authorities between it and the root.
    pub cert_pem: Str,
    /// Key id of the authority that signed it.
    pub signing_key_id: Str,
    /// Its identity.
    pub uri: Str,
    /// Start of validity.
    pub valid_after: i64,
    /// End of validity.
    pub valid_before: i64,
    /// Index at which it was signed.
    pub index: u64,
}

/// A leaf with its key, on the agent that made the key and nowhere else.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ServiceLeaf {
    /// Name of the service.
    pub service: Str,
    /// The certificate.
    pub cert: SignedLeaf,
    /// PEM of its private key.
    pub private_key_pem: SecretToken,
}
