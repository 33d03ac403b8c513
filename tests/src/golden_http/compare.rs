//! Expected JSON against what came.

use super::{
    Diff, Vars,
    pattern::{fill, scalar_fits},
};
use regex::Regex;
use serde_json::{Map, Value};

/// What a comparison needs to know.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) vars: &'a Vars,
    /// Paths of lists whose order is free.
    pub(super) unordered: &'a [String],
}

/// All differences, each with its path below `path`.
pub(super) fn compare(expected: &Value, got: &Value, path: &str, rules: Rules<'_>) -> Vec<Diff> {
    let odd = || vec![Diff::new(path, Some(expected), Some(got))];
    match (expected, got) {
        (Value::Object(want), _) => match (only(want), got) {
            (Some(("<each>", each)), Value::Array(got)) => got
                .iter()
                .enumerate()
                .flat_map(|(i, g)| compare(each, g, &format!("{path}[{i}]"), rules))
                .collect(),
            (Some(("<values>", each)), Value::Object(got)) => {
                got.iter().flat_map(|(k, g)| compare(each, g, &format!("{path}.{k}"), rules)).collect()
            }
            (Some(("<contains>", Value::Array(wanted))), Value::Array(list)) => wanted
                .iter()
                .filter(|w| !list.iter().any(|g| compare(w, g, path, rules).is_empty()))
                .map(|w| Diff::new(format!("{path}[contains]"), Some(w), Some(got)))
                .collect(),
            (Some(("<each>" | "<values>" | "<contains>", _)), _) => odd(),
            (_, Value::Object(got)) => objects(want, got, path, rules),
            _ => odd(),
        },
        (Value::Array(want), Value::Array(got)) if is_free(path, rules.unordered) => {
            sets(want, got, path, rules)
        }
        (Value::Array(want), Value::Array(got)) => (0..want.len().max(got.len()))
            .flat_map(|i| {
                let path = format!("{path}[{i}]");
                match (want.get(i), got.get(i)) {
                    (Some(w), Some(g)) => compare(w, g, &path, rules),
                    (w, g) => vec![Diff::new(path, w, g)],
                }
            })
            .collect(),
        (Value::Array(_), _) => odd(),
        _ if scalar_fits(expected, got, rules.vars) => Vec::new(),
        _ => odd(),
    }
}

fn only(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = object.iter();
    let first = all.next();
    if all.next().is_some() { None } else { first.map(|(k, v)| (k.as_str(), v)) }
}

fn objects(want: &Map<String, Value>, got: &Map<String, Value>, path: &str, rules: Rules<'_>) -> Vec<Diff> {
    let open = want.contains_key("...");
    let named: Map<String, Value> =
        want.iter().filter(|(k, _)| *k != "...").map(|(k, v)| (fill(k, rules.vars), v.clone())).collect();
    let mut out = Vec::new();
    for (key, w) in &named {
        let path = format!("{path}.{key}");
        match got.get(key) {
            Some(g) => out.extend(compare(w, g, &path, rules)),
            None => out.push(Diff::new(path, Some(w), None)),
        }
    }
    if !open {
        let extra = got.iter().filter(|(k, _)| !named.contains_key(*k));
        out.extend(extra.map(|(k, g)| Diff::new(format!("{path}.{k}"), None, Some(g))));
    }
    out
}

/// Lists in any order; what is left over is held against what is nearest to it.
fn sets(want: &[Value], got: &[Value], path: &str, rules: Rules<'_>) -> Vec<Diff> {
    let mut rest: Vec<(usize, &Value)> = got.iter().enumerate().collect();
    let mut open = Vec::new();
    for (i, w) in want.iter().enumerate() {
        let fits = |(n, g): &(usize, &Value)| compare(w, g, &format!("{path}[{n}]"), rules).is_empty();
        match rest.iter().position(fits) {
            Some(at) => _ = rest.remove(at),
            None => open.push((i, w)),
        }
    }
    let mut out = Vec::new();
    for (i, w) in open {
        let each = rest.iter().enumerate();
        let nearest = each
            .map(|(at, (n, g))| (at, compare(w, g, &format!("{path}[{n}]"), rules)))
            .min_by_key(|(_, diff)| diff.len());
        match nearest {
            Some((at, diff)) => {
                rest.remove(at);
                out.extend(diff);
            }
            None => out.push(Diff::new(format!("{path}[{i}]"), Some(w), None)),
        }
    }
    out.extend(rest.into_iter().map(|(n, g)| Diff::new(format!("{path}[{n}]"), None, Some(g))));
    out
}

/// Whether a path is among patterns like `$[*].Tags` and `$.*.Tags`.
fn is_free(path: &str, patterns: &[String]) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let general = general(path);
    patterns.iter().any(|p| {
        let wild = || format!(r"\A(?:{})\z", regex::escape(p).replace(r"\.\*", r"\.[^.\[]+"));
        *p == general || p.contains(".*") && Regex::new(&wild()).is_ok_and(|r| r.is_match(&general))
    })
}

/// `$[3].A` is `$[*].A`.
fn general(path: &str) -> String {
    let mut out = String::new();
    for part in path.split_inclusive('[') {
        match part.split_once(']') {
            Some((n, after)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => {
                out.push_str("*]");
                out.push_str(after);
            }
            _ => out.push_str(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn count(expected: &Value, got: &Value, unordered: &[&str]) -> usize {
        let unordered: Vec<String> = unordered.iter().map(|s| (*s).to_owned()).collect();
        compare(expected, got, "$", Rules { vars: &Vars::new(), unordered: &unordered }).len()
    }

    #[test]
    fn objects_are_closed_unless_said() {
        assert_eq!(count(&json!({"a": 1}), &json!({"a": 1, "b": 2}), &[]), 1);
        assert_eq!(count(&json!({"a": 1, "...": 1}), &json!({"a": 1, "b": 2}), &[]), 0);
        assert_eq!(count(&json!({"a": null}), &json!({}), &[]), 1);
    }

    #[test]
    fn lists_keep_their_order_unless_said() {
        assert_eq!(count(&json!([1, 2]), &json!([2, 1]), &[]), 2);
        assert_eq!(count(&json!([1, 2]), &json!([2, 1]), &["$"]), 0);
        assert_eq!(count(&json!([[1, 2]]), &json!([[2, 1]]), &["$[*]"]), 0);
        assert_eq!(count(&json!({"k": [1, 2]}), &json!({"k": [2, 1]}), &["$.*"]), 0);
        assert_eq!(count(&json!([1]), &json!([1, 2]), &["$"]), 1);
    }

    #[test]
    fn wholes_are_described() {
        assert_eq!(count(&json!({"<each>": "<int>"}), &json!([1, "x"]), &[]), 1);
        assert_eq!(count(&json!({"<values>": "<int>"}), &json!({"a": 1}), &[]), 0);
        assert_eq!(count(&json!({"<contains>": [2]}), &json!([1, 2]), &[]), 0);
        assert_eq!(count(&json!({"<contains>": [3]}), &json!([1, 2]), &[]), 1);
    }
}
