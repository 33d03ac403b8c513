//! The Prometheus text form: totals since start, gauges, and quantiles of the last interval.

use super::{
    histogram::quantile,
    registry::{Key, Metrics},
};
use std::{fmt::Write, sync::atomic::Ordering};

/// Content type of the text form.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// All series as Prometheus text (exposition format 0.0.4).
    pub fn prometheus(&self) -> String {
        self.tick();
        self.refresh_runtime();
        let filter = self.0.filter.read().clone();
        let tables = self.0.tables.read();
        let mut out = Writer::default();
        for (key, cell) in &tables.gauges {
            if cell.set.load(Ordering::Relaxed) && filter.allows(&key.name) {
                out.head(key, "gauge");
                out.line(key, "", None, f64::from_bits(cell.bits.load(Ordering::Relaxed)));
            }
        }
        for (key, series) in &tables.counters {
            if filter.allows(&key.name) {
                series.drain();
                out.head(key, "counter");
                out.line(key, "", None, series.figures.lock().total.sum);
            }
        }
        for (key, series) in &tables.samples {
            if filter.allows(&key.name) {
                series.drain();
                let figures = series.figures.lock();
                out.head(key, "summary");
                for (q, label) in [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")] {
                    let value = figures.sizes.as_deref().and_then(|s| quantile(s, q));
                    out.line(key, "", Some(label), value.unwrap_or(f64::NAN));
                }
                out.line(key, "_sum", None, figures.total.sum);
                out.line(key, "_count", None, figures.total.count as f64);
            }
        }
        out.text
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Name of the family whose head was written last: series are sorted by name, so families stay together.
    family: String,
}

impl Writer {
    fn head(&mut self, key: &Key, kind: &str) {
        let name = metric_name(&key.name);
        if name != self.family {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "# HELP {name} {name}\n# TYPE {name} {kind}");
            self.family = name;
        }
    }

    fn line(&mut self, key: &Key, suffix: &str, quantile: Option<&str>, value: f64) {
        let _ = write!(self.text, "{}{suffix}", self.family);
        let labels = key.labels.iter().map(|(k, v)| (metric_name(k), v.as_str()));
        let all: Vec<_> = labels.chain(quantile.map(|q| ("quantile".to_owned(), q))).collect();
        for (i, (k, v)) in all.iter().enumerate() {
            let _ = write!(self.text, "{}{k}=\"{}\"", if i == 0 { '{' } else { ',' }, escaped(v));
        }
        if !all.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// Letters, digits, `_` and `:`; anything else becomes `_`.
fn metric_name(name: &str) -> String {
    let clean = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' });
    let mut out: String = clean.collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
