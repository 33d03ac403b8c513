//! Module names in log lines: `agent.server.raft` rather than a Rust path.

/// Crate (first part of a Rust path) and the name under which its lines appear.
const NAMES: [(&str, &str); 20] = [
    ("praetor", "agent"),
    ("config", "agent"),
    ("local", "agent"),
    ("runtime", "agent"),
    ("telemetry", "agent"),
    ("types", "agent"),
    ("cli", "agent"),
    ("api", "agent.http"),
    ("http_api", "agent.http"),
    ("dns", "agent.dns"),
    ("dns_server", "agent.dns"),
    ("checks", "agent.checks"),
    ("rpc", "agent.rpc"),
    ("raft", "agent.server.raft"),
    ("catalog", "agent.server.fsm"),
    ("leader", "agent.leader"),
    ("gateway", "agent.gateway"),
    ("connect_ca", "agent.server.connect"),
    ("gossip", "agent.serf.lan"),
    ("gossip_driver", "agent.serf.lan"),
];

/// The name for `target`; `None` if it is a library's. Targets that already are dotted names stay as they are.
pub(super) fn module_of(target: &str) -> Option<&str> {
    if target == "agent" || target.starts_with("agent.") {
        return Some(target);
    }
    let crate_name = target.split("::").next()?;
    NAMES.iter().find(|(name, _)| *name == crate_name).map(|(_, module)| *module)
}
