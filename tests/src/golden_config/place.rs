//! A temporary home of one case: files, data directory, ports.

use super::Case;
use crate::process::free_ports;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

pub(super) struct Place {
    top: TempDir,
    ports: BTreeMap<String, u16>,
}

impl Place {
    pub(super) fn new(case: &Case, all_text: &str) -> Result<Self> {
        let top = tempfile::Builder::new().prefix("gc-").tempdir()?;
        fs::create_dir(top.path().join("conf"))?;
        let names: Vec<String> = std::iter::once("@HTTP@".to_owned())
            .chain((1..10).map(|i| format!("@P{i}@")))
            .filter(|n| all_text.contains(n.as_str()))
            .collect();
        let ports = names.iter().cloned().zip(free_ports(names.len())?).collect();
        let place = Self { top, ports };
        place.write(&case.files)?;
        Ok(place)
    }
    pub(super) fn top(&self) -> &Path {
        self.top.path()
    }
    pub(super) fn conf(&self) -> PathBuf {
        self.top.path().join("conf")
    }
    pub(super) fn data(&self) -> PathBuf {
        self.top.path().join("data")
    }
    pub(super) fn http(&self) -> Result<u16> {
        self.ports.get("@HTTP@").copied().context("the case has no @HTTP@")
    }
    pub(super) fn write(&self, files: &BTreeMap<String, String>) -> Result<()> {
        for (name, text) in files {
            let path = self.conf().join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, self.fill(text))?;
        }
        Ok(())
    }
    /// Placeholders to what they stand for.
    pub(super) fn fill(&self, text: &str) -> String {
        let text = text
            .replace("@DATA@", &self.data().display().to_string())
            .replace("@DIR@", &self.conf().display().to_string());
        self.fill_ports(&text)
    }
    pub(super) fn fill_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |t, (name, port)| t.replace(name, &port.to_string()))
    }
    /// Placeholders in expected values; one alone is a number.
    pub(super) fn fill_value(&self, v: &Value) -> Value {
        match v {
            Value::String(s) => {
                self.ports.get(s).map_or_else(|| Value::from(self.fill(s)), |p| Value::from(*p))
            }
            Value::Array(l) => l.iter().map(|x| self.fill_value(x)).collect(),
            Value::Object(o) => {
                Value::Object(o.iter().map(|(k, x)| (k.clone(), self.fill_value(x))).collect())
            }
            other => other.clone(),
        }
    }
    /// Paths back to their placeholders.
    pub(super) fn plain(&self, text: &str) -> String {
        text.replace(&self.conf().display().to_string(), "@DIR@")
            .replace(&self.data().display().to_string(), "@DATA@")
    }
    /// What `text` lacks.
    pub(super) fn lacks(&self, what: &str, wanted: &[&str], text: &str) -> Vec<String> {
        wanted
            .iter()
            .map(|w| self.fill_ports(w))
            .filter(|w| !text.contains(w.as_str()))
            .map(|w| format!("{what} lacks {w:?}; got {:?}", tail(text, 600)))
            .collect()
    }
}

pub(super) fn tail(text: &str, chars: usize) -> String {
    let skip = text.chars().count().saturating_sub(chars);
    text.chars().skip(skip).collect()
}
