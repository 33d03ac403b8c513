//! The effective settings as `/v1/agent/self` shows them. Secrets are replaced by `hidden`.

mod agent;
mod network;

use crate::{merge::Value, settings::RuntimeConfig};
use api::duration::{self, GoDuration};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;
use types::SecretToken;

/// All settings under the names that clients know.
pub fn debug_config(c: &RuntimeConfig) -> Json {
    let mut out = Map::new();
    for part in [
        agent::node(c),
        agent::process(c),
        agent::mesh(c),
        network::addresses(c),
        network::timing(c),
        network::consensus(c),
        network::answers(c),
    ] {
        if let Json::Object(part) = part {
            out.extend(part);
        }
    }
    Json::Object(out)
}

/// A time in Go's notation.
fn dur(d: Duration) -> Json {
    Json::String(duration::format(d))
}

/// A time as it was written: negative ones act as zero but are shown, and unset ones show `unset`.
fn written(c: &RuntimeConfig, path: &str, unset: Duration) -> Json {
    match c.written.get(path) {
        Some(Value::Text(s)) => Json::String(GoDuration(duration::parse_ns(s).unwrap_or(0)).to_string()),
        _ => dur(unset),
    }
}

/// A port; -1 = off.
fn port(p: Option<u16>) -> Json {
    json!(p.map_or(-1, i64::from))
}

/// A rate; none is the largest number.
fn rate(r: Option<f64>) -> Json {
    json!(r.unwrap_or(f64::MAX))
}

/// Whether there is a secret, and no more.
fn secret(t: &SecretToken) -> Json {
    hidden(!t.is_empty())
}

fn hidden(set: bool) -> Json {
    Json::String(if set { "hidden" } else { "" }.to_owned())
}

#[cfg(test)]
mod tests;
