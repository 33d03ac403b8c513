//! Which backend takes a connection: the less loaded of two random ones, leaving out those that failed lately.
//!
//! A backend to which no connection came about is left out for a second, and for twice as long after each further failure in
//! a row, a minute at most. When all are left out, all are tried: an old failure is a weak reason to refuse for certain.

use crate::route::{Place, Table};
use parking_lot::Mutex;
use rand::Rng;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

const EJECTION_FIRST: Duration = Duration::from_secs(1);
const EJECTION_MAX: Duration = Duration::from_secs(60);

/// What is known of one place, for as long as a table names it or a tunnel uses it.
#[derive(Default, Debug)]
pub struct Backend {
    /// Tunnels to it, and connections being made.
    active: AtomicU32,
    health: Mutex<Health>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Health {
    /// Failures since the last success.
    failures: u32,
    /// Until when it is left out, since the start of the gateway.
    ejected_until: Duration,
}

impl Backend {
    /// Tunnels to it.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts a tunnel for as long as the answer lives.
    pub fn enter(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(Arc::clone(self))
    }

    /// A connection came about.
    pub fn succeeded(&self) {
        *self.health.lock() = Health::default();
    }

    /// No connection came about at `now` (since the start of the gateway); answers for how long it is left out.
    pub fn failed(&self, now: Duration) -> Duration {
        let mut health = self.health.lock();
        let growth = 1_u32.checked_shl(health.failures).unwrap_or(u32::MAX);
        let length = EJECTION_FIRST.checked_mul(growth).map_or(EJECTION_MAX, |d| d.min(EJECTION_MAX));
        *health = Health { failures: health.failures.saturating_add(1), ejected_until: now + length };
        length
    }

    /// Whether it is left out at `now`.
    pub fn ejected(&self, now: Duration) -> bool {
        self.health.lock().ejected_until > now
    }
}

/// One tunnel in the count of its backend.
#[derive(Debug)]
pub struct Active(Arc<Backend>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of the places of a table. The knowledge outlives a change of the table.
#[derive(Default, Debug)]
pub struct Backends(HashMap<Place, Arc<Backend>>);

impl Backends {
    /// For the places of `table`, keeping what `self` knows of them.
    pub fn carry_over(&self, table: &Table) -> Self {
        let known = |place: &Place| (place.clone(), self.get(place));
        Self(table.places().into_iter().map(known).collect())
    }

    /// What is known of `place`; nothing if it is new.
    pub fn get(&self, place: &Place) -> Arc<Backend> {
        self.0.get(place).map(Arc::clone).unwrap_or_default()
    }

    /// How many are left out at `now`.
    pub fn ejected(&self, now: Duration) -> usize {
        self.0.values().filter(|b| b.ejected(now)).count()
    }
}

/// The index of the backend to try next, of those that were not `tried`; `None` when all were.
pub fn choose(
    backends: &[Arc<Backend>],
    tried: &[usize],
    now: Duration,
    rng: &mut impl Rng,
) -> Option<usize> {
    let left: Vec<usize> = (0..backends.len()).filter(|i| !tried.contains(i)).collect();
    let good: Vec<usize> = left.iter().copied().filter(|i| !backends[*i].ejected(now)).collect();
    let from = if good.is_empty() { left } else { good };
    match from.as_slice() {
        [] => None,
        [only] => Some(*only),
        many => {
            // Two different ones: the second is drawn from the rest.
            let first = rng.random_range(0..many.len());
            let second = (first + rng.random_range(1..many.len())) % many.len();
            let (a, b) = (many[first], many[second]);
            Some(if backends[b].active() < backends[a].active() { b } else { a })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn some(n: usize) -> Vec<Arc<Backend>> {
        (0..n).map(|_| Arc::default()).collect()
    }

    #[test]
    fn ejection_grows_and_ends_with_success() {
        let b = Backend::default();
        let lengths: Vec<u64> = (0..8).map(|_| b.failed(secs(0)).as_secs()).collect();
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
        for _ in 0..40 {
            b.failed(secs(0));
        }
        assert!(b.ejected(secs(59)) && !b.ejected(secs(60)));
        b.succeeded();
        assert!(!b.ejected(secs(0)));
        assert_eq!(b.failed(secs(9)), secs(1));
        assert!(b.ejected(secs(9)) && !b.ejected(secs(10)));
    }

    #[test]
    fn a_failed_one_is_left_out_unless_all_failed() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let all = some(3);
        all[1].failed(secs(0));
        for _ in 0..100 {
            assert_ne!(choose(&all, &[], secs(0), &mut rng), Some(1));
        }
        assert_eq!(choose(&all, &[0, 2], secs(0), &mut rng), Some(1), "better than none");
        assert_eq!(choose(&all, &[0, 1, 2], secs(0), &mut rng), None);
        for b in &all {
            b.failed(secs(0));
        }
        assert!(choose(&all, &[], secs(0), &mut rng).is_some());
    }

    #[test]
    fn load_evens_out() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let all = some(4);
        let mut held = Vec::new();
        for _ in 0..400 {
            let i = choose(&all, &[], secs(0), &mut rng).unwrap();
            held.push(all[i].enter());
        }
        let loads: Vec<u32> = all.iter().map(|b| b.active()).collect();
        assert!(loads.iter().all(|l| (95..=105).contains(l)), "{loads:?}");
        drop(held);
        assert!(all.iter().all(|b| b.active() == 0));
    }

    proptest! {
        #[test]
        fn every_one_is_offered_once(n in 0_usize..8, failed in 0_u8..=255, seed in any::<u64>()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let all = some(n);
            for (i, b) in all.iter().enumerate() {
                if failed & 1 << i != 0 {
                    b.failed(secs(0));
                }
            }
            let mut tried = Vec::new();
            while let Some(i) = choose(&all, &tried, secs(0), &mut rng) {
                prop_assert!(!tried.contains(&i));
                let healthy_left = (0..n).any(|j| !tried.contains(&j) && !all[j].ejected(secs(0)));
                prop_assert!(!(healthy_left && all[i].ejected(secs(0))));
                tried.push(i);
            }
            prop_assert_eq!(tried.len(), n);
        }
    }
}
