//! `operator autopilot`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::{Client, Query},
    flags::{Flag, Kind},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const CONFIGURATION: &str = "/v1/operator/autopilot/configuration";

pub(super) static GET: Command = Command {
    path: "operator autopilot get-config",
    synopsis: "Display the autopilot configuration",
    usage: "[options]",
    about: "Shows how the servers look after their own set: when a server may vote, and when\na dead one is removed.",
    flags: &[],
    common: Common::Server,
    run: get,
};

pub(super) static SET: Command = Command {
    path: "operator autopilot set-config",
    synopsis: "Modify the autopilot configuration",
    usage: "[options]",
    about: "Changes those settings that are given and leaves the others as they are.",
    flags: &[
        Flag::new("cleanup-dead-servers", Kind::Bool, "Remove dead servers when a new one joins."),
        Flag::new(
            "last-contact-threshold",
            Kind::Text,
            "Longest silence of the leader for a healthy server, such as 200ms.",
        ),
        Flag::new("max-trailing-logs", Kind::Uint, "Most log entries that a healthy server may lack."),
        Flag::new("min-quorum", Kind::Uint, "Fewest servers that removing dead ones leaves."),
        Flag::new(
            "server-stabilization-time",
            Kind::Text,
            "How long a server must be healthy before it may vote, such as 10s.",
        ),
        Flag::new(
            "redundancy-zone-tag",
            Kind::Text,
            "Node meta key that names the redundancy zone of a server.",
        ),
        Flag::new("disable-upgrade-migration", Kind::Bool, "Do not move to newer servers by itself."),
        Flag::new("upgrade-version-tag", Kind::Text, "Node meta key that holds the version for such a move."),
    ],
    common: Common::Server,
    run: set,
};

pub(super) static STATE: Command = Command {
    path: "operator autopilot state",
    synopsis: "Display the autopilot state",
    usage: "[options]",
    about: "Shows how autopilot sees the servers: their health, and how many may fail.",
    flags: &[Flag::new("format", Kind::Text, "pretty or json.")],
    common: Common::Server,
    run: state,
};

fn configuration(client: &Client) -> Result<Map<String, Value>, Failure> {
    client
        .get(CONFIGURATION, client.scoped(Query::new()))
        .and_then(|a| a.json())
        .map_err(Failure::request("Error querying Autopilot configuration"))
}

fn get(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let config = configuration(&session.client()?)?;
    let get = |name: &str| config.get(name).unwrap_or(&Value::Null);
    let text = |name: &str| get(name).as_str().unwrap_or_default().to_owned();
    let number = |name: &str| get(name).as_u64().unwrap_or(0);
    let on = |name: &str| get(name).as_bool().unwrap_or(false);
    let out = &mut session.io;
    out.say(format!("CleanupDeadServers = {}", on("CleanupDeadServers")));
    out.say(format!("LastContactThreshold = {}", text("LastContactThreshold")));
    out.say(format!("MaxTrailingLogs = {}", number("MaxTrailingLogs")));
    out.say(format!("MinQuorum = {}", number("MinQuorum")));
    out.say(format!("ServerStabilizationTime = {}", text("ServerStabilizationTime")));
    out.say(format!("RedundancyZoneTag = {:?}", text("RedundancyZoneTag")));
    out.say(format!("DisableUpgradeMigration = {}", on("DisableUpgradeMigration")));
    out.say(format!("UpgradeVersionTag = {:?}", text("UpgradeVersionTag")));
    Ok(())
}

fn set(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let flags = &session.flags;
    let mut changes = Map::new();
    for (flag, member) in [
        ("cleanup-dead-servers", "CleanupDeadServers"),
        ("disable-upgrade-migration", "DisableUpgradeMigration"),
    ] {
        if flags.given(flag).is_some() {
            changes.insert(member.to_owned(), Value::from(flags.bool(flag)));
        }
    }
    for (flag, member) in [("max-trailing-logs", "MaxTrailingLogs"), ("min-quorum", "MinQuorum")] {
        if let Some(n) = flags.number::<u64>(flag) {
            changes.insert(member.to_owned(), Value::from(n));
        }
    }
    for (flag, member) in
        [("redundancy-zone-tag", "RedundancyZoneTag"), ("upgrade-version-tag", "UpgradeVersionTag")]
    {
        if let Some(text) = flags.given(flag) {
            changes.insert(member.to_owned(), Value::from(text));
        }
    }
    for (flag, member) in [
        ("last-contact-threshold", "LastContactThreshold"),
        ("server-stabilization-time", "ServerStabilizationTime"),
    ] {
        if let Some(text) = flags.given(flag) {
            ::api::duration::parse(text).map_err(|e| {
                Failure::with_help(format!(
                    "invalid value {text:?} for flag -{flag}: {e}; write a duration such as 200ms or 10s"
                ))
            })?;
            changes.insert(member.to_owned(), Value::from(text));
        }
    }
    let client = session.client()?;
    let mut config = configuration(&client)?;
    let index = config.get("ModifyIndex").and_then(Value::as_u64).unwrap_or(0);
    config.append(&mut changes);
    let answer = client
        .put(
            CONFIGURATION,
            client.scoped(Query::new().with("cas", index.to_string())),
            Value::Object(config).to_string(),
        )
        .map_err(Failure::request("Error setting Autopilot configuration"))?;
    if answer.text() != "true" {
        return Err(Failure::new("Configuration could not be atomically updated, please try again"));
    }
    session.io.say("Configuration updated!");
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    healthy: bool,
    failure_tolerance: i64,
    #[serde(default)]
    optimistic_failure_tolerance: i64,
    #[serde(default)]
    servers: BTreeMap<String, Server>,
    #[serde(default)]
    leader: String,
    voters: Option<Vec<String>>,
    read_replicas: Option<Vec<String>>,
    redundancy_zones: Option<BTreeMap<String, Zone>>,
    upgrade: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Zone {
    servers: Option<Vec<String>>,
    voters: Option<Vec<String>>,
    #[serde(default)]
    failure_tolerance: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Server {
    name: String,
    address: String,
    version: String,
    status: String,
    node_type: String,
    node_status: String,
    healthy: bool,
    last_contact: String,
    last_term: u64,
    last_index: u64,
    redundancy_zone: String,
    upgrade_version: String,
    meta: Option<BTreeMap<String, String>>,
}

fn state(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let format = session.flags.given("format").unwrap_or("pretty").to_owned();
    if format != "pretty" && format != "json" {
        return Err(Failure::new(format!("Unknown format: {format}")));
    }
    let client = session.client()?;
    let answer = client
        .get("/v1/operator/autopilot/state", client.scoped(Query::new()))
        .map_err(Failure::request("Error querying Autopilot state"))?;
    if format == "json" {
        session.io.say(::watch::indent(&answer.text(), 4));
        return Ok(());
    }
    let state: State = answer.json().map_err(Failure::request("Error querying Autopilot state"))?;
    session.io.say(pretty(&state));
    Ok(())
}

fn pretty(state: &State) -> String {
    let mut out = String::new();
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    say(format!("Healthy:                      {}", state.healthy));
    say(format!("Failure Tolerance:            {}", state.failure_tolerance));
    say(format!("Optimistic Failure Tolerance: {}", state.optimistic_failure_tolerance));
    say(format!("Leader:                       {}", state.leader));
    let mut list = |title: &str, ids: Option<&Vec<String>>, indent: &str| {
        if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
            say(format!("{indent}{title}:"));
            ids.iter().for_each(|id| say(format!("{indent}   {id}")));
        }
    };
    list("Voters", state.voters.as_ref(), "");
    list("Read Replicas", state.read_replicas.as_ref(), "");
    if let Some(zones) = state.redundancy_zones.as_ref().filter(|z| !z.is_empty()) {
        say("Redundancy Zones:".to_owned());
        for (name, zone) in zones {
            say(format!("   {name}"));
            say(format!("      Failure Tolerance: {}", zone.failure_tolerance));
            let mut list = |title: &str, ids: Option<&Vec<String>>| {
                say(format!("      {title}:"));
                ids.into_iter().flatten().for_each(|id| say(format!("         {id}")));
            };
            list("Voters", zone.voters.as_ref());
            list("Servers", zone.servers.as_ref());
        }
    }
    if let Some(upgrade) = state.upgrade.as_ref().filter(|u| !u.is_empty()) {
        say("Upgrade:".to_owned());
        for (name, value) in upgrade {
            say(format!("   {name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
    }
    say("Servers:".to_owned());
    for (id, s) in &state.servers {
        say(format!("   {id}"));
        let rows = [
            ("Name", s.name.clone()),
            ("Address", s.address.clone()),
            ("Version", s.version.clone()),
            ("Status", s.status.clone()),
            ("Node Type", s.node_type.clone()),
            ("Node Status", s.node_status.clone()),
            ("Healthy", s.healthy.to_string()),
            ("Last Contact", s.last_contact.clone()),
            ("Last Term", s.last_term.to_string()),
            ("Last Index", s.last_index.to_string()),
        ];
        for (title, value) in rows {
            say(format!("      {:<17}{value}", format!("{title}:")));
        }
        for (title, value) in
            [("Redundancy Zone", &s.redundancy_zone), ("Upgrade Version", &s.upgrade_version)]
        {
            if !value.is_empty() {
                say(format!("      {:<17}{value}", format!("{title}:")));
            }
        }
        if let Some(meta) = s.meta.as_ref().filter(|m| !m.is_empty()) {
            say("      Meta".to_owned());
            meta.iter().for_each(|(k, v)| say(format!("         {k:?}: {v:?}")));
        }
    }
    out
}
