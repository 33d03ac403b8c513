//! When a leaf is renewed. Pure: times and chances are arguments.

use std::time::Duration;

/// Time over which agents spread what they ask for after a change of the root.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);
/// Part of its life after which a leaf may be renewed, and the one after which it must be, in tenths.
const TENTHS: (i64, i64) = (6, 9);

/// When to renew a leaf, Unix seconds: `chance` (0 to 1) picks an instant between 60 and 90 % of its life.
pub fn renew_at(valid_after: i64, valid_before: i64, chance: f64) -> i64 {
    let life = valid_before.saturating_sub(valid_after).max(0);
    let (from, to) = (life / 10 * TENTHS.0, life / 10 * TENTHS.1);
    valid_after.saturating_add(from).saturating_add(((to - from) as f64 * chance.clamp(0.0, 1.0)) as i64)
}

/// Whether a leaf is so old that it is renewed before anybody gets it.
pub(crate) fn is_overdue(valid_after: i64, valid_before: i64, now: i64) -> bool {
    now >= renew_at(valid_after, valid_before, 1.0)
}

/// How long to wait after the authority was asked too much, `elapsed` after the begin of a window: to a point of the next one.
pub(crate) fn next_window(elapsed: Duration, chance: f64) -> Duration {
    WINDOW.saturating_sub(elapsed) + WINDOW.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_between_six_and_nine_tenths() {
        let hour = 3600;
        assert_eq!(renew_at(1000, 1000 + 10 * hour, 0.0), 1000 + 6 * hour);
        assert_eq!(renew_at(1000, 1000 + 10 * hour, 1.0), 1000 + 9 * hour);
        assert_eq!(renew_at(1000, 1000 + 10 * hour, 0.5), 1000 + 7 * hour + hour / 2);
        assert!(!is_overdue(0, 1000, 899) && is_overdue(0, 1000, 900));
        assert_eq!(renew_at(9, 3, 0.5), 9, "a damaged one is renewed at once");
    }

    #[test]
    fn the_next_window_is_never_this_one() {
        let s = Duration::from_secs;
        assert_eq!(next_window(s(0), 0.0), s(30));
        assert_eq!(next_window(s(10), 0.5), s(35));
        assert_eq!(next_window(s(99), 1.0), s(30));
    }
}
