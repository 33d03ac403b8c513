//! User events: who has seen which, and which are too old to matter.
//!
//! An event has a Lamport time. Recent ones are kept, both to know them again and to tell them to members that missed the
//! packets, in the full state exchange. Whoever joins takes over the clock of the pool and ignores what was fired before.

use bytes::Bytes;
use std::collections::BTreeMap;
use types::Str;

/// Most bytes of name and payload.
pub const USER_EVENT_BYTES_MAX: usize = 768;
/// Lamport times that are remembered; what is older than that is ignored.
const TIMES_MAX: u64 = 512;
/// Events that are remembered.
const EVENTS_MAX: usize = 1024;
/// A clock beyond this is no clock: it would overflow before long.
const CLOCK_MAX: u64 = 1 << 62;

/// A message to all members of the pool. What it means is the agent's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserEvent {
    /// Lamport time at which it was fired.
    pub ltime: u64,
    /// Name.
    pub name: Str,
    /// Content.
    pub payload: Bytes,
}

/// The events that one member knows.
#[derive(Debug)]
pub(crate) struct UserEvents {
    /// Time of the next event fired here.
    clock: u64,
    /// Events before this are ignored.
    oldest: u64,
    recent: BTreeMap<u64, Vec<(Str, Bytes)>>,
    count: usize,
}

impl Default for UserEvents {
    fn default() -> Self {
        Self { clock: 1, oldest: 0, recent: BTreeMap::new(), count: 0 }
    }
}

impl UserEvents {
    /// Time of the next event.
    pub(crate) fn clock(&self) -> u64 {
        self.clock
    }

    /// Makes an event of our own.
    pub(crate) fn fire(&mut self, name: Str, payload: Bytes) -> UserEvent {
        UserEvent { ltime: self.clock, name, payload }
    }

    /// Another member's clock; `joining`: what was fired before is not for us.
    pub(crate) fn witness(&mut self, clock: u64, joining: bool) {
        if clock < CLOCK_MAX {
            self.clock = self.clock.max(clock);
            if joining {
                self.oldest = self.oldest.max(clock);
            }
        }
    }

    /// Takes an event; answers whether it is news.
    pub(crate) fn take(&mut self, event: &UserEvent) -> bool {
        let UserEvent { ltime, name, payload } = event;
        if *ltime >= CLOCK_MAX || name.len() + payload.len() > USER_EVENT_BYTES_MAX {
            return false;
        }
        self.clock = self.clock.max(ltime + 1);
        if *ltime < self.oldest || ltime + TIMES_MAX < self.clock {
            return false;
        }
        let same_time = self.recent.entry(*ltime).or_default();
        if same_time.iter().any(|(n, p)| n == name && p == payload) {
            return false;
        }
        same_time.push((name.clone(), payload.clone()));
        self.count += 1;
        let too_old = self.clock.saturating_sub(TIMES_MAX);
        while let Some((time, _)) = self.recent.first_key_value()
            && (*time < too_old || self.count > EVENTS_MAX)
        {
            self.oldest = self.oldest.max(time + 1);
            self.count -= self.recent.pop_first().map_or(0, |(_, events)| events.len());
        }
        true
    }

    /// What is told to members that may have missed it, oldest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = (u64, &Str, &Bytes)> {
        self.recent.iter().flat_map(|(ltime, events)| events.iter().map(|(n, p)| (*ltime, n, p)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ltime: u64, name: &str) -> UserEvent {
        UserEvent { ltime, name: name.into(), payload: Bytes::from_static(b"x") }
    }

    #[test]
    fn each_event_is_news_once() {
        let mut events = UserEvents::default();
        let own = events.fire("a".into(), Bytes::new());
        assert_eq!(own.ltime, 1);
        assert!(events.take(&own) && !events.take(&own));
        assert!(events.take(&event(1, "a")) && events.take(&event(1, "b")) && !events.take(&event(1, "b")));
        assert!(events.take(&event(900, "late")) && events.clock() == 901);
        assert!(!events.take(&event(300, "too old")) && events.take(&event(400, "old")));
        assert_eq!(events.recent().count(), 2, "what fell out of the window is forgotten");
    }

    #[test]
    fn who_joins_does_not_replay() {
        let mut events = UserEvents::default();
        events.witness(50, true);
        assert!(!events.take(&event(49, "old")) && events.take(&event(50, "new")));
        let mut other = UserEvents::default();
        other.witness(50, false);
        assert!(other.take(&event(49, "missed")));
    }

    #[test]
    fn floods_and_absurd_clocks_are_bounded() {
        let mut events = UserEvents::default();
        assert!(!events.take(&event(u64::MAX, "a")) && !events.take(&event(CLOCK_MAX, "a")));
        events.witness(u64::MAX, true);
        assert_eq!(events.clock(), 1);
        let big = UserEvent { payload: vec![0; USER_EVENT_BYTES_MAX].into(), ..event(1, "a") };
        assert!(!events.take(&big));
        for i in 0..10_000 {
            events.take(&event(7, &format!("{i}")));
            assert!(events.recent().count() <= EVENTS_MAX);
        }
        assert!(!events.take(&event(7, "9")), "forgotten times are closed");
        assert!(events.take(&event(8, "next")));
    }
}
