//! JSON files. Duplicate keys: the last wins. No comments.

use super::{DEPTH_MAX, Data, Member, Node, SyntaxError, position};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap, fmt};

/// Reads a JSON object.
///
/// # Errors
/// The first [`SyntaxError`]; anything but an object at the top is one.
pub fn read(text: &str) -> Result<Node, SyntaxError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|e| SyntaxError {
        line: u32::try_from(e.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(e.column()).unwrap_or(u32::MAX),
        what: without_position(&e.to_string()),
    })?;
    let reader = Reader { text, lines: line_starts(text) };
    let node = reader.node(raw.get(), 0)?;
    if !matches!(node.data, Data::Object(_)) {
        let what = format!("json: a configuration must be an object, got {}", node.data.type_name());
        return Err(SyntaxError { line: node.line, column: 1, what });
    }
    Ok(node)
}

/// The parser's message without its own position, which is shown in ours.
fn without_position(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(what, _)| what).to_owned()
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
        .collect()
}

struct Reader<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    /// Offset of a slice that the parser borrowed from the text.
    fn offset(&self, raw: &str) -> usize {
        (raw.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
    fn line(&self, raw: &str) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= self.offset(raw))).unwrap_or(u32::MAX)
    }
    fn error(&self, raw: &str, what: impl fmt::Display) -> SyntaxError {
        let (line, column) = position(self.text, self.offset(raw));
        SyntaxError { line, column, what: what.to_string() }
    }
    fn node(&self, raw: &'a str, depth: usize) -> Result<Node, SyntaxError> {
        if depth > DEPTH_MAX {
            return Err(self.error(raw, "nested too deeply"));
        }
        let line = self.line(raw);
        let wrong = |e: serde_json::Error| self.error(raw, without_position(&e.to_string()));
        let data = match raw.as_bytes().first() {
            Some(b'{') => {
                let members: Members<'a> = serde_json::from_str(raw).map_err(wrong)?;
                self.object(members, depth)?
            }
            Some(b'[') => {
                let items: Vec<&'a RawValue> = serde_json::from_str(raw).map_err(wrong)?;
                Data::List(
                    items.into_iter().map(|r| self.node(r.get(), depth + 1)).collect::<Result<_, _>>()?,
                )
            }
            Some(b'"') => Data::Text(serde_json::from_str(raw).map_err(wrong)?),
            Some(b't') => Data::Bool(true),
            Some(b'f') => Data::Bool(false),
            Some(b'n') => Data::Null,
            _ => match raw.parse::<i64>() {
                Ok(n) => Data::Int(n),
                // Too large or with a fraction; the syntax was checked before.
                Err(_not_whole) => Data::Float(raw.parse().unwrap_or(f64::MAX)),
            },
        };
        Ok(Node { line, data })
    }
    fn object(&self, members: Members<'a>, depth: usize) -> Result<Data, SyntaxError> {
        let mut out: Vec<Member> = Vec::with_capacity(members.0.len());
        let mut index: HashMap<String, usize> = HashMap::new();
        for (key, raw) in members.0 {
            let member = Member {
                key: key.to_string(),
                line: self.line(raw.get()),
                value: self.node(raw.get(), depth + 1)?,
            };
            match index.get(member.key.as_str()) {
                Some(at) => out[*at] = member,
                None => {
                    index.insert(member.key.clone(), out.len());
                    out.push(member);
                }
            }
        }
        Ok(Data::Object(out))
    }
}

/// Keys and raw values of an object, in order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some(entry) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    out.push(entry);
                }
                Ok(Members(out))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
