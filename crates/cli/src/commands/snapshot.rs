//! `snapshot save` and `snapshot restore`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    text::{os_error, os_words},
};
use archive::{Limits, Meta};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

pub(super) static SAVE: Command = Command {
    path: "snapshot save",
    synopsis: "Save a snapshot of the servers' state",
    usage: "[options] FILE",
    about: "Writes the state of the servers to FILE, which is verified before it gets that\n\
            name. It holds everything, secrets as well: keep it as safe as a server.",
    flags: &[Flag::new(
        "append-filename",
        Kind::Text,
        "What to add to the file's name, of version, dc, node and status (leader or follower), with commas.",
    )],
    common: Common::Server,
    run: save,
};

pub(super) static RESTORE: Command = Command {
    path: "snapshot restore",
    synopsis: "Restore the servers' state from a snapshot",
    usage: "[options] FILE",
    about: "Replaces the whole state of the servers by that of FILE. A file that is damaged\nchanges nothing.",
    flags: &[],
    common: Common::Server,
    run: restore,
};

/// The one argument.
pub(super) fn file_argument(session: &Session<'_, '_>) -> Result<PathBuf, Failure> {
    match session.flags.args.as_slice() {
        [] => Err(Failure::with_help("Missing FILE argument")),
        [file] => Ok(PathBuf::from(file)),
        more => Err(Failure::with_help(format!("Too many arguments (expected 1, got {})", more.len()))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentSelf {
    config: AgentConfig,
    stats: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentConfig {
    datacenter: String,
    node_name: String,
    version: String,
}

/// The name with parts of the agent's own names before its extension.
fn named(file: &Path, wanted: &str, agent: &AgentSelf) -> Result<PathBuf, String> {
    let mut name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for part in wanted.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let value = match part {
            "version" => agent.config.version.clone(),
            "dc" => agent.config.datacenter.clone(),
            "node" => agent.config.node_name.clone(),
            "status" => {
                let raft = agent.stats.as_ref().and_then(|s| s.get("raft")?.get("state")?.as_str());
                raft.unwrap_or("client").to_lowercase()
            }
            other => {
                return Err(format!("-append-filename {other:?}: there are version, dc, node and status"));
            }
        };
        name.push('-');
        name.push_str(&value);
    }
    if let Some(extension) = file.extension() {
        name.push('.');
        name.push_str(&extension.to_string_lossy());
    }
    Ok(file.with_file_name(name))
}

fn save(session: &mut Session<'_, '_>) -> Outcome {
    let mut file = file_argument(session)?;
    let client = session.client()?;
    let wanted = session.flags.text("append-filename").to_owned();
    if !wanted.is_empty() {
        let agent: AgentSelf = client
            .get("/v1/agent/self", Query::new())
            .and_then(|a| a.json())
            .map_err(Failure::request("Error saving snapshot"))?;
        file = named(&file, &wanted, &agent).map_err(Failure::new)?;
    }
    let unverified = PathBuf::from(format!("{}.unverified", file.display()));
    let open =
        File::options().create(true).truncate(true).write(true).read(true).mode(0o600).open(&unverified);
    let mut out = open.map_err(|e| {
        Failure::new(format!(
            "Error creating snapshot file: {}",
            os_error(&format!("open {}", unverified.display()), &e)
        ))
    })?;
    let saved = (|| {
        let mut failed = None;
        let stopped = client
            .follow("/v1/snapshot", client.scoped(Query::new()), |data| {
                if failed.is_none() {
                    failed = out.write_all(data).err();
                }
            })
            .map_err(Failure::request("Error saving snapshot"))?;
        let broken = |e: io::Error| Failure::new(format!("Error writing snapshot file: {}", os_words(&e)));
        if let Some(e) = failed {
            return Err(broken(e));
        }
        if stopped {
            return Err(Failure::new("Error saving snapshot: interrupted"));
        }
        out.sync_all().map_err(broken)?;
        let meta =
            verify(&unverified).map_err(|e| Failure::new(format!("Error verifying snapshot file: {e}")))?;
        std::fs::rename(&unverified, &file).map_err(|e| {
            Failure::new(format!("Error renaming {}: {}", unverified.display(), os_words(&e)))
        })?;
        Ok(meta)
    })();
    if saved.is_err() {
        // What is not a snapshot should not look like one; it may be gone already.
        let _ = std::fs::remove_file(&unverified);
    }
    session.io.say(format!("Saved and verified snapshot to index {}", saved?.index));
    Ok(())
}

fn verify(path: &Path) -> Result<Meta, String> {
    let file = File::open(path).map_err(|e| os_words(&e))?;
    archive::read(BufReader::new(file), Limits::default(), io::sink()).map_err(|e| e.to_string())
}

fn restore(session: &mut Session<'_, '_>) -> Outcome {
    let path = file_argument(session)?;
    let opened = File::open(&path).and_then(|f| f.metadata().map(|m| (f, m.len())));
    let (file, length) = opened.map_err(|e| {
        Failure::new(format!(
            "Error opening snapshot file: {}",
            os_error(&format!("open {}", path.display()), &e)
        ))
    })?;
    let client = session.client()?;
    client
        .put_file("/v1/snapshot", client.scoped(Query::new()), file, length)
        .map_err(Failure::request("Error restoring snapshot"))?;
    session.io.say("Restored snapshot");
    Ok(())
}
