//! Flags of the `agent` command, as data and in the notation of Go: `-x v`, `-x=v`, `--x=v`; a boolean takes a value
//! only after `=`.

mod table;

pub use table::FLAGS;

use crate::merge::{Settings, Value};
use std::fmt;
use types::Str;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagKind {
    /// `true` or `false`.
    Bool,
    /// Number.
    Int,
    /// Text.
    Text,
    /// Text, may be repeated; set before files.
    List,
    /// Text, may be repeated; appended after files.
    ListAfterFiles,
    /// `key:value`, may be repeated.
    Map,
    /// File or directory with configuration, may be repeated.
    ConfigPath,
    /// Syntax of all configuration files.
    ConfigFormat,
    /// Dev mode.
    Dev,
    /// Fragment of configuration, may be repeated.
    Fragment,
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Name without dash.
    pub name: &'static str,
    /// Setting, dotted; empty if it is none.
    pub key: &'static str,
    /// What it takes.
    pub kind: FlagKind,
    /// One sentence of help.
    pub help: &'static str,
}

/// Parsed flags.
#[derive(Clone, Default)]
pub struct AgentFlags {
    /// `-config-file` and `-config-dir` in order.
    pub config_paths: Vec<String>,
    /// `-config-format` as written.
    pub config_format: Option<String>,
    /// `-dev`.
    pub dev: bool,
    /// Lists, which come before those of files.
    pub before_files: Settings,
    /// Everything else, which overrides files.
    pub after_files: Settings,
    /// `-hcl` in order.
    pub fragments: Vec<String>,
    /// Remarks.
    pub warnings: Vec<String>,
    /// What was left over.
    pub extra: Vec<String>,
}

/// Values may be secrets.
impl fmt::Debug for AgentFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentFlags")
            .field("config_paths", &self.config_paths)
            .field("dev", &self.dev)
            .finish_non_exhaustive()
    }
}

/// Why flags are refused. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlagsError {
    /// `-h` or `-help`.
    #[error("flag: help requested")]
    Help,
    /// No such flag.
    #[error("error parsing flags: flag provided but not defined: -{0}")]
    Unknown(String),
    /// A dash without a name.
    #[error("error parsing flags: bad flag syntax: {0}")]
    Syntax(String),
    /// A flag at the end that takes a value.
    #[error("error parsing flags: flag needs an argument: -{0}")]
    NeedsArgument(String),
    /// Not a boolean.
    #[error("error parsing flags: invalid boolean value {} for -{name}: parse error", crate::quote(.value))]
    Bool {
        /// Flag.
        name: String,
        /// What was given.
        value: String,
    },
    /// Not a number.
    #[error("error parsing flags: invalid value {} for flag -{name}: parse error", crate::quote(.value))]
    Value {
        /// Flag.
        name: String,
        /// What was given.
        value: String,
    },
}

/// The flag of that name.
pub fn find(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|f| f.name == name)
}

/// Parses arguments; the first that is no flag ends the flags.
///
/// # Errors
/// The first [`FlagsError`].
pub fn parse<S: AsRef<str>>(args: &[S]) -> Result<AgentFlags, FlagsError> {
    let mut out = AgentFlags::default();
    let mut args = args.iter().map(AsRef::as_ref);
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        if !arg.starts_with('-') || arg == "-" {
            out.extra.push(arg.to_owned());
            break;
        }
        let body = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).unwrap_or(arg);
        if body.is_empty() || body.starts_with('-') || body.starts_with('=') {
            return Err(FlagsError::Syntax(arg.to_owned()));
        }
        let (name, inline) = match body.split_once('=') {
            Some((n, v)) => (n, Some(v)),
            None => (body, None),
        };
        let Some(flag) = find(name) else {
            return Err(match name {
                "h" | "help" => FlagsError::Help,
                other => FlagsError::Unknown(other.to_owned()),
            });
        };
        let value = match (flag.kind, inline) {
            (_, Some(v)) => v,
            (FlagKind::Bool | FlagKind::Dev, None) => "true",
            (_, None) => args.next().ok_or_else(|| FlagsError::NeedsArgument(name.to_owned()))?,
        };
        out.apply(flag, value)?;
    }
    out.extra.extend(args.map(str::to_owned));
    Ok(out)
}

impl AgentFlags {
    fn apply(&mut self, flag: &Flag, value: &str) -> Result<(), FlagsError> {
        let name = || flag.name.to_owned();
        match flag.kind {
            FlagKind::Bool => {
                let on = boolean(value)
                    .ok_or_else(|| FlagsError::Bool { name: name(), value: value.to_owned() })?;
                self.after_files.set(flag.key, Value::Bool(on));
            }
            FlagKind::Dev => {
                self.dev = boolean(value)
                    .ok_or_else(|| FlagsError::Bool { name: name(), value: value.to_owned() })?;
            }
            FlagKind::Int => {
                let n = integer(value)
                    .ok_or_else(|| FlagsError::Value { name: name(), value: value.to_owned() })?;
                self.after_files.set(flag.key, Value::Int(n));
            }
            FlagKind::Text => self.after_files.set(flag.key, Value::Text(Str::new(value))),
            FlagKind::List => append(&mut self.before_files, flag.key, value),
            FlagKind::ListAfterFiles => append(&mut self.after_files, flag.key, value),
            FlagKind::Map => {
                let (key, text) = value.split_once(':').unwrap_or((value, ""));
                if !matches!(self.after_files.get(flag.key), Some(Value::Map(_))) {
                    self.after_files.set(flag.key, Value::Map(Settings::default()));
                }
                if let Some(Value::Map(m)) = self.after_files.0.get_mut(flag.key) {
                    m.0.insert(Str::new(key), Value::Text(Str::new(text)));
                }
            }
            FlagKind::ConfigPath => self.config_paths.push(value.to_owned()),
            FlagKind::ConfigFormat => self.config_format = Some(value.to_owned()),
            FlagKind::Fragment => self.fragments.push(value.to_owned()),
        }
        if let Some(new) = match flag.name {
            "join" => Some("retry-join"),
            "join-wan" => Some("retry-join-wan"),
            _ => None,
        } {
            let text = format!("The flag '-{}' is deprecated. Use the '-{new}' flag instead.", flag.name);
            if !self.warnings.contains(&text) {
                self.warnings.push(text);
            }
        }
        Ok(())
    }
}

fn append(settings: &mut Settings, key: &str, value: &str) {
    let mut list = match settings.take(key) {
        Some(Value::List(l)) => l,
        _ => Vec::new(),
    };
    list.push(Value::Text(Str::new(value)));
    settings.set(key, Value::List(list));
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Decimal, or with a prefix `0x`, `0o`, `0b`, `0`.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(d) => ("-", d),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{self, Kind};

    #[test]
    fn every_flag_names_a_setting_of_its_type() {
        for flag in FLAGS.iter().filter(|f| !f.key.is_empty()) {
            let mut fields = schema::TOP;
            let mut kind = None;
            for part in flag.key.split('.') {
                let field = schema::field(fields, part).unwrap_or_else(|| panic!("{}", flag.key));
                kind = Some(field.kind);
                if let Kind::Stanza(inner) = field.kind {
                    fields = inner;
                }
            }
            let fits = match flag.kind {
                FlagKind::Bool => matches!(kind, Some(Kind::Bool)),
                FlagKind::Int => matches!(kind, Some(Kind::Int)),
                FlagKind::Text => matches!(kind, Some(Kind::Text | Kind::Duration)),
                FlagKind::List | FlagKind::ListAfterFiles => matches!(kind, Some(Kind::TextList)),
                FlagKind::Map => matches!(kind, Some(Kind::TextMap)),
                _ => false,
            };
            assert!(fits, "-{}", flag.name);
        }
    }

    #[test]
    fn notations() {
        let f = parse(&[
            "-server=false",
            "--node",
            "n",
            "-node-meta",
            "a:b:c",
            "-node-meta=d",
            "-ui",
            "-dns-port=0x10",
        ])
        .unwrap();
        assert_eq!(f.after_files.get("server"), Some(&Value::Bool(false)));
        assert_eq!(f.after_files.get("ports.dns"), Some(&Value::Int(16)));
        assert_eq!(f.after_files.get("node_meta.a"), Some(&Value::Text(Str::new("b:c"))));
        assert_eq!(f.after_files.get("node_meta.d"), Some(&Value::Text(Str::default())));
        assert_eq!(parse(&["-dev", "a", "-b"]).unwrap().extra, ["a", "-b"]);
        assert!(parse(&["-dev=0"]).unwrap().extra.is_empty());
    }

    #[test]
    fn refusals() {
        let text = |args: &[&str]| parse(args).unwrap_err().to_string();
        assert_eq!(text(&["-nope"]), "error parsing flags: flag provided but not defined: -nope");
        assert_eq!(text(&["-node"]), "error parsing flags: flag needs an argument: -node");
        assert_eq!(
            text(&["-server=x"]),
            "error parsing flags: invalid boolean value \"x\" for -server: parse error"
        );
        assert_eq!(
            text(&["-dns-port", "x"]),
            "error parsing flags: invalid value \"x\" for flag -dns-port: parse error"
        );
        assert_eq!(parse(&["-h"]).unwrap_err(), FlagsError::Help);
    }
}
