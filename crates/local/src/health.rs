//! Health of instances as load balancers ask for it.

use crate::{Key, Registry};
use std::sync::Arc;
use types::{
    Tenancy,
    record::{
        HealthCheck, NODE_MAINTENANCE, NodeService, SERVICE_MAINTENANCE_PREFIX,
        status::{CRITICAL, MAINTENANCE, PASSING, WARNING},
    },
};

/// Health of one instance on this agent: its own checks and the node's.
#[derive(Clone, PartialEq, Debug)]
pub struct AggregatedHealth {
    /// `passing`, `warning`, `critical` or `maintenance`.
    pub status: &'static str,
    /// The instance.
    pub service: Arc<NodeService>,
    /// Its checks and the node's, by id.
    pub checks: Vec<Arc<HealthCheck>>,
}

/// The worst of the checks: maintenance, then critical, then warning; passing when there is none.
pub fn aggregate_status<'a>(checks: impl IntoIterator<Item = &'a HealthCheck>) -> &'static str {
    let rank = |c: &HealthCheck| {
        if c.check_id.as_str() == NODE_MAINTENANCE || c.check_id.starts_with(SERVICE_MAINTENANCE_PREFIX) {
            return 3;
        }
        match c.status.as_str() {
            CRITICAL => 2,
            WARNING => 1,
            _ => 0,
        }
    };
    match checks.into_iter().map(rank).max() {
        Some(3) => MAINTENANCE,
        Some(2) => CRITICAL,
        Some(1) => WARNING,
        _ => PASSING,
    }
}

impl Registry {
    /// Health of one instance.
    pub fn aggregated(&self, key: &Key) -> Option<AggregatedHealth> {
        let service = Arc::clone(&self.service(key)?.row);
        let checks: Vec<_> = self
            .checks()
            .filter(|(k, c)| {
                c.row.service_id.is_empty()
                    || (k.tenancy == key.tenancy && c.row.service_id.as_str() == key.id)
            })
            .map(|(_, c)| Arc::clone(&c.row))
            .collect();
        let status = aggregate_status(checks.iter().map(Arc::as_ref));
        Some(AggregatedHealth { status, service, checks })
    }

    /// Health of every instance of a name.
    pub fn aggregated_by_name(&self, tenancy: &Tenancy, name: &str) -> Vec<AggregatedHealth> {
        self.services()
            .filter(|(k, s)| k.tenancy == *tenancy && s.row.service.as_str() == name)
            .filter_map(|(k, _)| self.aggregated(k))
            .collect()
    }
}
