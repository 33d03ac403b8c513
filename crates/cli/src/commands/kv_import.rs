//! `kv import`.

use super::{Command, Common, Failure, Outcome, Session, kv_export::Entry};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    text::argument_or_file,
};
use base64::{Engine, engine::general_purpose::STANDARD};

pub(super) static COMMAND: Command = Command {
    path: "kv import",
    synopsis: "Imports a tree stored as JSON to the KV store",
    usage: "[options] DATA",
    about: "Writes the entries of DATA, as `kv export` prints them, one by one.\nDATA is taken as it is, from a file as @file, and from stdin as -.",
    flags: &[Flag::new("prefix", Kind::Text, "Put before every key.")],
    common: Common::ServerTenancy,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(1)?;
    let Some(argument) = session.flags.args.first().cloned() else {
        return Err(Failure::new("Error! Missing DATA argument"));
    };
    let data = argument_or_file(&argument, session.io).map_err(|e| Failure::new(format!("Error! {e}")))?;
    let entries: Vec<Entry> =
        serde_json::from_slice(&data).map_err(|e| Failure::new(format!("Cannot unmarshal data: {e}")))?;
    let prefix = session.flags.text("prefix").to_owned();
    let client = session.client()?;
    for entry in entries {
        let key = format!("{prefix}{}", entry.key);
        let failed = format!("Error! Failed writing data for key {key}");
        if key.starts_with('/') {
            return Err(Failure::new(format!("{failed}: Invalid key. Key must not begin with a '/': {key}")));
        }
        let value = STANDARD
            .decode(&entry.value)
            .map_err(|e| Failure::new(format!("Cannot base 64 decode data: {e}")))?;
        let flags = if entry.flags == 0 { String::new() } else { entry.flags.to_string() };
        // What the command line names counts more than what the file does.
        let mut query = client.scoped(Query::new().with_some("flags", &flags));
        for (name, from_file) in [("ns", &entry.namespace), ("partition", &entry.partition)] {
            if !query.has(name) {
                query = query.with_some(name, from_file);
            }
        }
        client.put(&format!("/v1/kv/{key}"), query, value).map_err(Failure::request(failed))?;
        session.io.say(format!("Imported: {key}"));
    }
    Ok(())
}
