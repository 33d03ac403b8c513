//! An answer, as handlers see it.

use config::watch::Target;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A key, in the order and with the members that handlers know; the API leaves some out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    key: String,
    create_index: u64,
    modify_index: u64,
    lock_index: u64,
    flags: u64,
    value: Option<String>,
    #[serde(default)]
    session: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    partition: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "ID")]
    id: String,
}

/// The body of an answer in compact JSON; `None` is an answer that says there is nothing. Of events, those after `seen` remain.
pub(crate) fn of(target: &Target, body: Option<&str>, seen: u64) -> Result<String, String> {
    let Some(body) = body else {
        return Ok(if matches!(target, Target::Key(_)) { "null" } else { "[]" }.to_owned());
    };
    let wrong = |e: serde_json::Error| format!("cannot decode the agent's answer: {e}");
    match target {
        Target::Key(_) => {
            let found: Option<Vec<Pair>> = serde_json::from_str(body).map_err(wrong)?;
            let first = found.unwrap_or_default().into_iter().next();
            serde_json::to_string(&first).map_err(wrong)
        }
        Target::KeyPrefix(_) => {
            let found: Option<Vec<Pair>> = serde_json::from_str(body).map_err(wrong)?;
            serde_json::to_string(&found.unwrap_or_default()).map_err(wrong)
        }
        Target::Event(_) => {
            let all: Option<Vec<&RawValue>> = serde_json::from_str(body).map_err(wrong)?;
            let mut fresh = Vec::new();
            for event in all.unwrap_or_default() {
                let Event { id } = serde_json::from_str(event.get()).map_err(wrong)?;
                if event_index(&id) == Some(seen) {
                    fresh.clear();
                } else {
                    fresh.push(crate::compact(event.get()));
                }
            }
            Ok(format!("[{}]", fresh.join(",")))
        }
        _ => {
            // Whatever is no JSON must not reach a handler.
            let raw: &RawValue = serde_json::from_str(body).map_err(wrong)?;
            Ok(crate::compact(raw.get()))
        }
    }
}

/// The index of an event list that ends with event `id`: both halves of the UUID, one over the other.
fn event_index(id: &str) -> Option<u64> {
    let hex: String = id.chars().filter(|c| *c != '-').collect();
    let number = u128::from_str_radix(&hex, 16).ok()?;
    Some((number >> 64) as u64 ^ number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(text: &str) -> Target {
        Target::Key(text.into())
    }

    #[test]
    fn keys_have_all_members_and_events_only_new_ones() {
        let pair =
            r#"[ {"LockIndex":0,"Key":"k","Flags":0,"Value":"dg==","CreateIndex":5,"ModifyIndex":6} ]"#;
        let shown = r#"{"Key":"k","CreateIndex":5,"ModifyIndex":6,"LockIndex":0,"Flags":0,"Value":"dg==","Session":""}"#;
        assert_eq!(of(&s("k"), Some(pair), 0).unwrap(), shown);
        assert_eq!(of(&Target::KeyPrefix("k".into()), Some(pair), 0).unwrap(), format!("[{shown}]"));
        assert_eq!(of(&s("k"), None, 0).unwrap(), "null");
        assert_eq!(of(&Target::KeyPrefix("k".into()), None, 0).unwrap(), "[]");
        let (a, b) = ("00000000-0000-0001-0000-000000000002", "00000000-0000-0001-0000-000000000004");
        assert_eq!(event_index(a), Some(3));
        let events = format!(r#"[{{"ID":"{a}"}}, {{"ID":"{b}"}}]"#);
        assert_eq!(of(&Target::Event("".into()), Some(&events), 3).unwrap(), format!(r#"[{{"ID":"{b}"}}]"#));
        assert!(of(&Target::Nodes, Some("<html>"), 0).is_err());
        assert_eq!(of(&Target::Services, Some(r#"{"consul": []}"#), 0).unwrap(), r#"{"consul":[]}"#);
    }
}
