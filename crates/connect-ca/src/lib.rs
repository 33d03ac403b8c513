//! Rules of the built-in certificate authority: trust domain and identities ([`SpiffeId`]), settings ([`Settings`]), roots
//! ([`first_ca`], [`new_root`]), requests ([`Csr`]) and what an authority signs ([`Signer`]). Beside it the
//! certificates of agents, which operators make with the `tls` commands ([`agent_ca`], [`agent_cert`]), and what can be read
//! off a certificate ([`CertFacts`], [`verify_chain`]).
//!
//! Time and identifiers are arguments; whoever calls owns their randomness (the signature library draws keys, and a nonce inside
//! each signature, itself). Nothing is stored here: what comes out is what the leader proposes.

mod agent;
mod chain;
mod config;
mod csr;
mod facts;
mod issuer;
mod key_text;
mod root;
mod sign;
mod spiffe;
#[cfg(test)]
mod tests;

pub use agent::{AgentCa, AgentCert, AgentCertError, Issued, Role, agent_ca, agent_cert};
pub use chain::{ChainError, verify_chain};
pub use config::{KeyKind, Settings, default_config, given_config, trust_domain};
pub use csr::{CSR_BYTES_MAX, Csr, CsrError, intermediate_csr, leaf_csr};
pub use facts::{CertFacts, FactsError};
/// PEM text of DER bytes.
pub use key_text::pem;
/// Text of a P-256 key, `EC PRIVATE KEY`; `None` for any other kind.
pub use key_text::write as key_pem;
/// A private key; `KeyPair::generate()` makes a P-256 one from the system's randomness.
pub use rcgen::KeyPair;
pub use root::{CaError, FirstCa, RootParams, first_ca, needs_new_root, new_key, new_root};
pub use sign::{Leaf, Signer, Signing, take_intermediate};
pub use spiffe::{Identity, SpiffeError, SpiffeId};
