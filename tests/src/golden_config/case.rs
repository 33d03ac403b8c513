//! Cases and known gaps.

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf};

/// One recorded configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name.
    pub id: String,
    /// Files by name.
    pub files: BTreeMap<String, String>,
    /// Further arguments of `agent`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Arguments of `validate`.
    #[serde(default)]
    pub validate_args: Vec<String>,
    /// Token of requests.
    #[serde(default)]
    pub token: String,
    /// What must come out.
    pub expect: Expect,
}

/// What must come out of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Exit code of `validate`.
    pub validate_exit: i32,
    /// Parts of its output.
    #[serde(default)]
    pub error_contains: Texts,
    /// Parts of its output.
    #[serde(default)]
    pub warnings_contain: Texts,
    /// Its whole standard output.
    #[serde(default)]
    pub validate_stdout: Option<String>,
    /// Parts of what a running agent shows.
    #[serde(default)]
    pub runtime: Option<Value>,
    /// How an agent ends at once.
    #[serde(default)]
    pub start: Option<Start>,
    /// What a reload does.
    #[serde(default)]
    pub reload: Option<Reload>,
}

/// How an agent ends at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Exit code.
    pub exit: i32,
    /// Parts of its output.
    #[serde(default)]
    pub error_contains: Texts,
}

/// What a reload does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Files that are written before.
    pub files: BTreeMap<String, String>,
    /// Whether it succeeds.
    pub ok: bool,
    /// Parts of the answer.
    #[serde(default)]
    pub error_contains: Texts,
    /// Parts of what the agent shows then.
    #[serde(default)]
    pub runtime: Option<Value>,
    /// What is not there any more.
    #[serde(default)]
    pub gone: Vec<String>,
}

/// One text or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// None.
    #[default]
    None,
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// All of them.
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::One(s) => vec![s],
            Self::Many(l) => l.iter().map(String::as_str).collect(),
        }
    }
}

impl Case {
    /// Whether an agent has to be started.
    pub fn needs_agent(&self) -> bool {
        self.expect.runtime.is_some() || self.expect.start.is_some() || self.expect.reload.is_some()
    }
}

/// A case that is known not to pass.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Name of the case.
    pub case: String,
    /// Which part of it: `verdicts` or `agents`.
    pub part: String,
    /// Why.
    pub reason: String,
}

fn lines<T: DeserializeOwned>(name: &str) -> Result<Vec<T>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/config").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let read = |(i, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), i + 1))
    };
    text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()).map(read).collect()
}

/// All cases.
///
/// # Errors
/// When the file cannot be read.
pub fn cases() -> Result<Vec<Case>> {
    lines("cases.jsonl")
}

/// Cases known not to pass.
///
/// # Errors
/// When the file cannot be read.
pub fn gaps() -> Result<Vec<Gap>> {
    lines("known_gaps.jsonl")
}

/// An object's keys, or none.
pub(super) fn object(v: Option<&Value>) -> Map<String, Value> {
    v.and_then(Value::as_object).cloned().unwrap_or_default()
}
