//! Duties that run only while this server leads.

mod members;
mod membership;
mod run;

pub use members::{MemberEvent, Members};
pub use membership::{Membership, MembershipError, RaftServer, ServerHealth, ServerId};
pub use run::{Deps, Leader, LeaderConfig};
