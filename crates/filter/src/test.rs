//! One comparison of a field with a value.

use crate::{FilterError, REGEX_BYTES_MAX, parse::Operator, schema::Type, schema::View};
use regex::{Regex, RegexBuilder};

/// What is asked of a field, with the value converted to the field's type.
#[derive(Debug)]
pub(crate) enum Test {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Empty,
    In(String),
    Matches(Regex),
}

impl Test {
    pub fn new(
        operator: Operator,
        field: Type,
        value: &str,
        negated: bool,
        path: &[String],
    ) -> Result<Self, FilterError> {
        let refuse = || FilterError::Operator { operator: operator.text(negated), selector: path.join(".") };
        let wrong = |wanted| FilterError::Value { value: value.to_owned(), selector: path.join("."), wanted };
        match (operator, field) {
            (Operator::Equal, Type::Text | Type::Address) => Ok(Self::Text(value.to_owned())),
            (Operator::Equal, Type::Integer) => integer(value).map(Self::Integer).ok_or_else(|| wrong("int")),
            (Operator::Equal, Type::Boolean) => {
                boolean(value).map(Self::Boolean).ok_or_else(|| wrong("bool"))
            }
            (Operator::In, Type::Text | Type::Address | Type::List | Type::Map | Type::AddressMap) => {
                Ok(Self::In(value.to_owned()))
            }
            (Operator::Empty, Type::List | Type::Map | Type::AddressMap | Type::Structs(_)) => {
                Ok(Self::Empty)
            }
            (Operator::Matches, Type::Text | Type::Address) => RegexBuilder::new(value)
                .size_limit(REGEX_BYTES_MAX)
                .dfa_size_limit(REGEX_BYTES_MAX)
                .build()
                .map(Self::Matches)
                .map_err(|_e| FilterError::Regex(value.to_owned())),
            _ => Err(refuse()),
        }
    }

    pub fn operator(&self) -> Operator {
        match self {
            Self::Text(_) | Self::Integer(_) | Self::Boolean(_) => Operator::Equal,
            Self::Empty => Operator::Empty,
            Self::In(_) => Operator::In,
            Self::Matches(_) => Operator::Matches,
        }
    }

    pub fn holds(&self, view: &View<'_>) -> bool {
        match (self, view) {
            (Self::Text(wanted), View::Text(text)) => wanted == text,
            (Self::Integer(wanted), View::Integer(number)) => wanted == number,
            (Self::Boolean(wanted), View::Boolean(flag)) => wanted == flag,
            (Self::In(part), View::Text(text)) => text.contains(part.as_str()),
            (Self::In(item), View::List(list)) => list.iter().any(|i| i == item),
            (Self::In(key), View::Map(map)) => map.is_some_and(|m| m.contains_key(key.as_str())),
            (Self::In(key), View::AddressMap(map)) => map.is_some_and(|m| m.contains_key(key.as_str())),
            (Self::Empty, View::List(list)) => list.is_empty(),
            (Self::Empty, View::Map(map)) => map.is_none_or(|m| m.is_empty()),
            (Self::Empty, View::AddressMap(map)) => map.is_none_or(|m| m.is_empty()),
            (Self::Empty, View::Structs(list)) => list.is_empty(),
            (Self::Matches(regex), View::Text(text)) => regex.is_match(text),
            // Compiling made sure that tests and fields fit.
            _ => false,
        }
    }
}

/// A whole number, decimal or with a base prefix.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
