//! Replays recorded command lines of a real Consul against our binary.
//!
//! Cases of a group run in order, in one working directory, against one fresh server. `golden/cli/README.md` says what a
//! case holds. Start reading at [`replay`].

mod case;
mod judge;
mod normal;
mod process;
mod server;
mod world;

pub use case::{Case, Gap, cases, gaps};
pub use world::replay;
