//! Takes out of a text what differs from run to run.

use super::server::{NODE_ID, PORT_NAMES, ROOT_TOKEN};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

static UUID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( [A-Z]+)?( m=\S+)?")
});
static INDEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(CreateIndex|ModifyIndex) +\d+"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of ours")
}

/// Fields that are not compared.
const VOLATILE: [&str; 12] = [
    "CreateIndex",
    "ModifyIndex",
    "Hash",
    "CreateTime",
    "CreatedAt",
    "UpdatedAt",
    "LastIndex",
    "LastTerm",
    "StableSince",
    "LastContact",
    "SyntheticNodeID",
    "LTime",
];

/// What is special to one run.
pub(super) struct Normal {
    pub(super) work: String,
    pub(super) data: String,
    pub(super) ports: [u16; 6],
}

impl Normal {
    /// With blanks collapsed, as texts are compared.
    pub(super) fn text(&self, text: &str) -> String {
        let lines = self.exact(text);
        lines.split('\n').map(collapse).collect::<Vec<_>>().join("\n")
    }

    /// With blanks kept.
    pub(super) fn exact(&self, text: &str) -> String {
        let mut text = text.replace(&self.work, "@DIR@").replace(&self.data, "@DATA@");
        for known in [NODE_ID, ROOT_TOKEN] {
            text = text.replace(known, &known.replace('-', "_"));
        }
        text = UUID.replace_all(&text, "<uuid>").into_owned();
        text = text
            .replace(&NODE_ID.replace('-', "_"), "<node-id>")
            .replace(&ROOT_TOKEN.replace('-', "_"), "<root-token>");
        for (port, name) in self.ports.iter().zip(PORT_NAMES) {
            text = replace_number(&text, &port.to_string(), &format!("<{name}>"));
        }
        text = TIME.replace_all(&text, "<time>").into_owned();
        INDEX.replace_all(&text, "${1}  N").into_owned()
    }

    /// A JSON value with the volatile fields left out.
    pub(super) fn json(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(k, _)| !VOLATILE.contains(&k.as_str()))
                .map(|(k, v)| (self.text(k), self.json(v)))
                .collect(),
            Value::Array(list) => list.iter().map(|v| self.json(v)).collect(),
            Value::String(text) => self.exact(text).into(),
            Value::Number(n) => {
                let port = self.ports.iter().position(|p| n.as_u64() == Some(u64::from(*p)));
                port.map_or_else(|| value.clone(), |i| format!("<{}>", PORT_NAMES[i]).into())
            }
            other => other.clone(),
        }
    }
}

/// Replaces `number` where it stands alone: no digit or dot before it, no digit after.
fn replace_number(text: &str, number: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(number) {
        let (before, after) = (&rest[..at], &rest[at + number.len()..]);
        out.push_str(before);
        let alone = !out.ends_with(|c: char| c.is_ascii_digit() || c == '.')
            && !after.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if alone { by } else { number });
        rest = after;
    }
    out + rest
}

/// Two or more blanks after a word become two; blanks at the end go.
fn collapse(line: &str) -> String {
    let mut out = String::new();
    let mut blanks = 0;
    for c in line.trim_end().chars() {
        if c == ' ' {
            blanks += 1;
            continue;
        }
        let keep = if out.ends_with(|c: char| !c.is_whitespace()) && blanks > 2 { 2 } else { blanks };
        out.extend(std::iter::repeat_n(' ', keep));
        blanks = 0;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_named() {
        let n = Normal {
            work: "/tmp/w".into(),
            data: "/tmp/d".into(),
            ports: [8500, 8600, 8301, 8302, 8300, 8502],
        };
        assert_eq!(n.text("n1    127.0.0.1:8301    alive  "), "n1  127.0.0.1:<lan>  alive");
        assert_eq!(n.text("18301 1.8301 83010 8301"), "18301 1.8301 83010 <lan>");
        assert_eq!(n.text("at 2025-01-02T03:04:05.678Z in /tmp/w/x"), "at <time> in @DIR@/x");
        assert_eq!(n.text("ModifyIndex      17"), "ModifyIndex  N");
        assert_eq!(n.text(NODE_ID), "<node-id>");
        assert_eq!(n.text("    indented   a"), "    indented  a");
    }
}
