//! All series of a process.

use super::{
    INTERVAL_MS,
    aggregate::Aggregate,
    filter::PrefixFilter,
    handle::{Collector, Counter, Gauge, GaugeCell, Sample},
    process::RuntimeGauges,
};
use parking_lot::{Mutex, RwLock};
use runtime::{Shutdown, WallClock};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Settings of the registry (`telemetry {}` of the configuration).
#[derive(Clone, Debug)]
pub struct MetricsConfig {
    /// `metrics_prefix`.
    pub prefix: String,
    /// Host name put into the names of gauges; `None` = `disable_hostname`.
    pub hostname: Option<String>,
    /// `prefix_filter` and `filter_default`, parsed by [`PrefixFilter::parse`].
    pub filter: PrefixFilter,
    /// `prometheus_retention_time`; zero switches the Prometheus form off.
    pub prometheus_retention: Duration,
    /// Most series held; further ones record nothing and are counted.
    pub max_series: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            prefix: "consul".to_owned(),
            hostname: Some(super::hostname()),
            filter: PrefixFilter::parse::<&str>("consul", &[], true).0,
            prometheus_retention: Duration::ZERO,
            max_series: 8192,
        }
    }
}

/// Identity of a series: full name and sorted labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
}

/// A counter or sample with its closed figures.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) collector: Arc<Collector>,
    pub(super) figures: Mutex<Figures>,
}

/// What was taken out of a collector so far.
#[derive(Debug)]
pub(super) struct Figures {
    /// The interval that is filling: parts already taken out of the collector.
    pub(super) current: Aggregate,
    /// The last complete interval.
    pub(super) last: Aggregate,
    /// Since start.
    pub(super) total: Aggregate,
    /// Sizes in the last interval that had any.
    pub(super) sizes: Option<Box<[u32]>>,
}

impl Series {
    fn new(histogram: bool) -> Self {
        let empty = Aggregate::EMPTY;
        Self {
            collector: Arc::new(Collector::new(histogram)),
            figures: Mutex::new(Figures { current: empty, last: empty, total: empty, sizes: None }),
        }
    }

    /// Moves what has collected into the filling interval and the total.
    pub(super) fn drain(&self) {
        let new = self.collector.take();
        let mut f = self.figures.lock();
        f.current.merge(&new);
        f.total.merge(&new);
        if let Some(sizes) = self.collector.take_histogram()
            && sizes.iter().any(|n| *n > 0)
        {
            f.sizes = Some(sizes);
        }
    }

    fn close(&self) {
        self.drain();
        let mut f = self.figures.lock();
        f.last = std::mem::replace(&mut f.current, Aggregate::EMPTY);
    }

    /// Nothing came in during the interval that just passed.
    fn skip(&self) {
        self.figures.lock().last = Aggregate::EMPTY;
    }
}

pub(super) struct Inner {
    pub(super) config: MetricsConfig,
    pub(super) filter: RwLock<PrefixFilter>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) tables: RwLock<Tables>,
    /// Start of the filling interval, Unix ms.
    pub(super) interval: Mutex<u64>,
    /// Start of the last complete interval; 0 = none yet.
    pub(super) completed: AtomicU64,
    announce: watch::Sender<u64>,
    runtime: RuntimeGauges,
    refused: Counter,
}

/// The series by kind.
#[derive(Default, Debug)]
pub(super) struct Tables {
    pub(super) gauges: BTreeMap<Key, Arc<GaugeCell>>,
    pub(super) counters: BTreeMap<Key, Arc<Series>>,
    pub(super) samples: BTreeMap<Key, Arc<Series>>,
}

impl Tables {
    fn len(&self) -> usize {
        self.gauges.len() + self.counters.len() + self.samples.len()
    }
}

/// The registry; clones share it.
#[derive(Clone)]
pub struct Metrics(pub(super) Arc<Inner>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics({} series)", self.0.tables.read().len())
    }
}

impl Metrics {
    /// An empty registry whose intervals follow `clock`.
    pub fn new(config: MetricsConfig, clock: Arc<dyn WallClock>) -> Self {
        let mut tables = Tables::default();
        let mut gauge = |name: &str| tables.gauge(&config, name, &[]);
        let runtime = RuntimeGauges {
            alloc_bytes: gauge("runtime.alloc_bytes"),
            sys_bytes: gauge("runtime.sys_bytes"),
            num_goroutines: gauge("runtime.num_goroutines"),
            num_threads: gauge("runtime.num_threads"),
        };
        let refused = Counter(Some(tables.counter(&config, "metrics.series_refused", &[])));
        Self(Arc::new(Inner {
            filter: RwLock::new(config.filter.clone()),
            interval: Mutex::new(interval_of(clock.unix_ms())),
            completed: AtomicU64::new(0),
            announce: watch::channel(0).0,
            tables: RwLock::new(tables),
            config,
            clock,
            runtime,
            refused,
        }))
    }

    /// The gauge `name` (without prefix: `raft.peers`) with `labels`. Ask once and keep it.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        let mut tables = self.0.tables.write();
        if self.full(&tables) && !tables.gauges.contains_key(&gauge_key(&self.0.config, name, labels)) {
            return Gauge(None);
        }
        tables.gauge(&self.0.config, name, labels)
    }

    /// The counter `name` with `labels`. Ask once and keep it.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        let mut tables = self.0.tables.write();
        if self.full(&tables) && !tables.counters.contains_key(&key(&self.0.config, name, labels)) {
            return Counter(None);
        }
        Counter(Some(tables.counter(&self.0.config, name, labels)))
    }

    /// The sample `name` with `labels`. Ask once and keep it.
    pub fn sample(&self, name: &str, labels: &[(&str, &str)]) -> Sample {
        let mut tables = self.0.tables.write();
        if self.full(&tables) && !tables.samples.contains_key(&key(&self.0.config, name, labels)) {
            return Sample(None);
        }
        Sample(Some(tables.sample(&self.0.config, name, labels)))
    }

    /// Forgets the gauge, for things that go away (a peer, a watcher kind).
    pub fn forget_gauge(&self, name: &str, labels: &[(&str, &str)]) {
        self.0.tables.write().gauges.remove(&gauge_key(&self.0.config, name, labels));
    }

    fn full(&self, tables: &Tables) -> bool {
        let full = tables.len() >= self.0.config.max_series;
        if full {
            self.0.refused.incr();
        }
        full
    }

    /// Replaces the filter (`prefix_filter` reloads; `filter_default` does not).
    pub fn set_filter(&self, filter: PrefixFilter) {
        *self.0.filter.write() = filter;
    }

    /// Whether the Prometheus form is on.
    pub fn prometheus_enabled(&self) -> bool {
        !self.0.config.prometheus_retention.is_zero()
    }

    /// Closes the filling interval if its time is over.
    pub fn tick(&self) {
        let now = interval_of(self.0.clock.unix_ms());
        let mut filling = self.0.interval.lock();
        if now == *filling {
            return;
        }
        // After a pause of several intervals, or a clock set back, what collected belongs to the interval that was filling;
        // the ones between stayed empty.
        let skipped = now.abs_diff(*filling) > INTERVAL_MS;
        let tables = self.0.tables.read();
        for series in tables.counters.values().chain(tables.samples.values()) {
            series.close();
            if skipped {
                series.skip();
            }
        }
        let complete = if skipped { now.saturating_sub(INTERVAL_MS) } else { *filling };
        *filling = now;
        self.0.completed.store(complete, Ordering::Relaxed);
        drop(tables);
        self.0.announce.send_replace(complete);
    }

    /// Wakes whenever an interval is complete (for `/v1/agent/metrics/stream`).
    pub fn intervals(&self) -> watch::Receiver<u64> {
        self.0.announce.subscribe()
    }

    /// Keeps intervals closing until `shutdown`. To be spawned once.
    pub async fn run(self, shutdown: Shutdown) {
        loop {
            let left = INTERVAL_MS - self.0.clock.unix_ms() % INTERVAL_MS;
            tokio::select! {
                // Dropping the sleep loses nothing: the interval is recomputed from the clock.
                () = tokio::time::sleep(Duration::from_millis(left + 1)) => self.tick(),
                () = shutdown.wait() => return,
            }
        }
    }

    pub(super) fn refresh_runtime(&self) {
        self.0.runtime.refresh();
    }
}

fn interval_of(unix_ms: u64) -> u64 {
    unix_ms - unix_ms % INTERVAL_MS
}

impl Tables {
    fn gauge(&mut self, config: &MetricsConfig, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge(Some(Arc::clone(self.gauges.entry(gauge_key(config, name, labels)).or_default())))
    }

    fn counter(&mut self, config: &MetricsConfig, name: &str, labels: &[(&str, &str)]) -> Arc<Collector> {
        let series =
            self.counters.entry(key(config, name, labels)).or_insert_with(|| Arc::new(Series::new(false)));
        Arc::clone(&series.collector)
    }

    fn sample(&mut self, config: &MetricsConfig, name: &str, labels: &[(&str, &str)]) -> Arc<Collector> {
        let histogram = !config.prometheus_retention.is_zero();
        let series =
            self.samples.entry(key(config, name, labels)).or_insert_with(|| Arc::new(Series::new(histogram)));
        Arc::clone(&series.collector)
    }
}

fn key(config: &MetricsConfig, name: &str, labels: &[(&str, &str)]) -> Key {
    Key { name: join(&[&config.prefix, name]), labels: sorted(labels) }
}

fn gauge_key(config: &MetricsConfig, name: &str, labels: &[(&str, &str)]) -> Key {
    let host = config.hostname.as_deref().unwrap_or_default();
    Key { name: join(&[&config.prefix, host, name]), labels: sorted(labels) }
}

fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|p| !p.is_empty()).collect();
    parts.join(".")
}

fn sorted(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut out: Vec<_> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    out.sort();
    out
}
