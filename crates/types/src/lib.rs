//! What every other crate agrees on: validated names, domain records, commands, queries, and the one
//! module that owns the binary codec.
//!
//! This crate is pure: no tokio, no sockets, no clock, no OS randomness, no environment. It knows nothing of
//! JSON casing (that is `api`) and nothing of how state is stored (that is `catalog`).
//! Start with [`record`] for the rows, [`entry`] for configuration entries, [`command`] for writes and [`query`] for reads.

pub mod ca;
pub mod codec;
pub mod command;
pub mod coordinate;
pub mod definition;
pub mod entry;
pub mod error;
pub mod event;
pub mod member;
pub mod names;
pub mod net;
pub mod query;
pub mod record;
pub mod txn;
pub mod validate;

pub use error::{Outcome, RequestError};
pub use names::{
    CheckId, DatacenterName, NodeName, Opaque, PeerName, SecretToken, ServiceId, ServiceName, Str, Tenancy,
};

/// The Consul API level that every machine-readable version field carries.
pub const API_LEVEL: &str = "1.21.4";

/// Port of the server RPC listener when none is configured.
pub const DEFAULT_SERVER_PORT: u16 = 8300;
