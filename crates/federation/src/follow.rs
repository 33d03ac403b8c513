//! Keeps the dialer in step with what the datacenters tell of their gateways.

use crate::dial::Dialer;
use rpc::Query;
use runtime::Tasks;
use std::{sync::Arc, time::Duration};
use types::query::{Consistency, Query as Read, QueryOptions, QueryResult};

/// How long one question waits for news.
const WAIT: Duration = Duration::from_secs(60);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows this server's own state, also while there is no leader: old gateways are better than none.
pub fn follow(dialer: Arc<Dialer>, query: Arc<dyn Query>, tasks: &Tasks) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_critical("federation gateways", async move {
        let mut after = 0;
        loop {
            let options = QueryOptions {
                consistency: Consistency::Stale,
                min_index: after,
                max_wait: Some(WAIT),
                ..QueryOptions::default()
            };
            let answer = tokio::select! {
                () = shutdown.wait() => return,
                answer = query.query(Read::FederationStates, options) => answer,
            };
            let states = match answer {
                Ok(answer) => {
                    after = answer.meta.index;
                    match answer.result {
                        QueryResult::FederationStates(states) => states,
                        _ => Vec::new(),
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "mesh gateways cannot be read");
                    tokio::select! {
                        () = shutdown.wait() => return,
                        () = tokio::time::sleep(PAUSE) => continue,
                    }
                }
            };
            let now = dialer.gateways.load_full();
            let next = now.with_states(&states);
            if next != *now {
                tracing::info!(gateways = %next, "mesh gateways changed");
                dialer.gateways.store(Arc::new(next));
            }
        }
    });
}
