//! Reading of merged settings: defaults are applied where a value is read, bad values are collected.

use crate::{
    merge::{Settings, Value},
    settings::Cidr,
};
use api::duration;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use types::Str;

/// Reads values by dotted path and remembers what was wrong with them.
pub(super) struct Reader<'a> {
    settings: &'a Settings,
    errors: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
    /// What was asked for, so that a test can tell keys that nothing reads.
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self { settings, errors: RefCell::default(), warnings: RefCell::default(), read: RefCell::default() }
    }
    pub(super) fn get(&self, path: &str) -> Option<&'a Value> {
        if cfg!(test) {
            self.read.borrow_mut().insert(path.to_owned());
        }
        self.settings.get(path)
    }
    pub(super) fn settings(&self) -> &'a Settings {
        self.settings
    }
    #[cfg(test)]
    pub(super) fn paths_read(&self) -> BTreeSet<String> {
        self.read.borrow().clone()
    }
    pub(super) fn error(&self, text: impl Into<String>) {
        let text = text.into();
        let mut errors = self.errors.borrow_mut();
        if !errors.contains(&text) {
            errors.push(text);
        }
    }
    pub(super) fn warn(&self, text: impl Into<String>) {
        self.warnings.borrow_mut().push(text.into());
    }
    pub(super) fn take_errors(&self) -> Vec<String> {
        self.errors.take()
    }
    pub(super) fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    pub(super) fn is_set(&self, path: &str) -> bool {
        self.get(path).is_some()
    }
    pub(super) fn bool(&self, path: &str, default: bool) -> bool {
        match self.get(path) {
            Some(Value::Bool(b)) => *b,
            _ => default,
        }
    }
    pub(super) fn int(&self, path: &str, default: i64) -> i64 {
        match self.get(path) {
            Some(Value::Int(n)) => *n,
            _ => default,
        }
    }
    /// An integer of a setting that cannot be negative; a negative value becomes 0.
    pub(super) fn unsigned(&self, path: &str, default: u64) -> u64 {
        match self.get(path) {
            Some(Value::Int(n)) => u64::try_from(*n).unwrap_or(0),
            _ => default,
        }
    }
    pub(super) fn u32(&self, path: &str, default: u32) -> u32 {
        u32::try_from(self.unsigned(path, u64::from(default))).unwrap_or(u32::MAX)
    }
    /// A rate; a negative one is none.
    pub(super) fn rate(&self, path: &str, default: Option<f64>) -> Option<f64> {
        match self.get(path) {
            Some(Value::Float(v)) => (*v >= 0.0).then_some(*v),
            _ => default,
        }
    }
    pub(super) fn text(&self, path: &str) -> &'a str {
        self.text_or(path, "")
    }
    pub(super) fn text_or(&self, path: &str, default: &'a str) -> &'a str {
        match self.get(path) {
            Some(Value::Text(s)) => s.as_str(),
            _ => default,
        }
    }
    pub(super) fn str(&self, path: &str) -> Str {
        Str::new(self.text(path))
    }
    /// The text, unless it is empty.
    pub(super) fn filled(&self, path: &str) -> Option<&'a str> {
        Some(self.text(path)).filter(|s| !s.is_empty())
    }
    pub(super) fn duration(&self, path: &str, default: Duration) -> Duration {
        self.duration_named(path, path, default)
    }
    /// As [`Self::duration`], with another name in the message.
    pub(super) fn duration_named(&self, path: &str, shown: &str, default: Duration) -> Duration {
        match self.get(path) {
            Some(Value::Text(s)) => self.parse_duration(shown, s),
            _ => default,
        }
    }
    pub(super) fn parse_duration(&self, shown: &str, text: &str) -> Duration {
        duration::parse(text).unwrap_or_else(|e| {
            self.error(invalid_duration(shown, text, &e));
            Duration::ZERO
        })
    }
    pub(super) fn texts(&self, path: &str) -> Vec<Str> {
        match self.get(path) {
            Some(Value::List(l)) => l.iter().filter_map(as_text).cloned().collect(),
            _ => Vec::new(),
        }
    }
    pub(super) fn text_map(&self, path: &str) -> BTreeMap<Str, Str> {
        match self.get(path) {
            Some(Value::Map(m)) => {
                m.0.iter().filter_map(|(k, v)| Some((k.clone(), as_text(v)?.clone()))).collect()
            }
            _ => BTreeMap::new(),
        }
    }
    /// Networks; bad ones are returned as written.
    pub(super) fn cidrs(&self, path: &str) -> (Vec<Cidr>, Vec<Str>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for text in self.texts(path) {
            match Cidr::parse(&text) {
                Some(c) => good.push(c),
                None => bad.push(text),
            }
        }
        (good, bad)
    }
}

/// The text of a bad duration.
pub(crate) fn invalid_duration(shown: &str, text: &str, e: &duration::DurationError) -> String {
    format!("{shown}: invalid duration: {}: {e}", crate::quote(text))
}

fn as_text(v: &Value) -> Option<&Str> {
    if let Value::Text(s) = v { Some(s) } else { None }
}
