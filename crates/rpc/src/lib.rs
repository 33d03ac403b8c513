//! Submit and Query: how every shell reaches the replicated state, on servers and client agents alike.
//!
//! - [`Submit`]: a write, which goes to the leader; the answer says applied, not applied, or unknown.
//! - [`Query`]: a read with consistency and optional blocking.
//! - [`ViewHub`]: the published version of the state and those who wait for it to change.

pub mod ports;
pub use ports::{Query, Submit};
