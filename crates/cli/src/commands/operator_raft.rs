//! `operator raft`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
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

pub(super) static REMOVE_PEER: Command = Command {
    path: "operator raft remove-peer",
    synopsis: "Remove a server from the Raft configuration",
    usage: "[options]",
    about: "Removes a server that is gone for good. A server that still runs should leave by\nitself (`leave`).",
    flags: &[
        Flag::new("address", Kind::Text, "Address of its server port, as list-peers shows it."),
        Flag::new("id", Kind::Text, "Its id, as list-peers shows it."),
    ],
    common: Common::Server,
    run: remove_peer,
};

pub(super) static TRANSFER_LEADER: Command = Command {
    path: "operator raft transfer-leader",
    synopsis: "Transfer leadership to another server",
    usage: "[options]",
    about: "Makes the leader hand over, to the server that is named or to one that is ready.",
    flags: &[Flag::new("id", Kind::Text, "Id of the new leader, as list-peers shows it.")],
    common: Common::Server,
    run: transfer_leader,
};

fn remove_peer(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let (address, id) = (session.flags.text("address").to_owned(), session.flags.text("id").to_owned());
    let bad = |text: &str| Err(Failure::new(format!("Error removing peer: {text}")));
    match (address.is_empty(), id.is_empty()) {
        (true, true) => return bad("an address or id is required for the peer to remove"),
        (false, false) => return bad("cannot give both an address and id"),
        _ => {}
    }
    let client = session.client()?;
    let query = Query::new().with_some("address", &address).with_some("id", &id);
    client
        .delete("/v1/operator/raft/peer", client.scoped(query), "")
        .map_err(Failure::request("Error removing peer"))?;
    let what = if id.is_empty() { format!("address {address:?}") } else { format!("id {id:?}") };
    session.io.say(format!("Removed peer with {what}"));
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transferred {
    success: bool,
}

fn transfer_leader(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let client = session.client()?;
    let query = Query::new().with_some("id", session.flags.text("id"));
    let answer: Transferred = client
        .post("/v1/operator/raft/transfer-leader", client.scoped(query), "")
        .and_then(|a| a.json())
        .map_err(|e| Failure {
            hint: e.hint(),
            ..Failure::new(format!("Error transfering leadership: Failed to transfer leadership {e}"))
        })?;
    if !answer.success {
        return Err(Failure::new("Error transfering leadership: the leader did not hand over"));
    }
    session.io.say("Success");
    Ok(())
}
