//! Small texts that several commands share.

use crate::io::Io;
use std::io;

/// `text` in double quotes, with what would break them escaped.
pub(crate) fn quote(text: &str) -> String {
    format!("{text:?}")
}

/// An operating system error in the words that scripts know: `open x: no such file or directory`.
pub(crate) fn os_error(action: &str, error: &io::Error) -> String {
    format!("{action}: {}", os_words(error))
}

/// The bare words, in lower case and without the number.
pub(crate) fn os_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// JSON, indented by tabs.
pub(crate) fn json_with_tabs(value: &impl serde::Serialize) -> Result<String, String> {
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, format))
        .map_err(|e| e.to_string())?;
    String::from_utf8(out).map_err(|e| e.to_string())
}

/// Reads an argument that may be `@file` or `-` for stdin.
pub(crate) fn argument_or_file(arg: &str, io: &mut Io<'_>) -> Result<Vec<u8>, String> {
    if arg == "-" {
        return io.0.read_stdin().map_err(|e| format!("Failed to read stdin: {}", os_words(&e)));
    }
    match arg.strip_prefix('@') {
        Some(path) => std::fs::read(path)
            .map_err(|e| format!("Failed to read file: {}", os_error(&format!("open {path}"), &e))),
        None => Ok(arg.as_bytes().to_vec()),
    }
}
