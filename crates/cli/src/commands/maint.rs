//! `maint`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::{Client, ClientError, Query},
    flags::{Flag, Kind},
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) static COMMAND: Command = Command {
    path: "maint",
    synopsis: "Controls node or service maintenance mode",
    usage: "[options]",
    about: "Takes the node or one of its services out of use by marking it critical, and\nback. Without options, shows what is in maintenance.",
    flags: &[
        Flag::new("enable", Kind::Bool, "Begin maintenance."),
        Flag::new("disable", Kind::Bool, "End maintenance."),
        Flag::new("reason", Kind::Text, "Why, for those who look."),
        Flag::new("service", Kind::Text, "Id of a service, instead of the node."),
    ],
    common: Common::Client,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let (enable, disable) = (flags.bool("enable"), flags.bool("disable"));
    let (reason, service) = (flags.text("reason").to_owned(), flags.text("service").to_owned());
    if enable && disable {
        return Err(Failure::new("Only one of -enable or -disable may be provided"));
    }
    if !enable && !reason.is_empty() {
        return Err(Failure::new("Reason may only be provided with -enable"));
    }
    if !enable && !disable && !service.is_empty() {
        return Err(Failure::new("Service requires either -enable or -disable"));
    }
    let client = session.client()?;
    if !enable && !disable {
        return show(session, &client).map_err(Failure::request("Error querying Consul agent"));
    }
    let query = Query::new().with("enable", enable.to_string()).with_some("reason", &reason);
    let (verb, state) = if enable { ("enabling", "enabled") } else { ("disabling", "disabled") };
    if service.is_empty() {
        client
            .put("/v1/agent/maintenance", query, "")
            .map_err(Failure::request(format!("Error {verb} node maintenance")))?;
        session.io.say(format!("Node maintenance is now {state}"));
    } else {
        client
            .put(&format!("/v1/agent/service/maintenance/{service}"), query, "")
            .map_err(Failure::request(format!("Error {verb} service maintenance")))?;
        session.io.say(format!("Service maintenance is now {state} for {service:?}"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    node: String,
    #[serde(default)]
    notes: String,
    #[serde(default, rename = "ServiceID")]
    service_id: String,
}

fn show(session: &mut Session<'_, '_>, client: &Client) -> Result<(), ClientError> {
    let checks: BTreeMap<String, Check> = client.get("/v1/agent/checks", Query::new())?.json()?;
    for (id, check) in &checks {
        let (title, label, name) = if id == "_node_maintenance" {
            ("Node", "Name:  ", &check.node)
        } else if id.starts_with("_service_maintenance:") {
            ("Service", "ID:    ", &check.service_id)
        } else {
            continue;
        };
        session.io.say(format!("{title}:\n  {label} {name}\n  Reason: {}\n", check.notes));
    }
    Ok(())
}
