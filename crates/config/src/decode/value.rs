//! One value, by the kind that its key has.

use super::{Decoder, Path, unwrap_single};
use crate::{
    merge::{Settings, Value},
    schema::{Field, Kind},
    text::{Data, Node},
};
use serde_json::Value as Json;
use types::Str;

impl Decoder {
    /// `None` for `null` and for what was refused.
    pub(super) fn value(&mut self, node: &Node, path: &Path, kind: Kind) -> Option<Value> {
        if matches!(node.data, Data::Null) {
            return None;
        }
        match kind {
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Float | Kind::Text | Kind::Duration => {
                self.scalar(node, path, kind)
            }
            Kind::TextList => self.list(node, path, |d, item, at| d.scalar(item, at, Kind::Text)),
            Kind::TextMap => self.map(node, path, |d, item, at| d.scalar(item, at, Kind::Text)),
            Kind::TextListMap => self.map(node, path, |d, item, at| d.value(item, at, Kind::TextList)),
            Kind::Stanza(fields) => self.stanza(node, path, fields).map(Value::Map),
            Kind::StanzaList(fields) => {
                self.list(node, path, |d, item, at| d.stanza(item, at, fields).map(Value::Map))
            }
            Kind::MapOf(fields) => self.map_of(node, path, fields),
            Kind::AnyMap => {
                self.object(node, path)?;
                Some(Value::Any(free(unwrap_single(node))))
            }
            Kind::AnyMapList => self.list(node, path, |d, item, at| {
                d.object(item, at)?;
                Some(Value::Any(free(unwrap_single(item))))
            }),
        }
    }

    fn scalar(&mut self, node: &Node, path: &Path, kind: Kind) -> Option<Value> {
        match (kind, &unwrap_single(node).data) {
            (_, Data::Null) => None,
            (Kind::Bool, Data::Bool(b)) => Some(Value::Bool(*b)),
            (Kind::Int, Data::Int(n)) => Some(Value::Int(*n)),
            (Kind::Int, Data::Float(v)) => Some(Value::Int(truncate(*v))),
            (Kind::Uint, Data::Int(n)) if *n >= 0 => Some(Value::Int(*n)),
            (Kind::Uint, Data::Float(v)) if *v >= 0.0 => Some(Value::Int((*v).min(i64::MAX as f64) as i64)),
            (Kind::Uint, Data::Int(n)) => self.overflow(path, node, &n.to_string()),
            (Kind::Uint, Data::Float(v)) => self.overflow(path, node, &v.to_string()),
            (Kind::Float, Data::Int(n)) => Some(Value::Float(*n as f64)),
            (Kind::Float, Data::Float(v)) => Some(Value::Float(*v)),
            (Kind::Text | Kind::Duration, Data::Text(s)) => Some(Value::Text(Str::new(s))),
            (_, got) => {
                let got_name = match (got, &node.data) {
                    (_, Data::List(_)) => "[]interface {}",
                    (Data::Object(_), _) => "map[string]interface {}",
                    (other, _) => other.type_name(),
                };
                let shown = match got {
                    _ if is_secret(&path.0) => String::new(),
                    Data::Text(s) => format!(", value: '{s}'"),
                    Data::Int(n) => format!(", value: '{n}'"),
                    Data::Float(v) => format!(", value: '{v}'"),
                    Data::Bool(b) => format!(", value: '{b}'"),
                    _ => String::new(),
                };
                self.types.push(format!(
                    "'{}' expected type '{}', got unconvertible type '{got_name}'{shown} (line {})",
                    path.0,
                    expected(kind),
                    node.line
                ));
                None
            }
        }
    }

    fn overflow(&mut self, path: &Path, node: &Node, number: &str) -> Option<Value> {
        self.types.push(format!("cannot parse '{}', {number} overflows uint (line {})", path.0, node.line));
        None
    }

    fn list(
        &mut self,
        node: &Node,
        path: &Path,
        mut each: impl FnMut(&mut Self, &Node, &Path) -> Option<Value>,
    ) -> Option<Value> {
        let Data::List(items) = &node.data else {
            let got = node.data.type_name();
            self.types.push(format!(
                "'{}': source data must be an array or slice, got {got} (line {})",
                path.0, node.line
            ));
            return None;
        };
        let values = items.iter().enumerate().filter_map(|(i, item)| each(self, item, &path.index(i)));
        Some(Value::List(values.collect()))
    }

    fn map(
        &mut self,
        node: &Node,
        path: &Path,
        mut each: impl FnMut(&mut Self, &Node, &Path) -> Option<Value>,
    ) -> Option<Value> {
        let members = self.object(node, path)?;
        let mut out = Settings::default();
        for m in members {
            if let Some(v) = each(self, &m.value, &path.index(&m.key)) {
                out.0.insert(Str::new(&m.key), v);
            }
        }
        Some(Value::Map(out))
    }

    fn map_of(&mut self, node: &Node, path: &Path, fields: &[Field]) -> Option<Value> {
        // Names of audit sinks are left out of paths.
        let anonymous = path.0 == "audit.sink";
        let members = self.object(node, path)?;
        let mut out = Settings::default();
        for m in members {
            let at = if anonymous { path.index("") } else { path.index(&m.key) };
            if let Some(v) = self.stanza(&m.value, &at, fields) {
                out.0.insert(Str::new(&m.key), Value::Map(v));
            }
        }
        Some(Value::Map(out))
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Uint => "uint",
        Kind::Float => "float64",
        _ => "string",
    }
}

/// Whether a value under this path may be a secret, which messages never show.
fn is_secret(path: &str) -> bool {
    ["token", "encrypt", "secret", "private_key", "master", "recovery", "acl.", "meta", "config", "header"]
        .iter()
        .any(|s| path.contains(s))
}

/// A number cut to a whole one; what no 64 bits can hold becomes the smallest, as the platform of old did.
fn truncate(v: f64) -> i64 {
    if v.is_finite() && v > -9.3e18 && v < 9.2e18 { v as i64 } else { i64::MIN }
}

/// A free-form part: every list of one element, at any depth, is replaced by its element.
pub(crate) fn free(node: &Node) -> Json {
    match &node.data {
        Data::Null => Json::Null,
        Data::Bool(b) => Json::Bool(*b),
        Data::Int(n) => Json::from(*n),
        Data::Float(v) => serde_json::Number::from_f64(*v).map_or(Json::Null, Json::Number),
        Data::Text(s) => Json::String(s.clone()),
        Data::List(items) => match items.as_slice() {
            [only] => free(only),
            many => Json::Array(many.iter().map(free).collect()),
        },
        Data::Object(members) => {
            Json::Object(members.iter().map(|m| (m.key.clone(), free(&m.value))).collect())
        }
    }
}
