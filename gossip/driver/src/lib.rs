//! The sockets, timers and files around the gossip core.
//!
//! Owns: one UDP and one TCP socket per pool, the tasks that feed [`gossip::Core`], joining (once, or until it works),
//! the keyring file, the list of former members, keyring operations over the pool.
//! Refuses: protocol decisions (they are the core's) and anything about catalog, servers or leaders: whoever holds the
//! handle acts on members and events.
//!
//! Start reading at [`GossipHandle`]; `driver.rs` is what its tasks share, `tasks.rs` their loops.

mod config;
mod driver;
mod error;
mod files;
mod handle;
mod keyring;
mod net_error;
mod retry;
mod stream;
mod target;
mod tasks;

pub use config::{DriverConfig, Pool};
pub use error::{ForceLeaveError, JoinError, SetTagsError, StartError};
pub use gossip::{Counters, Key, KeyError, Keyring, MemberEvent, Timing, UserEvent};
pub use handle::GossipHandle;
pub use keyring::{KeyringError, KeyringOp, KeyringResponse};
pub use retry::{RetryJoin, RetryJoinError};
