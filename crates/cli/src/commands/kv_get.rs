//! `kv get`.

use super::{Command, Common, Failure, Outcome, Session, kv_export::Entry};
use crate::{
    client::{Client, Query},
    flags::{Flag, Kind},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

pub(super) static COMMAND: Command = Command {
    path: "kv get",
    synopsis: "Retrieves or lists data from the KV store",
    usage: "[options] [KEY_OR_PREFIX]",
    about: "Prints the value of a key, or the keys or entries below a prefix.",
    flags: &[
        Flag::new("base64", Kind::Bool, "Show values as base64."),
        Flag::new("detailed", Kind::Bool, "Show indexes, flags and session too."),
        Flag::new("keys", Kind::Bool, "List keys instead of values."),
        Flag::new("recurse", Kind::Bool, "All entries below the prefix."),
        Flag::new("separator", Kind::Text, "With -keys: end keys after the next separator; / if not given."),
    ],
    common: Common::ServerTenancy,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    key: String,
    create_index: u64,
    modify_index: u64,
    lock_index: u64,
    flags: u64,
    #[serde(default)]
    session: String,
    /// Base64; null for an empty value.
    value: Option<String>,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    partition: String,
}

impl Pair {
    /// As it stands in an exported file.
    pub(super) fn into_entry(self) -> Entry {
        let Self { key, flags, value, namespace, partition, .. } = self;
        Entry { key, flags, value: value.unwrap_or_default(), namespace, partition }
    }

    fn bytes(&self, base64: bool) -> Vec<u8> {
        let encoded = self.value.as_deref().unwrap_or_default();
        if base64 { encoded.as_bytes().to_vec() } else { STANDARD.decode(encoded).unwrap_or_default() }
    }
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(1)?;
    let flags = &session.flags;
    let (keys, recurse) = (flags.bool("keys"), flags.bool("recurse"));
    let (detailed, base64) = (flags.bool("detailed"), flags.bool("base64"));
    let key = flags.args.first().cloned().unwrap_or_default();
    let key = key.strip_prefix('/').unwrap_or(&key).to_owned();
    if key.is_empty() && !keys && !recurse {
        return Err(Failure::new("Error! Missing KEY argument"));
    }
    let separator = flags.given("separator").unwrap_or("/").to_owned();
    let client = session.client()?;
    if keys && !(recurse && detailed) {
        let query =
            Query::new().flag("keys", true).with_some("separator", if recurse { "" } else { &separator });
        let found: Vec<String> = fetch(&client, &key, query)?.unwrap_or_default();
        for name in found {
            session.io.say(name);
        }
        return Ok(());
    }
    let pairs: Option<Vec<Pair>> = fetch(&client, &key, Query::new().flag("recurse", recurse))?;
    if !recurse {
        let Some(pair) = pairs.as_ref().and_then(|p| p.first()) else {
            return Err(Failure::new(format!("Error! No key exists at: {key}")));
        };
        if detailed {
            show_detailed(session, pair, base64, true);
        } else {
            session.io.put(&pair.bytes(base64));
            session.io.put(b"\n");
        }
        return Ok(());
    }
    for (i, pair) in pairs.unwrap_or_default().iter().enumerate() {
        if detailed {
            if i > 0 {
                session.io.say("");
            }
            show_detailed(session, pair, base64, !keys);
        } else {
            session.io.put(format!("{}:", pair.key).as_bytes());
            session.io.put(&pair.bytes(base64));
            session.io.put(b"\n");
        }
    }
    Ok(())
}

/// What lies at or below `key`; `None` if nothing does.
pub(super) fn fetch<T: serde::de::DeserializeOwned>(
    client: &Client,
    key: &str,
    query: Query,
) -> Result<Option<T>, Failure> {
    let answer = client.find(&format!("/v1/kv/{key}"), client.scoped(query));
    answer
        .and_then(|a| a.map(|a| a.json()).transpose())
        .map_err(Failure::request("Error querying Consul agent"))
}

fn show_detailed(session: &mut Session<'_, '_>, pair: &Pair, base64: bool, value: bool) {
    let holder = if pair.session.is_empty() { "-" } else { &pair.session };
    let mut rows = vec![
        ("CreateIndex", pair.create_index.to_string()),
        ("Flags", pair.flags.to_string()),
        ("Key", pair.key.clone()),
        ("LockIndex", pair.lock_index.to_string()),
        ("ModifyIndex", pair.modify_index.to_string()),
        ("Session", holder.to_owned()),
    ];
    for (label, text) in [("Partition", &pair.partition), ("Namespace", &pair.namespace)] {
        if !text.is_empty() {
            rows.push((label, text.clone()));
        }
    }
    for (label, text) in rows {
        session.io.say(format!("{label:17}{text}"));
    }
    if value {
        session.io.put(format!("{:17}", "Value").as_bytes());
        session.io.put(&pair.bytes(base64));
        session.io.put(b"\n");
    }
}
