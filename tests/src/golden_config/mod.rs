//! Replays recorded configurations of a real Consul.
//!
//! What only needs `validate` is judged in this process; what needs a running agent starts the real program.
//! `golden/config/README.md` says what a case holds.

mod agent;
mod case;
mod compare;
mod place;
mod validate;

pub use agent::run;
pub use case::{Case, Gap, cases, gaps};
pub use validate::validate;
