//! Takes the fields out of an event.

use std::fmt::{self, Debug, Write};
use tracing::field::{Field, Visit};

/// Message and fields of one event.
#[derive(Default, Debug)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) rest: Vec<(&'static str, Value)>,
}

/// A field's value.
#[derive(Debug)]
pub(super) enum Value {
    /// Shown quoted where it must be.
    Text(String),
    /// A number or boolean, shown as it is.
    Plain(serde_json::Value),
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            (name, value) => self.rest.push((name, value)),
        }
    }

    fn plain(&mut self, field: &Field, value: impl Into<serde_json::Value>) {
        self.put(field, Value::Plain(value.into()));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // `format_args!` messages and `%value` fields arrive here; both print as themselves.
        self.put(field, Value::Text(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.put(field, Value::Text(text));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.plain(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if needs_quotes(text) => write!(f, "{text:?}"),
            Self::Text(text) => f.write_str(text),
            Self::Plain(value) => write!(f, "{value}"),
        }
    }
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '"' || c == '=')
}
