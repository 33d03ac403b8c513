//! How often the whole state is compared with the catalog.

use std::time::Duration;

/// Time between full syncs of a small cluster.
const BASE: Duration = Duration::from_secs(60);
/// Cluster size up to which the base interval holds.
const SMALL: usize = 128;

/// Grows with the logarithm of the cluster, so that the servers' load stays even.
pub fn full_sync_interval(cluster_size: usize) -> Duration {
    if cluster_size <= SMALL {
        return BASE;
    }
    // ceil(log2(size / 128)) + 1
    let factor = (cluster_size.div_ceil(SMALL) as u64).next_power_of_two().trailing_zeros() + 1;
    BASE * factor
}

/// Time until the next full sync; `jitter` in 0..1 spreads the agents.
pub fn full_sync_delay(cluster_size: usize, jitter: f64) -> Duration {
    let interval = full_sync_interval(cluster_size);
    interval + interval.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_by_powers_of_two() {
        for (n, minutes) in [(1, 1), (128, 1), (129, 2), (256, 2), (257, 3), (1000, 4), (8192, 7)] {
            assert_eq!(full_sync_interval(n), BASE * minutes, "{n}");
        }
        assert_eq!(full_sync_delay(1, 0.5), Duration::from_secs(90));
    }
}
