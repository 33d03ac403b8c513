//! One line for many refusals: who connects wrongly may do so a thousand times a second.

use crate::metrics::Refusal;
use parking_lot::Mutex;
use std::{net::SocketAddr, time::Duration};

/// At most one line for each reason in this time.
const QUIET: Duration = Duration::from_secs(10);

/// When each reason was last told, and what was held back since.
#[derive(Default, Debug)]
pub(crate) struct RefusalLog([Mutex<Told>; Refusal::ALL.len()]);

#[derive(Clone, Copy, Default, Debug)]
struct Told {
    at: Option<Duration>,
    since: u64,
}

impl RefusalLog {
    /// Tells of a refusal at `now` (since the start), or counts it for the next line.
    pub(crate) fn tell(&self, now: Duration, why: Refusal, peer: SocketAddr, detail: &str) {
        if why == Refusal::PrefaceClosed {
            // Health checks do nothing else: they connect, and go.
            tracing::debug!(%peer, reason = why.label(), detail, "refused a connection");
        } else if let Some(more) = self.due(now, why) {
            tracing::warn!(%peer, reason = why.label(), detail, more_like_it = more, "refused a connection");
        }
    }

    /// How many were held back if a line is due.
    fn due(&self, now: Duration, why: Refusal) -> Option<u64> {
        let mut told = self.0[why as usize].lock();
        if told.at.is_some_and(|at| now < at + QUIET) {
            told.since += 1;
            return None;
        }
        let held_back = told.since;
        *told = Told { at: Some(now), since: 0 };
        Some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_one_line() {
        let log = RefusalLog::default();
        let at = Duration::from_secs;
        assert_eq!(log.due(at(0), Refusal::NotTls), Some(0));
        for _ in 0..5 {
            assert_eq!(log.due(at(9), Refusal::NotTls), None);
        }
        assert_eq!(log.due(at(9), Refusal::Limit), Some(0));
        assert_eq!(log.due(at(10), Refusal::NotTls), Some(5));
    }
}
