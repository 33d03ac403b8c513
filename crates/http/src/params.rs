//! The query string.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;

/// Parameters in the order they came.
#[derive(Default, Debug)]
pub(crate) struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The query string does not parse.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct BadQuery;

impl<'a> Params<'a> {
    /// Parses the text after `?`.
    pub(crate) fn parse(query: &'a str) -> Result<Self, BadQuery> {
        let mut out = Vec::new();
        for part in query.split('&').filter(|p| !p.is_empty()) {
            if part.contains(';') {
                return Err(BadQuery);
            }
            let (k, v) = part.split_once('=').unwrap_or((part, ""));
            out.push((decode(k)?, decode(v)?));
        }
        Ok(Self(out))
    }

    /// Value of the first `name`, `""` when absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }
    /// Whether `name` is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(k, _)| k == name)
    }
    /// Every value of `name`.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(k, _)| k == name).map(|(_, v)| &**v)
    }
    /// All parameters encoded again, sorted by name.
    pub(crate) fn encode(&self) -> String {
        /// What may stand in a query component as it is.
        const PLAIN: &AsciiSet =
            &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let component = |s: &str| utf8_percent_encode(s, PLAIN).to_string().replace(' ', "+");
        sorted.iter().map(|(k, v)| format!("{}={}", component(k), component(v))).collect::<Vec<_>>().join("&")
    }
}

fn decode(s: &str) -> Result<Cow<'_, str>, BadQuery> {
    if !s.bytes().any(|b| b == b'%' || b == b'+') {
        return Ok(Cow::Borrowed(s));
    }
    if !escapes_are_valid(s) {
        return Err(BadQuery);
    }
    let spaced = s.replace('+', " ");
    Ok(Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned()))
}

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn escapes_are_valid(s: &str) -> bool {
    let b = s.as_bytes();
    b.iter().enumerate().filter(|(_, c)| **c == b'%').all(|(i, _)| {
        matches!(b.get(i + 1..i + 3), Some([a, z]) if a.is_ascii_hexdigit() && z.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_values_and_repeats() {
        let p = Params::parse("a&b=1&c=x+y%2Fz&c=2&&=e&b=9").unwrap();
        assert!(p.has("a") && !p.has("z"));
        assert_eq!((p.get("a"), p.get("b"), p.get("c"), p.get("zz")), ("", "1", "x y/z", ""));
        assert_eq!(p.all("c").collect::<Vec<_>>(), ["x y/z", "2"]);
        assert_eq!(p.encode(), "=e&a=&b=1&b=9&c=x+y%2Fz&c=2");
    }

    #[test]
    fn refuses_what_does_not_parse() {
        for bad in ["x=%zz", "x=%", "x=%2", "%f=1", "a;b", "a=1;b=2"] {
            assert_eq!(Params::parse(bad).err(), Some(BadQuery), "{bad}");
        }
    }
}
