//! `event`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
};
use serde::Deserialize;

pub(super) static COMMAND: Command = Command {
    path: "event",
    synopsis: "Fire a new event",
    usage: "[options] [PAYLOAD]",
    about: "Tells all agents of the datacenter of a user event, by gossip. What an agent does\n\
            with it is up to whoever watches there. Name and payload share 512 bytes with\n\
            the filters. An event may come late or not at all, and in any order.",
    flags: &[
        Flag::new("name", Kind::Text, "Name of the event."),
        Flag::new("node", Kind::Text, "Regular expression over names of nodes that it is for."),
        Flag::new("service", Kind::Text, "Regular expression over services that its nodes must have."),
        Flag::new("tag", Kind::Text, "Regular expression over tags of those services."),
    ],
    common: Common::Client,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Fired {
    id: String,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let [name, node, service, tag] = ["name", "node", "service", "tag"].map(|f| flags.text(f).to_owned());
    if name.is_empty() {
        return Err(Failure::with_help("Event name must be specified"));
    }
    for (what, filter) in [("node", &node), ("service", &service), ("tag", &tag)] {
        if let Err(e) = regex::Regex::new(filter) {
            return Err(Failure::new(format!("Failed to compile {what} filter regexp: {e}")));
        }
    }
    if !tag.is_empty() && service.is_empty() {
        return Err(Failure::new("Cannot provide tag filter without service filter."));
    }
    let payload = match flags.args.as_slice() {
        [] => String::new(),
        [payload] => payload.clone(),
        _ => return Err(Failure::with_help("Too many command line arguments.")),
    };
    let client = session.client()?;
    // Whether there is an agent at all is another matter than what it says to the event.
    client.get("/v1/agent/self", Query::new()).map_err(Failure::request("Error querying Consul agent"))?;
    let query = Query::new().with_some("node", &node).with_some("service", &service).with_some("tag", &tag);
    let fired: Fired = client
        .put(&format!("/v1/event/fire/{name}"), query, payload)
        .and_then(|a| a.json())
        .map_err(Failure::request("Error firing event"))?;
    session.io.say(format!("Event ID: {}", fired.id));
    Ok(())
}
