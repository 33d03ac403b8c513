//! Count, sum and spread of what was recorded.

/// Running figures of one series over one interval (or since start).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Aggregate {
    pub(super) count: u64,
    pub(super) sum: f64,
    sum_of_squares: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Aggregate {
    pub(super) const EMPTY: Self = Self { count: 0, sum: 0.0, sum_of_squares: 0.0, min: 0.0, max: 0.0 };

    /// Takes in `times` equal values.
    pub(super) fn add(&mut self, value: f64, times: u64) {
        if times == 0 {
            return;
        }
        let n = times as f64;
        self.merge(&Self {
            count: times,
            sum: value * n,
            sum_of_squares: value * value * n,
            min: value,
            max: value,
        });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// Sample standard deviation; rounding may push the square a hair below zero, which counts as zero.
    pub(super) fn stddev(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let n = self.count as f64;
        let square = (n * self.sum_of_squares - self.sum * self.sum) / (n * (n - 1.0));
        square.max(0.0).sqrt()
    }
}
