//! Joining until it works.

use std::time::Duration;

/// A plan of attempts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryJoin {
    /// Targets, resolved anew at each attempt.
    pub targets: Vec<String>,
    /// Wait between two attempts.
    pub interval: Duration,
    /// Attempts after the first one; 0 never gives up.
    pub max: u32,
}

/// Why joining was given up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RetryJoinError {
    /// The number of attempts is used up; the agent should exit.
    #[error("max join {0} retry exhausted, exiting")]
    Exhausted(&'static str),
    /// Gossip has ended.
    #[error("gossip is shut down")]
    Shutdown,
}
