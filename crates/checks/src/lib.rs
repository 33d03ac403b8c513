//! Check runners, and the anti-entropy loop around [`local::Registry`].
//!
//! [`LocalState`] is the handle that the rest of the agent holds: it registers services and checks, runs the checks,
//! keeps API registrations on disk, and brings the catalog in line through `rpc::Submit` and `rpc::Query`. Every decision is
//! made in `local`; this crate owns the timers, sockets, processes and files around it. It refuses to know HTTP requests of
//! users, gossip and Raft.
//!
//! Start with [`LocalState`]; `sync` is the anti-entropy loop, `runner` the life of one check, `probe` one look at a target.

mod config;
mod files;
mod inner;
mod probe;
mod runner;
mod state;
mod store;
mod sync;
mod views;

pub use config::{
    CHECK_OUTPUT_MAX_SIZE_DEFAULT, CHECK_UPDATE_INTERVAL_DEFAULT, LocalConfig, SIDECAR_PORTS_DEFAULT,
};
pub use files::FileDefinitions;
pub use inner::Ports;
pub use local::{AggregatedHealth, Key, LocalError, NodeIdentity, ScriptPermission, Source};
pub use probe::http_call;
pub use state::LocalState;

#[cfg(test)]
mod tests;
