//! Words, numbers, quoted texts and heredocs.

use super::cursor::Cursor;
use crate::text::{Data, SyntaxError};

pub(super) fn starts_word(ch: char) -> bool {
    ch == '_' || ch.is_alphabetic()
}

/// A bare word: letters, digits, `_`, `-`, `.`.
pub(super) fn word(c: &mut Cursor<'_>) -> String {
    c.take_while(|ch| ch == '_' || ch == '-' || ch == '.' || ch.is_alphanumeric()).to_owned()
}

/// A number: decimal, `0x` hexadecimal, leading-zero octal, fraction, exponent.
pub(super) fn number(c: &mut Cursor<'_>) -> Result<Data, SyntaxError> {
    let at = c.mark();
    let rest = c.rest();
    let sign = usize::from(rest.starts_with('-'));
    let hex = rest[sign..].starts_with("0x") || rest[sign..].starts_with("0X");
    let mut len = sign;
    let bytes = rest.as_bytes();
    let mut previous = b' ';
    while let Some(&b) = bytes.get(len) {
        let part = b.is_ascii_alphanumeric()
            || b == b'.'
            || (!hex && matches!(b, b'+' | b'-') && matches!(previous, b'e' | b'E'));
        if !part {
            break;
        }
        previous = b;
        len += 1;
    }
    let text = &rest[..len];
    let digits = &text[sign..];
    let wrong =
        |c: &Cursor<'_>| c.error_at(at, &format!("illegal number {text:?}; a text needs double quotes"));
    let radix = |d: &str, r: u32| {
        let all = !d.is_empty() && d.chars().all(|ch| ch.is_digit(r));
        all.then(|| i64::from_str_radix(&if sign == 1 { format!("-{d}") } else { d.to_owned() }, r).ok())
            .flatten()
    };
    let data = if hex {
        radix(&digits[2..], 16).map(Data::Int)
    } else if digits.bytes().all(|b| b.is_ascii_digit()) {
        match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => radix(octal, 8).map(Data::Int),
            // What does not fit 64 bits is kept as a float, as in JSON.
            _ if !digits.is_empty() => {
                radix(digits, 10).map(Data::Int).or_else(|| text.parse().ok().map(Data::Float))
            }
            _ => None,
        }
    } else {
        let shape = digits.starts_with(|ch: char| ch.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        shape.then(|| text.parse::<f64>().ok()).flatten().filter(|v| v.is_finite()).map(Data::Float)
    };
    let data = data.ok_or_else(|| wrong(c))?;
    c.advance(len);
    Ok(data)
}

/// A text in double quotes on one line. `${…}` is kept as it is written, quotes within it included.
pub(super) fn quoted(c: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let start = c.mark();
    c.bump();
    let mut out = String::new();
    let mut braces = 0u32;
    loop {
        let Some(ch) = c.peek() else { return Err(c.error_at(start, "literal not terminated")) };
        if braces == 0 && ch == '\n' {
            return Err(c.error_at(start, "literal not terminated"));
        }
        if braces == 0 && ch == '\\' {
            out.push(escape(c)?);
            continue;
        }
        if braces == 0 && ch == '$' && c.rest().starts_with("${") {
            c.advance(2);
            out.push_str("${");
            braces = 1;
            continue;
        }
        c.bump();
        match ch {
            '"' if braces == 0 => return Ok(out),
            '{' if braces > 0 => braces = braces.saturating_add(1),
            '}' if braces > 0 => braces -= 1,
            _ => {}
        }
        out.push(ch);
    }
}

/// One escape, the backslash still ahead.
fn escape(c: &mut Cursor<'_>) -> Result<char, SyntaxError> {
    let at = c.mark();
    c.bump();
    let Some(ch) = c.peek() else { return Err(c.error_at(at, "literal not terminated")) };
    let (skip, len, radix) = match ch {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        '0'..='7' => (0, 3, 8),
        _ => {
            c.bump();
            return match ch {
                'a' => Ok('\u{7}'),
                'b' => Ok('\u{8}'),
                'f' => Ok('\u{c}'),
                'n' => Ok('\n'),
                'r' => Ok('\r'),
                't' => Ok('\t'),
                'v' => Ok('\u{b}'),
                '\\' | '"' | '\'' => Ok(ch),
                _ => Err(c.error_at(at, "illegal char escape")),
            };
        }
    };
    let digits: String = c.rest().chars().skip(skip).take(len).collect();
    let read = (digits.len() == len && digits.chars().all(|d| d.is_digit(radix)))
        .then(|| u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32))
        .flatten();
    let Some(ch) = read else { return Err(c.error_at(at, "illegal char escape")) };
    c.advance(skip + len);
    Ok(ch)
}

/// `<<MARK` or `<<-MARK` up to a line that holds only the mark; the last newline belongs to the text.
pub(super) fn heredoc(c: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let start = c.mark();
    let bad = |c: &Cursor<'_>, what: &str| Err(c.error_at(start, what));
    if !c.rest().starts_with("<<") {
        return Err(c.unexpected("a value"));
    }
    c.advance(2);
    let indented = c.peek() == Some('-');
    if indented {
        c.bump();
    }
    let mark = c.take_while(|ch| ch == '_' || ch == '-' || ch == '.' || ch.is_alphanumeric());
    if mark.is_empty() {
        return bad(c, "heredoc has no anchor");
    }
    c.take_while(|ch| ch == '\r');
    if c.peek() != Some('\n') {
        return bad(c, "invalid characters in heredoc anchor");
    }
    c.bump();
    let mut lines: Vec<&str> = Vec::new();
    loop {
        let rest = c.rest();
        let len = rest.find('\n').unwrap_or(rest.len());
        let line = rest[..len].trim_end_matches('\r');
        if line.trim_start_matches([' ', '\t']) == mark {
            // The newline after the mark stays: it is blank space, or it ends the list item.
            c.advance(len);
            let indent = &line[..line.len() - mark.len()];
            return Ok(join_lines(&lines, if indented { indent } else { "" }));
        }
        if len == rest.len() {
            return bad(c, "heredoc not terminated");
        }
        lines.push(line);
        c.advance(len + 1);
    }
}

/// Lines with their newlines, each without `indent` if all of them have it.
fn join_lines(lines: &[&str], indent: &str) -> String {
    let cut = if lines.iter().all(|l| l.starts_with(indent)) { indent.len() } else { 0 };
    lines.iter().flat_map(|l| [&l[cut..], "\n"]).collect()
}
