//! Histograms of openraft's statistics, in the shape that it links against and in 2 KiB each.
//!
//! openraft keeps its numbers in the crate of this name, which fills tables for sixteen precisions at the first use:
//! 25 MiB that stay resident, of which one line is ever read. `[patch.crates-io]` puts this crate in its place; it has what
//! openraft and `raft-log` call, no more. It can go when the tables are made on demand upstream.
//!
//! Buckets are logarithmic with four to each power of two, so that a percentile is off by an eighth at most.

use std::{fmt, marker::PhantomData};

/// Bits of a value, after its highest, that choose the bucket.
const SUB_BITS: u32 = 2;
const SUB: usize = 1 << SUB_BITS;
const BUCKETS: usize = SUB + (64 - SUB_BITS as usize) * SUB;

fn bucket(value: u64) -> usize {
    if value < SUB as u64 {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - SUB_BITS;
    (shift as usize + 1) * SUB + (value >> shift) as usize - SUB
}

/// Least value of a bucket, and how many values it holds.
fn span(bucket: usize) -> (u64, u64) {
    match bucket.checked_sub(SUB) {
        None => (bucket as u64, 1),
        Some(above) => {
            let shift = above / SUB;
            (((SUB + above % SUB) as u64) << shift, 1 << shift)
        }
    }
}

/// Counts of values. `T` names the slots that the original can keep; there is one here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram<T = ()> {
    counts: Box<[u64]>,
    slots: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// An empty histogram.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into(), slots: PhantomData }
    }
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }
    /// Counts a value `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        let n = &mut self.counts[bucket(value)];
        *n = n.saturating_add(count);
    }
    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }
    /// The value that a part `p` (0 to 1) of all values does not exceed, to within its bucket; 0 when there are none.
    pub fn percentile(&self, p: f64) -> u64 {
        let rank = ((self.total() as f64 * p.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut below = 0_u64;
        for (i, n) in self.counts.iter().enumerate() {
            below = below.saturating_add(*n);
            if below >= rank {
                let (least, width) = span(i);
                return least + (width - 1) / 2;
            }
        }
        0
    }
    /// The usual percentiles.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.1),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Percentiles of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p90, p99, p99_9, .. } = self;
        write!(f, "n={samples} p50={p50} p90={p90} p99={p99} p99.9={p99_9}")
    }
}

/// Several histograms as text, a line each.
#[derive(Clone, Default, Debug)]
pub struct AsciiChart(Vec<(String, PercentileStats)>);

impl AsciiChart {
    /// No lines yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a line.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, histogram: Histogram) -> Self {
        self.0.push((name.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, stats)| writeln!(f, "{name}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value: u64) {
            let (least, width) = span(bucket(value));
            prop_assert!(least <= value && value - least < width);
            prop_assert!(width == 1 || width <= least / 4 + 1);
        }

        #[test]
        fn a_percentile_is_an_eighth_off_at_most(mut values in prop::collection::vec(0..1_u64 << 40, 1..200)) {
            let mut h = Histogram::<()>::new();
            values.iter().for_each(|v| h.record(*v));
            values.sort_unstable();
            let exact = values[values.len().div_ceil(2) - 1];
            prop_assert!(h.percentile(0.5).abs_diff(exact) <= exact / 8 + 1);
        }
    }

    #[test]
    fn the_greatest_values_have_buckets() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(Histogram::<()>::new().percentile(0.5), 0);
    }
}
