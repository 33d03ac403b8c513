//! One evaluation for all who wait for the same.
//!
//! A change wakes everybody who asked the same question at once; the first runs the query on the new version of the state, the
//! others take what it found.

use crate::blocking::run;
use ahash::AHashMap;
use catalog::Store;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock, Weak};
use types::{
    RequestError, Str,
    query::{Query, QueryOptions, QueryResult},
};

/// Questions whose last answer is kept; beyond it they are all forgotten, which costs one evaluation each.
const QUESTIONS_MAX: usize = 256;

type Found = Arc<Result<(QueryResult, u64), RequestError>>;

/// What makes two questions the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Question {
    query: Query,
    filter: Option<Str>,
    node_meta: Vec<(Str, Str)>,
    near: Str,
}

struct Last {
    /// The version of the state that it was asked of. While this is kept no other version has its address; its rows may go.
    store: Weak<Store>,
    found: Arc<OnceLock<Found>>,
}

/// Last answers by question.
#[derive(Default)]
pub(crate) struct SharedRuns(Mutex<AHashMap<Question, Last>>);

impl SharedRuns {
    /// Runs a query with its filter, or takes the answer of who ran it on this version.
    pub fn run(&self, store: &Arc<Store>, query: &Query, options: &QueryOptions) -> Found {
        let question = Question {
            query: query.clone(),
            filter: options.filter.clone(),
            node_meta: options.node_meta.clone(),
            near: options.near.clone(),
        };
        let cell = {
            let mut all = self.0.lock();
            if all.len() >= QUESTIONS_MAX && !all.contains_key(&question) {
                all.clear();
            }
            let fresh = || Last { store: Arc::downgrade(store), found: Arc::default() };
            let last = all.entry(question).or_insert_with(fresh);
            if !std::ptr::eq(last.store.as_ptr(), Arc::as_ptr(store)) {
                *last = fresh();
            }
            last.found.clone()
        };
        cell.get_or_init(|| Arc::new(run(store, query, options))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Tenancy;

    #[test]
    fn one_version_is_asked_once_and_the_next_one_again() {
        let (shared, options) = (SharedRuns::default(), QueryOptions::default());
        let query = Query::KvGet { tenancy: Tenancy::default(), key: "k".into() };
        let (one, two) = (Arc::new(Store::new()), Arc::new(Store::new()));
        let first = shared.run(&one, &query, &options);
        assert!(Arc::ptr_eq(&first, &shared.run(&one, &query, &options)));
        assert!(!Arc::ptr_eq(&first, &shared.run(&two, &query, &options)));
        let other = QueryOptions { near: "n".into(), ..options };
        assert!(!Arc::ptr_eq(&shared.run(&two, &query, &other), &shared.run(&two, &query, &QueryOptions::default())));
    }
}
