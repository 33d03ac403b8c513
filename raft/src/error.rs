//! Errors of this crate; proposals and reads use [`types::RequestError`].

use crate::ServerId;
use std::path::PathBuf;

/// Why a request did not come back from another server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made or it broke; the other side is probably down. Retries back off.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// No answer in time; the other side may have acted.
    #[error("no answer in time")]
    Timeout,
    /// The answer made no sense or was an error of the carrier; retried soon.
    #[error("{0}")]
    Failed(String),
}

/// Why consensus could not start. The disk was not changed, but for a torn tail of the log that was cut off.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The disk failed.
    #[error("cannot open the Raft data in {path}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log is damaged in its middle: entries that may have been acknowledged are unreadable.
    #[error(
        "the Raft log is damaged: {path} at byte {offset}: {what}; restore this server from a snapshot, or remove its data directory and let it join again"
    )]
    Corrupt {
        /// File.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A snapshot cannot be read.
    #[error("the Raft snapshot {path} cannot be restored: {what}")]
    Snapshot {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The data directory belongs to a server with another id.
    #[error("the Raft data in {path} belongs to server {found}, this server is {expected}")]
    OtherServer {
        /// Directory.
        path: PathBuf,
        /// Id in the directory.
        found: ServerId,
        /// Id of the configuration.
        expected: ServerId,
    },
    /// The configuration makes no sense.
    #[error("invalid Raft configuration: {0}")]
    Config(String),
    /// openraft would not start.
    #[error("Raft would not start: {0}")]
    Raft(String),
}

/// Why a cluster was not bootstrapped. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BootstrapError {
    /// This server already belongs to a cluster (its log, vote or snapshot is not empty).
    #[error("this server already belongs to a cluster")]
    AlreadyInitialized,
    /// The set of servers lacks this one.
    #[error("the servers to bootstrap with do not include this one")]
    NotInMembers,
    /// Consensus has stopped.
    #[error("Raft has stopped: {0}")]
    Stopped(String),
}

/// Why a change of membership or leadership failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AdminError {
    /// Only the leader can do it. Nothing was changed.
    #[error("node is not the leader")]
    NotLeader,
    /// Another change is under way. Nothing was changed; retry.
    #[error("a membership change is already in progress")]
    InProgress,
    /// The server is not a member. Nothing was changed.
    #[error("server {0} is not a member")]
    UnknownServer(ServerId),
    /// It would leave no voter. Nothing was changed.
    #[error("the last voter cannot be removed")]
    LastVoter,
    /// No voter can take over. Nothing was changed.
    #[error("cannot find peer")]
    NoTarget,
    /// Leadership was lost or time ran out on the way: it may have happened.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// Refused for another reason. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Consensus has stopped.
    #[error("Raft has stopped: {0}")]
    Stopped(String),
}
