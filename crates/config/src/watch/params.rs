//! Parameters of a watch, taken out one by one.

use serde_json::{Map, Value as Json};
use types::Str;

pub(super) struct Params {
    rest: Map<String, Json>,
    shown: String,
}

impl Params {
    pub(super) fn new(raw: Map<String, Json>) -> Self {
        let mut shown = raw.clone();
        for (key, value) in &mut shown {
            if key == "token" || key == "http_handler_config" {
                *value = Json::from("hidden");
            }
        }
        Self { rest: raw, shown: Json::Object(shown).to_string() }
    }
    /// All parameters without secrets.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
    pub(super) fn drop_keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.rest.remove(*key);
        }
    }
    pub(super) fn text(&mut self, key: &str) -> Result<Str, String> {
        match self.rest.remove(key) {
            None | Some(Json::Null) => Ok(Str::default()),
            Some(Json::String(s)) => Ok(Str::from(s)),
            Some(_) => Err(format!("Expecting {key} to be a string")),
        }
    }
    pub(super) fn bool(&mut self, key: &str) -> Result<bool, String> {
        match self.rest.remove(key) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(b)) => Ok(b),
            Some(Json::String(s)) if s == "true" || s == "false" => Ok(s == "true"),
            Some(_) => Err(format!("Expecting {key} to be a boolean")),
        }
    }
    /// A text or a list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<Str>, String> {
        let wrong = || format!("Expecting {key} to be a string or []string");
        match self.rest.remove(key) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::String(s)) => Ok(vec![Str::from(s)]),
            Some(Json::Array(l)) => l.iter().map(|v| v.as_str().map(Str::new).ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }
    pub(super) fn object(&mut self, key: &str) -> Option<Self> {
        match self.rest.remove(key) {
            Some(Json::Object(o)) => Some(Self::new(o)),
            _ => None,
        }
    }
    /// Header lists; a single text stands for a list of one.
    pub(super) fn headers(&mut self, key: &str) -> Vec<(Str, Vec<Str>)> {
        let Some(Json::Object(o)) = self.rest.remove(key) else { return Vec::new() };
        let list = |v: &Json| match v {
            Json::String(s) => vec![Str::new(s)],
            Json::Array(l) => l.iter().filter_map(Json::as_str).map(Str::new).collect(),
            _ => Vec::new(),
        };
        o.iter().map(|(k, v)| (Str::new(k), list(v))).collect()
    }
    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.rest.keys().map(String::as_str).collect();
        Err(format!("Invalid parameters: [{}]", names.join(" ")))
    }
}
