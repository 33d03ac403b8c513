//! Filtering the rows of an answer.

use crate::{Filter, FilterError};
use types::{
    entry::ConfigEntry,
    query::QueryResult,
    record::{HealthCheck, Node, NodeService, ServiceNode},
};

/// Drops the rows of `result` that `expression` does not match; results that have no filter are left as they are.
///
/// The names of [`QueryResult::Services`] are a union over instances and cannot be filtered any more: the expression is only
/// checked, and the caller counts instances by a `Filter<ServiceNode>` while the union is made.
///
/// # Errors
/// As [`Filter::compile`]; `result` is then untouched.
pub fn apply_to(result: &mut QueryResult, expression: &str) -> Result<(), FilterError> {
    match result {
        QueryResult::Nodes(rows) => {
            let filter = Filter::<Node>::compile(expression)?;
            rows.retain(|r| filter.matches(r));
        }
        QueryResult::Services(_) => {
            Filter::<ServiceNode>::compile(expression)?;
        }
        QueryResult::ServiceNodes(rows) => {
            let filter = Filter::compile(expression)?;
            rows.retain(|r| filter.matches(r));
        }
        QueryResult::NodeServices(found) => {
            let filter = Filter::<NodeService>::compile(expression)?;
            if let Some((_, rows)) = found {
                rows.retain(|r| filter.matches(r));
            }
        }
        QueryResult::Checks(rows) => {
            let filter = Filter::<HealthCheck>::compile(expression)?;
            rows.retain(|r| filter.matches(r));
        }
        QueryResult::ServiceHealth(rows) => {
            let filter = Filter::compile(expression)?;
            rows.retain(|r| filter.matches(r));
        }
        QueryResult::ConfigEntries(rows) => {
            // Which kinds have a filter at all is for the caller to know.
            let filter = Filter::<ConfigEntry>::compile(expression)?;
            rows.retain(|r| filter.matches(r));
        }
        QueryResult::Kv(_)
        | QueryResult::KvList(_)
        | QueryResult::KvKeys(_)
        | QueryResult::CaRoots(_)
        | QueryResult::Autopilot(..)
        | QueryResult::ByAddress { .. }
        | QueryResult::CaConfig(_)
        | QueryResult::NodeState(_)
        | QueryResult::VirtualIp(_)
        | QueryResult::ConfigEntry(_)
        | QueryResult::GatewayServices(_)
        | QueryResult::Coordinates(_)
        | QueryResult::FederationStates(_)
        | QueryResult::FederationState(_)
        | QueryResult::Sessions(_)
        | QueryResult::Deadlines(_)
        | QueryResult::Txn(_) => {}
    }
    Ok(())
}
