//! The JSON form: what `/v1/agent/metrics` answers.

use super::{
    INTERVAL_MS,
    aggregate::Aggregate,
    registry::{Key, Metrics, Series},
};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// One interval. The field names are those of the HTTP API.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    /// Start of the interval, `2006-01-02 15:04:05 +0000 UTC`.
    pub timestamp: String,
    /// Gauges by name.
    pub gauges: Vec<DisplayGauge>,
    /// Always empty; Consul has the field.
    pub points: Vec<()>,
    /// Counters that moved.
    pub counters: Vec<DisplaySample>,
    /// Samples that were taken.
    pub samples: Vec<DisplaySample>,
}

/// A gauge.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DisplayGauge {
    /// Full name.
    pub name: String,
    /// Value.
    #[serde(serialize_with = "go_float")]
    pub value: f64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A counter or sample.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "field names are those of the HTTP API")]
pub struct DisplaySample {
    pub name: String,
    pub count: u64,
    #[serde(serialize_with = "go_float")]
    pub rate: f64,
    #[serde(serialize_with = "go_float")]
    pub sum: f64,
    #[serde(serialize_with = "go_float")]
    pub min: f64,
    #[serde(serialize_with = "go_float")]
    pub max: f64,
    #[serde(serialize_with = "go_float")]
    pub mean: f64,
    #[serde(serialize_with = "go_float")]
    pub stddev: f64,
    pub labels: BTreeMap<String, String>,
}

/// Whole numbers without a fraction, as other encoders of this API write them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn go_float<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
    // Below 2^53 every whole float is an exact integer.
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        s.serialize_i64(*value as i64)
    } else if value.is_finite() {
        s.serialize_f64(*value)
    } else {
        s.serialize_i64(0)
    }
}

impl Metrics {
    /// The last complete interval, or the filling one during the first ten seconds.
    pub fn display(&self) -> Summary {
        self.tick();
        self.refresh_runtime();
        let complete = self.0.completed.load(Ordering::Relaxed);
        let filter = self.0.filter.read().clone();
        let tables = self.0.tables.read();
        let start = if complete == 0 { *self.0.interval.lock() } else { complete };
        let rows = |series: &BTreeMap<Key, Arc<Series>>| {
            series
                .iter()
                .filter(|(key, _)| filter.allows(&key.name))
                .filter_map(|(key, series)| row(key, &figures(series, complete != 0)))
                .collect()
        };
        Summary {
            timestamp: timestamp(start),
            gauges: tables
                .gauges
                .iter()
                .filter(|(key, cell)| cell.set.load(Ordering::Relaxed) && filter.allows(&key.name))
                .map(|(key, cell)| DisplayGauge {
                    name: key.name.clone(),
                    value: f64::from_bits(cell.bits.load(Ordering::Relaxed)),
                    labels: key.labels.iter().cloned().collect(),
                })
                .collect(),
            points: Vec::new(),
            counters: rows(&tables.counters),
            samples: rows(&tables.samples),
        }
    }
}

fn figures(series: &Series, complete: bool) -> Aggregate {
    if !complete {
        series.drain();
    }
    let f = series.figures.lock();
    if complete { f.last } else { f.current }
}

fn row(key: &Key, a: &Aggregate) -> Option<DisplaySample> {
    (a.count > 0).then(|| DisplaySample {
        name: key.name.clone(),
        count: a.count,
        rate: a.sum / (INTERVAL_MS as f64 / 1000.0),
        sum: a.sum,
        min: a.min,
        max: a.max,
        mean: a.mean(),
        stddev: a.stddev(),
        labels: key.labels.iter().cloned().collect(),
    })
}

fn timestamp(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
}
