//! How far a watch is.

use crate::{Request, request, result};
use config::watch::{Plan, Target};
use std::time::Duration;

/// Wait after the first failure; it grows with the square of failures in a row.
const RETRY: Duration = Duration::from_secs(5);
/// Longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(180);

/// After what a watch waits for news.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Position {
    /// Nothing was seen yet.
    #[default]
    Start,
    /// An index of the API.
    Index(u64),
    /// A hash of what was answered.
    Hash(String),
}

/// One watch.
#[derive(Debug)]
pub struct Progress {
    plan: Plan,
    position: Position,
    last: Option<String>,
    failures: u32,
}

/// What an answer means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing new: ask again.
    Quiet,
    /// Something changed: call the handler, then ask again.
    Fire {
        /// `CONSUL_INDEX` of the handler.
        index: String,
        /// What it reads: compact JSON.
        json: String,
    },
}

impl Progress {
    /// At the start.
    pub fn new(plan: Plan) -> Self {
        Self { plan, position: Position::Start, last: None, failures: 0 }
    }

    /// What is watched.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What to ask next.
    pub fn request(&self) -> Request {
        request(&self.plan, &self.position)
    }

    /// Takes an answer: `index` of its header (0 if none), its hash, and the body, or `None` if there is nothing (404).
    ///
    /// # Errors
    /// The body is not what the API promises; counts as a failure, see [`Progress::failed`].
    pub fn answered(&mut self, index: u64, hash: Option<&str>, body: Option<&str>) -> Result<Step, String> {
        let seen = if let Position::Index(seen) = self.position { seen } else { 0 };
        let json = result::of(&self.plan.target, body, seen)?;
        self.failures = 0;
        let position = match (&self.plan.target, hash) {
            (Target::AgentService(_), Some(hash)) => Position::Hash(hash.to_owned()),
            _ => Position::Index(index),
        };
        if position == self.position {
            return Ok(Step::Quiet);
        }
        let shown = match &position {
            Position::Index(index) => index.to_string(),
            Position::Hash(hash) => hash.clone(),
            Position::Start => String::new(),
        };
        // An index that went back, as after a restored snapshot, tells nothing: the next question is answered at once. The
        // indexes of events are in no order.
        let backwards = index < seen && !matches!(self.plan.target, Target::Event(_));
        self.position = if backwards { Position::Start } else { position };
        let first = self.last.is_none();
        if self.last.as_deref() == Some(json.as_str()) {
            return Ok(Step::Quiet);
        }
        if !first && matches!(self.plan.target, Target::Event(_)) && json == "[]" {
            return Ok(Step::Quiet);
        }
        self.last = Some(json.clone());
        Ok(Step::Fire { index: shown, json })
    }

    /// Counts a failure; how long to wait before asking again.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        RETRY.saturating_mul(self.failures.saturating_mul(self.failures)).min(RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn watch(params: serde_json::Value) -> Progress {
        Progress::new(config::watch::plan(params.as_object().unwrap().clone()).unwrap())
    }

    fn fires(step: Result<Step, String>) -> bool {
        matches!(step.unwrap(), Step::Fire { .. })
    }

    #[test]
    fn fires_at_first_and_on_each_difference() {
        let mut w = watch(json!({"type": "services"}));
        assert!(fires(w.answered(5, None, Some("{}"))));
        // The wait ran out.
        assert!(!fires(w.answered(5, None, Some("{}"))));
        // Another row of the table changed.
        assert!(!fires(w.answered(6, None, Some("{ }"))));
        assert_eq!(w.request().query, [("index", "6".to_owned())]);
        assert!(fires(w.answered(7, None, Some(r#"{"a":[]}"#))));
        // Restored: asks afresh, and tells what is new.
        assert!(fires(w.answered(3, None, Some("{}"))));
        assert_eq!(w.request().query, []);
        assert!(!fires(w.answered(3, None, Some("{}"))));
        assert_eq!(w.request().query, [("index", "3".to_owned())]);
    }

    #[test]
    fn a_missing_key_is_told_once() {
        let mut w = watch(json!({"type": "key", "key": "k"}));
        let told = w.answered(9, None, None).unwrap();
        assert_eq!(told, Step::Fire { index: "9".into(), json: "null".into() });
        assert!(!fires(w.answered(11, None, None)));
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_three_minutes() {
        let mut w = watch(json!({"type": "nodes"}));
        let waits: Vec<u64> = (0..7).map(|_| w.failed().as_secs()).collect();
        assert_eq!(waits, [5, 20, 45, 80, 125, 180, 180]);
        assert!(w.answered(1, None, Some("no json")).is_err());
        w.answered(1, None, Some("[]")).unwrap();
        assert_eq!(w.failed().as_secs(), 5);
    }
}
