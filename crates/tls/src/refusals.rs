//! One log line for a refused connection, however often the other side tries.

use parking_lot::Mutex;
use std::{collections::HashMap, hash::Hash, time::Duration};
use tokio::time::Instant;

/// A refusal for the same reason is told again after this time.
const AGAIN: Duration = Duration::from_secs(60);
/// Reasons that are remembered, of all others together.
const REASONS_MAX: usize = 1024;

/// Who was refused, and why, with the time at which it was told.
#[derive(Debug)]
pub struct Refusals<K>(Mutex<HashMap<(K, String), Instant>>);

impl<K> Default for Refusals<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Refusals<K> {
    /// Whether this refusal is news.
    pub fn is_news(&self, other: K, why: &str) -> bool {
        let now = Instant::now();
        let key = (other, why.to_owned());
        let mut told = self.0.lock();
        if told.get(&key).is_some_and(|at| now.duration_since(*at) < AGAIN) {
            return false;
        }
        if told.len() >= REASONS_MAX {
            told.retain(|_, at| now.duration_since(*at) < AGAIN);
            if told.len() >= REASONS_MAX {
                told.clear();
            }
        }
        told.insert(key, now);
        true
    }

    /// It was let in: the next refusal is news.
    pub fn forget(&self, other: &K) {
        self.0.lock().retain(|(known, _), _| known != other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn told_once_a_minute_and_when_the_reason_changes() {
        let refusals = Refusals::default();
        assert!(refusals.is_news(1, "expired"));
        assert!(!refusals.is_news(1, "expired"));
        assert!(refusals.is_news(1, "wrong authority") && refusals.is_news(2, "expired"));
        tokio::time::advance(AGAIN).await;
        assert!(refusals.is_news(2, "expired"));
        refusals.forget(&2);
        assert!(refusals.is_news(2, "expired"));
        for other in 0..10_000 {
            refusals.is_news(other, "x");
        }
        assert!(refusals.0.lock().len() <= REASONS_MAX);
    }
}
