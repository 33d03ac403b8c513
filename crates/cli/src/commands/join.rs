//! `join`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
};

pub(super) static COMMAND: Command = Command {
    path: "join",
    synopsis: "Tell an agent to join a cluster",
    usage: "[options] ADDRESS ...",
    about: "Tells the running agent to join the cluster of the agents at these addresses.",
    flags: &[Flag::new("wan", Kind::Bool, "Join the WAN pool (servers only).")],
    common: Common::ClientPartition,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    if session.flags.args.is_empty() {
        return Err(Failure::with_help("At least one address to join must be specified."));
    }
    let client = session.client()?;
    let wan = if session.flags.bool("wan") { "1" } else { "" };
    let (mut joined, mut hint) = (0, None);
    for address in session.flags.args.clone() {
        match client.put(&format!("/v1/agent/join/{address}"), Query::new().with_some("wan", wan), "") {
            Ok(_) => joined += 1,
            Err(error) => {
                session.io.warn(format!("Error joining address '{address}': {error}"));
                hint = error.hint().or(hint);
            }
        }
    }
    if joined == 0 {
        return Err(Failure { hint, ..Failure::new("Failed to join any nodes.") });
    }
    session.io.say(format!("Successfully joined cluster by contacting {joined} nodes."));
    Ok(())
}
