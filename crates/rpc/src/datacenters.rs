//! The other datacenters, as the servers of this one see them: which servers are there, and whether they answer.
//!
//! A datacenter that does not answer must cost the others nothing. So a request that failed at every server it tried counts
//! against the datacenter, and after three of them requests are refused at once; the prober alone keeps asking,
//! and lets them in again with its first answer.

use crate::ServerList;
use parking_lot::{Mutex, RwLock};
use runtime::RngSeed;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{DatacenterName, Str};

/// Failures in a row after which a datacenter is not asked any more.
const FAILURES_MAX: u32 = 3;
/// Weight of the newest round trip in the average, as one part of this many.
const SMOOTHING: u32 = 4;

/// Whether a datacenter answers. Pure: the time is an argument.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Reach {
    /// Requests that failed in a row.
    pub failures: u32,
    /// Average round trip.
    pub round_trip: Option<Duration>,
    /// When it answered last.
    pub answered: Option<Instant>,
    /// Why it did not, the last time.
    pub last_error: Str,
}

impl Reach {
    /// Whether to ask at all.
    pub fn is_open(&self) -> bool {
        self.failures < FAILURES_MAX
    }

    /// An answer came; of a probe, after `took`. What users ask for takes its own time and says nothing of the distance.
    pub fn succeeded(&mut self, now: Instant, took: Option<Duration>) {
        self.failures = 0;
        self.answered = Some(now);
        if let Some(took) = took {
            let average = self.round_trip.map(|average| (average * (SMOOTHING - 1) + took) / SMOOTHING);
            self.round_trip = Some(average.unwrap_or(took));
        }
    }

    /// No server there answered. True when this is what closes it.
    pub fn failed(&mut self, error: Str) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.last_error = error;
        self.failures == FAILURES_MAX
    }
}

/// One other datacenter.
pub struct Remote {
    /// Its name.
    pub name: DatacenterName,
    /// Its living servers.
    pub servers: ServerList,
    reach: Mutex<Reach>,
}

impl Remote {
    /// Whether it answers.
    pub fn reach(&self) -> Reach {
        self.reach.lock().clone()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.reach.lock().is_open()
    }

    pub(crate) fn succeeded(&self, took: Option<Duration>) {
        let was_open = {
            let mut reach = self.reach.lock();
            let was_open = reach.is_open();
            reach.succeeded(Instant::now(), took);
            was_open
        };
        if !was_open {
            tracing::info!(datacenter = %self.name, "datacenter answers again");
        }
    }

    pub(crate) fn failed(&self, error: Str) {
        if self.reach.lock().failed(error.clone()) {
            tracing::warn!(datacenter = %self.name, %error, "datacenter does not answer, requests for it are refused until it does");
        }
    }
}

/// Every other datacenter that the WAN pool knows. Empty on client agents, whose servers pass requests on.
pub struct Datacenters {
    own: DatacenterName,
    seed: RngSeed,
    remotes: RwLock<BTreeMap<DatacenterName, Arc<Remote>>>,
}

impl Datacenters {
    /// None but the own one.
    pub fn new(own: DatacenterName, seed: RngSeed) -> Self {
        Self { own, seed, remotes: RwLock::default() }
    }

    /// Takes over what gossip knows: the living servers of each datacenter; one without any is known and out of reach.
    pub fn set(&self, known: &BTreeMap<DatacenterName, Vec<SocketAddr>>) {
        let mut remotes = self.remotes.write();
        remotes.retain(|name, _| known.contains_key(name));
        for (name, alive) in known.iter().filter(|(name, _)| **name != self.own) {
            let remote = remotes.entry(name.clone()).or_insert_with(|| {
                Arc::new(Remote {
                    name: name.clone(),
                    servers: ServerList::new(self.seed),
                    reach: Mutex::default(),
                })
            });
            remote.servers.set(alive);
        }
    }

    /// The datacenter called `name`; `None` when it is not known.
    pub fn get(&self, name: &str) -> Option<Arc<Remote>> {
        self.remotes.read().get(types::names::fold(name).as_str()).cloned()
    }

    /// All others.
    pub fn remotes(&self) -> Vec<Arc<Remote>> {
        self.remotes.read().values().cloned().collect()
    }

    /// Names of all, this one first, then by round trip; those that never answered last.
    pub fn by_distance(&self) -> Vec<DatacenterName> {
        let mut others: Vec<_> = self
            .remotes()
            .iter()
            .map(|r| (r.reach().round_trip.unwrap_or(Duration::MAX), r.name.clone()))
            .collect();
        others.sort();
        std::iter::once(self.own.clone()).chain(others.into_iter().map(|(_, name)| name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_close_a_datacenter_and_one_answer_opens_it() {
        let mut reach = Reach::default();
        assert!(!reach.failed("a".into()) && !reach.failed("b".into()) && reach.is_open());
        assert!(reach.failed("c".into()) && !reach.is_open());
        assert!(!reach.failed("d".into()), "said once");
        reach.succeeded(Instant::now(), Some(Duration::from_millis(8)));
        reach.succeeded(Instant::now(), None);
        assert!(reach.is_open());
        reach.succeeded(Instant::now(), Some(Duration::from_millis(4)));
        assert_eq!(reach.round_trip, Some(Duration::from_millis(7)));
    }

    #[test]
    fn the_nearest_comes_first_after_the_own_one() {
        let all = Datacenters::new("dc1".into(), RngSeed::fixed(1));
        let at = |n| vec![SocketAddr::from(([10, 0, 0, n], 8300))];
        let known = BTreeMap::from([
            ("dc1".into(), at(1)),
            ("dc2".into(), at(2)),
            ("dc3".into(), at(3)),
            ("dc4".into(), vec![]),
        ]);
        all.set(&known);
        all.get("dc2").unwrap().succeeded(Some(Duration::from_millis(9)));
        all.get("DC3").unwrap().succeeded(Some(Duration::from_millis(2)));
        assert_eq!(all.by_distance(), ["dc1", "dc3", "dc2", "dc4"].map(DatacenterName::from));
        assert!(all.get("dc1").is_none() && all.get("dc5").is_none());
        all.set(&BTreeMap::from([("dc2".into(), at(2))]));
        assert!(all.get("dc3").is_none());
        assert!(all.get("dc2").unwrap().reach().round_trip.is_some(), "what is known of it stays");
    }
}
