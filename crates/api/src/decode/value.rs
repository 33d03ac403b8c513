//! Putting values where they belong.

use super::{DecodeError, Json, Number};
use std::{collections::BTreeMap, time::Duration};
use types::{Opaque, SecretToken, Str};

fn wrong<T>(v: &Json, wanted: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::Type { found: v.kind().to_owned(), wanted })
}

/// Walks the fields of an object in order; `f` gets the lower-cased name and answers whether the field exists. `null` has none.
///
/// # Errors
/// [`DecodeError::Type`] when `v` is not an object, [`DecodeError::UnknownField`], or what `f` says.
pub fn fields(
    v: &Json,
    wanted: &'static str,
    mut f: impl FnMut(&str, &Json) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    walk(
        v,
        wanted,
        |spelled, lower, v| {
            if f(lower, v)? { Ok(()) } else { Err(DecodeError::UnknownField(spelled.to_owned())) }
        },
    )
}

/// As [`fields`], but unknown fields are passed over.
///
/// # Errors
/// As [`fields`], without `UnknownField`.
pub fn lenient_fields(
    v: &Json,
    wanted: &'static str,
    mut f: impl FnMut(&str, &Json) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    walk(v, wanted, |_spelled, lower, v| f(lower, v).map(|_known| ()))
}

fn walk(
    v: &Json,
    wanted: &'static str,
    mut f: impl FnMut(&str, &str, &Json) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match v {
        Json::Null => Ok(()),
        Json::Object(o) => o.iter().try_for_each(|(k, v)| f(k, &k.to_lowercase(), v)),
        other => wrong(other, wanted),
    }
}

/// For a field that is accepted and means nothing.
///
/// # Errors
/// Never; the signature is that of the other setters.
pub fn ignore(_v: &Json) -> Result<bool, DecodeError> {
    Ok(true)
}

impl Json {
    /// # Errors
    /// [`DecodeError::Type`].
    pub fn set_str<T: From<Str>>(&self, to: &mut T) -> Result<bool, DecodeError> {
        match self {
            Self::Null => {}
            Self::String(s) => *to = T::from(Str::new(s)),
            v => return wrong(v, "string"),
        }
        Ok(true)
    }

    /// # Errors
    /// [`DecodeError::Type`].
    pub fn set_secret(&self, to: &mut SecretToken) -> Result<bool, DecodeError> {
        match self {
            Self::Null => {}
            Self::String(s) => *to = SecretToken::new(s),
            v => return wrong(v, "string"),
        }
        Ok(true)
    }

    /// # Errors
    /// [`DecodeError::Type`].
    pub fn set_bool(&self, to: &mut bool) -> Result<bool, DecodeError> {
        match self {
            Self::Null => {}
            Self::Bool(b) => *to = *b,
            v => return wrong(v, "bool"),
        }
        Ok(true)
    }

    /// # Errors
    /// [`DecodeError::Type`], also for a fraction or a number beyond 64 bits.
    pub fn set_i64(&self, to: &mut i64) -> Result<bool, DecodeError> {
        match self {
            Self::Null => {}
            Self::Number(Number::Signed(n)) => *to = *n,
            Self::Number(Number::Unsigned(n)) => {
                *to = i64::try_from(*n)
                    .map_err(|_e| DecodeError::Type { found: format!("number {n}"), wanted: "int" })?;
            }
            Self::Number(Number::Float(n)) => {
                return Err(DecodeError::Type { found: format!("number {n}"), wanted: "int" });
            }
            v => return wrong(v, "int"),
        }
        Ok(true)
    }

    /// # Errors
    /// [`DecodeError::Type`], also for a negative number or a fraction.
    pub fn set_u64(&self, to: &mut u64) -> Result<bool, DecodeError> {
        match self {
            Self::Null => {}
            Self::Number(Number::Unsigned(n)) => *to = *n,
            Self::Number(Number::Signed(n)) => {
                return Err(DecodeError::Type { found: format!("number {n}"), wanted: "uint64" });
            }
            Self::Number(Number::Float(n)) => {
                return Err(DecodeError::Type { found: format!("number {n}"), wanted: "uint64" });
            }
            v => return wrong(v, "uint64"),
        }
        Ok(true)
    }

    /// A duration: Go's notation or nanoseconds.
    ///
    /// # Errors
    /// [`DecodeError::Type`], [`DecodeError::Value`].
    pub fn set_duration(&self, to: &mut Duration) -> Result<bool, DecodeError> {
        if *self != Self::Null {
            *to = crate::duration::from_ns(duration_value(self)?);
        }
        Ok(true)
    }
}

/// Signed nanoseconds of a duration given as text or as a number.
///
/// # Errors
/// [`DecodeError::Type`], [`DecodeError::Value`].
pub fn duration_value(v: &Json) -> Result<i64, DecodeError> {
    match v {
        Json::String(s) => crate::duration::parse_ns(s).map_err(|e| DecodeError::Value(e.to_string())),
        Json::Number(Number::Unsigned(n)) => Ok(i64::try_from(*n).unwrap_or(i64::MAX)),
        Json::Number(Number::Signed(n)) => Ok(*n),
        // Saturating, as the cast is.
        Json::Number(Number::Float(n)) => Ok(*n as i64),
        Json::Null => Ok(0),
        v => wrong(v, "time.Duration"),
    }
}

/// A list of strings; `null` is none.
///
/// # Errors
/// [`DecodeError::Type`].
pub fn str_list(v: &Json) -> Result<Option<Vec<Str>>, DecodeError> {
    match v {
        Json::Null => Ok(None),
        Json::Array(a) => a
            .iter()
            .map(|v| {
                let mut s = Str::default();
                v.set_str(&mut s)?;
                Ok(s)
            })
            .collect::<Result<_, _>>()
            .map(Some),
        v => wrong(v, "[]string"),
    }
}

/// A map of strings; `null` is none.
///
/// # Errors
/// [`DecodeError::Type`].
pub fn str_map(v: &Json) -> Result<Option<BTreeMap<Str, Str>>, DecodeError> {
    match v {
        Json::Null => Ok(None),
        Json::Object(o) => {
            let mut out = BTreeMap::new();
            for (k, v) in o {
                let mut s = Str::default();
                v.set_str(&mut s)?;
                out.insert(Str::new(k), s);
            }
            Ok(Some(out))
        }
        v => wrong(v, "map[string]string"),
    }
}

/// A map of lists of strings.
///
/// # Errors
/// [`DecodeError::Type`].
pub fn str_lists(v: &Json) -> Result<BTreeMap<Str, Vec<Str>>, DecodeError> {
    match v {
        Json::Null => Ok(BTreeMap::new()),
        Json::Object(o) => {
            o.iter().map(|(k, v)| Ok((Str::new(k), str_list(v)?.unwrap_or_default()))).collect()
        }
        v => wrong(v, "map[string][]string"),
    }
}

/// An object to be stored as it is; `null` is none.
///
/// # Errors
/// [`DecodeError::Type`].
pub fn opaque(v: &Json) -> Result<Option<Opaque>, DecodeError> {
    match v {
        Json::Null => Ok(None),
        Json::Object(_) => Ok(Some(Opaque::from_json(&v.to_value()))),
        v => wrong(v, "map[string]interface {}"),
    }
}
