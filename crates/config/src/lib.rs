//! Agent configuration from files and flags to one checked value.
//!
//! Owns the two file syntaxes, every key that exists, how sources merge, address templates, validation with the
//! texts that operators know, and the agent's command-line flags. Refuses to touch the machine outside
//! [`load`]: host name, interfaces and file texts come in as arguments, so that everything else is pure.
//!
//! Start with [`settings::RuntimeConfig`] (what comes out) and [`schema`] (what may go in).

pub mod merge;
pub mod schema;
pub mod settings;

pub use settings::RuntimeConfig;
