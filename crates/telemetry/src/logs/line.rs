//! One event as a line.

use super::{
    Level,
    fields::{Fields, Value},
};
use jiff::{Timestamp, tz::TimeZone};
use std::fmt::Write;

/// An event ready to be written in either form.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) unix_ms: u64,
    pub(super) level: Level,
    pub(super) module: &'a str,
    pub(super) fields: Fields,
}

impl Line<'_> {
    /// `2006-01-02T15:04:05.000Z [INFO]  agent.http: message: key=value`, with a line end.
    pub(super) fn text(&self, zone: &TimeZone) -> String {
        let mut out = String::with_capacity(128);
        self.push_time(&mut out, zone, "%Y-%m-%dT%H:%M:%S%.3f");
        // Writing to a String cannot fail.
        let _ = write!(out, " {} ", self.level.bracketed());
        self.push_message(&mut out);
        out.push('\n');
        out
    }

    /// `agent.http: message: key=value`, as syslog gets it.
    pub(super) fn push_message(&self, out: &mut String) {
        let _ = write!(out, "{}: ", self.module);
        push_clean(out, &self.fields.message);
        if !self.fields.rest.is_empty() {
            out.push(':');
        }
        for (name, value) in &self.fields.rest {
            let _ = write!(out, " {name}={value}");
        }
    }

    /// The same as a JSON object, with a line end.
    pub(super) fn json(&self, zone: &TimeZone) -> String {
        let mut time = String::with_capacity(32);
        self.push_time(&mut time, zone, "%Y-%m-%dT%H:%M:%S%.6f");
        let mut map = serde_json::Map::new();
        for (key, value) in [
            ("@level", self.level.lower()),
            ("@message", self.fields.message.as_str()),
            ("@module", self.module),
            ("@timestamp", time.as_str()),
        ] {
            map.insert(key.to_owned(), value.into());
        }
        for (name, value) in &self.fields.rest {
            let value = match value {
                Value::Text(text) => text.clone().into(),
                Value::Plain(value) => value.clone(),
            };
            map.insert((*name).to_owned(), value);
        }
        let mut out = serde_json::Value::Object(map).to_string();
        out.push('\n');
        out
    }

    /// Local time; UTC shows as `Z`, other zones as `+0200`.
    fn push_time(&self, out: &mut String, zone: &TimeZone, form: &str) {
        let ms = i64::try_from(self.unix_ms).unwrap_or_default();
        let at = Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(zone.clone());
        let _ = write!(out, "{}", at.strftime(form));
        if at.offset().seconds() == 0 {
            out.push('Z');
        } else {
            let _ = write!(out, "{}", at.strftime("%z"));
        }
    }
}

/// Line ends and other control characters inside a message would let it forge lines.
fn push_clean(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
}
