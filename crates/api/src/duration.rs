//! Durations in Go's notation (`"1h30m"`, `"250ms"`), which the public API reads and writes.

use std::{fmt, time::Duration};

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Why a text is not a duration. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DurationError {
    /// Not a duration at all, or too long for 64 bits of nanoseconds.
    #[error("time: invalid duration {}", crate::decode::quote(.0))]
    Invalid(String),
    /// A number without unit.
    #[error("time: missing unit in duration {}", crate::decode::quote(.0))]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("time: unknown unit {} in duration {}", crate::decode::quote(.unit), crate::decode::quote(.text))]
    UnknownUnit {
        /// What stood where the unit should be.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Reads a duration as signed nanoseconds.
///
/// # Errors
/// [`DurationError`] when `text` is not in Go's notation or does not fit.
pub fn parse_ns(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = component(rest, text)?;
        total = total.checked_add(part).filter(|t| *t <= 1 << 63).ok_or_else(invalid)?;
        rest = after;
    }
    if negative {
        // 1 << 63 is exactly the magnitude of the most negative value.
        return Ok((total as i64).wrapping_neg());
    }
    i64::try_from(total).map_err(|_e| invalid())
}

/// One `<number><unit>` at the start of `rest`: its nanoseconds and what follows.
fn component<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let whole_len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut rest) = rest.split_at(whole_len);
    let mut fraction = "";
    if let Some(after_dot) = rest.strip_prefix('.') {
        let n = after_dot.bytes().take_while(u8::is_ascii_digit).count();
        (fraction, rest) = after_dot.split_at(n);
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let unit_len = rest.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
    let (unit, after) = rest.split_at(unit_len);
    if unit.is_empty() {
        return Err(DurationError::MissingUnit(text.to_owned()));
    }
    let scale = match unit {
        "ns" => NANOSECOND,
        // Both the micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() }),
    };
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_e| invalid())? };
    let mut ns = whole.checked_mul(scale).filter(|v| *v <= 1 << 63).ok_or_else(invalid)?;
    // Digits beyond the 18th are below one nanosecond for every unit.
    let mut numerator: u128 = 0;
    let mut denominator: u128 = 1;
    for digit in fraction.bytes().take(18) {
        numerator = numerator * 10 + u128::from(digit - b'0');
        denominator *= 10;
    }
    let part = (numerator * u128::from(scale) / denominator) as u64;
    ns = ns.checked_add(part).ok_or_else(invalid)?;
    Ok((ns, after))
}

/// Reads a duration; a negative one becomes zero.
///
/// # Errors
/// As [`parse_ns`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    parse_ns(text).map(from_ns)
}

/// A duration from signed nanoseconds; negative ones become zero.
pub fn from_ns(ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
}

/// Nanoseconds of `d`, saturating.
pub fn to_ns(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

/// Go's text of `d`: `"1m30s"`, `"1.5s"`, `"250ms"`, `"0s"`.
pub fn format(d: Duration) -> String {
    GoDuration(to_ns(d)).to_string()
}

/// Signed nanoseconds whose `Display` is Go's notation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GoDuration(pub i64);

impl From<Duration> for GoDuration {
    fn from(d: Duration) -> Self {
        Self(to_ns(d))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let ns = self.0.unsigned_abs();
        if ns == 0 {
            return f.write_str("0s");
        }
        if ns < SECOND {
            let (scale, unit) = match ns {
                0..MICROSECOND => (NANOSECOND, "ns"),
                MICROSECOND..MILLISECOND => (MICROSECOND, "\u{b5}s"),
                _ => (MILLISECOND, "ms"),
            };
            return decimal(f, ns, scale).and_then(|()| f.write_str(unit));
        }
        let hours = ns / HOUR;
        let minutes = ns / MINUTE % 60;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        decimal(f, ns % MINUTE, SECOND)?;
        f.write_str("s")
    }
}

/// `value / scale` with as many decimals as it has.
fn decimal(f: &mut fmt::Formatter<'_>, value: u64, scale: u64) -> fmt::Result {
    write!(f, "{}", value / scale)?;
    let mut rest = value % scale;
    if rest == 0 {
        return Ok(());
    }
    f.write_str(".")?;
    let mut unit = scale / 10;
    while rest > 0 {
        write!(f, "{}", rest / unit)?;
        rest %= unit;
        unit /= 10;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_both_ways() {
        for (text, ns) in [
            ("0s", 0),
            ("1ns", 1),
            ("1.1\u{b5}s", 1_100),
            ("250ms", 250_000_000),
            ("10s", 10_000_000_000),
            ("1.5s", 1_500_000_000),
            ("1m0s", 60_000_000_000),
            ("1h0m0.5s", 3_600_500_000_000),
            ("72h0m0s", 72 * 3_600_000_000_000),
            ("-1m30s", -90_000_000_000),
        ] {
            assert_eq!(GoDuration(ns).to_string(), text);
            assert_eq!(parse_ns(text), Ok(ns), "{text}");
        }
    }

    #[test]
    fn lenient_forms() {
        assert_eq!(parse_ns("0"), Ok(0));
        assert_eq!(parse_ns("+5s"), Ok(5_000_000_000));
        assert_eq!(parse_ns(".5m"), Ok(30_000_000_000));
        assert_eq!(parse_ns("1.h"), Ok(3_600_000_000_000));
        assert_eq!(parse_ns("1h1h"), Ok(7_200_000_000_000));
        assert_eq!(parse_ns("9223372036854775807ns"), Ok(i64::MAX));
        assert_eq!(parse_ns("-9223372036854775808ns"), Ok(i64::MIN));
        assert_eq!(parse("-3s"), Ok(Duration::ZERO));
    }

    #[test]
    fn refusals_name_the_text() {
        for (text, why) in [
            ("", "time: invalid duration \"\""),
            ("10", "time: missing unit in duration \"10\""),
            ("10x", "time: unknown unit \"x\" in duration \"10x\""),
            ("abc", "time: invalid duration \"abc\""),
            ("-", "time: invalid duration \"-\""),
            (".s", "time: invalid duration \".s\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
            ("999999999999h", "time: invalid duration \"999999999999h\""),
        ] {
            assert_eq!(parse_ns(text).map_err(|e| e.to_string()), Err(why.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ns in any::<i64>()) {
            prop_assert_eq!(parse_ns(&GoDuration(ns).to_string()), Ok(ns));
        }
        #[test]
        fn never_panics(text in ".*") {
            let _ = parse_ns(&text);
        }
    }
}
