//! Rules of the built-in certificate authority: trust domain, settings, and how the first root is made. Beside it the
//! certificates of agents, which operators make with the `tls` commands ([`agent_ca`], [`agent_cert`]), and what can be read
//! off a certificate ([`CertFacts`]).
//!
//! Time, identifiers and the key are arguments; whoever calls owns randomness (signing itself draws a nonce inside the
//! signature library). Nothing is stored here: what comes out is what the leader proposes. Start with [`first_ca`].

mod agent;
mod config;
mod facts;
mod issuer;
mod key_text;
mod root;

pub use agent::{AgentCa, AgentCert, AgentCertError, Issued, Role, agent_ca, agent_cert};
pub use facts::{CertFacts, FactsError};

pub use config::{default_config, trust_domain};
/// A private key; `KeyPair::generate()` makes a P-256 one from the system's randomness.
pub use rcgen::KeyPair;
pub use root::{CaError, FirstCa, RootParams, first_ca};
