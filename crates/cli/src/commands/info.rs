//! `info`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::client::Query;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) static COMMAND: Command = Command {
    path: "info",
    synopsis: "Provides debugging information for operators",
    usage: "[options]",
    about: "Shows what the agent says of its state, for people who look for a fault.",
    flags: &[],
    common: Common::Client,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    stats: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let client = session.client()?;
    let answer = client.get("/v1/agent/self", Query::new());
    let answer: Answer = answer.and_then(|a| a.json()).map_err(Failure::request("Error querying agent"))?;
    for (block, values) in answer.stats.unwrap_or_default() {
        session.io.say(format!("{block}:"));
        for (key, value) in values {
            session.io.say(format!("\t{key} = {value}"));
        }
    }
    Ok(())
}
