//! Compares what came out with what was recorded.

use super::{
    case::{Case, FileExpect},
    normal::Normal,
    process::Output,
};
use regex::Regex;
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

/// All differences, in words.
pub(super) fn differences(case: &Case, normal: &Normal, dir: &Path, got: &Output) -> Vec<String> {
    let mut diff = Vec::new();
    let (out, err) = (shown(case, normal, &got.out), shown(case, normal, &got.err));
    if got.code != case.expect.exit {
        diff.push(format!("exit {}, want {}; stderr {:?}", got.code, case.expect.exit, tail(&err)));
    }
    if let Some(want) = &case.expect.stdout {
        diff.extend(stdout(want, normal, &out, &got.out));
    }
    for want in &case.expect.stderr_contains {
        if !err.contains(want) {
            diff.push(format!("stderr {:?} lacks {want:?}", tail(&err)));
        }
    }
    for (name, want) in &case.expect.files {
        diff.extend(file(&dir.join(name), name, want.as_ref(), normal));
    }
    diff
}

fn shown(case: &Case, normal: &Normal, text: &str) -> String {
    let mut text = normal.text(text);
    for (pattern, by) in &case.norm {
        match Regex::new(pattern) {
            Ok(regex) => text = regex.replace_all(&text, references(by).as_str()).into_owned(),
            Err(e) => text.push_str(&format!("\n<bad pattern {pattern}: {e}>")),
        }
    }
    text
}

/// `\1` as other tools write it becomes `${1}`.
fn references(by: &str) -> String {
    let mut out = String::new();
    let mut chars = by.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(d)) if d.is_ascii_digit() => {
                out.push_str(&format!("${{{d}}}"));
                chars.next();
            }
            ('$', _) => out.push_str("$$"),
            _ => out.push(c),
        }
    }
    out
}

fn tail(text: &str) -> &str {
    let from = text.char_indices().rev().nth(400).map_or(0, |(i, _)| i);
    &text[from..]
}

fn stdout(want: &Value, normal: &Normal, out: &str, raw: &str) -> Vec<String> {
    let differs = |what: &str| vec![format!("stdout {out:?}, want {what}")];
    if let Some(text) = want.as_str() {
        return if out == text { Vec::new() } else { differs(&format!("{text:?}")) };
    }
    if let Some(pattern) = want["regex"].as_str() {
        return match Regex::new(&format!("(?s){pattern}")) {
            Ok(regex) if regex.is_match(out) => Vec::new(),
            Ok(_) => differs(&format!("a match of {pattern:?}")),
            Err(e) => vec![format!("bad pattern {pattern:?}: {e}")],
        };
    }
    if let Some(text) = want["sorted"].as_str() {
        let sorted = |t: &str| {
            let mut lines: Vec<String> = t.split('\n').map(str::to_owned).collect();
            lines.sort();
            lines
        };
        return if sorted(out) == sorted(text) { Vec::new() } else { differs(&format!("lines {text:?}")) };
    }
    match serde_json::from_str::<Value>(raw) {
        Ok(got) => subset(&want["json"], &normal.json(&got), "stdout"),
        Err(_) => differs("JSON"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}

fn subset(want: &Value, got: &Value, path: &str) -> Vec<String> {
    match (want, got) {
        (Value::Object(w), Value::Object(g)) => w
            .iter()
            .flat_map(|(k, v)| match g.get(k) {
                Some(x) => subset(v, x, &format!("{path}.{k}")),
                None if is_empty(v) => Vec::new(),
                None => vec![format!("{path}.{k} missing")],
            })
            .collect(),
        (Value::Array(w), Value::Array(g)) if w.len() == g.len() => w
            .iter()
            .zip(g)
            .enumerate()
            .flat_map(|(i, (w, g))| subset(w, g, &format!("{path}[{i}]")))
            .collect(),
        (w, g) if w == g || (is_nothing(w) && is_nothing(g)) => Vec::new(),
        (w, g) => vec![format!("{path} = {g}, want {w}")],
    }
}

fn is_nothing(value: &Value) -> bool {
    !value.is_boolean() && !value.is_number() && !value.is_string() && is_empty(value)
}

fn file(path: &Path, name: &str, want: Option<&FileExpect>, normal: &Normal) -> Vec<String> {
    let Some(want) = want else {
        return if path.exists() { vec![format!("file {name} must not exist")] } else { Vec::new() };
    };
    let Ok(meta) = std::fs::metadata(path) else { return vec![format!("file {name} is missing")] };
    let mut diff = Vec::new();
    let mode = format!("{:04o}", meta.permissions().mode() & 0o7777);
    if want.mode.as_ref().is_some_and(|m| *m != mode) {
        diff.push(format!("file {name} has mode {mode}, want {:?}", want.mode));
    }
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    if want.text.as_ref().is_some_and(|t| *t != normal.text(&text)) {
        diff.push(format!("file {name} holds {text:?}"));
    }
    if want.begins.as_ref().is_some_and(|b| !text.starts_with(b)) {
        diff.push(format!("file {name} begins otherwise"));
    }
    if !want.x509.is_empty() || !want.x509_not.is_empty() {
        let shown = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(path).output();
        // Without openssl there is nothing to look with.
        if let Ok(shown) = shown {
            let text =
                String::from_utf8_lossy(&shown.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
            diff.extend(
                want.x509
                    .iter()
                    .filter(|s| !text.contains(*s))
                    .map(|s| format!("certificate {name} lacks {s:?}")),
            );
            diff.extend(
                want.x509_not
                    .iter()
                    .filter(|s| text.contains(*s))
                    .map(|s| format!("certificate {name} has {s:?}")),
            );
        }
    }
    diff
}
