//! The first root of the certificate authority, made when a leader finds none.

use connect_ca::{CaError, RootParams, default_config, first_ca};
use rand::{Rng, RngCore};
use types::{Opaque, Str, command::Command};

const NAME_ID_CHARS: usize = 8;

/// The command that stores configuration and root of a new authority, if there still is none then.
///
/// # Errors
/// A setting that breaks a rule, or a defect of the key.
pub(crate) fn first_root(
    provider: &str,
    cluster_id: Option<&Str>,
    overrides: Option<&Opaque>,
    unix_ms: u64,
    rng: &mut impl RngCore,
) -> Result<Command, CaError> {
    let cluster_id = cluster_id.cloned().unwrap_or_else(|| {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Str::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    });
    let name_id: String =
        (0..NAME_ID_CHARS).map(|_| char::from_digit(rng.random_range(0..36), 36).unwrap_or('0')).collect();
    let params = RootParams {
        cluster_id: cluster_id.clone(),
        name_id: Str::from(name_id),
        // Positive and small enough for every reader of certificates and JSON.
        serial_number: rng.random_range(1..1 << 31),
        now: i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX),
    };
    if !matches!(provider, "" | "consul") {
        return Err(CaError::Config(format!(
            "not built yet: connect.ca_provider = \"{provider}\", only \"consul\" is there"
        )));
    }
    let (config, settings) = default_config(&cluster_id, overrides)?;
    let ca = first_ca(&params, config, &settings)?;
    Ok(Command::CaSet { expect_index: 0, config: ca.config, state: ca.state, roots: ca.roots })
}
