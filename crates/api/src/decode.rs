//! Reading JSON request bodies by Go's rules: field names match without regard to case, unknown fields are errors, `null`
//! changes nothing, only the first value of the body is read.
//!
//! A body becomes a [`Json`] value; [`fields`] walks an object; the `set_*` methods put a value where it belongs or say in
//! Go's words why they cannot.

mod json;
mod value;

pub use json::{Json, Number, first_value};
pub use value::{duration_value, fields, ignore, lenient_fields, opaque, str_list, str_lists, str_map};

/// Why a body was refused. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing there.
    #[error("EOF")]
    Empty,
    /// It ends too early.
    #[error("unexpected EOF")]
    Truncated,
    /// Not JSON.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// A field that does not exist here.
    #[error("json: unknown field {}", quote(.0))]
    UnknownField(String),
    /// A value of the wrong type.
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    Type {
        /// What was there.
        found: String,
        /// What should be there.
        wanted: &'static str,
    },
    /// A value that does not read as what it should be (a duration, base64, …).
    #[error("{0}")]
    Value(String),
}

/// `text` in double quotes, escaped the way Go's `%q` does for ordinary text.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let n = c as u32;
                out.push_str(&if n < 0x80 { format!("\\x{n:02x}") } else { format!("\\u{n:04x}") });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
