//! The part of pprof's `profile.proto` that a profile of named values needs.

use std::collections::HashMap;

/// A profile: values by name, each name a function without a caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Profile {
    /// What a value is, such as `inuse_space`.
    pub(super) kind: &'static str,
    /// Its unit, such as `bytes`.
    pub(super) unit: &'static str,
    /// How long it was measured, nanoseconds; 0 for a moment.
    pub(super) duration_ns: u64,
    /// Values by name, none twice.
    pub(super) values: Vec<(String, u64)>,
}

/// Strings by number; number 0 is the empty one.
struct Strings(Vec<String>, HashMap<String, u64>);

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(n) = self.1.get(text) {
            return *n;
        }
        let n = self.0.len() as u64;
        self.0.push(text.to_owned());
        self.1.insert(text.to_owned(), n);
        n
    }
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A number; zero is the default and left out.
fn number(out: &mut Vec<u8>, field: u64, n: u64) {
    if n != 0 {
        varint(out, field << 3);
        varint(out, n);
    }
}

fn bytes(out: &mut Vec<u8>, field: u64, data: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, data.len() as u64);
    out.extend_from_slice(data);
}

fn message(out: &mut Vec<u8>, field: u64, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    bytes(out, field, &inner);
}

impl Profile {
    /// The message, not compressed.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut strings = Strings(vec![String::new()], HashMap::from([(String::new(), 0)]));
        let (kind, unit) = (strings.number(self.kind), strings.number(self.unit));
        let mut out = Vec::new();
        let value_type = |m: &mut Vec<u8>| {
            number(m, 1, kind);
            number(m, 2, unit);
        };
        message(&mut out, 1, value_type);
        for (i, (name, value)) in self.values.iter().enumerate() {
            // Location and function i + 1, for 0 means none.
            let id = i as u64 + 1;
            let name = strings.number(name);
            message(&mut out, 2, |m| {
                number(m, 1, id);
                // One of a list: a zero that is left out would make it shorter.
                varint(m, 2 << 3);
                varint(m, *value);
            });
            message(&mut out, 4, |m| {
                number(m, 1, id);
                message(m, 4, |line| number(line, 1, id));
            });
            message(&mut out, 5, |m| {
                number(m, 1, id);
                number(m, 2, name);
                number(m, 3, name);
            });
        }
        for text in &strings.0 {
            bytes(&mut out, 6, text.as_bytes());
        }
        number(&mut out, 10, self.duration_ns);
        message(&mut out, 11, value_type);
        number(&mut out, 12, 1);
        out
    }

    /// A line each, the largest first.
    pub(super) fn text(&self) -> String {
        let mut rows: Vec<&(String, u64)> = self.values.iter().collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let total: u64 = rows.iter().map(|(_, n)| n).sum();
        let mut out = format!("{} ({}): {total} in all\n", self.kind, self.unit);
        for (name, n) in rows {
            out.push_str(&format!("{n:>16}  {name}\n"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_profile_byte_by_byte() {
        let profile = Profile { kind: "k", unit: "u", duration_ns: 300, values: vec![("a".to_owned(), 5)] };
        let expected: &[u8] = &[
            0x0a, 4, 8, 1, 16, 2, // sample_type { type: "k", unit: "u" }
            0x12, 4, 8, 1, 16, 5, // sample { location: 1, value: 5 }
            0x22, 6, 8, 1, 0x22, 2, 8, 1, // location { id: 1, line { function: 1 } }
            0x2a, 6, 8, 1, 16, 3, 24, 3, // function { id: 1, name: "a", system_name: "a" }
            0x32, 0, 0x32, 1, b'k', 0x32, 1, b'u', 0x32, 1, b'a', // strings
            0x50, 0xac, 2, // duration: 300
            0x5a, 4, 8, 1, 16, 2, // period_type
            0x60, 1, // period
        ];
        assert_eq!(profile.encode(), expected);
        assert_eq!(profile.text(), "k (u): 5 in all\n               5  a\n");
        // A sample has a value for each type, also a zero.
        let none = Profile { values: vec![("a".to_owned(), 0)], ..profile };
        assert_eq!(none.encode()[6..12], [0x12, 4, 8, 1, 16, 0]);
    }
}
