//! Limits on requests: what this agent may ask of servers, and what a server takes.
//!
//! What a server asks of itself (its duties, its anti-entropy) and what servers ask of each other are not counted: a flood of
//! clients must not cost a datacenter its leader.

use crate::message::Request;
use parking_lot::Mutex;
use tokio::time::Instant;
use types::{RequestError, Str};

/// What happens to requests beyond a limit (`limits.request_limits.mode`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nothing is counted.
    #[default]
    Disabled,
    /// They are logged.
    Permissive,
    /// They are refused.
    Enforcing,
}

/// Settings. Rates are requests a second, `None` for no limit.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Rates {
    /// What happens beyond `read` and `write`.
    pub mode: Mode,
    /// Reads that a server takes.
    pub read: Option<f64>,
    /// Writes that a server takes.
    pub write: Option<f64>,
    /// Requests that a client agent sends (`limits.rpc_rate`).
    pub send: Option<f64>,
    /// How many of them at once (`limits.rpc_max_burst`).
    pub send_burst: u32,
}

/// A bucket of tokens that fills with time.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    most: f64,
    left: f64,
    filled: Option<Instant>,
}

impl Bucket {
    fn new(rate: f64, burst: f64) -> Self {
        Self { rate, most: burst.max(1.0), left: burst.max(1.0), filled: None }
    }
    fn take(&mut self, now: Instant) -> bool {
        let since = self.filled.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.filled = Some(now);
        self.left = (self.left + since * self.rate).min(self.most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[derive(Default, Debug)]
struct Buckets {
    rates: Rates,
    read: Option<Bucket>,
    write: Option<Bucket>,
    send: Option<Bucket>,
    told: Option<Instant>,
}

/// The limits in force. Sharing it shares the counts.
#[derive(Default, Debug)]
pub struct RateLimits(Mutex<Buckets>);

/// Between two lines of the log about refused requests.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

impl RateLimits {
    /// New settings; the same ones change nothing.
    pub fn set(&self, rates: Rates) {
        let mut b = self.0.lock();
        if b.rates != rates {
            let own = |rate: Option<f64>| {
                rate.filter(|_| rates.mode != Mode::Disabled).map(|rate| Bucket::new(rate, rate))
            };
            let send = rates.send.map(|rate| Bucket::new(rate, f64::from(rates.send_burst)));
            *b = Buckets { rates, read: own(rates.read), write: own(rates.write), send, told: None };
        }
    }

    /// Counts a request that this agent sends to the servers.
    ///
    /// # Errors
    /// Too many were sent; nothing was done.
    pub fn sends(&self, now: Instant) -> Result<(), RequestError> {
        match self.0.lock().send.as_mut().is_none_or(|b| b.take(now)) {
            true => Ok(()),
            false => Err(RequestError::RateLimited(Str::new_static("RPC rate limit exceeded"))),
        }
    }

    /// Counts a request of a client that this server takes.
    ///
    /// # Errors
    /// Too many came; nothing was done.
    pub fn takes(&self, writes: bool, now: Instant) -> Result<(), RequestError> {
        let mut b = self.0.lock();
        let bucket = if writes { &mut b.write } else { &mut b.read };
        if bucket.as_mut().is_none_or(|bucket| bucket.take(now)) {
            return Ok(());
        }
        let mode = b.rates.mode;
        if b.told.is_none_or(|at| now.saturating_duration_since(at) >= TELL_EVERY) {
            b.told = Some(now);
            let kind = if writes { "write" } else { "read" };
            tracing::warn!(enforced = mode == Mode::Enforcing, "more requests than limits.request_limits.{kind}_rate");
        }
        match mode {
            Mode::Enforcing if writes => Err(RequestError::RateLimited(Str::new_static(
                "rate limit exceeded for operation that can only be performed by the leader, try again later",
            ))),
            Mode::Enforcing => Err(RequestError::Overloaded),
            Mode::Permissive | Mode::Disabled => Ok(()),
        }
    }
}

/// Whether a request that came from another agent counts, and as what; `None` for what keeps a datacenter together.
pub(crate) fn counts(request: &Request) -> Option<bool> {
    match request {
        Request::Submit { hops: 0, .. } | Request::RenewSession { .. } => Some(true),
        Request::Query { .. } | Request::SnapshotOpen { .. } => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rate_is_kept_and_modes_differ() {
        let (limits, start) = (RateLimits::default(), Instant::now());
        let rates = |mode| Rates { mode, read: Some(2.0), write: Some(1.0), ..Rates::default() };
        for _ in 0..100 {
            assert_eq!(limits.takes(true, start), Ok(()), "nothing is limited by default");
        }
        limits.set(rates(Mode::Enforcing));
        assert_eq!((limits.takes(false, start), limits.takes(false, start)), (Ok(()), Ok(())));
        assert_eq!(limits.takes(false, start), Err(RequestError::Overloaded));
        limits.set(rates(Mode::Enforcing));
        assert!(limits.takes(false, start).is_err(), "the same settings give no new tokens");
        assert_eq!(limits.takes(false, start + Duration::from_millis(500)), Ok(()));
        assert_eq!(limits.takes(true, start), Ok(()));
        assert!(matches!(limits.takes(true, start), Err(RequestError::RateLimited(t)) if t.contains("leader")));
        limits.set(rates(Mode::Permissive));
        assert!((0..9).all(|_| limits.takes(true, start).is_ok()));
        limits.set(Rates { send: Some(1.0), send_burst: 3, ..Rates::default() });
        assert_eq!((0..9).filter(|_| limits.sends(start).is_ok()).count(), 3);
    }
}
