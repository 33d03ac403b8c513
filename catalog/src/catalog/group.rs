//! Instances that share a name, ready to be read.

use super::labels::Labels;
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    Str,
    names::fold,
    record::{HealthCheck, Node, NodeService, ServiceKind, status},
};

/// Place of an instance within a group: by node, then by id, both folded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct InstanceKey {
    pub node: Str,
    pub id: Str,
}

/// An instance with its node and all checks that concern it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Instance {
    pub node: Arc<Node>,
    pub service: Arc<NodeService>,
    /// Those of the node first, each part in the order of its keys.
    pub checks: Vec<Arc<HealthCheck>>,
    /// Whether every check passes.
    pub passing: bool,
}

impl Instance {
    pub fn new(node: Arc<Node>, service: Arc<NodeService>, checks: Vec<Arc<HealthCheck>>) -> Self {
        let passing = checks.iter().all(|c| c.status.as_str() == status::PASSING);
        Self { node, service, checks, passing }
    }

    /// The same instance with one check put in, replaced (same namespace and id) or, with `None`, taken out.
    pub fn with_check(&self, place: &CheckPlace, check: Option<&Arc<HealthCheck>>) -> Self {
        let mut checks = self.checks.clone();
        match (checks.binary_search_by(|c| CheckPlace::of(c).cmp(place)), check) {
            (Ok(at), Some(c)) => checks[at] = c.clone(),
            (Err(at), Some(c)) => checks.insert(at, c.clone()),
            (Ok(at), None) => {
                checks.remove(at);
            }
            (Err(_), None) => {}
        }
        Self::new(self.node.clone(), self.service.clone(), checks)
    }
}

/// Where a check stands among those of an instance.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CheckPlace {
    of_service: bool,
    namespace: Option<Str>,
    id: Str,
}

impl CheckPlace {
    pub fn of(check: &HealthCheck) -> Self {
        let namespace = match check.tenancy.namespace() {
            "default" => None,
            other => Some(Str::new(other)),
        };
        Self { of_service: !check.service_id.is_empty(), namespace, id: fold(&check.check_id) }
    }
}

/// Instances that share a name: the name of the service, or the name they stand for in the mesh.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Group {
    pub instances: OrdMap<InstanceKey, Arc<Instance>>,
    /// Spellings of the name and their tags (groups by service name only).
    pub labels: Labels,
    /// Last change of an instance, its node or its checks.
    pub index: u64,
}

/// The folded name that an instance stands for in the mesh.
pub(crate) fn stands_for(service: &NodeService) -> Option<Str> {
    if service.connect.native {
        return Some(service.service.folded());
    }
    match (&service.kind, &service.proxy) {
        (ServiceKind::ConnectProxy, Some(proxy)) if !proxy.destination_service_name.is_empty() => {
            Some(fold(&proxy.destination_service_name))
        }
        _ => None,
    }
}
