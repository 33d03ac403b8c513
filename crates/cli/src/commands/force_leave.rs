//! `force-leave`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
};

pub(super) static COMMAND: Command = Command {
    path: "force-leave",
    synopsis: "Forces a member of the cluster to enter the \"left\" state",
    usage: "[options] NODE",
    about: "Makes the cluster treat a failed member as gone. A member that is alive comes\nback by itself; the command is for nodes that will not return.",
    flags: &[
        Flag::new("prune", Kind::Bool, "Remove it from the list of members altogether."),
        Flag::new("wan", Kind::Bool, "Act on the WAN pool; the name is node.datacenter."),
    ],
    common: Common::ClientPartition,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let [node] = session.flags.args.as_slice() else {
        return Err(Failure::with_help("A single node name must be specified to force leave."));
    };
    let path = format!("/v1/agent/force-leave/{node}");
    let client = session.client()?;
    let flag = |name| if session.flags.bool(name) { "1" } else { "" };
    let query = Query::new().with_some("prune", flag("prune")).with_some("wan", flag("wan"));
    client.put(&path, client.scoped(query), "").map_err(Failure::request("Error force leaving"))?;
    Ok(())
}
