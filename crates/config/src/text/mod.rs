//! From file text to a tree that knows its lines.
//!
//! Two readers, chosen by format: [`json`] lets `serde_json` parse and recovers positions from the raw slices it
//! borrows; [`hcl`] is our own reader of HCL version 1. `hcl-rs` reads HCL version 2, in which a block may not be
//! repeated as a list, `0100` is one hundred, `${…}` is evaluated and labels mean something else, so the same text
//! would mean something different; it serves as the oracle of the tests for what both dialects share.

pub mod hcl;
pub mod json;

use std::fmt;

/// Syntax of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// HCL version 1.
    Hcl,
    /// JSON.
    Json,
}

/// Blocks and lists deeper than this are refused, so that no text can exhaust the stack.
const DEPTH_MAX: usize = 64;

/// A value and the line it starts on.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u32,
    /// The value.
    pub data: Data,
}

/// A value as written.
#[derive(Clone, PartialEq)]
pub enum Data {
    /// `null` (JSON only).
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// List; in HCL also every block, as a list of the blocks of that name.
    List(Vec<Node>),
    /// Object, keys in order of first appearance.
    Object(Vec<Member>),
}

/// One key of an object.
#[derive(Clone, PartialEq)]
pub struct Member {
    /// Key as written.
    pub key: String,
    /// Line of the key.
    pub line: u32,
    /// Value.
    pub value: Node,
}

impl Data {
    /// Name of the type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "slice",
            Self::Object(_) => "map",
        }
    }
}

/// Values may be secrets: only the shape is shown.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.data.type_name(), self.line)
    }
}

/// Why a text could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("At {line}:{column}: {what}")]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
}

/// Reads a text; one without content is an empty object.
///
/// # Errors
/// The first [`SyntaxError`].
pub fn read(text: &str, format: Format) -> Result<Node, SyntaxError> {
    if text.is_empty() {
        return Ok(Node { line: 1, data: Data::Object(Vec::new()) });
    }
    match format {
        Format::Json => json::read(text),
        // A whole JSON object is allowed where HCL is expected.
        Format::Hcl if text.trim_start().starts_with('{') => json::read(text).map(wrap_objects),
        Format::Hcl => hcl::read(text),
    }
}

/// Gives JSON the shape of HCL: every object under a key is a list of one block.
fn wrap_objects(node: Node) -> Node {
    let data = match node.data {
        Data::Object(members) => Data::Object(
            members
                .into_iter()
                .map(|m| {
                    let line = m.value.line;
                    let value = wrap_objects(m.value);
                    let value = if matches!(value.data, Data::Object(_)) {
                        Node { line, data: Data::List(vec![value]) }
                    } else {
                        value
                    };
                    Member { value, ..m }
                })
                .collect(),
        ),
        Data::List(items) => Data::List(items.into_iter().map(wrap_objects).collect()),
        other => other,
    };
    Node { line: node.line, data }
}

/// Line and column of a byte offset.
pub(crate) fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut before = offset.min(text.len());
    while !text.is_char_boundary(before) {
        before -= 1;
    }
    let before = &text[..before];
    let line = before.bytes().filter(|b| *b == b'\n').count();
    let column = before.rsplit('\n').next().unwrap_or("").chars().count();
    (u32::try_from(line + 1).unwrap_or(u32::MAX), u32::try_from(column + 1).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
