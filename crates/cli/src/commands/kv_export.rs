//! `kv export`.

use super::{
    Command, Common, Failure, Outcome, Session,
    kv_get::{Pair, fetch},
};
use crate::client::Query;
use serde::{Deserialize, Serialize};

pub(super) static COMMAND: Command = Command {
    path: "kv export",
    synopsis: "Exports a tree from the KV store as JSON",
    usage: "[options] [PREFIX]",
    about: "Prints the entries below PREFIX (all if not given) as JSON that `kv import` reads.",
    flags: &[],
    common: Common::ServerTenancy,
    run,
};

/// An entry as it stands in a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: String,
    #[serde(default)]
    pub(super) flags: u64,
    /// Base64.
    #[serde(default)]
    pub(super) value: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) namespace: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) partition: String,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(1)?;
    let prefix = session.flags.args.first().cloned().unwrap_or_default();
    let prefix = prefix.strip_prefix('/').unwrap_or(&prefix);
    let client = session.client()?;
    let pairs: Vec<Pair> = fetch(&client, prefix, Query::new().flag("recurse", true))?.unwrap_or_default();
    let entries: Vec<Entry> = pairs.into_iter().map(Pair::into_entry).collect();
    let text = crate::text::json_with_tabs(&entries)
        .map_err(|e| Failure::new(format!("Error exporting KV data: {e}")))?;
    session.io.say(text);
    Ok(())
}
