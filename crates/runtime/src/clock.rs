//! Wall time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Wall time as an argument.
pub trait WallClock: Send + Sync + 'static {
    /// Unix time in milliseconds.
    fn unix_ms(&self) -> u64;
}

/// The system's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn unix_ms(&self) -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
    }
}

/// A clock that tests move by hand.
#[derive(Default, Debug)]
pub struct TestClock(AtomicU64);

impl TestClock {
    /// Starts at `unix_ms`.
    pub fn at(unix_ms: u64) -> Self {
        Self(AtomicU64::new(unix_ms))
    }
    /// Moves forward.
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl WallClock for TestClock {
    fn unix_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
