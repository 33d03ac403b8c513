//! Logs, the monitor stream and metrics.
