//! How records tell and take their fields: public names as data, the notation left to the caller.

use crate::names::{Opaque, Str};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Signed nanoseconds, shown as a number.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Nanos(pub i64);

/// Signed nanoseconds, shown as text (`"5s"`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Span(pub i64);

/// A number with two decimals, as a whole number of hundredths.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Hundredths(pub i64);

/// Where values are written to.
#[allow(missing_docs, reason = "each method writes what its name says")]
pub trait Sink {
    fn begin_object(&mut self);
    fn key(&mut self, key: &str);
    fn end_object(&mut self);
    fn begin_list(&mut self);
    fn end_list(&mut self);
    fn null(&mut self);
    fn bool(&mut self, v: bool);
    fn i64(&mut self, v: i64);
    fn u64(&mut self, v: u64);
    /// A number of hundredths as a decimal number.
    fn hundredths(&mut self, v: i64);
    fn str(&mut self, v: &str);
    /// A duration of signed nanoseconds as text.
    fn span(&mut self, ns: i64);
    /// A JSON document as it is.
    fn opaque(&mut self, v: &Opaque);
}

/// Turns the text of a duration into signed nanoseconds.
pub type DurationReader<'a> = &'a dyn Fn(&str) -> Result<i64, String>;

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 32;

/// State of reading one entry: where we are, and what is wrong so far.
pub struct Reading<'a> {
    path: Vec<String>,
    duration: DurationReader<'a>,
    /// Values that cannot be what their field is.
    pub wrong: Vec<String>,
    /// Full names of keys that do not exist.
    pub unknown: Vec<String>,
}

impl<'a> Reading<'a> {
    /// Nothing read yet.
    pub fn new(duration: DurationReader<'a>) -> Self {
        Self { path: Vec::new(), duration, wrong: Vec::new(), unknown: Vec::new() }
    }

    /// Full name of the place.
    pub fn place(&self) -> String {
        let mut out = String::new();
        for part in &self.path {
            if !out.is_empty() && !part.starts_with('[') {
                out.push('.');
            }
            out.push_str(part);
        }
        out
    }

    /// Reads something at a named place below this one.
    pub fn within<T>(&mut self, part: String, f: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(part);
        let out = f(self);
        self.path.pop();
        out
    }

    /// Says that a key does not exist here.
    pub fn unknown_key(&mut self, key: &str) {
        let full = self.within(key.to_owned(), |cx| cx.place());
        self.unknown.push(full);
    }

    fn expected(&mut self, wanted: &str, found: &Json) {
        let text = format!(
            "'{}' expected type '{wanted}', got unconvertible type '{}'",
            self.place(),
            go_type(found)
        );
        self.wrong.push(text);
    }

    fn unparsable(&mut self, wanted: &str, why: &str) {
        let text = format!("cannot parse '{}' as {wanted}: {why}", self.place());
        self.wrong.push(text);
    }

    fn too_deep(&mut self) -> bool {
        let deep = self.path.len() > DEPTH_MAX;
        if deep {
            self.wrong
                .push(format!("'{}' is nested too deeply", self.path.first().cloned().unwrap_or_default()));
        }
        deep
    }
}

fn go_type(v: &Json) -> &'static str {
    match v {
        Json::Null => "nil",
        Json::Bool(_) => "bool",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}

/// What can stand in a field. Reading is lenient: numbers as text and the reverse, one thing for a list of one and the
/// reverse; `null` changes nothing.
pub trait Value: Default {
    /// Whether a field with this value is left out where the format leaves out empty ones.
    fn is_zero(&self) -> bool;
    /// Writes it.
    fn show(&self, out: &mut dyn Sink);
    /// Takes a value that is not `null`, or notes what is wrong with it.
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>);
}

/// A list of one stands for its element wherever no list is expected.
fn single(from: &Json) -> &Json {
    match from {
        Json::Array(list) if list.len() == 1 => &list[0],
        other => other,
    }
}

impl Value for Str {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn show(&self, out: &mut dyn Sink) {
        out.str(self);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        match single(from) {
            Json::String(s) => *self = Self::new(s),
            Json::Bool(b) => *self = Self::new_static(if *b { "1" } else { "0" }),
            Json::Number(n) => *self = Self::from(n.to_string()),
            other => cx.expected("string", other),
        }
    }
}

impl Value for bool {
    fn is_zero(&self) -> bool {
        !*self
    }
    fn show(&self, out: &mut dyn Sink) {
        out.bool(*self);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        match single(from) {
            Json::Bool(b) => *self = *b,
            Json::Number(n) => *self = n.as_f64() != Some(0.0),
            Json::String(s) => match s.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => *self = true,
                "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => *self = false,
                s => cx.unparsable("bool", &format!("strconv.ParseBool: parsing {s:?}: invalid syntax")),
            },
            other => cx.expected("bool", other),
        }
    }
}

fn read_int(from: &Json, wanted: &str, cx: &mut Reading<'_>) -> Option<i128> {
    let syntax = |s: &str| {
        format!(
            "strconv.Parse{}: parsing {s:?}: invalid syntax",
            if wanted == "int" { "Int" } else { "Uint" }
        )
    };
    match single(from) {
        Json::Bool(b) => Some(i128::from(*b)),
        // A fraction is cut off.
        #[allow(clippy::cast_possible_truncation, reason = "saturating, as documented")]
        Json::Number(n) => n
            .as_i64()
            .map(i128::from)
            .or_else(|| n.as_u64().map(i128::from))
            .or_else(|| n.as_f64().map(|f| f as i128)),
        Json::String(s) if s.is_empty() => Some(0),
        Json::String(s) => {
            let parsed = s.parse::<i128>().ok();
            if parsed.is_none() {
                cx.unparsable(wanted, &syntax(s));
            }
            parsed
        }
        other => {
            cx.expected(wanted, other);
            None
        }
    }
}

impl Value for i64 {
    fn is_zero(&self) -> bool {
        *self == 0
    }
    fn show(&self, out: &mut dyn Sink) {
        out.i64(*self);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if let Some(n) = read_int(from, "int", cx) {
            match Self::try_from(n) {
                Ok(n) => *self = n,
                Err(_) => cx.unparsable("int", "value out of range"),
            }
        }
    }
}

impl Value for u32 {
    fn is_zero(&self) -> bool {
        *self == 0
    }
    fn show(&self, out: &mut dyn Sink) {
        out.u64(u64::from(*self));
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if let Some(n) = read_int(from, "uint", cx) {
            match Self::try_from(n) {
                Ok(n) => *self = n,
                Err(_) => cx.unparsable("uint", &format!("{n} overflows uint")),
            }
        }
    }
}

impl Value for Hundredths {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
    fn show(&self, out: &mut dyn Sink) {
        out.hundredths(self.0);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        // Beyond this every number is equally wrong, and below it every hundredth can be told.
        const LIMIT: f64 = 1e12;
        #[allow(clippy::cast_possible_truncation, reason = "within the limit")]
        let rounded = |v: f64| (v * 100.0).round().clamp(-LIMIT, LIMIT) as i64;
        match single(from) {
            Json::Bool(b) => self.0 = i64::from(*b) * 100,
            Json::Number(n) => self.0 = rounded(n.as_f64().unwrap_or(0.0)),
            Json::String(s) if s.is_empty() => self.0 = 0,
            Json::String(s) => match s.parse::<f64>() {
                Ok(v) if v.is_finite() => self.0 = rounded(v),
                _ => cx.unparsable("float", &format!("strconv.ParseFloat: parsing {s:?}: invalid syntax")),
            },
            other => cx.expected("float32", other),
        }
    }
}

fn read_duration(from: &Json, cx: &mut Reading<'_>) -> Option<i64> {
    match single(from) {
        Json::String(s) => match (cx.duration)(s) {
            Ok(ns) => Some(ns),
            Err(why) => {
                let text = format!("error decoding '{}': {why}", cx.place());
                cx.wrong.push(text);
                None
            }
        },
        other => read_int(other, "int", cx).map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
    }
}

impl Value for Nanos {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
    fn show(&self, out: &mut dyn Sink) {
        out.i64(self.0);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if let Some(ns) = read_duration(from, cx) {
            self.0 = ns;
        }
    }
}

impl Value for Span {
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
    fn show(&self, out: &mut dyn Sink) {
        out.span(self.0);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if let Some(ns) = read_duration(from, cx) {
            self.0 = ns;
        }
    }
}

impl<T: Value> Value for Option<T> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }
    fn show(&self, out: &mut dyn Sink) {
        match self {
            Some(v) => v.show(out),
            None => out.null(),
        }
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        self.get_or_insert_default().read(from, cx);
    }
}

impl<T: Value> Value for Box<T> {
    fn is_zero(&self) -> bool {
        T::is_zero(self)
    }
    fn show(&self, out: &mut dyn Sink) {
        T::show(self, out);
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        T::read(self, from, cx);
    }
}

impl<T: Value> Value for Vec<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    /// An empty list is `null`.
    fn show(&self, out: &mut dyn Sink) {
        if self.is_empty() {
            return out.null();
        }
        out.begin_list();
        self.iter().for_each(|v| v.show(out));
        out.end_list();
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if cx.too_deep() {
            return;
        }
        self.clear();
        let list = match from {
            Json::Array(list) => list.as_slice(),
            Json::Object(o) if o.is_empty() => &[],
            one => std::slice::from_ref(one),
        };
        for (i, v) in list.iter().enumerate() {
            let mut item = T::default();
            if !v.is_null() {
                cx.within(format!("[{i}]"), |cx| item.read(v, cx));
            }
            self.push(item);
        }
    }
}

impl<T: Value> Value for BTreeMap<Str, T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    /// An empty map is `null`.
    fn show(&self, out: &mut dyn Sink) {
        if self.is_empty() {
            return out.null();
        }
        out.begin_object();
        for (k, v) in self {
            out.key(k);
            v.show(out);
        }
        out.end_object();
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        if cx.too_deep() {
            return;
        }
        match single(from) {
            Json::Object(o) => {
                for (k, v) in o {
                    let mut item = T::default();
                    if !v.is_null() {
                        cx.within(format!("[{k}]"), |cx| item.read(v, cx));
                    }
                    self.insert(Str::new(k), item);
                }
            }
            Json::Array(list) if list.is_empty() => {}
            // Several objects, as repeated blocks give them: one after another.
            Json::Array(list) if list.iter().all(Json::is_object) => {
                list.iter().for_each(|o| self.read(o, cx));
            }
            other => {
                let text = format!("'{}' expected a map, got '{}'", cx.place(), go_kind(other));
                cx.wrong.push(text);
            }
        }
    }
}

impl Value for Option<Opaque> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }
    fn show(&self, out: &mut dyn Sink) {
        match self {
            Some(v) => out.opaque(v),
            None => out.null(),
        }
    }
    fn read(&mut self, from: &Json, cx: &mut Reading<'_>) {
        match single(from) {
            v @ Json::Object(_) => *self = Some(Opaque::from_json(v)),
            Json::Array(list) if list.is_empty() => {}
            other => {
                let text = format!("'{}' expected a map, got '{}'", cx.place(), go_kind(other));
                cx.wrong.push(text);
            }
        }
    }
}

/// What kind of value this is, in the words of the messages.
pub(super) fn go_kind(v: &Json) -> &'static str {
    match v {
        Json::Null => "invalid",
        Json::Bool(_) => "bool",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "slice",
        Json::Object(_) => "map",
    }
}

/// Reads the fields of a record.
pub(super) fn read_record<T>(
    record: &mut T,
    from: &Json,
    cx: &mut Reading<'_>,
    field: impl Fn(&mut T, &str, &Json, &mut Reading<'_>) -> bool,
) {
    if cx.too_deep() {
        return;
    }
    match single(from) {
        Json::Object(o) => {
            for (k, v) in o {
                if !field(record, k, v, cx) {
                    cx.unknown_key(k);
                }
            }
        }
        Json::Array(list) if list.is_empty() => {}
        other => {
            let text = format!("'{}' expected a map, got '{}'", cx.place(), go_kind(other));
            cx.wrong.push(text);
        }
    }
}

/// Whether a key means a field of this name, or one of its other spellings.
pub(super) fn is_field(key: &str, name: &str, aliases: &[&str]) -> bool {
    key.eq_ignore_ascii_case(name) || aliases.iter().any(|a| key.eq_ignore_ascii_case(a))
}
