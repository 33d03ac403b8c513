//! How long a suspicion lasts (Lifeguard, section "Dynamic suspicion timeouts").

use crate::{NodeId, Timing};
use foca::Incarnation;
use std::time::Duration;

/// A member that is suspected.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    pub(crate) incarnation: Incarnation,
    start: Duration,
    /// Who suspects it independently; bounded by the number that still shortens anything.
    from: Vec<NodeId>,
    /// Until when the suspect may answer us before we confirm.
    pub(crate) asked_until: Option<Duration>,
}

impl Suspicion {
    pub(crate) fn new(incarnation: Incarnation, now: Duration) -> Self {
        Self { incarnation, start: now, from: Vec::new(), asked_until: None }
    }

    /// Confirmations that bring the time down to its least, in a pool of `members`.
    pub(crate) fn wanted(timing: &Timing, members: usize) -> usize {
        (timing.suspicion_mult.saturating_sub(1) as usize).min(members.saturating_sub(2))
    }

    /// Adds a suspector; answers whether that was news worth passing on.
    pub(crate) fn confirm(&mut self, by: NodeId, timing: &Timing, members: usize) -> bool {
        // The first suspector is no confirmation, so one more than the wanted number counts.
        if self.from.len() > Self::wanted(timing, members) || self.from.contains(&by) {
            return false;
        }
        self.from.push(by);
        true
    }

    pub(crate) fn is_confirmed_by(&self, who: &NodeId) -> bool {
        self.from.contains(who)
    }

    /// When the suspect is declared failed.
    pub(crate) fn deadline(&self, timing: &Timing, members: usize) -> Duration {
        let (max, min) = timing.suspicion_bounds(members);
        let wanted = Self::wanted(timing, members);
        let confirmations = self.from.len().saturating_sub(1).min(wanted);
        let share =
            if wanted == 0 { 0.0 } else { ((confirmations + 1) as f64).ln() / ((wanted + 1) as f64).ln() };
        self.start + max.saturating_sub((max - min).mul_f64(share.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Str;

    fn id(n: u16) -> NodeId {
        NodeId::new(([127, 0, 0, 1], 1000 + n).into(), &Str::new("n"), 1)
    }

    #[test]
    fn independent_confirmations_shorten_it_and_repeats_do_not() {
        let t = Timing::lan();
        let mut s = Suspicion::new(0, Duration::from_secs(10));
        assert!(s.confirm(id(1), &t, 1000));
        assert_eq!(s.deadline(&t, 1000), Duration::from_secs(22));
        assert!(!s.confirm(id(1), &t, 1000));
        let mut last = s.deadline(&t, 1000);
        for n in 2..=4 {
            assert!(s.confirm(id(n), &t, 1000));
            assert!(s.deadline(&t, 1000) < last);
            last = s.deadline(&t, 1000);
        }
        assert_eq!(last, Duration::from_secs(13));
        assert!(!s.confirm(id(5), &t, 1000), "enough is enough");
    }

    #[test]
    fn two_members_have_nobody_to_confirm() {
        let t = Timing::lan();
        let mut s = Suspicion::new(0, Duration::ZERO);
        s.confirm(id(1), &t, 2);
        assert_eq!(s.deadline(&t, 2), Duration::from_secs(4));
    }
}
