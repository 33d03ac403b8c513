//! Settings of the local state.

use local::{NodeIdentity, ScriptPermission, Settings};
use std::{ops::RangeInclusive, path::PathBuf, sync::Arc, time::Duration};
use types::SecretToken;

/// Longest output kept of a check, bytes, when nothing else is configured.
pub const CHECK_OUTPUT_MAX_SIZE_DEFAULT: usize = 4096;
/// How long a changed output alone is held back, when nothing else is configured.
pub const CHECK_UPDATE_INTERVAL_DEFAULT: Duration = Duration::from_secs(300);
/// Ports given to sidecars, when nothing else is configured.
pub const SIDECAR_PORTS_DEFAULT: RangeInclusive<u16> = 21000..=21255;

/// Settings of [`crate::LocalState`].
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// This agent as a node.
    pub node: NodeIdentity,
    /// Where registrations of the HTTP API are kept; `None` keeps nothing (`-dev`).
    pub data_dir: Option<PathBuf>,
    /// Which definitions may run scripts.
    pub scripts: ScriptPermission,
    /// Upper bound of every check's output, bytes; at least 1.
    pub check_output_max_size: usize,
    /// How long a changed output alone is held back; zero = not at all.
    pub check_update_interval: Duration,
    /// Keep no output at all.
    pub discard_check_output: bool,
    /// Ports given to sidecars; `None` = assignment is disabled.
    pub sidecar_ports: Option<RangeInclusive<u16>>,
    /// Token of rows that were registered without one, and of the node's own row.
    pub default_token: SecretToken,
    /// Docker engine: `unix://<path>` or `tcp://<host:port>` (what `DOCKER_HOST` says); `None` = the usual socket.
    pub docker_host: Option<String>,
    /// Shell of docker checks that name none (what `SHELL` says).
    pub shell: String,
    /// `enable_agent_tls_for_checks`: the agent's own certificate and authorities serve TLS probes.
    pub probe_tls: Option<Arc<tls::Tls>>,
}

impl LocalConfig {
    /// Everything else at its default.
    pub fn new(node: NodeIdentity) -> Self {
        Self {
            node,
            data_dir: None,
            scripts: ScriptPermission::Denied,
            check_output_max_size: CHECK_OUTPUT_MAX_SIZE_DEFAULT,
            check_update_interval: CHECK_UPDATE_INTERVAL_DEFAULT,
            discard_check_output: false,
            sidecar_ports: Some(SIDECAR_PORTS_DEFAULT),
            default_token: SecretToken::default(),
            docker_host: None,
            shell: "/bin/sh".into(),
            probe_tls: None,
        }
    }

    /// The part that decides how registrations are taken.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            node: self.node.clone(),
            scripts: self.scripts,
            output_max_size: self.check_output_max_size,
            update_interval: self.check_update_interval,
            discard_output: self.discard_check_output,
            sidecar_ports: self.sidecar_ports.clone(),
        }
    }
}
