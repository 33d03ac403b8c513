//! The sockets, timers and files around the gossip core.

mod config;
mod error;
mod handle;
mod keyring;
mod retry;

pub use config::{Cidr, CidrError, DriverConfig, Pool};
pub use error::{ForceLeaveError, JoinError, SetTagsError, StartError};
pub use gossip::{Key, KeyError, Keyring, MemberEvent, Timing};
pub use handle::GossipHandle;
pub use keyring::{KeyringError, KeyringOp, KeyringResponse};
pub use retry::{RetryJoin, RetryJoinError};
