//! Rules that hold at the start of an agent but that `validate` does not look at.

use crate::{gossip_key, node_id, settings::RuntimeConfig, watch};

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERR", "ERROR"];

/// Whether `level` is a log level; case does not matter.
pub fn is_log_level(level: &str) -> bool {
    LEVELS.iter().any(|l| l.eq_ignore_ascii_case(level))
}

/// Whether the log level is one.
///
/// # Errors
/// The text for the operator.
pub fn log_level(level: &str) -> Result<(), String> {
    if is_log_level(level) {
        return Ok(());
    }
    Err(format!("Invalid log level: {level}. Valid log levels are: [{}]", LEVELS.join(" ")))
}

/// Everything that can be said before anything is opened, in the order in which an agent meets it.
///
/// # Errors
/// The text for the operator.
pub fn check(c: &RuntimeConfig) -> Result<(), String> {
    log_level(&c.log.level)?;
    node_id::configured(&c.node.id).map_err(|e| e.to_string())?;
    gossip_key::key(c.gossip.encrypt.expose()).map_err(|e| e.to_string())?;
    let kind = if c.server { "server" } else { "client" };
    let failed = |what: String| format!("Failed to start Consul {kind}: {what}");
    let protocol = c.rpc.protocol;
    if !(2..=3).contains(&protocol) {
        let side = if protocol < 2 { "low" } else { "high" };
        return Err(failed(format!("Protocol version '{protocol}' too {side}. Must be in range: [2, 3]")));
    }
    if !matches!(c.acl.default_policy.as_str(), "allow" | "deny") {
        return Err(failed(format!("Unsupported default ACL policy: {}", c.acl.default_policy)));
    }
    if !matches!(c.acl.down_policy.as_str(), "allow" | "deny" | "extend-cache" | "async-cache") {
        return Err(failed(format!("Unsupported down ACL policy: {}", c.acl.down_policy)));
    }
    watch::parse_all(&c.watches)?;
    if !c.watches.is_empty() && c.net.http.is_empty() && c.net.https.is_empty() {
        return Err("watch plans require an HTTP or HTTPS endpoint".to_owned());
    }
    Ok(())
}
