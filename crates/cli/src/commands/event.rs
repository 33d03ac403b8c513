//! `event`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind, Parsed},
};
use serde::Deserialize;

pub(super) static COMMAND: Command = Command {
    path: "event",
    synopsis: "Fire a new event",
    usage: "[options] [PAYLOAD]",
    about: "Fires a user event, which reaches every agent of the datacenter (and whose watches\ncall their handlers), or those that the filters choose.",
    flags: &[
        Flag::new("name", Kind::Text, "Name of the event; needed."),
        Flag::new("node", Kind::Text, "Regular expression: nodes it is for."),
        Flag::new("service", Kind::Text, "Regular expression: services it is for."),
        Flag::new(
            "tag",
            Kind::Text,
            "Regular expression: tags that these services must have; needs -service.",
        ),
    ],
    common: Common::Client,
    run,
};

#[derive(Deserialize)]
struct Fired {
    #[serde(rename = "ID")]
    id: String,
}

/// Refuses filters that no agent could use.
pub(super) fn check_filters(flags: &Parsed) -> Outcome {
    if !flags.text("tag").is_empty() && flags.text("service").is_empty() {
        return Err(Failure::new("Cannot provide tag filter without service filter."));
    }
    for name in ["node", "service", "tag"] {
        if let Err(e) = regex::Regex::new(flags.text(name)) {
            return Err(Failure::new(format!("Failed to compile {name} filter regexp: {e}")));
        }
    }
    Ok(())
}

/// The filters as parameters of an event.
pub(super) fn filters(flags: &Parsed, query: Query) -> Query {
    ["node", "service", "tag"].into_iter().fold(query, |q, name| q.with_some(name, flags.text(name)))
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let name = session.flags.text("name").to_owned();
    if name.is_empty() {
        return Err(Failure::with_help("Event name must be specified"));
    }
    check_filters(&session.flags)?;
    let payload = match session.flags.args.as_slice() {
        [] => String::new(),
        [payload] => payload.clone(),
        _ => return Err(Failure::with_help("Too many command line arguments.")),
    };
    let client = session.client()?;
    // An agent that cannot be reached is told from one that refuses.
    client.get("/v1/agent/self", Query::new()).map_err(Failure::request("Error querying Consul agent"))?;
    let fired: Fired = client
        .put(&format!("/v1/event/fire/{name}"), filters(&session.flags, Query::new()), payload)
        .and_then(|a| a.json())
        .map_err(Failure::request("Error firing event"))?;
    session.io.say(format!("Event ID: {}", fired.id));
    Ok(())
}
