//! From a tree to settings: types are strict, unknown keys are errors, and both are collected, each with its line.

mod nearest;
mod value;

pub(crate) use value::free;

use crate::{
    merge::Settings,
    schema::{self, Field},
    text::{Data, Member, Node},
};
use types::{Str, validate::error_list};

/// What is wrong with the shape of a source.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct DecodeError {
    types: Vec<String>,
    unknown: Vec<String>,
}

impl DecodeError {
    /// Wrong types hide unknown keys, as they always did.
    fn text(&self) -> String {
        if self.types.is_empty() {
            return error_list(self.unknown.iter());
        }
        let list: Vec<String> = self.types.iter().map(|e| format!("* {e}")).collect();
        format!("{} error(s) decoding:\n\n{}", self.types.len(), list.join("\n"))
    }
}

/// Settings of one source with what its author should know.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The settings.
    pub settings: Settings,
    /// Remarks.
    pub warnings: Vec<String>,
}

/// Decodes a tree against the keys of a configuration file.
///
/// # Errors
/// Every wrong type, or else every unknown key.
pub fn decode(root: &Node) -> Result<Decoded, DecodeError> {
    decode_as(root, schema::TOP)
}

/// Decodes a tree against any keys.
///
/// # Errors
/// As [`decode`].
pub fn decode_as(root: &Node, fields: &[Field]) -> Result<Decoded, DecodeError> {
    let mut d = Decoder::default();
    let settings = d.stanza(root, &Path::default(), fields).unwrap_or_default();
    if d.types.is_empty() && d.unknown.is_empty() {
        Ok(Decoded { settings, warnings: d.warnings })
    } else {
        Err(DecodeError { types: d.types, unknown: d.unknown })
    }
}

/// Where a value stands: `service.checks[1].http`.
#[derive(Clone, Default)]
struct Path(String);

impl Path {
    fn key(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }
    fn index(&self, at: impl std::fmt::Display) -> Self {
        Self(format!("{}[{at}]", self.0))
    }
}

#[derive(Default)]
struct Decoder {
    types: Vec<String>,
    unknown: Vec<String>,
    warnings: Vec<String>,
}

impl Decoder {
    /// The keys of an object; a list of one object stands for the object.
    fn stanza(&mut self, node: &Node, path: &Path, fields: &[Field]) -> Option<Settings> {
        let members = self.object(node, path)?;
        let mut out = Settings::default();
        for m in members {
            let Some(field) = schema::field_any_case(fields, &m.key) else {
                self.unknown_key(m, path, fields);
                continue;
            };
            if path.0 == "audit.sink[]" && field.name == "name" {
                self.warnings
                    .push("config key audit.sink[].name is deprecated and should be removed".to_owned());
            }
            let at = path.key(field.name);
            if let Some(v) = self.value(&m.value, &at, field.kind) {
                out.0.insert(Str::new_static(field.name), v);
            }
        }
        Some(out)
    }

    /// The members of an object, or of a list of one object.
    fn object<'n>(&mut self, node: &'n Node, path: &Path) -> Option<&'n [Member]> {
        match &unwrap_single(node).data {
            Data::Object(members) => Some(members),
            Data::Null => None,
            other => {
                let got = other.type_name();
                self.types.push(format!("'{}' expected a map, got '{got}' (line {})", path.0, node.line));
                None
            }
        }
    }

    fn unknown_key(&mut self, m: &Member, path: &Path, fields: &[Field]) {
        let hint = nearest::key(&m.key, fields).map(|k| format!(", did you mean {k}?")).unwrap_or_default();
        self.unknown.push(format!("invalid config key {} (line {}{hint})", path.key(&m.key).0, m.line));
    }
}

/// A list of one element stands for the element where no list is expected.
fn unwrap_single(node: &Node) -> &Node {
    let mut at = node;
    while let Data::List(items) = &at.data {
        let [only] = items.as_slice() else { break };
        at = only;
    }
    at
}

#[cfg(test)]
mod tests;
