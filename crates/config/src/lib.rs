//! Agent configuration from files and flags to one checked value.
//!
//! Owns the two file syntaxes, every key that exists, how sources merge, address templates, validation with the
//! texts that operators know, and the agent's command-line flags. Refuses to touch the machine outside
//! [`load`]: host name, interfaces and file texts come in as arguments, so that everything else is pure.
//!
//! Start with [`settings::RuntimeConfig`] (what comes out), [`schema`] (what may go in) and [`build()`] (the way).

pub mod build;
pub mod debug;
pub mod decode;
pub mod deprecated;
pub mod diff;
pub mod flags;
pub mod gossip_key;
pub mod load;
pub mod merge;
pub mod node_id;
pub mod schema;
pub mod settings;
pub mod sockaddr;
pub mod startup;
pub mod text;
pub mod watch;

pub use build::{Built, ConfigError, Env, Sources, build, parse_service_file};
pub use debug::debug_config;
pub use diff::{ReloadReport, diff};
pub use settings::RuntimeConfig;

/// A text as a free-form value, in which every list of one element is replaced by its element.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn free_value(text: &str, format: text::Format) -> Result<serde_json::Value, text::SyntaxError> {
    text::read(text, format).map(|node| decode::free(&node))
}

/// `text` in double quotes, the way messages quote.
pub(crate) fn quote(text: &str) -> String {
    api::decode::quote(text)
}
