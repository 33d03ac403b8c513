//! Submit and Query: how every shell reaches the replicated state, on servers and client agents alike.
//!
//! - [`Submit`]: a write, which goes to the leader; the answer says applied, not applied, or unknown.
//! - [`Query`]: a read with consistency and optional blocking.
//! - [`Authority`]: what only the leader does, as certificate authority.
//! - [`ViewHub`]: the published version of the state and those who wait for it to change.
//! - [`Datacenters`]: the other ones, and whether they answer.
//! - [`Service`]: both traits for one agent; [`server`] and [`Pool`] carry requests over the server port.
//!
//! It refuses to know consensus (the [`Consensus`] port is plugged in) and HTTP. Start with [`service`].

pub mod blocking;
mod conn;
pub mod consensus;
pub mod datacenters;
pub mod hub;
pub mod limits;
pub mod message;
pub mod pool;
pub mod ports;
mod renewals;
pub mod report;
pub mod server;
pub mod servers;
pub mod service;
mod shared;
pub mod tunnel;

pub use consensus::{Consensus, Leadership};
pub use datacenters::Datacenters;
pub use hub::ViewHub;
pub use limits::RateLimits;
pub use pool::Pool;
pub use ports::{Authority, Query, Submit};
pub use renewals::Renewals;
pub use servers::ServerList;
pub use service::{ServerSide, Service, ServiceConfig};
pub use tunnel::{Tunnel, TunnelSink, Tunnels};
