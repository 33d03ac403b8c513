//! `reload`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::client::Query;

pub(super) static COMMAND: Command = Command {
    path: "reload",
    synopsis: "Triggers the agent to reload configuration files",
    usage: "[options]",
    about: "Makes the agent read its configuration files again and apply what can change\nwhile it runs.",
    flags: &[],
    common: Common::Client,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let client = session.client()?;
    client.put("/v1/agent/reload", Query::new(), "").map_err(Failure::request("Error reloading"))?;
    session.io.say("Configuration reload triggered");
    Ok(())
}
