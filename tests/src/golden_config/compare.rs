//! Wanted parts against what an agent shows.

use serde_json::Value;

/// Differences: every key of `want` must be in `got`; lists and scalars must be equal.
pub(super) fn compare(want: &Value, got: &Value, path: &str) -> Vec<String> {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => want
            .iter()
            .flat_map(|(k, w)| match got.get(k) {
                Some(g) => compare(w, g, &format!("{path}.{k}")),
                None => vec![format!("{path}.{k} missing (want {w})")],
            })
            .collect(),
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => want
            .iter()
            .zip(got)
            .enumerate()
            .flat_map(|(i, (w, g))| compare(w, g, &format!("{path}[{i}]")))
            .collect(),
        (Value::Number(w), Value::Number(g)) if w.as_f64() == g.as_f64() => Vec::new(),
        _ if is_nothing(want) && is_nothing(got) => Vec::new(),
        _ if want == got => Vec::new(),
        _ => vec![format!("{path} = {got}, want {want}")],
    }
}

fn is_nothing(v: &Value) -> bool {
    match v {
        Value::Null => true,
        Value::Array(l) => l.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

/// Names like `Services.a` that are still there.
pub(super) fn still_there(gone: &[String], got: &Value) -> Vec<String> {
    gone.iter()
        .filter(|name| {
            name.split_once('.').is_some_and(|(top, key)| got.get(top).and_then(|t| t.get(key)).is_some())
        })
        .map(|name| format!("{name} still there"))
        .collect()
}
