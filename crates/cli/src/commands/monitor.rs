//! `monitor`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
};

pub(super) static COMMAND: Command = Command {
    path: "monitor",
    synopsis: "Stream logs from an agent",
    usage: "[options]",
    about: "Shows the log of a running agent as it is written, until interrupted. The level\nmay be lower than the one the agent writes to its own output.",
    flags: &[
        Flag::new("log-level", Kind::Text, "TRACE, DEBUG, INFO, WARN or ERR; INFO if not given."),
        Flag::new("log-json", Kind::Bool, "JSON lines."),
    ],
    common: Common::Client,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let client = session.client()?;
    let level = session.flags.given("log-level").unwrap_or("INFO");
    let query = Query::new().with("loglevel", level).flag("logjson", session.flags.bool("log-json"));
    let interrupted = client
        .follow("/v1/agent/monitor", query, |data| session.io.put(data))
        .map_err(Failure::request("Error starting monitor"))?;
    if interrupted {
        return Ok(());
    }
    session.io.say("\nRemote side ended the monitor! This usually means that the");
    session.io.say("remote side has exited or crashed.");
    Err(Failure::silent(1))
}
