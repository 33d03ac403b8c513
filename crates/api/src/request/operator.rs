//! Bodies of operator and token endpoints.

use crate::decode::{DecodeError, Json, duration_value, fields, first_value, ignore};
use types::{SecretToken, command::AutopilotConfig};

/// Autopilot's settings; what is left out takes its default.
///
/// # Errors
/// What is wrong with the body.
pub fn autopilot_config(body: &[u8]) -> Result<AutopilotConfig, DecodeError> {
    let mut c = AutopilotConfig::default();
    let ns = |v: &Json, to: &mut u64| {
        if *v != Json::Null {
            *to = u64::try_from(duration_value(v)?).unwrap_or(0);
        }
        Ok(true)
    };
    let mut quorum = 0;
    fields(&first_value(body)?, "api.AutopilotConfiguration", |k, v| match k {
        "cleanupdeadservers" => v.set_bool(&mut c.cleanup_dead_servers),
        "lastcontactthreshold" => ns(v, &mut c.last_contact_threshold_ns),
        "maxtrailinglogs" => v.set_u64(&mut c.max_trailing_logs),
        "minquorum" => v.set_u64(&mut quorum),
        "serverstabilizationtime" => ns(v, &mut c.server_stabilization_time_ns),
        "redundancyzonetag" => v.set_str(&mut c.redundancy_zone_tag),
        "disableupgrademigration" => v.set_bool(&mut c.disable_upgrade_migration),
        "upgradeversiontag" => v.set_str(&mut c.upgrade_version_tag),
        "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    c.min_quorum = u32::try_from(quorum)
        .map_err(|_e| DecodeError::Type { found: format!("number {quorum}"), wanted: "uint" })?;
    Ok(c)
}

/// `{"Key":"…"}` of the keyring endpoints.
///
/// # Errors
/// What is wrong with the body.
pub fn keyring_key(body: &[u8]) -> Result<SecretToken, DecodeError> {
    let mut key = SecretToken::default();
    fields(&first_value(body)?, "agent.keyringArgs", |k, v| match k {
        "key" => v.set_secret(&mut key),
        "token" | "relayfactor" | "localonly" => ignore(v),
        _ => Ok(false),
    })?;
    Ok(key)
}

/// `{"Token":"…"}` of `PUT /v1/agent/token/:type`.
///
/// # Errors
/// What is wrong with the body.
pub fn token_body(body: &[u8]) -> Result<SecretToken, DecodeError> {
    let mut token = SecretToken::default();
    fields(&first_value(body)?, "api.AgentToken", |k, v| match k {
        "token" => v.set_secret(&mut token),
        _ => Ok(false),
    })?;
    Ok(token)
}
