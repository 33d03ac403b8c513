//! Duties that run only while this server leads.
//!
//! This crate owns: the reconciler that turns gossip members into catalog rows (`reconcile.rs`), autopilot's decisions about
//! the Raft configuration (`autopilot.rs`, with redundancy zones in `zones.rs`) and what it tells of the servers
//! (`report.rs`), ending sessions and keys whose time is over (`expiry.rs`), the first root of the
//! certificate authority, and forgetting old deletions. It
//! refuses to know gossip or Raft themselves: both come in as traits, writes go out through `rpc::Submit`. Decisions are pure
//! functions; `run.rs` is the loop around them, and the place to start reading. A write that fails because leadership was
//! lost ends the pass; the next leader begins with a full one.

mod authority;
mod autopilot;
mod expiry;
mod members;
mod membership;
mod reconcile;
mod report;
mod run;
mod stability;
mod zones;

pub use autopilot::{Action, MembershipView, RemoveReason, plan_membership, server_id};
pub use members::{MemberEvent, Members};
pub use membership::{Membership, MembershipError, RaftServer, ServerHealth, ServerId};
pub use reconcile::plan_member;
pub use report::{ServerFacts, report};
pub use run::{Deps, Leader, LeaderConfig};
pub use stability::{Memory, Stability};

#[cfg(test)]
mod tests;
