//! The one error of requests between agents. HTTP status and text are derived from it in one place of `http-api`.

use crate::names::Str;
use serde::{Deserialize, Serialize};

/// What became of a write that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It certainly did not take effect.
    NotApplied,
    /// It may have taken effect.
    Unknown,
}

/// Why a request failed. `Display` is the outward text, part of the public API.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum RequestError {
    /// No leader was elected within the hold time. Not applied; retry.
    #[error("No cluster leader")]
    NoLeader,
    /// A client agent knows no server. Not applied; retry.
    #[error("No known Consul servers")]
    NoServers,
    /// The datacenter is not known. Not applied; the caller's mistake.
    #[error("No path to datacenter")]
    NoPathToDatacenter,
    /// The datacenter is known, none of its servers can be reached. Not applied; retry.
    #[error("Remote DC has no server currently reachable")]
    DatacenterUnreachable,
    /// This server stopped being (or never was) the leader before the command was proposed. Not applied; retry elsewhere.
    #[error("node is not the leader")]
    NotLeader,
    /// A deadline passed or leadership was lost while the command was in flight: it may have been applied.
    #[error("leadership lost while committing log")]
    Unknown,
    /// The connection to a server failed. `sent` tells whether the request may have arrived.
    #[error("rpc error making call: {text}")]
    Transport {
        /// What happened.
        text: Str,
        /// Whether the request may have reached the server.
        sent: bool,
    },
    /// The state machine or a rule refused it. Not applied; the caller's mistake.
    #[error("{0}")]
    Refused(Str),
    /// The token lacks a permission. Not applied.
    #[error("{0}")]
    PermissionDenied(Str),
    /// A bound was reached. Not applied; retry later.
    #[error("rate limit exceeded, try again later or against a different server")]
    Overloaded,
    /// The filter expression is not valid. The caller's mistake.
    #[error("Failed to create boolean expression evaluator: {0}")]
    Filter(Str),
    /// The agent is shutting down. Not applied.
    #[error("agent is shutting down")]
    ShuttingDown,
    /// A message could not be decoded. Not applied.
    #[error("rpc error: malformed message: {0}")]
    Malformed(Str),
    /// Known to the API level, not built yet.
    #[error("not built yet: {0}")]
    NotBuilt(Str),
    /// A limit on requests was reached. Not applied; retry later. The text says which one.
    #[error("{0}")]
    RateLimited(Str),
}

impl RequestError {
    /// What became of the write.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unknown | Self::Transport { sent: true, .. } => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }
    /// Whether another attempt, perhaps at another server, may succeed without the caller changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::NoLeader
                | Self::NoServers
                | Self::NotLeader
                | Self::Transport { .. }
                | Self::DatacenterUnreachable
                | Self::Overloaded
        )
    }
}
