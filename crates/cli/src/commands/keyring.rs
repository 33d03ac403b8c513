//! `keyring`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::{Client, ClientError, Query},
    flags::{Flag, Kind},
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) static COMMAND: Command = Command {
    path: "keyring",
    synopsis: "Manages gossip layer encryption keys",
    usage: "[options]",
    about: "Manages encryption keys used for gossip messages. Gossip encryption is\n\
            optional. Where it is on, every agent holds one or more keys, encrypts with\n\
            the primary one and reads with all. To change keys: -install the new one,\n\
            -use it, -remove the old one. All agents of the datacenter take part, and\n\
            the command succeeds only if all of them did.",
    flags: &[
        Flag::new("install", Kind::Text, "Install this key on every agent."),
        Flag::new("use", Kind::Text, "Make this installed key the primary one."),
        Flag::new("remove", Kind::Text, "Remove this key, which must not be the primary one."),
        Flag::new("list", Kind::Bool, "List the installed keys."),
        Flag::new("list-primary", Kind::Bool, "List the primary keys."),
        Flag::new("relay-factor", Kind::Int, "Send answers over this many other nodes too (0 to 5)."),
        Flag::new("local-only", Kind::Bool, "With -list: ask only the local agent's own pools."),
    ],
    common: Common::Client,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ring {
    #[serde(default, rename = "WAN")]
    wan: bool,
    #[serde(default)]
    datacenter: String,
    #[serde(default)]
    segment: String,
    messages: Option<BTreeMap<String, String>>,
    keys: Option<BTreeMap<String, u64>>,
    primary_keys: Option<BTreeMap<String, u64>>,
    #[serde(default)]
    num_nodes: u64,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let (list, list_primary) = (flags.bool("list"), flags.bool("list-primary"));
    let keys = ["install", "use", "remove"].map(|name| flags.text(name).to_owned());
    let actions =
        usize::from(list) + usize::from(list_primary) + keys.iter().filter(|k| !k.is_empty()).count();
    match actions {
        0 => return Err(Failure { message: None, ..Failure::with_help("") }),
        1 => {}
        _ => return Err(Failure::new("Only a single action is allowed")),
    }
    let relay: i64 = flags.number("relay-factor").unwrap_or(0);
    if !(0..=5).contains(&relay) {
        return Err(Failure::new("Error parsing relay factor: Relay factor must be in range: [0, 5]"));
    }
    let local_only = flags.bool("local-only");
    if local_only && !list {
        return Err(Failure::new(
            "Error validating local-only: local-only can only be set for list requests",
        ));
    }
    let client = session.client()?;
    let relay = if relay > 0 { relay.to_string() } else { String::new() };
    let query = Query::new()
        .with_some("relay-factor", &relay)
        .with_some("local-only", if local_only { "true" } else { "" });
    let [install, use_key, remove] = keys;
    let change = |session: &mut Session<'_, '_>, text: &str, send: &dyn Fn() -> Result<(), ClientError>| {
        session.io.say(format!("==> {text}..."));
        send().map_err(Failure::request("error"))
    };
    let path = "/v1/operator/keyring";
    let body = |key: &str| serde_json::json!({ "Key": key }).to_string();
    if !install.is_empty() {
        change(session, "Installing new gossip encryption key", &|| {
            client.post(path, query.clone(), body(&install)).map(drop)
        })
    } else if !use_key.is_empty() {
        change(session, "Changing primary gossip encryption key", &|| {
            client.put(path, query.clone(), body(&use_key)).map(drop)
        })
    } else if !remove.is_empty() {
        change(session, "Removing gossip encryption key", &|| {
            client.delete(path, query.clone(), body(&remove)).map(drop)
        })
    } else {
        let what = if list { "encryption keys" } else { "primary encryption keys" };
        session.io.say(format!("==> Gathering installed {what}..."));
        let rings = rings(&client, query).map_err(Failure::request("error"))?;
        for ring in rings {
            show(session, &ring, list_primary);
        }
        Ok(())
    }
}

fn rings(client: &Client, query: Query) -> Result<Vec<Ring>, ClientError> {
    let found: Option<Vec<Ring>> = client.get("/v1/operator/keyring", query)?.json()?;
    Ok(found.unwrap_or_default())
}

fn show(session: &mut Session<'_, '_>, ring: &Ring, primary: bool) {
    let pool = if ring.wan { "WAN".to_owned() } else { format!("{} (LAN)", ring.datacenter) };
    let segment = if ring.segment.is_empty() { String::new() } else { format!(" [{}]", ring.segment) };
    session.io.say(format!("\n{pool}{segment}:"));
    for (node, message) in ring.messages.iter().flatten() {
        session.io.say(format!("  ===> {node}: {message}"));
    }
    let keys = if primary { &ring.primary_keys } else { &ring.keys };
    for (key, holders) in keys.iter().flatten() {
        session.io.say(format!("  {key} [{holders}/{}]", ring.num_nodes));
    }
}
