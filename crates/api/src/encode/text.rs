//! Strings.

/// Bytes that cannot stand in a JSON string as they are. `<`, `>` and `&` are escaped as Go does; 0xE2 begins the two line
/// separators U+2028 and U+2029, which Go escapes too.
const SPECIAL: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 0x20 {
        t[i] = true;
        i += 1;
    }
    t[b'"' as usize] = true;
    t[b'\\' as usize] = true;
    t[b'<' as usize] = true;
    t[b'>' as usize] = true;
    t[b'&' as usize] = true;
    t[0xE2] = true;
    t
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `s` as a JSON string.
pub fn string(out: &mut Vec<u8>, s: &str) {
    let bytes = s.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut done = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if !SPECIAL[usize::from(b)] {
            continue;
        }
        if b == 0xE2 && !matches!(bytes.get(i + 1..i + 3), Some([0x80, 0xA8 | 0xA9])) {
            continue;
        }
        // A line separator may have been consumed as a whole: its continuation bytes are not special, so `done` is never ahead.
        out.extend_from_slice(&bytes[done..i]);
        done = i + 1;
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            0xE2 => {
                out.extend_from_slice(if bytes[i + 2] == 0xA8 { b"\\u2028" } else { b"\\u2029" });
                done = i + 3;
            }
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(b >> 4)]);
                out.push(HEX[usize::from(b & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(s: &str) -> String {
        let mut out = Vec::new();
        string(&mut out, s);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes() {
        assert_eq!(json("plain é"), "\"plain é\"");
        assert_eq!(json("a\"b\\c\n\r\t\u{8}\u{c}\u{1}"), r#""a\"b\\c\n\r\t\b\f\u0001""#);
        assert_eq!(json("<&>"), r#""\u003c\u0026\u003e""#);
        assert_eq!(json("a\u{2028}b\u{2029}\u{2030}"), "\"a\\u2028b\\u2029\u{2030}\"");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(s in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&json(&s)).unwrap(), s);
        }
    }
}
