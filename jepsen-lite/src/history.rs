//! What clients did and when: one record a call, kept as JSON lines.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
};

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It happened, and the record has the answer.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may have happened, may happen later, or never: the answer did not come.
    Info,
}

/// One call: what was asked, what was answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call<O> {
    /// Who called; a client makes one call at a time.
    pub client: usize,
    /// What the call is about: histories of different keys do not touch each other.
    pub key: String,
    /// The operation with its answer, if it has one.
    pub op: O,
    /// How it ended.
    pub outcome: Outcome,
    /// When the client began to send, µs since the start of the run.
    pub start: u64,
    /// When it had the answer, or gave up.
    pub end: u64,
    /// The server that was asked, from 0.
    pub server: usize,
    /// Why there was no answer; empty if there was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl<O> Call<O> {
    /// When it can have happened at the latest; `None` if that has no end.
    pub fn deadline(&self) -> Option<u64> {
        (self.outcome == Outcome::Ok).then_some(self.end)
    }
}

/// Calls by key, each list in order of start; what certainly did not happen is left out.
pub fn by_key<O: Clone>(calls: &[Call<O>]) -> BTreeMap<String, Vec<Call<O>>> {
    let mut out = BTreeMap::<String, Vec<Call<O>>>::new();
    for call in calls.iter().filter(|c| c.outcome != Outcome::Fail) {
        out.entry(call.key.clone()).or_default().push(call.clone());
    }
    for list in out.values_mut() {
        list.sort_by_key(|c| c.start);
    }
    out
}

/// Writes one JSON object a line.
///
/// # Errors
/// Those of the writer.
pub fn write<O: Serialize>(calls: &[Call<O>], mut to: impl Write) -> io::Result<()> {
    for call in calls {
        serde_json::to_writer(&mut to, call)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// With the number of the line that is not a call.
pub fn read<O: for<'de> Deserialize<'de>>(from: impl BufRead) -> io::Result<Vec<Call<O>>> {
    let parse = |(n, line): (usize, io::Result<String>)| {
        serde_json::from_str(&line?)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {e}", n + 1)))
    };
    from.lines().enumerate().map(parse).collect()
}

/// The longest time in which no call that `counts` was answered, µs, between the start and the end of the run.
pub fn longest_gap<O>(calls: &[Call<O>], end: u64, counts: impl Fn(&O) -> bool) -> u64 {
    let mut ends: Vec<u64> =
        calls.iter().filter(|c| c.outcome == Outcome::Ok && counts(&c.op)).map(|c| c.end).collect();
    ends.push(end);
    ends.sort_unstable();
    let mut last = 0;
    ends.into_iter().map(|at| at.saturating_sub(std::mem::replace(&mut last, at))).max().unwrap_or(0)
}
