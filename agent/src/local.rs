//! What the program does on the command line without an agent.

use cli::{Local, RecoveryPlan, ServerRecord, StateRecord};
use std::{io::Read, path::Path};

/// This program.
#[derive(Clone, Copy, Default, Debug)]
pub struct Program;

impl Local for Program {
    fn agent(&self, args: Vec<String>) -> i32 {
        crate::run::agent_command(args)
    }

    fn walk_state(&self, state: &mut dyn Read, each: &mut dyn FnMut(&StateRecord<'_>)) -> Result<(), String> {
        let walked = catalog::snapshot::walk(state, |seen| {
            let data = || seen.data().to_string();
            each(&StateRecord { kind: seen.kind, bytes: seen.bytes, key: seen.key, data: &data });
        });
        walked.map_err(|e| e.to_string())
    }

    fn server_record(&self, data_dir: &Path) -> Result<ServerRecord, String> {
        crate::recovery::server_record(data_dir)
    }

    fn recover(&self, data_dir: &Path, plan: &RecoveryPlan) -> Result<(), String> {
        crate::recovery::recover(data_dir, plan)
    }
}
