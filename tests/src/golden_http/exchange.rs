//! One HTTP line: sent, judged, and what it saves.

use super::{
    Diff, Vars,
    case::{Case, Expect, Request},
    client::{self, Reply},
    compare::{Rules, compare},
    pattern::{comparison, fill, fill_value, text_fits},
};
use crate::process::now;
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr, thread, time::Duration};

/// What lines before left behind.
pub(super) struct Memory {
    pub(super) vars: Vars,
    /// Whole bodies.
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
}

/// Sends a line's request and tells what differs.
pub(super) fn exchange(http: SocketAddr, case: &Case, request: &Request, memory: &mut Memory) -> Vec<Diff> {
    try_exchange(http, case, request, memory)
        .unwrap_or_else(|e| vec![Diff::text("answer", "a reply", format!("{e:#}"))])
}

fn try_exchange(http: SocketAddr, case: &Case, request: &Request, memory: &mut Memory) -> Result<Vec<Diff>> {
    let expect = Expect::deserialize(case)?;
    let (reply, elapsed) = thread::scope(|scope| {
        if let Some(other) = &case.meanwhile {
            let memory = &*memory;
            scope.spawn(move || {
                // The recorded delay: the first request blocks by then, and the least time it takes shows it.
                thread::sleep(Duration::from_millis(other.after_ms));
                // What it does to the first request is judged there.
                let _ = send(http, &other.request, memory);
            });
        }
        let start = now();
        let reply = send(http, request, memory);
        (reply, start.elapsed())
    });
    let reply = reply?;
    let body = decoded(&reply);
    let mut diffs = judge(case, &expect, &reply, &body, &memory.vars);
    let ms = u64::try_from(elapsed.as_millis())?;
    if let Some((least, most)) = expect.elapsed_ms
        // Twice the time on a slow machine is still less than the waiting that must not happen.
        && !(least..most * 19 / 10).contains(&ms)
    {
        diffs.push(Diff::text("elapsed ms", format!("{least}…{most}"), ms));
    }
    diffs.extend(save(case, reply, &body, memory));
    Ok(diffs)
}

impl Expect {
    fn deserialize(case: &Case) -> Result<Self> {
        serde_json::from_value(case.expect.clone()).with_context(|| format!("{}: expect", case.id))
    }
}

fn send(http: SocketAddr, request: &Request, memory: &Memory) -> Result<Reply> {
    let vars = &memory.vars;
    let headers = request.headers.iter().map(|(k, v)| (fill(k, vars), fill(v, vars))).collect();
    let body = request.body.as_ref().filter(|b| !b.is_null()).map(|b| encoded(b, memory)).transpose()?;
    client::ask(http, &request.method, &fill(&request.path, vars), &headers, body.as_deref())
}

/// The bytes of a request's body.
fn encoded(body: &Value, memory: &Memory) -> Result<Vec<u8>> {
    let special = body.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next());
    let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).context("a number");
    match special.map(|(k, v)| (k.as_str(), v)) {
        Some(("$repeat", v)) => Ok(v[0].as_str().context("a text")?.repeat(number(&v[1])?).into_bytes()),
        Some(("$base64", v)) => Ok(STANDARD.decode(v.as_str().context("a text")?)?),
        Some(("$saved", v)) => {
            let name = v.as_str().context("a name")?;
            memory.blobs.get(name).cloned().with_context(|| format!("no body was saved as {name}"))
        }
        Some(("$txn-reads", v)) => {
            let read = |i| json!({"KV": {"Verb": "get-or-empty", "Key": format!("bulk/{i}")}});
            Ok((0..number(v)?).map(read).collect::<Value>().to_string().into_bytes())
        }
        Some(("$txn-big", v)) => {
            let value = "A".repeat(number(v)?);
            // With the spaces of the recording: the answer tells how long it is.
            Ok(format!(r#"[{{"KV": {{"Verb": "set", "Key": "big", "Value": "{value}"}}}}]"#).into_bytes())
        }
        _ => Ok(match fill_value(body, &memory.vars) {
            Value::String(s) => s.into_bytes(),
            other => other.to_string().into_bytes(),
        }),
    }
}

/// JSON as it is; anything else as an object that says so.
fn decoded(reply: &Reply) -> Value {
    let json = reply.headers.get("content-type").is_some_and(|t| t.starts_with("application/json"));
    if json && let Ok(value) = serde_json::from_slice(&reply.body) {
        return value;
    }
    match std::str::from_utf8(&reply.body) {
        Ok(text) => json!({"text": text}),
        Err(_) => json!({"base64": STANDARD.encode(&reply.body)}),
    }
}

fn judge(case: &Case, expect: &Expect, reply: &Reply, body: &Value, vars: &Vars) -> Vec<Diff> {
    let mut out = Vec::new();
    let status = json!(reply.status);
    let allowed = expect.status.as_array().map_or(expect.status == status, |l| l.contains(&status));
    if !allowed {
        out.push(Diff::new("status", Some(&expect.status), Some(&status)));
    }
    for (name, want) in &expect.headers {
        let got = reply.headers.get(&name.to_ascii_lowercase());
        let fits = match (want, got) {
            (Some(want), Some(got)) => {
                comparison(want, got.parse().ok(), vars).unwrap_or_else(|| text_fits(want, got, vars))
            }
            (want, got) => want.is_none() && got.is_none(),
        };
        if !fits {
            let (want, got) = (want.clone().map(Value::from), got.cloned().map(Value::from));
            out.push(Diff { path: format!("header {name}"), expected: want, got });
        }
    }
    if let Some(want) = &expect.body {
        out.extend(compare(want, body, "$", Rules { vars, unordered: &case.unordered }));
    }
    if let Some(raw) = &expect.raw
        && raw.as_bytes() != reply.body
    {
        out.push(Diff::text("raw body", raw.as_str(), String::from_utf8_lossy(&reply.body)));
    }
    out
}

/// Keeps what the line wants kept; tells what is not there.
fn save(case: &Case, reply: Reply, body: &Value, memory: &mut Memory) -> Vec<Diff> {
    let mut out = Vec::new();
    for (name, path) in &case.save {
        let found = if path == "body" {
            memory.blobs.insert(name.clone(), reply.body.clone());
            continue;
        } else if let Some(header) = path.strip_prefix("header:") {
            let text = reply.headers.get(&header.to_ascii_lowercase());
            text.map(|t| t.parse::<u64>().map_or_else(|_| json!(t), |n| json!(n)))
        } else {
            at(body, path).cloned()
        };
        match found {
            Some(value) => _ = memory.vars.insert(name.clone(), value),
            None => out.push(Diff::new(format!("save {name}"), Some(&json!(path)), None)),
        }
    }
    out
}

/// `$.A.B[0].C`.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.strip_prefix('$')?.split(['.', '[']).map(|s| s.trim_end_matches(']'));
    steps.filter(|s| !s.is_empty()).try_fold(body, |value, step| match value {
        Value::Array(l) => l.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let body = json!({"A": [{"B": 1}]});
        assert_eq!(at(&body, "$.A[0].B"), Some(&json!(1)));
        assert_eq!(at(&body, "$.A[1].B"), None);
        assert_eq!(at(&json!([{"C": 2}]), "$[0].C"), Some(&json!(2)));
    }
}
