//! Replays recorded HTTP requests and DNS questions of a real Consul against one agent.
//!
//! Every line is replayed in order, because each builds on what those before it left behind.
//! `golden/http/README.md` says what a line holds.

mod agent;
mod case;
mod client;
mod compare;
mod dns;
mod exchange;
mod gaps;
mod pattern;
mod replay;
mod wire;

pub use case::{Case, cases};
pub use gaps::{Gap, gaps, settle};
pub use replay::{Outcome, replay};

use serde_json::Value;
use std::collections::BTreeMap;

/// Saved values by name.
type Vars = BTreeMap<String, Value>;

/// One difference: where, what was expected and what came; `None` is absent.
#[derive(Clone, Debug, PartialEq)]
struct Diff {
    path: String,
    expected: Option<Value>,
    got: Option<Value>,
}

impl Diff {
    fn new(path: impl Into<String>, expected: Option<&Value>, got: Option<&Value>) -> Self {
        Self { path: path.into(), expected: expected.cloned(), got: got.cloned() }
    }
    fn text(path: impl Into<String>, expected: impl Into<Value>, got: impl Into<Value>) -> Self {
        Self { path: path.into(), expected: Some(expected.into()), got: Some(got.into()) }
    }
}

impl std::fmt::Display for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |v: &Option<Value>| match v {
            None => "(absent)".to_owned(),
            Some(v) => short(&v.to_string(), 220),
        };
        write!(f, "{}: expected {}, got {}", self.path, show(&self.expected), show(&self.got))
    }
}

fn short(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…({})", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}
