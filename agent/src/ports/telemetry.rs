//! Metrics and the monitor stream.

use crate::Agent;
use bytes::Bytes;
use http_api::port::{LogLevel, TelemetryPort};
use std::time::Duration;
use telemetry::Level;
use tokio::sync::mpsc;

/// Chunks that wait for a reader.
const STREAM_QUEUE: usize = 16;
/// How long lines gather before they are sent.
const FLUSH: Duration = Duration::from_millis(200);

impl TelemetryPort for Agent {
    fn admit(&self, writes: bool) -> Result<(), types::RequestError> {
        self.service.admit(writes)
    }
    fn metrics_json(&self) -> Bytes {
        self.sample_metrics();
        serde_json::to_vec(&self.metrics.display()).unwrap_or_default().into()
    }

    fn metrics_prometheus(&self) -> Option<Bytes> {
        self.sample_metrics();
        self.metrics.prometheus_enabled().then(|| self.metrics.prometheus().into())
    }

    fn request_done(&self, route: &'static str, method: &str, took: Duration) {
        self.api_times.record(route, method, took);
    }

    fn metrics_stream(&self) -> mpsc::Receiver<Bytes> {
        let (tx, rx) = mpsc::channel(STREAM_QUEUE);
        let (metrics, mut intervals) = (self.metrics.clone(), self.metrics.intervals());
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("metrics stream", async move {
            loop {
                tokio::select! {
                    () = shutdown.wait() => return,
                    () = tx.closed() => return,
                    next = intervals.changed() => if next.is_err() { return },
                }
                let mut text = serde_json::to_vec_pretty(&metrics.display()).unwrap_or_default();
                text.push(b'\n');
                // A reader that cannot follow misses an interval.
                let _ = tx.try_send(text.into());
            }
        });
        rx
    }

    fn monitor(&self, level: LogLevel, json: bool) -> mpsc::Receiver<Bytes> {
        let (tx, rx) = mpsc::channel(STREAM_QUEUE);
        let level = match level {
            LogLevel::Trace => Level::Trace,
            LogLevel::Debug => Level::Debug,
            LogLevel::Info => Level::Info,
            LogLevel::Warn => Level::Warn,
            LogLevel::Error => Level::Error,
        };
        let Ok(mut lines) = self.world.logs.subscribe(level, json) else { return rx };
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("monitor", async move {
            loop {
                let line = tokio::select! {
                    () = shutdown.wait() => return,
                    () = tx.closed() => return,
                    line = lines.recv() => match line { Some(line) => line, None => return },
                };
                let mut chunk = line.as_bytes().to_vec();
                tokio::time::sleep(FLUSH).await;
                while let Some(line) = lines.try_recv() {
                    chunk.extend_from_slice(line.as_bytes());
                }
                if tx.send(chunk.into()).await.is_err() {
                    return;
                }
            }
        });
        rx
    }
}
