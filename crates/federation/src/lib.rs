//! Several datacenters as one: what they share, and how they reach each other when only mesh gateways can.
//!
//! - [`replicate`]: what a secondary datacenter changes to be like the primary one (pure).
//! - [`duties`]: the leader's part, telling its gateways and replicating.
//! - [`status`]: how that goes.
//!
//! It refuses to know HTTP, gossip and Raft themselves. Start with [`duties::start`].

pub mod duties;
pub mod replicate;
pub mod status;

pub use duties::{Deps, Settings, start};
pub use replicate::Kind;
pub use status::{Replication, Status};
