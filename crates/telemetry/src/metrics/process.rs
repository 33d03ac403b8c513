//! Figures of the process itself.

use super::handle::Gauge;

/// `consul.<host>.runtime.*`, set when somebody asks.
#[derive(Debug)]
pub(super) struct RuntimeGauges {
    pub(super) alloc_bytes: Gauge,
    pub(super) sys_bytes: Gauge,
    pub(super) num_goroutines: Gauge,
    pub(super) num_threads: Gauge,
}

impl RuntimeGauges {
    /// Reads them: resident and mapped bytes, live tasks, threads.
    pub(super) fn refresh(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, gauge, unit) in [
            ("VmRSS:", &self.alloc_bytes, 1024.0),
            ("VmSize:", &self.sys_bytes, 1024.0),
            ("Threads:", &self.num_threads, 1.0),
        ] {
            if let Some(value) = status_value(&status, name) {
                gauge.set(value * unit);
            }
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.num_goroutines.set(runtime.metrics().num_alive_tasks() as f64);
        }
    }
}

fn status_value(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// The machine's host name, as gauges carry it.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
