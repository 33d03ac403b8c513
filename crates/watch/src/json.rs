//! Blanks in JSON. Members keep their order and numbers their digits, which going through a value would not promise.

/// JSON without blanks.
pub fn compact(json: &str) -> String {
    write(json, None)
}

/// JSON with a line for each value, `width` blanks deeper in each object or list. Empty ones stay on their line.
pub fn indent(json: &str, width: usize) -> String {
    write(json, Some(width))
}

fn write(json: &str, width: Option<usize>) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut depth, mut quoted, mut escaped, mut opened) = (0usize, false, false, false);
    let line = |out: &mut String, depth: usize| {
        if let Some(width) = width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width * depth));
        }
    };
    for c in json.chars() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        if opened != closes {
            // The first value inside, or the end after the last one.
            line(&mut out, depth);
        }
        opened = matches!(c, '{' | '[');
        out.push(c);
        match c {
            '"' => quoted = true,
            '{' | '[' => depth += 1,
            ',' => line(&mut out, depth),
            ':' if width.is_some() => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = r#"{ "b":[ ],"a" :[1, {"x":"q\" {,"}],"o":{} , "n":1.50}"#;

    #[test]
    fn blanks_go_and_come() {
        assert_eq!(compact(RAW), r#"{"b":[],"a":[1,{"x":"q\" {,"}],"o":{},"n":1.50}"#);
        let shown = "{\n  \"b\": [],\n  \"a\": [\n    1,\n    {\n      \"x\": \"q\\\" {,\"\n    }\n  ],\n  \"o\": {},\n  \"n\": 1.50\n}";
        assert_eq!(indent(RAW, 2), shown);
        assert_eq!(indent("[[],[[]]]", 1), "[\n [],\n [\n  []\n ]\n]");
        assert_eq!((indent("null", 4), compact("[]")), ("null".to_owned(), "[]".to_owned()));
    }
}
