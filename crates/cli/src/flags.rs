//! Go's flag syntax: `-x v`, `-x=v`, `--x=v`; booleans take a value only after `=`; the first argument ends the flags.

use crate::text::quote;
use std::collections::BTreeMap;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Bool,
    Text,
    Int,
    Uint,
    /// May be repeated.
    List,
    /// `key=value`, may be repeated.
    Map,
}

/// One flag of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

impl Flag {
    pub(crate) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, help }
    }
}

/// What was given.
#[derive(Default, Debug)]
pub(crate) struct Parsed {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Arguments after the flags.
    pub(crate) args: Vec<String>,
}

/// Why the flags cannot be read.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum FlagError {
    /// `-h`, `-help`.
    Help,
    /// A mistake, in words.
    Bad(String),
}

impl Parsed {
    pub(crate) fn parse(flags: &[Flag], args: &[String]) -> Result<Self, FlagError> {
        let mut out = Self::default();
        let mut rest = args.iter();
        while let Some(word) = rest.as_slice().first() {
            let Some(body) = word.strip_prefix('-').filter(|b| !b.is_empty()) else { break };
            rest.next();
            let body = body.strip_prefix('-').unwrap_or(body);
            if body.is_empty() {
                break;
            }
            if body.starts_with('-') || body.starts_with('=') {
                return Err(FlagError::Bad(format!("bad flag syntax: {word}")));
            }
            let (name, given) = body.split_once('=').map_or((body, None), |(n, v)| (n, Some(v)));
            let Some(flag) = flags.iter().find(|f| f.name == name) else {
                return Err(match name {
                    "h" | "help" => FlagError::Help,
                    _ => FlagError::Bad(format!("flag provided but not defined: -{name}")),
                });
            };
            let value = match (flag.kind, given) {
                (Kind::Bool, None) => "true",
                (_, Some(value)) => value,
                (_, None) => {
                    rest.next().ok_or_else(|| FlagError::Bad(format!("flag needs an argument: -{name}")))?
                }
            };
            out.put(flag, value).map_err(FlagError::Bad)?;
        }
        out.args = rest.cloned().collect();
        Ok(out)
    }

    fn put(&mut self, flag: &Flag, value: &str) -> Result<(), String> {
        let invalid = |why: &str| {
            let what = if flag.kind == Kind::Bool { "boolean value" } else { "value" };
            let link = if flag.kind == Kind::Bool { "for" } else { "for flag" };
            format!("invalid {what} {} {link} -{}: {why}", quote(value), flag.name)
        };
        match flag.kind {
            Kind::Bool => {
                parse_bool(value).ok_or_else(|| invalid("parse error"))?;
            }
            Kind::Int => {
                value.parse::<i64>().map_err(|_why| invalid("parse error"))?;
            }
            Kind::Uint => {
                value.parse::<u64>().map_err(|_why| invalid("parse error"))?;
            }
            Kind::Map if !value.contains('=') => {
                return Err(invalid(&format!("Missing \"=\" value in argument: {value}")));
            }
            Kind::Text | Kind::List | Kind::Map => {}
        }
        let slot = self.values.entry(flag.name).or_default();
        if !matches!(flag.kind, Kind::List | Kind::Map) {
            slot.clear();
        }
        slot.push(value.to_owned());
        Ok(())
    }

    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|v| v.last()).map(String::as_str)
    }

    /// The text of `name`, `""` if not given.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.given(name).unwrap_or_default()
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        self.given(name).and_then(parse_bool).unwrap_or(false)
    }

    /// A number that [`Parsed::parse`] has checked.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.given(name).and_then(|v| v.parse().ok())
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn map(&self, name: &str) -> BTreeMap<&str, &str> {
        self.list(name).iter().filter_map(|pair| pair.split_once('=')).collect()
    }
}

/// Go's spellings of a boolean.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Flag; 5] = [
        Flag::new("wan", Kind::Bool, ""),
        Flag::new("status", Kind::Text, ""),
        Flag::new("port", Kind::Int, ""),
        Flag::new("tag", Kind::List, ""),
        Flag::new("meta", Kind::Map, ""),
    ];

    fn parse(line: &str) -> Result<Parsed, FlagError> {
        Parsed::parse(&FLAGS, &line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn all_spellings() {
        let p = parse("-wan --status=x -port 5 --tag a -tag=b -meta k=v=w rest -wan").unwrap();
        assert!(p.bool("wan"));
        assert_eq!((p.text("status"), p.number::<i64>("port")), ("x", Some(5)));
        assert_eq!(p.list("tag"), ["a", "b"]);
        assert_eq!(p.map("meta").get("k"), Some(&"v=w"));
        assert_eq!(p.args, ["rest", "-wan"]);
        assert_eq!(parse("-- -wan").unwrap().args, ["-wan"]);
        assert_eq!(parse("-").unwrap().args, ["-"]);
        assert!(!parse("-wan=false").unwrap().bool("wan"));
        assert_eq!(parse("-wan false").unwrap().args, ["false"]);
    }

    #[test]
    fn mistakes_are_worded_as_in_go() {
        for (line, text) in [
            ("-nope", "flag provided but not defined: -nope"),
            ("-status", "flag needs an argument: -status"),
            ("-wan=maybe", "invalid boolean value \"maybe\" for -wan: parse error"),
            ("-port x", "invalid value \"x\" for flag -port: parse error"),
            ("-meta kv", "invalid value \"kv\" for flag -meta: Missing \"=\" value in argument: kv"),
            ("---x", "bad flag syntax: ---x"),
        ] {
            assert_eq!(parse(line).unwrap_err(), FlagError::Bad(text.to_owned()));
        }
        assert_eq!(parse("--help").unwrap_err(), FlagError::Help);
    }
}
