//! Rules of the built-in certificate authority: trust domain, settings, and how the first root is made.
//!
//! Time, identifiers and the key are arguments; whoever calls owns randomness (signing itself draws a nonce inside the
//! signature library). Nothing is stored here: what comes out is what the leader proposes. Start with [`first_ca`].

mod config;
mod root;

pub use config::{default_config, trust_domain};
/// A private key; `KeyPair::generate()` makes a P-256 one from the system's randomness.
pub use rcgen::KeyPair;
pub use root::{CaError, FirstCa, RootParams, first_ca};
