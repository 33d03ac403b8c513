//! Reads.

use crate::store::Store;
use types::{
    Str,
    query::{Query, QueryResult},
    record::ServiceNode,
};

/// Answers `query` from one version of the state, keeping rows whose node has all of `node_meta`; with it the index of the
/// result, at least 1.
pub fn run_query(store: &Store, query: &Query, node_meta: &[(Str, Str)]) -> (QueryResult, u64) {
    let _ = (query, node_meta);
    (QueryResult::Kv(None), store.index().max(1))
}

/// As [`run_query`] for [`Query::Services`], counting only the instances that `keep` accepts.
pub fn run_services_filtered(
    store: &Store,
    query: &Query,
    node_meta: &[(Str, Str)],
    keep: &mut dyn FnMut(&ServiceNode) -> bool,
) -> (QueryResult, u64) {
    let _ = keep;
    run_query(store, query, node_meta)
}
