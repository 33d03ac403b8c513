//! The blocking-query driver: read, subscribe, look again, park.

use crate::hub::ViewHub;
use catalog::{Store, run_query, topics_of};
use std::sync::Arc;
use tokio::{sync::watch, time::Instant};
use types::{
    RequestError,
    query::{Query, QueryOptions, QueryResult},
};

use crate::consensus::Leadership;

/// Answers `query` from the published state, parking until its index passes `options.min_index` or `deadline` comes.
///
/// `leads` is given for reads that only a leader may answer: when this server stops leading in its term, the wait ends with
/// [`RequestError::NotLeader`]. Cancel safe.
///
/// # Errors
/// `NotLeader` as above, [`RequestError::Overloaded`] when too many wait, [`RequestError::Filter`].
pub async fn blocking_query(
    hub: &ViewHub,
    query: &Query,
    options: &QueryOptions,
    deadline: Instant,
    mut leads: Option<(u64, watch::Receiver<Leadership>)>,
) -> Result<(QueryResult, u64), RequestError> {
    let mut min_index = options.min_index;
    let mut was_absent = false;
    // A restored state may have gone back; who waits for an old future must hear of it.
    let restores = hub.restores();
    let mut woken = false;
    loop {
        let store = hub.load().clone();
        let (result, index) = match woken {
            false => run(&store, query, options)?,
            // Others may have been woken by the same change.
            true => Result::clone(&hub.shared().run(&store, query, options))?,
        };
        if options.min_index == 0 {
            return Ok((result, index));
        }
        // A thing that stays absent keeps its watchers asleep although the table's index moves.
        let absent = is_absent(&result);
        if absent && was_absent {
            min_index = min_index.max(index);
        }
        was_absent = absent;
        if index > min_index || hub.restores() != restores {
            return Ok((result, index));
        }
        let topics = topics_of(query, is_narrowed(options));
        let Some(subscription) = hub.subscribe(topics.clone()) else { return Err(RequestError::Overloaded) };
        if version(&hub.load(), &topics) != version(&store, &topics) {
            continue;
        }
        drop(store);
        tokio::select! {
            () = subscription.changed() => woken = true,
            () = tokio::time::sleep_until(deadline) => return Ok((result, index)),
            () = leadership_lost(&mut leads) => return Err(RequestError::NotLeader),
        }
    }
}

/// Runs a query with its filter, and sorts the rows by distance if that is asked for.
pub(crate) fn run(
    store: &Store,
    query: &Query,
    options: &QueryOptions,
) -> Result<(QueryResult, u64), RequestError> {
    let (mut result, index) = run_unsorted(store, query, options)?;
    if !options.near.is_empty() {
        catalog::sort_near(store, query, &options.near, &mut result);
    }
    Ok((result, index))
}

fn run_unsorted(
    store: &Store,
    query: &Query,
    options: &QueryOptions,
) -> Result<(QueryResult, u64), RequestError> {
    let filter_error = |e: filter::FilterError| RequestError::Filter(types::Str::from(e.to_string()));
    match options.filter.as_deref() {
        None => Ok(run_query(store, query, &options.node_meta)),
        Some(expression) => match query {
            Query::Services { .. } => {
                let f = filter::Filter::<types::record::ServiceNode>::compile(expression)
                    .map_err(filter_error)?;
                Ok(catalog::run_services_filtered(store, query, &options.node_meta, &mut |row| {
                    f.matches(row)
                }))
            }
            _ => {
                let (mut result, index) = run_query(store, query, &options.node_meta);
                filter::apply_to(&mut result, expression).map_err(filter_error)?;
                Ok((result, index))
            }
        },
    }
}

/// Whether only some rows of an answer are wanted.
pub(crate) fn is_narrowed(options: &QueryOptions) -> bool {
    options.filter.is_some() || !options.node_meta.is_empty()
}

/// A number that moves whenever the answer over these topics may have changed.
pub(crate) fn version(store: &Arc<Store>, topics: &[catalog::Topic]) -> u64 {
    topics.iter().map(|t| store.topic_index(t)).max().unwrap_or(0)
}

fn is_absent(result: &QueryResult) -> bool {
    match result {
        QueryResult::Kv(entry) => entry.is_none(),
        QueryResult::KvList(rows) => rows.is_empty(),
        QueryResult::ConfigEntry(entry) => entry.is_none(),
        QueryResult::ConfigEntries(rows) => rows.is_empty(),
        QueryResult::Sessions(rows) => rows.is_empty(),
        _ => false,
    }
}

async fn leadership_lost(leads: &mut Option<(u64, watch::Receiver<Leadership>)>) {
    match leads {
        None => std::future::pending().await,
        // An error means that consensus has ended, which is the same.
        Some((term, rx)) => {
            let term = *term;
            let _ = rx.wait_for(|l| !l.is_leader || l.term != term).await;
        }
    }
}
