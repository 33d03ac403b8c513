//! Lines of a recording.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// One recorded request or question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name.
    pub id: String,
    /// What it belongs to.
    #[serde(default)]
    pub area: String,
    /// Makes ready for what follows; counts only when it fails.
    #[serde(default)]
    pub setup: bool,
    /// What is asked by HTTP.
    #[serde(default)]
    pub(super) request: Option<Request>,
    /// What is asked by DNS.
    #[serde(default)]
    pub(super) question: Option<Question>,
    /// What must come back, by kind.
    pub(super) expect: Value,
    /// Values kept for later lines.
    #[serde(default)]
    pub(super) save: BTreeMap<String, String>,
    /// Lists whose order is free.
    #[serde(default)]
    pub(super) unordered: Vec<String>,
    /// How long it may take until the answer fits.
    #[serde(default)]
    pub(super) retry_s: u64,
    /// Sent while the first request blocks.
    #[serde(default)]
    pub(super) meanwhile: Option<Meanwhile>,
    /// For the reader.
    #[serde(default, rename = "note")]
    _note: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meanwhile {
    #[serde(default = "soon")]
    pub(super) after_ms: u64,
    pub(super) request: Request,
}

fn soon() -> u64 {
    200
}

/// What an HTTP answer must be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: Value,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Option<String>>,
    /// The outer level: whether it is compared at all.
    #[serde(default, deserialize_with = "present")]
    pub(super) body: Option<Value>,
    #[serde(default)]
    pub(super) raw: Option<String>,
    #[serde(default)]
    pub(super) elapsed_ms: Option<(u64, u64)>,
}

/// `null` is an expectation, too.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// One name or several.
    pub(super) name: Value,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) proto: String,
    #[serde(default)]
    pub(super) edns: Option<u16>,
    #[serde(default)]
    pub(super) subnet: Option<String>,
    #[serde(default)]
    pub(super) flags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) opcode: u16,
    #[serde(default = "internet")]
    pub(super) class: u16,
}

fn internet() -> u16 {
    1
}

pub(super) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// All lines of `golden/<recording>/cases.jsonl`.
///
/// # Errors
/// When the file cannot be read or a name appears twice.
pub fn cases(recording: &str) -> Result<Vec<Case>> {
    let path = folder(recording).join("cases.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let place = || format!("{}:{}", path.display(), i + 1);
        let case: Case = serde_json::from_str(line).with_context(place)?;
        if case.request.is_some() == case.question.is_some() {
            bail!("{}: either a request or a question", place());
        }
        if !seen.insert(case.id.clone()) {
            bail!("{}: {} is used twice", place(), case.id);
        }
        out.push(case);
    }
    Ok(out)
}
