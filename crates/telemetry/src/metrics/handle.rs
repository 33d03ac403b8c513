//! Handles that subsystems record through.

use super::{aggregate::Aggregate, histogram::Histogram};
use parking_lot::Mutex;
use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Threads are spread over this many cells, so that they rarely meet.
const SHARDS: usize = 4;

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS));
    MINE.try_with(Cell::get).unwrap_or(0)
}

/// A cell on a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Cells {
    ones: AtomicU64,
    rest: Mutex<Aggregate>,
}

/// Where counters and samples collect.
#[derive(Debug)]
pub(super) struct Collector {
    cells: [Cells; SHARDS],
    histogram: Option<Histogram>,
}

impl Collector {
    pub(super) fn new(histogram: bool) -> Self {
        Self {
            cells: std::array::from_fn(|_| Cells {
                ones: AtomicU64::new(0),
                rest: Mutex::new(Aggregate::EMPTY),
            }),
            histogram: histogram.then(Histogram::new),
        }
    }

    fn one(&self) {
        self.cells[shard()].ones.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self, value: f64) {
        self.cells[shard()].rest.lock().add(value, 1);
        if let Some(h) = &self.histogram {
            h.record(value);
        }
    }

    /// Takes out what has collected.
    pub(super) fn take(&self) -> Aggregate {
        let mut all = Aggregate::EMPTY;
        for cell in &self.cells {
            all.merge(&std::mem::replace(&mut cell.rest.lock(), Aggregate::EMPTY));
            all.add(1.0, cell.ones.swap(0, Ordering::Relaxed));
        }
        all
    }

    pub(super) fn take_histogram(&self) -> Option<Box<[u32]>> {
        self.histogram.as_ref().map(Histogram::take)
    }
}

/// A gauge's cell.
#[derive(Debug, Default)]
pub(super) struct GaugeCell {
    pub(super) bits: AtomicU64,
    pub(super) set: AtomicBool,
}

/// A value that goes up and down. Shown from the first time it is set.
#[derive(Clone, Debug, Default)]
pub struct Gauge(pub(super) Option<Arc<GaugeCell>>);

impl Gauge {
    /// A gauge that records nothing.
    pub fn noop() -> Self {
        Self(None)
    }
    /// Sets it.
    pub fn set(&self, value: f64) {
        if let Some(cell) = &self.0 {
            cell.bits.store(value.to_bits(), Ordering::Relaxed);
            cell.set.store(true, Ordering::Relaxed);
        }
    }
    /// Moves it by `delta`.
    pub fn add(&self, delta: f64) {
        if let Some(cell) = &self.0 {
            let _ = cell.bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                Some((f64::from_bits(bits) + delta).to_bits())
            });
            cell.set.store(true, Ordering::Relaxed);
        }
    }
    /// Its value.
    pub fn get(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |cell| f64::from_bits(cell.bits.load(Ordering::Relaxed)))
    }
}

/// A count of events.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub(super) Option<Arc<Collector>>);

impl Counter {
    /// A counter that records nothing.
    pub fn noop() -> Self {
        Self(None)
    }
    /// One more.
    pub fn incr(&self) {
        if let Some(c) = &self.0 {
            c.one();
        }
    }
    /// `value` more (one event of that size).
    pub fn add(&self, value: f64) {
        if let Some(c) = &self.0 {
            c.value(value);
        }
    }
}

/// A distribution, most often of durations in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Sample(pub(super) Option<Arc<Collector>>);

impl Sample {
    /// A sample that records nothing.
    pub fn noop() -> Self {
        Self(None)
    }
    /// Takes in a value.
    pub fn record(&self, value: f64) {
        if let Some(c) = &self.0 {
            c.value(value);
        }
    }
    /// Takes in a duration, in milliseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(duration.as_secs_f64() * 1000.0);
    }
    /// Records the time from now until the timer is dropped.
    pub fn start(&self) -> Timer {
        Timer { sample: self.clone(), since: tokio::time::Instant::now() }
    }
}

/// Records its life time into a [`Sample`] when dropped.
#[derive(Debug)]
pub struct Timer {
    sample: Sample,
    since: tokio::time::Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.sample.record_duration(self.since.elapsed());
    }
}
