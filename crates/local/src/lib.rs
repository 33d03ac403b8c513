//! The services and checks of this agent, and the plan that brings the catalog in line with them.

mod error;
mod key;

pub use error::LocalError;
pub use key::{Key, Source};
