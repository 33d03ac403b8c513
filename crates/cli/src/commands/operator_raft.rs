//! `operator raft list-peers`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    table::{columns, row},
};
use serde::Deserialize;

pub(super) static LIST_PEERS: Command = Command {
    path: "operator raft list-peers",
    synopsis: "Display the current Raft peer configuration",
    usage: "[options]",
    about: "Lists the servers of the Raft configuration.",
    flags: &[],
    common: Common::Server,
    run: list_peers,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    servers: Option<Vec<Server>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    #[serde(rename = "ID")]
    id: String,
    node: String,
    address: String,
    leader: bool,
    voter: bool,
    #[serde(default)]
    protocol_version: String,
    #[serde(default)]
    last_index: u64,
}

fn list_peers(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let client = session.client()?;
    let answer = client.get("/v1/operator/raft/configuration", client.scoped(Query::new()));
    let answer: Configuration = answer
        .and_then(|a| a.json())
        .map_err(Failure::request("Error getting peers: Failed to retrieve raft configuration"))?;
    let servers = answer.servers.unwrap_or_default();
    let leader_index = servers.iter().find(|s| s.leader).map(|s| s.last_index);
    let mut rows = vec![row([
        "Node",
        "ID",
        "Address",
        "State",
        "Voter",
        "RaftProtocol",
        "Commit Index",
        "Trails Leader By",
    ])];
    for s in &servers {
        let behind = match leader_index {
            Some(index) if !s.leader => match index.saturating_sub(s.last_index) {
                1 => "1 commit".to_owned(),
                n => format!("{n} commits"),
            },
            _ => "-".to_owned(),
        };
        let state = if s.leader { "leader" } else { "follower" };
        let (voter, index) = (s.voter.to_string(), s.last_index.to_string());
        rows.push(row([&s.node, &s.id, &s.address, state, &voter, &s.protocol_version, &index, &behind]));
    }
    session.io.say(columns(&rows));
    Ok(())
}
