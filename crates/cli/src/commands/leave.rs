//! `leave`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::client::Query;

pub(super) static COMMAND: Command = Command {
    path: "leave",
    synopsis: "Gracefully leaves the cluster and shuts down",
    usage: "[options]",
    about: "Makes the agent leave the cluster and end. Other members take it for gone, not\nfor failed.",
    flags: &[],
    common: Common::Client,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    if !session.flags.args.is_empty() {
        session.io.say(session.help);
        let args = session.flags.args.join(" ");
        return Err(Failure::new(format!("Error found unexpected args: [{args}]")));
    }
    let client = session.client()?;
    client.put("/v1/agent/leave", Query::new(), "").map_err(Failure::request("Error leaving"))?;
    session.io.say("Graceful leave complete");
    Ok(())
}
