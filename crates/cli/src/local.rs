//! What the binary does itself, without asking an agent.

use std::{io::Read, path::Path};

/// The parts of the program that know its files.
pub trait Local {
    /// Runs the agent with the arguments after `agent`; its exit code.
    fn agent(&self, args: Vec<String>) -> i32;

    /// Shows each record of the state in a snapshot archive.
    ///
    /// # Errors
    /// What is wrong with the state.
    fn walk_state(&self, state: &mut dyn Read, each: &mut dyn FnMut(&StateRecord<'_>)) -> Result<(), String>;

    /// What the data directory of a server that does not run holds.
    ///
    /// # Errors
    /// It cannot be read, is in use, or is not a server's.
    fn server_record(&self, data_dir: &Path) -> Result<ServerRecord, String>;

    /// Makes `plan` the set of servers of a data directory.
    ///
    /// # Errors
    /// What could not be done; the directory is as it was, or the same call may be repeated.
    fn recover(&self, data_dir: &Path, plan: &RecoveryPlan) -> Result<(), String>;
}

/// One record of a state.
pub struct StateRecord<'a> {
    /// What it is, such as `KVS`.
    pub kind: &'a str,
    /// Bytes it takes.
    pub bytes: u64,
    /// The key, of a key-value pair.
    pub key: Option<&'a str>,
    /// Makes its JSON.
    pub data: &'a dyn Fn() -> String,
}

/// A server that a data directory knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryServer {
    /// Node id.
    pub id: String,
    /// Address of its server port.
    pub address: String,
    /// Name, if known.
    pub name: String,
    /// Whether it votes.
    pub voter: bool,
}

/// What a data directory holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerRecord {
    /// The server's own node id.
    pub id: String,
    /// Last term that it knows.
    pub term: u64,
    /// Last entry of its log.
    pub last_index: u64,
    /// Last entry that is certainly decided.
    pub committed_index: u64,
    /// Last entry of its newest snapshot, 0 if none.
    pub snapshot_index: u64,
    /// The servers it knows.
    pub servers: Vec<RecoveryServer>,
}

/// The servers that there shall be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryPlan {
    /// At least one that votes.
    pub servers: Vec<RecoveryServer>,
}
