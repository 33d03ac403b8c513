//! Writes.

use crate::{changes::ChangeSet, store::Store};
use types::command::{Command, CommandResponse};

/// What the log says about an entry besides the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApplyCtx {
    /// Index of the entry.
    pub index: u64,
    /// Wall time of the proposer, Unix milliseconds.
    pub proposed_at_ms: u64,
}

impl Store {
    /// Applies one command, adds what it touched to `changes`, and answers it. A refused command changes nothing.
    pub fn apply(&mut self, ctx: &ApplyCtx, command: &Command, changes: &mut ChangeSet) -> CommandResponse {
        let _ = command;
        self.applied(ctx.index);
        changes.applied(ctx.index);
        CommandResponse::Refused("not built yet".into())
    }
}
