//! Rules of the built-in certificate authority.

mod root;

pub use rcgen::KeyPair;
pub use root::{CaError, FirstCa, RootParams, default_config, first_ca, trust_domain};
