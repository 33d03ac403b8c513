//! A datacenter that lost its quorum: `peers.json` at start, and what `operator recover` does to a data directory.

mod peers;

use crate::data_dir::{DataDir, DataDirError};
use cli::{RecoveryPlan, RecoveryServer, ServerRecord};
use raft::{Peer, Server, ServerId, recovery, storage::Storage};
use std::{io, net::SocketAddr, path::Path};

/// Where operators put the new set of servers, below the data directory.
pub const PEERS: &str = "raft/peers.json";
/// Where consensus keeps its files, below the data directory.
const FILES: &str = "raft/raft";
/// Where we tell them how.
const INFO: &str = "raft/peers.info";

const INFO_TEXT: &str = "\
When so many servers are lost for good that the others elect no leader, stop all of them and put a file peers.json into this
directory on each server that is left. It names the servers that there shall be:

[
  { \"id\": \"<node id>\", \"address\": \"10.0.0.1:8300\", \"non_voter\": false }
]

The node id of a server is in the file node-id of its data directory. Then start them. Each takes the file up once and removes
it. `operator recover` does the same for a single server, and shows what it holds before.

A server that is not in the list must not come back with its old data: remove its data directory first.
";

/// Takes up `peers.json` if there is one, before consensus starts. Answers whether there was.
///
/// # Errors
/// What is wrong with the file, or why the log cannot be given the new set; the file stays, and the agent must not start.
pub fn take_up(data: &DataDir, id: ServerId) -> Result<bool, String> {
    let path = data.path(PEERS);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            // It is a help for later; an agent runs without.
            let _ = std::fs::write(data.path(INFO), INFO_TEXT);
            return Ok(false);
        }
        Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
    };
    let wrong = |e: String| format!("recovery failed: {}: {e}", path.display());
    let storage = Storage::disk(data.path(FILES));
    let known = recovery::inspect(id, &storage).map_err(|e| wrong(e.to_string()))?;
    let servers = peers::parse(&text, &known.membership.servers).map_err(&wrong)?;
    if !servers.iter().any(|s| s.id == id) {
        return Err(wrong(format!("it does not name this server, {id}; name it, or do not start it again")));
    }
    let done = recovery::rewrite(id, &storage, &servers).map_err(|e| wrong(e.to_string()))?;
    std::fs::remove_file(&path).map_err(|e| {
        wrong(format!("it was taken up, but cannot be removed: {e}; remove it before the next start"))
    })?;
    let named: Vec<String> = servers.iter().map(|s| format!("{} at {}", s.id, s.peer.addr)).collect();
    tracing::warn!(
        servers = named.join(", "),
        last_index = done.last,
        "took up peers.json: these are the servers of the datacenter now, and the file is removed"
    );
    Ok(true)
}

/// Locks the directory and reads its id; it must be a server's.
fn open(data_dir: &Path) -> Result<(DataDir, ServerId, Storage), String> {
    if !data_dir.join(FILES).join("log").is_dir() {
        return Err(format!(
            "{} is not the data directory of a server: it has no raft/raft/log",
            data_dir.display()
        ));
    }
    let data = DataDir::open(data_dir).map_err(|e| match e {
        DataDirError::InUse(path) => {
            format!("an agent runs on {}: stop it first (on every server that is left)", path.display())
        }
        other => other.to_string(),
    })?;
    let path = data.path("node-id");
    let text = std::fs::read_to_string(&path).map_err(|e| {
        format!(
            "cannot read {}: {e}; a server with a configured node_id needs it written there",
            path.display()
        )
    })?;
    let id = text.trim().parse().map_err(|e| format!("{}: {e}", path.display()))?;
    let storage = Storage::disk(data.path(FILES));
    Ok((data, id, storage))
}

/// What the data directory of a server that does not run holds.
///
/// # Errors
/// It is in use, damaged or not a server's.
pub fn server_record(data_dir: &Path) -> Result<ServerRecord, String> {
    let (_lock, id, storage) = open(data_dir)?;
    let found = recovery::inspect(id, &storage).map_err(|e| e.to_string())?;
    let servers = found.membership.servers.iter().map(|s| RecoveryServer {
        id: s.id.to_string(),
        address: s.peer.addr.to_string(),
        name: s.peer.name.to_string(),
        voter: s.voter,
    });
    Ok(ServerRecord {
        id: id.to_string(),
        term: found.term,
        last_index: found.last,
        committed_index: found.committed,
        snapshot_index: found.snapshot,
        servers: servers.collect(),
    })
}

/// Makes `plan` the set of servers of a data directory.
///
/// # Errors
/// It is in use, damaged or not a server's, or the set is impossible.
pub fn recover(data_dir: &Path, plan: &RecoveryPlan) -> Result<(), String> {
    let (_lock, id, storage) = open(data_dir)?;
    let servers = plan.servers.iter().map(|s| {
        let addr: SocketAddr = s
            .address
            .parse()
            .map_err(|_e| format!("{:?} is no address of a server; write it as 10.0.0.1:8300", s.address))?;
        let id = s.id.parse().map_err(|e| format!("{:?}: {e}", s.id))?;
        Ok(Server { id, peer: Peer { name: types::Str::from(s.name.as_str()), addr }, voter: s.voter })
    });
    let servers: Vec<Server> = servers.collect::<Result<_, String>>()?;
    recovery::rewrite(id, &storage, &servers).map(|_record| ()).map_err(|e| e.to_string())
}
