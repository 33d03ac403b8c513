//! Duties that run only while this server leads.
//!
//! This crate owns: the reconciler that turns gossip members into catalog rows (`reconcile.rs`), autopilot's decisions about
//! the Raft configuration (`autopilot.rs`), ending sessions and keys whose time is over (`expiry.rs`), the first root of the
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
mod run;

pub use autopilot::{Action, MembershipView, RemoveReason, Stability, plan_membership, server_id};
pub use members::{MemberEvent, Members};
pub use membership::{Membership, MembershipError, RaftServer, ServerHealth, ServerId};
pub use reconcile::plan_member;
pub use run::{Deps, Leader, LeaderConfig};

#[cfg(test)]
mod tests;
