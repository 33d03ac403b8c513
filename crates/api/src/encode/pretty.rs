//! Indented JSON.

/// Turns compact JSON, as this module writes it, into the form with four spaces of indentation and a final newline. Empty
/// objects and arrays stay on one line.
pub fn pretty(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0usize;
    let mut i = 0;
    while let Some(&b) = compact.get(i) {
        i += 1;
        match b {
            b'"' => {
                let start = i - 1;
                i = string_end(compact, i);
                out.extend_from_slice(&compact[start..i]);
            }
            b'{' | b'[' => {
                out.push(b);
                match compact.get(i) {
                    Some(&close @ (b'}' | b']')) => {
                        out.push(close);
                        i += 1;
                    }
                    _ => {
                        depth += 1;
                        newline(&mut out, depth);
                    }
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(b);
            }
            b',' => {
                out.push(b);
                newline(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(b),
        }
    }
    out.push(b'\n');
    out
}

/// Index after the closing quote of the string whose first character is at `from`.
fn string_end(json: &[u8], from: usize) -> usize {
    let mut i = from;
    while let Some(&b) = json.get(i) {
        match b {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    json.len()
}

fn newline(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + depth * 4, b' ');
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn indents_like_the_reference() {
        let s = |c: &str| String::from_utf8(pretty(c.as_bytes())).unwrap();
        assert_eq!(s(r#"["dc1"]"#), "[\n    \"dc1\"\n]\n");
        assert_eq!(s(r#"{"consul":[]}"#), "{\n    \"consul\": []\n}\n");
        assert_eq!(
            s(r#"{"a":{"b":"x:\"{,","c":[1,{}]}}"#),
            "{\n    \"a\": {\n        \"b\": \"x:\\\"{,\",\n        \"c\": [\n            1,\n            {}\n        ]\n    }\n}\n"
        );
        assert_eq!(s("true"), "true\n");
    }
}
