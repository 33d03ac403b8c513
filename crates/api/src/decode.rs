//! Reading JSON request bodies by Go's rules.

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
