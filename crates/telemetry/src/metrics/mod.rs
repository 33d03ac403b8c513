//! Gauges, counters and samples, aggregated over ten-second intervals as Consul's in-memory sink does.
//!
//! A subsystem asks [`Metrics`] once for its handles and keeps them; recording through a handle takes no lock that another
//! thread holds for long and never allocates. [`Metrics::tick`] closes intervals (see [`Metrics::run`]); [`Metrics::display`]
//! answers the last complete one, as `/v1/agent/metrics` shows it, and [`Metrics::prometheus`] the totals since start.

mod aggregate;
mod display;
mod filter;
mod handle;
mod histogram;
mod process;
mod prometheus;
mod registry;
#[cfg(test)]
mod tests;

pub use display::{DisplayGauge, DisplaySample, Summary};
pub use filter::{BadRule, PrefixFilter};
pub use handle::{Counter, Gauge, Sample, Timer};
pub use process::hostname;
pub use prometheus::CONTENT_TYPE as PROMETHEUS_CONTENT_TYPE;
pub use registry::{Metrics, MetricsConfig};

/// Length of an interval.
pub const INTERVAL_MS: u64 = 10_000;
