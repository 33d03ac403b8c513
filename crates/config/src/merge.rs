//! Decoded settings of one source, and how later sources override earlier ones.

use crate::schema::{self, Kind, Rule};
use std::{collections::BTreeMap, fmt};
use types::Str;

/// A decoded value; its shape follows the schema.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Number with a fraction.
    Float(f64),
    /// Text, also durations.
    Text(Str),
    /// List.
    List(Vec<Self>),
    /// Stanza (keys in canonical form) or map (keys as written).
    Map(Settings),
    /// Free-form part, one-element lists collapsed.
    Any(serde_json::Value),
}

/// The keys of one stanza, or of a whole source.
#[derive(Clone, Default, PartialEq)]
pub struct Settings(pub BTreeMap<Str, Value>);

/// Values may be secrets: only the keys are shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Settings {
    /// The value under a dotted path of stanzas.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut at = self;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let v = at.0.get(part)?;
            if parts.peek().is_none() {
                return Some(v);
            }
            let Value::Map(next) = v else { return None };
            at = next;
        }
        None
    }
    /// Sets the value under a dotted path, making stanzas on the way.
    pub fn set(&mut self, path: &str, value: Value) {
        match path.split_once('.') {
            None => {
                self.0.insert(Str::new(path), value);
            }
            Some((head, rest)) => {
                let slot = self.0.entry(Str::new(head)).or_insert_with(|| Value::Map(Self::default()));
                if !matches!(slot, Value::Map(_)) {
                    *slot = Value::Map(Self::default());
                }
                if let Value::Map(m) = slot {
                    m.set(rest, value);
                }
            }
        }
    }
    /// Removes and returns the value under a dotted path.
    pub fn take(&mut self, path: &str) -> Option<Value> {
        match path.split_once('.') {
            None => self.0.remove(path),
            Some((head, rest)) => match self.0.get_mut(head)? {
                Value::Map(m) => m.take(rest),
                _ => None,
            },
        }
    }
    /// Lays `later` over `self`.
    pub fn merge(&mut self, later: Self) {
        merge_stanza(&mut self.0, later.0, schema::TOP);
    }
}

fn merge_stanza(into: &mut BTreeMap<Str, Value>, later: BTreeMap<Str, Value>, fields: &[schema::Field]) {
    for (key, new) in later {
        let Some(field) = schema::field(fields, &key) else { continue };
        match into.remove(&key) {
            None => {
                into.insert(key, new);
            }
            Some(old) => {
                into.insert(key, merge_value(old, new, field));
            }
        }
    }
}

fn merge_value(old: Value, new: Value, field: &schema::Field) -> Value {
    match (old, new, field.kind) {
        (Value::List(mut a), Value::List(b), _) => {
            a.extend(b);
            Value::List(a)
        }
        (Value::Map(mut a), Value::Map(b), Kind::Stanza(fields)) if field.rule != Rule::Replace => {
            merge_stanza(&mut a.0, b.0, fields);
            Value::Map(a)
        }
        (Value::Map(mut a), Value::Map(b), Kind::TextMap | Kind::MapOf(_)) => {
            a.0.extend(b.0);
            Value::Map(a)
        }
        (
            Value::Any(serde_json::Value::Object(mut a)),
            Value::Any(serde_json::Value::Object(b)),
            Kind::AnyMap,
        ) => {
            a.extend(b);
            Value::Any(serde_json::Value::Object(a))
        }
        (_, new, _) => new,
    }
}
