//! The built-in mesh gateway: takes TLS connections, reads the server name of their hello, and carries them to servers and
//! services of its own datacenter or to the gateways of others.
//!
//! Owns: the routes, which follow the catalog; the choice of a backend; listeners, tunnels and their limits; metrics.
//! Refuses to decrypt anything, to hold keys, and to know the command line or how an agent is reached (see
//! [`follow::AgentApi`]).
//!
//! Pure: [`hello`] (the name in the first bytes), [`route`] (name to backends), [`balance`] (which backend),
//! `follow::model` (answers of an agent to routes). Start reading at [`Gateway`], then [`follow::Follower`].

pub mod admin;
pub mod balance;
pub mod follow;
pub mod hello;
mod limits;
mod log;
mod metrics;
mod pipes;
mod pump;
pub mod route;
mod serve;
mod tunnel;

pub use limits::{Limits, raise_open_files};
pub use metrics::{Metrics, Refusal};
pub use serve::{Gateway, State};
