//! What must be written so that the catalog has what this agent has.

use crate::{Key, Registry, registry::NodeIdentity};
use std::sync::Arc;
use types::{
    SecretToken, ServiceId,
    command::{Command, Deregister, Register},
    query::NodeState,
    record::Map,
};

/// What an operation brings in line, with the version of each row that it carries.
#[derive(Clone, PartialEq, Debug)]
enum Covers {
    Node(u64),
    Service { service: Option<(Key, u64)>, checks: Vec<(Key, u64)> },
    GoneService(Key),
    GoneCheck(Key),
}

/// One idempotent write.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    covers: Covers,
    token: SecretToken,
    command: Command,
}

impl Operation {
    /// Token that it is written with; empty = the agent's own.
    pub fn token(&self) -> &SecretToken {
        &self.token
    }
    /// The write.
    pub fn command(&self) -> &Command {
        &self.command
    }
}

/// A registration of the node without anything on it.
pub fn register_node(node: &NodeIdentity) -> Register {
    let map = |m: &Map| (!m.is_empty()).then(|| m.clone());
    Register {
        datacenter: node.datacenter.clone(),
        id: node.id.clone(),
        node: node.name.clone(),
        address: node.address.clone(),
        tagged_addresses: map(&node.tagged_addresses),
        node_meta: map(&node.meta),
        locality: node.locality.clone(),
        tenancy: node.tenancy.clone(),
        ..Register::default()
    }
}

/// Compares a copy of `local` with the catalog and plans: the node first, then removed services, services with their checks,
/// removed checks, and checks on their own.
pub fn plan(local: &Registry, remote: &NodeState) -> Vec<Operation> {
    let mut copy = local.clone();
    copy.compare(remote);
    copy.plan()
}

impl Registry {
    /// Whether [`Self::plan`] has nothing to do.
    pub fn is_in_sync(&self) -> bool {
        self.node_sync.in_sync
            && self.gone_services.is_empty()
            && self.gone_checks.is_empty()
            && self.services.values().all(|s| s.sync.in_sync)
            && self.checks.values().all(|c| c.sync.in_sync)
    }

    /// The writes for every row that is not known to be in line, in order. Each is idempotent.
    pub fn plan(&self) -> Vec<Operation> {
        let mut out = Vec::new();
        let node = &self.settings.node;
        if !self.node_sync.in_sync {
            out.push(Operation {
                covers: Covers::Node(self.node_sync.version),
                token: SecretToken::default(),
                command: Command::Register(Box::new(register_node(node))),
            });
        }
        for (key, token) in &self.gone_services {
            out.push(self.removal(Covers::GoneService(key.clone()), key, token, true));
        }
        let mut covered = std::collections::BTreeSet::new();
        for (key, s) in self.services.iter().filter(|(_, s)| !s.sync.in_sync) {
            let checks: Vec<_> = self
                .checks
                .iter()
                .filter(|(k, c)| {
                    !c.sync.in_sync
                        && c.token == s.token
                        && k.tenancy == key.tenancy
                        && c.row.service_id.as_str() == key.id
                })
                .collect();
            let mut register = register_node(node);
            register.skip_node_update = true;
            register.service = Some(Box::new(s.row.as_ref().clone()));
            register.checks = checks.iter().map(|(_, c)| c.row.as_ref().clone()).collect();
            covered.extend(checks.iter().map(|(k, _)| (*k).clone()));
            out.push(Operation {
                covers: Covers::Service {
                    service: Some((key.clone(), s.sync.version)),
                    checks: checks.iter().map(|(k, c)| ((*k).clone(), c.sync.version)).collect(),
                },
                token: s.token.clone(),
                command: Command::Register(Box::new(register)),
            });
        }
        for (key, gone) in &self.gone_checks {
            if gone.with_service.as_ref().is_some_and(|s| self.gone_services.contains_key(s)) {
                continue;
            }
            out.push(self.removal(Covers::GoneCheck(key.clone()), key, &gone.token, false));
        }
        for (key, c) in self.checks.iter().filter(|(k, c)| !c.sync.in_sync && !covered.contains(*k)) {
            let mut register = register_node(node);
            register.skip_node_update = true;
            register.checks = vec![c.row.as_ref().clone()];
            out.push(Operation {
                covers: Covers::Service { service: None, checks: vec![(key.clone(), c.sync.version)] },
                token: c.token.clone(),
                command: Command::Register(Box::new(register)),
            });
        }
        out
    }

    fn removal(&self, covers: Covers, key: &Key, token: &SecretToken, service: bool) -> Operation {
        let mut d = Deregister {
            node: self.settings.node.name.clone(),
            tenancy: key.tenancy.clone(),
            ..Deregister::default()
        };
        if service {
            d.service_id = ServiceId(key.id.clone());
        } else {
            d.check_id = types::CheckId(key.id.clone());
        }
        Operation { covers, token: token.clone(), command: Command::Deregister(d) }
    }

    /// The write took effect (or never will: the token may not do it). Rows that changed meanwhile stay to be written.
    pub fn acknowledge(&mut self, op: &Operation) {
        match &op.covers {
            Covers::Node(version) => {
                if self.node_sync.version == *version {
                    self.node_sync.in_sync = true;
                }
            }
            Covers::Service { service, checks } => {
                if let Some((key, version)) = service
                    && let Some(s) = self.services.get_mut(key)
                    && s.sync.version == *version
                {
                    s.sync.in_sync = true;
                }
                for (key, version) in checks {
                    let Some(c) = self.checks.get_mut(key) else { continue };
                    if c.sync.version == *version {
                        c.sync.in_sync = true;
                        if let Some(due) = c.deferred_until_ms.take() {
                            self.deferred.remove(&(due, key.clone()));
                        }
                    }
                }
            }
            Covers::GoneService(key) => {
                self.gone_services.remove(key);
                self.gone_checks.retain(|_, gone| gone.with_service.as_ref() != Some(key));
            }
            Covers::GoneCheck(key) => {
                self.gone_checks.remove(key);
            }
        }
    }

    /// The rows as the catalog would have them when in line; for tests and for display.
    pub fn desired(&self) -> NodeState {
        NodeState {
            node: None,
            services: self.services.values().map(|s| Arc::clone(&s.row)).collect(),
            checks: self.checks.values().map(|c| Arc::clone(&c.row)).collect(),
        }
    }
}
