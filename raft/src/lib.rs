//! Consensus: openraft behind our own handle.
//!
//! Owns the replicated log (its own segmented write-ahead log, see `wal`), the vote, snapshots on disk, elections,
//! membership changes, linearizable read points and the order in which commands reach `catalog::Store`. The log index
//! is the catalog's index.
//!
//! Refuses to know sockets (bytes travel through [`Transport`]), HTTP or gossip, and to answer queries: whoever wants the
//! state listens to [`Observer`]. Nothing outside this crate names openraft.
//!
//! Start reading at [`RaftHandle`], then `machine.rs` (how a batch is applied and published), `log_store.rs` and
//! `wal` (how it got to the disk), `network.rs` (how it got to the other servers).

mod admin;
mod config;
#[cfg(test)]
mod crash_points;
mod error;
mod handle;
mod id;
mod kinds;
mod log_store;
mod machine;
mod network;
mod opened;
mod ports;
mod reads;
pub mod recovery;
mod serve;
mod snapshot;
mod start;
mod status;
pub mod storage;
#[cfg(test)]
mod suite;
pub mod wal;
mod wire;

pub use config::{RaftConfig, Timing};
pub use error::{AdminError, BootstrapError, StartError, TransportError};
pub use handle::RaftHandle;
pub use id::{Peer, ServerId};
pub use ports::{Observer, Transport};
pub use status::{Membership, Progress, RaftStatus, Role, Server};
