//! When sessions were last renewed: known to the leader alone, and only while it leads.
//!
//! A renewal writes nothing: a time to live counts anew from every change of leadership, so nothing is lost with it.

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::time::Instant;
use types::{Str, Tenancy};

type Key = (Tenancy, Str);

#[derive(Clone, Copy, Debug)]
enum Last {
    Renewed(Instant),
    /// Its end is being written: it is too late.
    Ending,
}

/// Renewals since this server leads. It has entries for sessions that exist, at most.
#[derive(Default, Debug)]
pub struct Renewals(Mutex<AHashMap<Key, Last>>);

impl Renewals {
    /// Notes a renewal of a session that exists; `false` if its end is being written.
    pub fn renew(&self, tenancy: &Tenancy, id: &Str, now: Instant) -> bool {
        let mut all = self.0.lock();
        let last = all.entry((tenancy.clone(), id.clone())).or_insert(Last::Renewed(now));
        if let Last::Renewed(at) = last {
            *at = now.max(*at);
            return true;
        }
        false
    }

    /// Decides that a session ends, unless it was renewed after `since`: then this is when.
    pub fn end(&self, tenancy: &Tenancy, id: &Str, since: Instant) -> Option<Instant> {
        let mut all = self.0.lock();
        let last = all.entry((tenancy.clone(), id.clone())).or_insert(Last::Ending);
        match *last {
            Last::Renewed(at) if at > since => Some(at),
            _ => {
                *last = Last::Ending;
                None
            }
        }
    }

    /// Forgets what is not known any more, and whose end could not be written.
    pub fn retain(&self, mut known: impl FnMut(&Tenancy, &Str) -> bool) {
        self.0.lock().retain(|(tenancy, id), last| matches!(last, Last::Renewed(_)) && known(tenancy, id));
    }

    /// Forgets everything: leadership begins.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_session_is_renewed_or_ends_and_never_both() {
        let (all, start) = (Renewals::default(), Instant::now());
        let (owner, id) = (Tenancy::default(), Str::new("s"));
        let later = start + Duration::from_secs(5);
        assert!(all.renew(&owner, &id, later));
        assert!(all.renew(&owner, &id, start), "an older one changes nothing");
        assert_eq!(all.end(&owner, &id, start), Some(later));
        assert_eq!(all.end(&owner, &id, later), None);
        assert!(!all.renew(&owner, &id, later + Duration::from_secs(1)), "too late");
        // Its end could not be written: it lives on.
        all.retain(|_, _| true);
        assert!(all.renew(&owner, &id, later));
        all.retain(|_, _| false);
        assert!(all.0.lock().is_empty());
    }
}
