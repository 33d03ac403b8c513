//! Expansion of `connect.sidecar_service` into a second service.

use crate::{Key, LocalError, Registry};
use std::time::Duration;
use types::{
    Str,
    definition::{CheckDefinition, ServiceDefinition},
    record::ServiceProxy,
};

/// What a sidecar's id and name end in.
pub const SIDECAR_SUFFIX: &str = "-sidecar-proxy";
const LISTENING_INTERVAL: Duration = Duration::from_secs(10);
const LOOPBACK: &str = "127.0.0.1";

impl Registry {
    /// The full definition of the sidecar that `parent` asks for.
    pub(crate) fn sidecar(
        &self,
        parent: &ServiceDefinition,
    ) -> Result<Option<ServiceDefinition>, LocalError> {
        let Some(own) = &parent.sidecar else { return Ok(None) };
        let parent_id = if parent.id.is_empty() { &parent.name } else { &parent.id };
        let mut s = own.as_ref().clone();
        s.id = Str::from(format!("{parent_id}{SIDECAR_SUFFIX}"));
        s.tenancy = parent.tenancy.clone();
        if s.name.is_empty() {
            s.name = Str::from(format!("{}{SIDECAR_SUFFIX}", parent.name));
        }
        if s.kind.is_empty() {
            s.kind = Str::new_static("connect-proxy");
        }
        if s.tags.as_ref().is_none_or(Vec::is_empty) {
            s.tags.clone_from(&parent.tags);
        }
        if s.meta.as_ref().is_none_or(|m| m.is_empty()) {
            s.meta.clone_from(&parent.meta);
        }
        if s.address.is_empty() {
            s.address = parent.address.clone();
        }
        if s.locality.is_none() {
            s.locality.clone_from(&parent.locality);
        }
        if s.token.is_empty() {
            s.token = parent.token.clone();
        }
        let mut proxy = s.proxy.take().unwrap_or_default();
        fill_proxy(&mut proxy, parent, parent_id);
        if s.port == 0 && s.socket_path.is_empty() {
            s.port = self.sidecar_port(&Key::new(&s.tenancy, &s.id))?;
        }
        if s.checks.is_empty() {
            s.checks = default_checks(&s, &proxy, parent_id);
        }
        s.proxy = Some(proxy);
        s.sidecar = None;
        Ok(Some(s))
    }

    /// The port that the sidecar already has, else the lowest free one.
    fn sidecar_port(&self, key: &Key) -> Result<i64, LocalError> {
        if let Some(old) = self.services.get(key)
            && old.row.port != 0
        {
            return Ok(old.row.port);
        }
        let Some(range) = self.settings.sidecar_ports.clone() else {
            return Err(LocalError::Internal(Str::new_static(
                "no port provided for sidecar_service and auto-assignment disabled in config",
            )));
        };
        let used: std::collections::BTreeSet<i64> = self.services.values().map(|s| s.row.port).collect();
        range.clone().map(i64::from).find(|p| !used.contains(p)).ok_or_else(|| {
            LocalError::Internal(Str::from(format!(
                "no port provided for sidecar_service and none left in the configured range [{}, {}]",
                range.start(),
                range.end()
            )))
        })
    }
}

fn fill_proxy(proxy: &mut ServiceProxy, parent: &ServiceDefinition, parent_id: &Str) {
    if proxy.destination_service_name.is_empty() {
        proxy.destination_service_name = parent.name.clone();
    }
    if proxy.destination_service_id.is_empty() {
        proxy.destination_service_id = parent_id.clone();
    }
    if !parent.socket_path.is_empty() && proxy.local_service_socket_path.is_empty() {
        proxy.local_service_socket_path = parent.socket_path.clone();
    }
    if proxy.local_service_socket_path.is_empty() {
        if proxy.local_service_address.is_empty() {
            proxy.local_service_address = Str::new_static(LOOPBACK);
        }
        if proxy.local_service_port <= 0 {
            proxy.local_service_port = parent.port;
        }
    }
}

fn default_checks(s: &ServiceDefinition, proxy: &ServiceProxy, parent_id: &Str) -> Vec<CheckDefinition> {
    let host = [s.address.as_str(), proxy.local_service_address.as_str(), LOOPBACK]
        .into_iter()
        .find(|a| !a.is_empty())
        .unwrap_or(LOOPBACK);
    let target =
        if host.contains(':') { format!("[{host}]:{}", s.port) } else { format!("{host}:{}", s.port) };
    vec![
        CheckDefinition {
            name: Str::new_static("Connect Sidecar Listening"),
            tcp: Str::from(target),
            interval: LISTENING_INTERVAL,
            ..CheckDefinition::default()
        },
        CheckDefinition {
            name: Str::from(format!("Connect Sidecar Aliasing {parent_id}")),
            alias_service: parent_id.clone(),
            ..CheckDefinition::default()
        },
    ]
}
