//! Placeholders in expected values and variables in requests.

use super::Vars;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

const PLACES: [(&str, &str); 14] = [
    ("uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    (
        "time",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    ),
    ("index", "[1-9][0-9]*"),
    ("int", "-?[0-9]+"),
    ("number", r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    ("duration", r"-?(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+"),
    ("version", r"v?[0-9]+\.[0-9]+\.[0-9]+[-+.0-9A-Za-z_]*"),
    ("hash", "[A-Za-z0-9+/=_-]+"),
    ("hex", "[0-9a-f]+(?:[:-][0-9a-f]+)*"),
    ("port", "[0-9]+"),
    ("pem", r"-----BEGIN [A-Z ]+-----(?s:.+)-----END [A-Z ]+-----\s*"),
    ("string", "(?s:.*)"),
    ("nonempty", "(?s:.+)"),
    ("any", "(?s:.*)"),
];

/// A pattern of this file, which its tests cover.
#[expect(clippy::unwrap_used, reason = "patterns of this file")]
fn known(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let names: Vec<&str> = PLACES.iter().map(|(name, _)| *name).collect();
    known(&format!(r"<({})>|[$#]\{{(\w+)\}}", names.join("|")))
});
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| known(r"[$#]\{(\w+)\}"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| known(r"^#\{(\w+)\}$"));
static COMPARISON: LazyLock<Regex> = LazyLock::new(|| known(r"^<index (>=|<=|>|<|==|!=) #\{(\w+)\}>$"));

fn plain(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}

/// `${x}` and `#{x}` replaced in a text; unknown ones stay.
pub(super) fn fill(text: &str, vars: &Vars) -> String {
    VARIABLE
        .replace_all(text, |c: &regex::Captures<'_>| vars.get(&c[1]).map_or_else(|| c[0].to_owned(), plain))
        .into_owned()
}

/// Variables replaced everywhere in a request; `#{x}` alone keeps its type.
pub(super) fn fill_value(value: &Value, vars: &Vars) -> Value {
    match value {
        Value::String(s) => match NUMBER.captures(s).and_then(|c| vars.get(&c[1])) {
            Some(v) => v.clone(),
            None => Value::String(fill(s, vars)),
        },
        Value::Array(l) => l.iter().map(|v| fill_value(v, vars)).collect(),
        Value::Object(o) => o.iter().map(|(k, v)| (fill(k, vars), fill_value(v, vars))).collect(),
        other => other.clone(),
    }
}

/// Whether a text fits an expected one with placeholders.
pub(super) fn text_fits(expected: &str, got: &str, vars: &Vars) -> bool {
    if expected == got {
        return true;
    }
    let (mut pattern, mut from) = (String::from(r"\A(?:"), 0);
    for found in TOKEN.captures_iter(expected) {
        let Some(whole) = found.get(0) else { continue };
        pattern.push_str(&regex::escape(&expected[from..whole.start()]));
        from = whole.end();
        if let Some((_, place)) = found.get(1).and_then(|n| PLACES.iter().find(|(p, _)| *p == n.as_str())) {
            pattern.push_str(place);
        } else {
            pattern.push_str(&regex::escape(&fill(whole.as_str(), vars)));
        }
    }
    if from == 0 {
        return false;
    }
    pattern.push_str(&regex::escape(&expected[from..]));
    pattern.push_str(r")\z");
    regex::RegexBuilder::new(&pattern).size_limit(1 << 26).build().is_ok_and(|r| r.is_match(got))
}

fn compared(operator: &str, a: i64, b: i64) -> bool {
    match operator {
        ">" => a > b,
        "<" => a < b,
        ">=" => a >= b,
        "<=" => a <= b,
        "==" => a == b,
        _ => a != b,
    }
}

/// Whether `expected` is a comparison with a saved index, and how that comes out.
pub(super) fn comparison(expected: &str, got: Option<i64>, vars: &Vars) -> Option<bool> {
    let found = COMPARISON.captures(expected)?;
    let than = vars.get(&found[2]).and_then(Value::as_i64).unwrap_or(0);
    Some(got.is_some_and(|got| compared(&found[1], got, than)))
}

/// Whether a value that is neither list nor object fits.
pub(super) fn scalar_fits(expected: &Value, got: &Value, vars: &Vars) -> bool {
    let Value::String(text) = expected else {
        return match (expected, got) {
            (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            _ => expected == got,
        };
    };
    let whole = got.is_i64() || got.is_u64();
    match text.as_str() {
        "<any>" => true,
        "<index>" => got.as_u64().is_some_and(|n| n > 0),
        "<int>" => whole,
        "<number>" => got.is_number(),
        "<bool>" => got.is_boolean(),
        "<object>" => got.is_object(),
        "<array>" => got.is_array(),
        "<object or null>" => got.is_null() || got.is_object(),
        "<array or null>" => got.is_null() || got.is_array(),
        _ => {
            if let Some(fits) = comparison(text, got.as_i64(), vars) {
                return fits;
            }
            if let Some(name) = NUMBER.captures(text) {
                return whole && vars.get(&name[1]) == Some(got);
            }
            got.as_str().is_some_and(|got| text_fits(text, got, vars))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vars() -> Vars {
        [("idx".to_owned(), json!(7)), ("name".to_owned(), json!("a.b"))].into()
    }

    #[test]
    fn every_place_compiles_and_is_known() {
        for (name, pattern) in PLACES {
            assert!(Regex::new(pattern).is_ok(), "{name}");
            assert!(TOKEN.is_match(&format!("<{name}>")), "{name}");
        }
    }

    #[test]
    fn texts_fit_their_places() {
        assert!(text_fits("at <time>, <duration>", "at 2024-01-02T03:04:05.6Z, 1m2.5s", &vars()));
        assert!(text_fits("x <any>", "x a\nb", &vars()));
        assert!(text_fits("${name}:<int>", "a.b:-3", &vars()));
        assert!(!text_fits("${name}:<int>", "aXb:3", &vars()));
        assert!(!text_fits("<index>", "0", &vars()));
        assert!(!text_fits("plain", "plainer", &vars()));
    }

    #[test]
    fn numbers_fit_by_type() {
        assert!(scalar_fits(&json!("#{idx}"), &json!(7), &vars()));
        assert!(!scalar_fits(&json!("#{idx}"), &json!("7"), &vars()));
        assert!(scalar_fits(&json!("<index > #{idx}>"), &json!(8), &vars()));
        assert!(!scalar_fits(&json!("<index > #{idx}>"), &json!(7), &vars()));
        assert!(!scalar_fits(&json!("<int>"), &json!(1.5), &vars()));
        assert!(!scalar_fits(&json!(1), &json!(true), &vars()));
        assert_eq!(fill_value(&json!({"${name}": "#{idx}"}), &vars()), json!({"a.b": 7}));
    }
}
