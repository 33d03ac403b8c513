//! `kv delete`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
};

pub(super) static COMMAND: Command = Command {
    path: "kv delete",
    synopsis: "Removes data from the KV store",
    usage: "[options] KEY_OR_PREFIX",
    about: "Deletes a key, or everything below a prefix.",
    flags: &[
        Flag::new("cas", Kind::Bool, "Delete only if the key has the -modify-index given."),
        Flag::new("modify-index", Kind::Uint, "The index that -cas compares."),
        Flag::new("recurse", Kind::Bool, "Everything below the prefix."),
    ],
    common: Common::ServerTenancy,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(1)?;
    let flags = &session.flags;
    let (cas, recurse) = (flags.bool("cas"), flags.bool("recurse"));
    let index = flags.number::<u64>("modify-index").unwrap_or(0);
    let key = flags.args.first().cloned().unwrap_or_default();
    let key = key.strip_prefix('/').unwrap_or(&key).to_owned();
    if key.is_empty() && !recurse {
        return Err(Failure::new("Error! Missing KEY argument"));
    }
    if cas && index == 0 {
        return Err(Failure::new(
            "Cannot delete a key that does not exist. Provide a -modify-index greater than than 0.",
        ));
    }
    if !cas && index != 0 {
        return Err(Failure::new("Cannot specify -modify-index without -cas!"));
    }
    if cas && recurse {
        return Err(Failure::new("Cannot specify both -cas and -recurse!"));
    }
    let client = session.client()?;
    let mut query = Query::new().flag("recurse", recurse);
    if cas {
        query = query.with("cas", index.to_string());
    }
    let answer = client.delete(&format!("/v1/kv/{key}"), client.scoped(query), "").map_err(
        Failure::request(if recurse {
            format!("Error! Did not delete prefix {key}")
        } else {
            format!("Error! Did not delete key {key}")
        }),
    )?;
    if cas && answer.text() != "true" {
        return Err(Failure::new(format!("Error! Did not delete key {key}: CAS failed")));
    }
    session.io.say(if recurse {
        format!("Success! Deleted keys with prefix: {key}")
    } else {
        format!("Success! Deleted key: {key}")
    });
    Ok(())
}
