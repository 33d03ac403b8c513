//! The format of `cases.jsonl` and `known_gaps.jsonl`.

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};

/// One step: a command line, or an HTTP request instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are described in golden/cli/README.md")]
pub struct Case {
    pub id: String,
    pub group: String,
    #[serde(default)]
    pub server: Option<String>,
    #[serde(default)]
    pub anonymous: bool,
    #[serde(default)]
    pub cmd: Vec<String>,
    pub http: Option<HttpStep>,
    pub stdin: Option<String>,
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    #[serde(default)]
    pub env: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    #[serde(default)]
    pub norm: Vec<(String, String)>,
    #[serde(default)]
    pub retry_s: f64,
    pub interrupt_after: Option<f64>,
    pub limit: Option<f64>,
    pub expect: Expect,
}

/// A request in place of a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "plain HTTP words")]
pub struct HttpStep {
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub body: String,
}

/// What must come out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are described in golden/cli/README.md")]
pub struct Expect {
    #[serde(default)]
    pub exit: i32,
    #[serde(default)]
    pub status: u16,
    pub stdout: Option<Value>,
    #[serde(default)]
    pub stderr_contains: Vec<String>,
    #[serde(default)]
    pub files: BTreeMap<String, Option<FileExpect>>,
}

/// A file that must exist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are described in golden/cli/README.md")]
pub struct FileExpect {
    pub mode: Option<String>,
    pub text: Option<String>,
    pub begins: Option<String>,
    #[serde(default)]
    pub x509: Vec<String>,
    #[serde(default)]
    pub x509_not: Vec<String>,
}

/// A case or a whole group that is not expected to pass yet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "one of case and group, and why")]
pub struct Gap {
    pub case: Option<String>,
    pub group: Option<String>,
    pub reason: String,
}

/// All recorded cases, in order.
pub fn cases() -> Result<Vec<Case>> {
    lines("cases.jsonl")
}

/// All known gaps.
pub fn gaps() -> Result<Vec<Gap>> {
    lines("known_gaps.jsonl")
}

fn lines<T: DeserializeOwned>(name: &str) -> Result<Vec<T>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/cli").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let numbered = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    numbered.map(|(n, l)| serde_json::from_str(l).with_context(|| format!("{name}:{}", n + 1))).collect()
}
