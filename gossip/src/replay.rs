//! Which sealed messages were seen before.

use std::collections::{HashMap, VecDeque};

/// Senders remembered. A sender is one run of one agent; the oldest is forgotten first, and then only identities
/// (which grow with each run) stand between an old packet and its effect.
const SENDERS_MAX: usize = 16_384;
const WORDS: usize = 16;
const WINDOW: u64 = 64 * WORDS as u64;

#[derive(Clone, Copy)]
struct Window {
    top: u64,
    bits: [u64; WORDS],
}

/// A sliding window of counters for each sender.
#[derive(Default)]
pub(crate) struct ReplayFilter {
    senders: HashMap<u64, Box<Window>, ahash::RandomState>,
    order: VecDeque<u64>,
}

impl ReplayFilter {
    /// Whether this counter of this sender is new; remembers it.
    pub(crate) fn accept(&mut self, salt: u64, counter: u64) -> bool {
        let Some(w) = self.senders.get_mut(&salt) else {
            if self.order.len() >= SENDERS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.senders.remove(&oldest);
            }
            let mut bits = [0; WORDS];
            bits[(counter / 64) as usize % WORDS] = 1 << (counter % 64);
            self.senders.insert(salt, Box::new(Window { top: counter, bits }));
            self.order.push_back(salt);
            return true;
        };
        if counter > w.top {
            // Words that the window moves into are of a past lap.
            let from = w.top / 64;
            let words = (counter / 64 - from).min(WORDS as u64);
            for i in 1..=words {
                w.bits[((from + i) as usize) % WORDS] = 0;
            }
            w.top = counter;
        } else if w.top - counter >= WINDOW - 64 {
            return false;
        }
        let (word, bit) = ((counter / 64) as usize % WORDS, 1_u64 << (counter % 64));
        let new = w.bits[word] & bit == 0;
        w.bits[word] |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn each_counter_passes_at_most_once_and_fresh_ones_always(steps in prop::collection::vec(0_u64..3000, 1..400)) {
            let mut filter = ReplayFilter::default();
            let mut seen = HashSet::new();
            let mut top = 0;
            for c in steps {
                let accepted = filter.accept(1, c);
                prop_assert!(!(accepted && seen.contains(&c)), "replay of {c} passed");
                if !seen.contains(&c) && (seen.is_empty() || c > top || top - c < WINDOW - 64) {
                    prop_assert!(accepted, "{c} is fresh, top is {top}");
                }
                seen.insert(c);
                top = top.max(c);
            }
        }
    }

    #[test]
    fn senders_are_bounded_and_apart() {
        let mut filter = ReplayFilter::default();
        for salt in 0..SENDERS_MAX as u64 + 10 {
            assert!(filter.accept(salt, 5));
        }
        assert_eq!(filter.senders.len(), SENDERS_MAX);
        assert!(!filter.accept(SENDERS_MAX as u64, 5));
    }
}
