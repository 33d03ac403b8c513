//! Wall time that does not jump.

use runtime::WallClock;
use std::sync::Arc;
use tokio::time::Instant;

/// Wall time of the start, and what has passed since: times that are counted from one write to another (lock-delays, times to live
/// of keys) must not end because somebody sets the clock.
pub struct SteadyClock {
    wall_ms: u64,
    since: Instant,
}

impl SteadyClock {
    /// Begins with what `wall` shows now.
    pub fn start(wall: &dyn WallClock) -> Arc<Self> {
        Arc::new(Self { wall_ms: wall.unix_ms(), since: Instant::now() })
    }
}

impl WallClock for SteadyClock {
    fn unix_ms(&self) -> u64 {
        self.wall_ms + u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::TestClock;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_the_wall_clock_jumps() {
        let wall = TestClock::at(1_000);
        let steady = SteadyClock::start(&wall);
        wall.advance_ms(3_600_000);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(steady.unix_ms(), 3_000);
    }
}
