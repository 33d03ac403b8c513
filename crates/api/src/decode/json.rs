//! A JSON value that keeps the order and the spelling of its keys.

use super::DecodeError;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A number as it was written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// Not negative, no fraction.
    Unsigned(u64),
    /// Negative, no fraction.
    Signed(i64),
    /// Anything else.
    Float(f64),
}

/// A JSON value.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the variants are those of JSON")]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// What Go calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The same value for storing; later keys win over earlier equal ones.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Number(Number::Unsigned(n)) => Value::from(*n),
            Self::Number(Number::Signed(n)) => Value::from(*n),
            Self::Number(Number::Float(n)) => Value::from(*n),
            Self::String(s) => Value::from(s.as_str()),
            Self::Array(a) => Value::Array(a.iter().map(Self::to_value).collect()),
            Self::Object(o) => Value::Object(o.iter().map(|(k, v)| (k.clone(), v.to_value())).collect()),
        }
    }
}

/// The first value of `body`; what follows it is not looked at. Damaged UTF-8 becomes U+FFFD.
///
/// # Errors
/// [`DecodeError::Empty`], [`DecodeError::Truncated`] or [`DecodeError::Syntax`].
pub fn first_value(body: &[u8]) -> Result<Json, DecodeError> {
    let text = String::from_utf8_lossy(body);
    match serde_json::Deserializer::from_str(&text).into_iter::<Json>().next() {
        None => Err(DecodeError::Empty),
        Some(Ok(v)) => Ok(v),
        Some(Err(e)) if e.is_eof() => Err(DecodeError::Truncated),
        Some(Err(e)) => Err(DecodeError::Syntax(e.to_string())),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Number(Number::Unsigned(v)))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Number(u64::try_from(v).map_or(Number::Signed(v), Number::Unsigned)))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Number(Number::Float(v)))
    }
    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::String(v.to_owned()))
    }
    fn visit_string<E>(self, v: String) -> Result<Json, E> {
        Ok(Json::String(v))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(v) = a.next_element()? {
            out.push(v);
        }
        Ok(Json::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(kv) = a.next_entry()? {
            out.push(kv);
        }
        Ok(Json::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_value_only_and_clear_ends() {
        assert_eq!(first_value(b""), Err(DecodeError::Empty));
        assert_eq!(first_value(b"  \n"), Err(DecodeError::Empty));
        assert_eq!(first_value(b"{"), Err(DecodeError::Truncated));
        assert_eq!(first_value(b"1 2"), Ok(Json::Number(Number::Unsigned(1))));
        assert_eq!(first_value(b"{} trailing"), Ok(Json::Object(vec![])));
        assert!(matches!(first_value(b"}"), Err(DecodeError::Syntax(_))));
        assert!(matches!(first_value("[".repeat(4096).as_bytes()), Err(DecodeError::Syntax(_))));
        assert_eq!(first_value(b"\"a\xffb\""), Ok(Json::String("a\u{fffd}b".into())));
    }

    #[test]
    fn keeps_order_and_spelling() {
        let Ok(Json::Object(o)) = first_value(br#"{"b":1,"A":-2,"c":1.5,"b":18446744073709551615}"#) else {
            panic!("not an object")
        };
        assert_eq!(o.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["b", "A", "c", "b"]);
        assert_eq!(o[3].1, Json::Number(Number::Unsigned(u64::MAX)));
    }
}
