//! Quantiles without keeping the values: buckets of equal relative width.

use std::sync::atomic::{AtomicU32, Ordering};

/// Eight buckets for each doubling, from 2^-10 to 2^22 (a microsecond to an hour, in milliseconds): within 6 % of the value.
const LOWEST: i32 = -10;
const DOUBLINGS: i32 = 32;
const STEPS: i32 = 8;
const BUCKETS: usize = (DOUBLINGS * STEPS) as usize;

/// Counts by size.
#[derive(Debug)]
pub(super) struct Histogram(Box<[AtomicU32]>);

impl Histogram {
    pub(super) fn new() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }

    pub(super) fn record(&self, value: f64) {
        if let Some(bucket) = self.0.get(bucket_of(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the counts out, leaving zeros.
    pub(super) fn take(&self) -> Box<[u32]> {
        self.0.iter().map(|b| b.swap(0, Ordering::Relaxed)).collect()
    }
}

fn bucket_of(value: f64) -> usize {
    if value <= 0.0 || value.is_nan() {
        return 0;
    }
    let steps = ((value.log2() - f64::from(LOWEST)) * f64::from(STEPS)).floor();
    // A float cast saturates, so an absurd value lands in the last bucket.
    (steps.max(0.0) as usize).min(BUCKETS - 1)
}

/// The value below which the part `q` of the counted values lies.
pub(super) fn quantile(counts: &[u32], q: f64) -> Option<f64> {
    let total: u64 = counts.iter().map(|c| u64::from(*c)).sum();
    if total == 0 {
        return None;
    }
    let rank = (q * total as f64).ceil().max(1.0) as u64;
    let mut seen = 0;
    let bucket = counts.iter().position(|c| {
        seen += u64::from(*c);
        seen >= rank
    })?;
    let middle = (bucket as f64 + 0.5) / f64::from(STEPS) + f64::from(LOWEST);
    Some(middle.exp2())
}
