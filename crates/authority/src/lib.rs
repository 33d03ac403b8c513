//! The certificate authority at work.
//!
//! - [`Authority`]: what the leader does for others: sign leaves and the authorities of secondary datacenters, change settings,
//!   rotate the root (`desk.rs`, with the limits of `limit.rs`).
//! - [`Upkeep`]: what the leader does by itself: forget old roots, and in a secondary datacenter follow the primary
//!   (`upkeep.rs`; what to do next is a pure decision, `follow.rs`).
//! - [`Leaves`]: leaf certificates of this agent, whose keys never leave it (`leaves.rs`; when to renew is pure, `schedule.rs`).
//!
//! It refuses to know HTTP and consensus. How certificates look is `connect-ca`'s.

mod desk;
mod follow;
mod leaves;
mod limit;
mod schedule;
mod upkeep;

#[cfg(test)]
mod tests;

pub use desk::{Authority, AuthorityConfig, Deps};
pub use leaves::{Leaves, LeavesDeps};
pub use schedule::renew_at;
pub use upkeep::Upkeep;

use runtime::WallClock;

/// Unix seconds.
fn unix_s(clock: &dyn WallClock) -> i64 {
    i64::try_from(clock.unix_ms() / 1000).unwrap_or(i64::MAX)
}
