//! How many leaves are signed.

use connect_ca::Settings;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_millis(500);

/// One request at a time, `rate` a second. Pure: the time is an argument.
#[derive(Default, Debug)]
struct Bucket {
    free_at: Option<Instant>,
}

impl Bucket {
    /// How long to wait for the turn that is taken; `None` when that is too long, and nothing is taken.
    fn take(&mut self, now: Instant, rate: f64) -> Option<Duration> {
        let at = self.free_at.unwrap_or(now).max(now);
        let wait = at - now;
        if wait > PATIENCE {
            return None;
        }
        // A rate close to 0 would be a time out of range.
        let pause = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::from_secs(86_400));
        self.free_at = Some(at + pause);
        Some(wait)
    }
}

/// Both limits of the settings.
#[derive(Default, Debug)]
pub(crate) struct Limit {
    bucket: Mutex<Bucket>,
    /// How many at a time, and their places.
    places: Mutex<Option<(usize, Arc<Semaphore>)>>,
}

impl Limit {
    /// Waits for the turn of a request. Its place is held by what comes back; `None` when it takes too long.
    pub(crate) async fn admit(&self, settings: &Settings) -> Option<Option<OwnedSemaphorePermit>> {
        if settings.csr_per_second > 0.0 {
            let wait = self.bucket.lock().take(Instant::now(), settings.csr_per_second)?;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            return Some(None);
        }
        let max = settings.csr_concurrent.min(Semaphore::MAX_PERMITS);
        if max == 0 {
            return Some(None);
        }
        let places = {
            let mut places = self.places.lock();
            match &*places {
                Some((of, open)) if *of == max => open.clone(),
                _ => {
                    let open = Arc::new(Semaphore::new(max));
                    *places = Some((max, open.clone()));
                    open
                }
            }
        };
        match tokio::time::timeout(PATIENCE, places.acquire_owned()).await {
            Ok(Ok(place)) => Some(Some(place)),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_their_rate_and_patience_ends() {
        let mut bucket = Bucket::default();
        let now = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(bucket.take(now, 10.0), Some(ms(0)));
        for n in 1..=5 {
            assert_eq!(bucket.take(now, 10.0), Some(ms(100 * n)));
        }
        assert_eq!(bucket.take(now, 10.0), None);
        assert_eq!(bucket.take(now, 10.0), None, "who is refused takes nothing");
        assert_eq!(bucket.take(now + ms(200), 10.0), Some(ms(400)));
        assert_eq!(bucket.take(now + ms(5000), 10.0), Some(ms(0)));
        assert_eq!(Bucket::default().take(now, f64::MIN_POSITIVE), Some(ms(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_bounded() {
        let (_, mut settings) = connect_ca::default_config("id", None).unwrap();
        settings.csr_per_second = 0.0;
        let limit = Limit::default();
        assert!(limit.admit(&settings).await.unwrap().is_none());
        settings.csr_concurrent = 1;
        let held = limit.admit(&settings).await.unwrap().unwrap();
        assert!(limit.admit(&settings).await.is_none());
        drop(held);
        assert!(limit.admit(&settings).await.is_some());
    }
}
