//! Logs, the monitor stream and metrics.
//!
//! Owns the one `tracing` subscriber of the process ([`logs::init`]) with its outputs (stdout, rotated files, syslog, live
//! [`logs::LogStream`]s), and a metrics registry that is passed in, never global ([`metrics::Metrics`]).
//! Refuses to know any domain type, to serve HTTP (it hands out bodies), and to block a caller: a full log queue loses lines
//! and says how many, a full registry hands out handles that record nothing.
//!
//! Start reading at [`metrics::Metrics`] and [`logs::Logs`].

pub mod logs;
pub mod metrics;

pub use logs::{Level, LogConfig, LogStream, Logs};
pub use metrics::{Counter, Gauge, Metrics, MetricsConfig, Sample};
