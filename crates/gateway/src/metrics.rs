//! Counters of a gateway, and how Prometheus reads them.

use crate::route::Kind;
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Why a connection was closed before it became a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many tunnels as there may be.
    Limit,
    /// As many from this source as there may be.
    SourceLimit,
    /// The gateway is about to end.
    Draining,
    /// It does not begin with TLS.
    NotTls,
    /// The TLS hello is malformed or too large.
    Malformed,
    /// The hello was not complete in time.
    PrefaceTimeout,
    /// The client went away before its hello was complete.
    PrefaceClosed,
    /// The hello names no server.
    NoName,
    /// No route has this name.
    UnknownName,
    /// The route has no healthy backend.
    NoBackend,
    /// No backend took the connection.
    ConnectFailed,
}

impl Refusal {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::Limit,
        Self::SourceLimit,
        Self::Draining,
        Self::NotTls,
        Self::Malformed,
        Self::PrefaceTimeout,
        Self::PrefaceClosed,
        Self::NoName,
        Self::UnknownName,
        Self::NoBackend,
        Self::ConnectFailed,
    ];

    /// Its name in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::SourceLimit => "source_limit",
            Self::Draining => "draining",
            Self::NotTls => "not_tls",
            Self::Malformed => "malformed_hello",
            Self::PrefaceTimeout => "hello_timeout",
            Self::PrefaceClosed => "closed_before_hello",
            Self::NoName => "no_server_name",
            Self::UnknownName => "unknown_server_name",
            Self::NoBackend => "no_healthy_backend",
            Self::ConnectFailed => "connect_failed",
        }
    }
}

/// Counts of one kind of route.
#[derive(Default, Debug)]
pub(crate) struct OfKind {
    pub(crate) active: AtomicU64,
    pub(crate) opened: AtomicU64,
    /// From the client to the backend.
    pub(crate) bytes_in: AtomicU64,
    /// From the backend to the client.
    pub(crate) bytes_out: AtomicU64,
}

/// Upper bounds of the connect time's buckets, microseconds.
const BUCKETS_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// All counters; every method is lock-free.
#[derive(Default, Debug)]
pub struct Metrics {
    kinds: [OfKind; Kind::ALL.len()],
    refused: [AtomicU64; Refusal::ALL.len()],
    connect_failures: AtomicU64,
    connect_us: AtomicU64,
    connect_buckets: [AtomicU64; BUCKETS_US.len() + 1],
    /// Failed and successful reads of the agent's API.
    pub(crate) agent_errors: AtomicU64,
    pub(crate) agent_away: AtomicU64,
    pub(crate) table_changes: AtomicU64,
}

impl Metrics {
    pub(crate) fn kind(&self, kind: Kind) -> &OfKind {
        &self.kinds[kind.index()]
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn connect_failed(&self) {
        self.connect_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn connected(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.connect_us.fetch_add(us, Relaxed);
        let bucket = BUCKETS_US.iter().position(|max| us <= *max).unwrap_or(BUCKETS_US.len());
        self.connect_buckets[bucket].fetch_add(1, Relaxed);
    }

    /// Tunnels that are open.
    pub fn active(&self) -> u64 {
        self.kinds.iter().map(|k| k.active.load(Relaxed)).sum()
    }

    /// Tunnels that were opened for a kind of route.
    pub fn opened(&self, kind: Kind) -> u64 {
        self.kind(kind).opened.load(Relaxed)
    }

    /// Connections that were closed for this reason.
    pub fn refusals(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Relaxed)
    }

    /// Attempts to connect to a backend that failed.
    pub fn connect_failures(&self) -> u64 {
        self.connect_failures.load(Relaxed)
    }

    /// The text format of Prometheus, with `gauges` (name, help, value) of the caller's added.
    pub fn prometheus(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut out = String::new();
        let mut head = |name: &str, kind: &str, help: &str, lines: &mut dyn FnMut(&mut String)| {
            // Writing to a string cannot fail.
            let _ =
                writeln!(out, "# HELP praetor_gateway_{name} {help}\n# TYPE praetor_gateway_{name} {kind}");
            lines(&mut out);
        };
        let by_kind = |name: &'static str, value: fn(&OfKind) -> &AtomicU64| {
            move |out: &mut String| {
                for kind in Kind::ALL {
                    let n = value(self.kind(kind)).load(Relaxed);
                    let _ = writeln!(out, "praetor_gateway_{name}{{route=\"{}\"}} {n}", kind.label());
                }
            }
        };
        head("tunnels", "gauge", "Open tunnels.", &mut by_kind("tunnels", |k| &k.active));
        head(
            "tunnels_opened_total",
            "counter",
            "Tunnels since the start.",
            &mut by_kind("tunnels_opened_total", |k| &k.opened),
        );
        head(
            "received_bytes_total",
            "counter",
            "Bytes from clients to backends.",
            &mut by_kind("received_bytes_total", |k| &k.bytes_in),
        );
        head(
            "sent_bytes_total",
            "counter",
            "Bytes from backends to clients.",
            &mut by_kind("sent_bytes_total", |k| &k.bytes_out),
        );
        head("refused_total", "counter", "Connections closed before they became a tunnel.", &mut |out| {
            for why in Refusal::ALL {
                let _ = writeln!(
                    out,
                    "praetor_gateway_refused_total{{reason=\"{}\"}} {}",
                    why.label(),
                    self.refusals(why)
                );
            }
        });
        let mut plain = |name: &str, kind: &str, help: &str, n: u64| {
            head(name, kind, help, &mut |out| {
                let _ = writeln!(out, "praetor_gateway_{name} {n}");
            });
        };
        let failures = self.connect_failures.load(Relaxed);
        plain("connect_failures_total", "counter", "Failed attempts to connect to a backend.", failures);
        let errors = self.agent_errors.load(Relaxed);
        plain("agent_errors_total", "counter", "Reads of the agent's API that failed.", errors);
        let away = self.agent_away.load(Relaxed);
        plain("agent_away", "gauge", "1 while the agent does not answer.", away);
        let changes = self.table_changes.load(Relaxed);
        plain("routes_changes_total", "counter", "Tables of routes since the start.", changes);
        for (name, help, n) in gauges {
            plain(name, "gauge", help, *n);
        }
        head("connect_seconds", "histogram", "Time until a backend took the connection.", &mut |out| {
            let mut sum = 0;
            for (i, count) in self.connect_buckets.iter().enumerate() {
                sum += count.load(Relaxed);
                let le = BUCKETS_US.get(i).map_or("+Inf".to_owned(), |us| seconds(*us));
                let _ = writeln!(out, "praetor_gateway_connect_seconds_bucket{{le=\"{le}\"}} {sum}");
            }
            let total = seconds(self.connect_us.load(Relaxed));
            let _ = writeln!(
                out,
                "praetor_gateway_connect_seconds_sum {total}\npraetor_gateway_connect_seconds_count {sum}"
            );
        });
        out
    }
}

/// Microseconds as seconds, without rounding.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_order_of_their_counters() {
        for (i, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, i);
        }
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), i);
        }
    }

    #[test]
    fn prometheus_reads_it() {
        let m = Metrics::default();
        m.refused(Refusal::UnknownName);
        m.connected(Duration::from_micros(400));
        m.connected(Duration::from_secs(60));
        m.kind(Kind::LocalServer).bytes_in.fetch_add(7, Relaxed);
        let text = m.prometheus(&[("routes", "Names that are routed.", 3)]);
        for line in [
            "praetor_gateway_refused_total{reason=\"unknown_server_name\"} 1",
            "praetor_gateway_received_bytes_total{route=\"local_server\"} 7",
            "praetor_gateway_connect_seconds_bucket{le=\"0.0005\"} 1",
            "praetor_gateway_connect_seconds_bucket{le=\"10\"} 1",
            "praetor_gateway_connect_seconds_bucket{le=\"+Inf\"} 2",
            "praetor_gateway_connect_seconds_sum 60.0004",
            "praetor_gateway_connect_seconds_count 2",
            "praetor_gateway_routes 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} not in\n{text}");
        }
    }
}
