//! `kv put`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    text::argument_or_file,
};
use base64::{Engine, engine::general_purpose::STANDARD};

pub(super) static COMMAND: Command = Command {
    path: "kv put",
    synopsis: "Sets or updates data in the KV store",
    usage: "[options] KEY [DATA]",
    about: "Writes DATA to KEY. DATA is taken as it is, from a file as @file, from stdin as -,\nand is empty if not given.",
    flags: &[
        Flag::new(
            "cas",
            Kind::Bool,
            "Write only if the key has the -modify-index given (0: does not exist).",
        ),
        Flag::new("modify-index", Kind::Uint, "The index that -cas compares."),
        Flag::new("flags", Kind::Uint, "A number stored with the key."),
        Flag::new("base64", Kind::Bool, "DATA is base64."),
        Flag::new("session", Kind::Text, "The session that -acquire and -release are for."),
        Flag::new("acquire", Kind::Bool, "Take the key's lock."),
        Flag::new("release", Kind::Bool, "Give up the key's lock."),
    ],
    common: Common::ServerTenancy,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let args = session.flags.args.clone();
    let (key, data) = match args.as_slice() {
        [] => return Err(Failure::new("Error! Missing KEY argument")),
        [key] => (key, None),
        [key, data] => (key, Some(data)),
        more => {
            let n = more.len();
            return Err(Failure::new(format!("Error! Too many arguments (expected 1 or 2, got {n})")));
        }
    };
    let mut data = match data {
        None => Vec::new(),
        Some(arg) => argument_or_file(arg, session.io).map_err(|e| Failure::new(format!("Error! {e}")))?,
    };
    if session.flags.bool("base64") {
        data = match STANDARD.decode(&data) {
            Ok(decoded) => decoded,
            Err(e) => return Err(Failure::new(format!("Error! Cannot base 64 decode data: {e}"))),
        };
    }
    let flags = &session.flags;
    let (acquire, release, cas) = (flags.bool("acquire"), flags.bool("release"), flags.bool("cas"));
    let (holder, index) =
        (flags.text("session").to_owned(), flags.number::<u64>("modify-index").unwrap_or(0));
    if (acquire || release) && holder.is_empty() {
        return Err(Failure::new("Error! Missing -session (required with -acquire and -release)"));
    }
    if key.starts_with('/') {
        return Err(Failure::new(format!(
            "Error! Failed writing data: Invalid key. Key must not begin with a '/': {key}"
        )));
    }
    let mut query = Query::new();
    if let Some(flags) = flags.number::<u64>("flags").filter(|n| *n != 0) {
        query = query.with("flags", flags.to_string());
    }
    let (query, done, refused) = if acquire {
        let refused = "Error! Did not acquire lock".to_owned();
        (query.with("acquire", holder), "Lock acquired on", refused)
    } else if release {
        let refused = "Error! Did not release lock".to_owned();
        (query.with("release", holder), "Lock released on", refused)
    } else if cas {
        let refused = if index == 0 {
            format!("Error! Did not write to {key}: CAS performed with index=0 and key already exists.")
        } else {
            format!("Error! Did not write to {key}: CAS failed")
        };
        (query.with("cas", index.to_string()), "Data written to", refused)
    } else {
        (query, "Data written to", format!("Error! Did not write to {key}"))
    };
    let client = session.client()?;
    let answer = client
        .put(&format!("/v1/kv/{key}"), client.scoped(query), data)
        .map_err(Failure::request("Error! Failed writing data"))?;
    if answer.text() != "true" {
        return Err(Failure::new(refused));
    }
    session.io.say(format!("Success! {done}: {key}"));
    Ok(())
}
