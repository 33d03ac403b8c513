//! Why an operation of the driver failed.

use std::{io, net::SocketAddr, path::PathBuf};
use types::Str;

/// Why gossip could not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or the address is not ours; the operator's mistake.
    #[error("Failed to start {proto} listener on \"{}\" port {}: listen {} {addr}: bind: {}", .addr.ip(), .addr.port(), .proto.to_lowercase(), crate::net_error::plain(.source))]
    Bind {
        /// `TCP` or `UDP`.
        proto: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The keyring file is there but of no use.
    #[error("failed to load keyring {path}: {reason}")]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Why; never holds key material.
        reason: String,
    },
    /// A file of ours cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Name, tags or advertised address are of no use; the operator's mistake.
    #[error("member cannot be gossiped: {0}")]
    Member(String),
}

/// Why no target could be joined. Retry later.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", join_text(.failures))]
pub struct JoinError {
    /// What failed, one line for each address, which it names.
    pub failures: Vec<String>,
}

fn join_text(failures: &[String]) -> String {
    let n = failures.len();
    let mut out = format!("{n} error{} occurred:\n", if n == 1 { "" } else { "s" });
    for line in failures {
        out.push_str("\t* ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out
}

/// Why a member could not be forced to leave.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForceLeaveError {
    /// The caller's mistake.
    #[error("No node found with name '{0}'")]
    UnknownMember(Str),
    /// Gossip has ended.
    #[error("gossip is shut down")]
    Shutdown,
}

/// Why tags could not be changed. The old ones stay.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetTagsError {
    /// The caller's mistake.
    #[error("tags do not fit into a gossip packet: {0}")]
    TooLarge(String),
    /// Gossip has ended.
    #[error("gossip is shut down")]
    Shutdown,
}
