//! From sources to the checked configuration.
//!
//! Order: each source is read, decoded and rewritten; they merge; groups are built; then come the rules that look at
//! several settings. Errors of structure end the work at once, bad values are collected.

mod addresses;
mod config_entry;
mod groups;
mod limits;
mod names;
mod parts;
mod reader;
mod rules;
mod services;
mod tls;
mod ui;

pub use services::{ServiceFileError, parse_service_file};

use crate::{
    decode, deprecated,
    flags::AgentFlags,
    merge::{Settings, Value},
    settings::RuntimeConfig,
    sockaddr::IfAddr,
    text::{self, Format},
};
use reader::Reader;
use std::path::Path;
use types::{Str, validate::error_list};

/// One file's text.
#[derive(Clone)]
pub struct SourceText {
    /// Path, for messages.
    pub name: String,
    /// Content.
    pub text: String,
    /// Syntax.
    pub format: Format,
}

/// Everything that configures an agent, in order.
#[derive(Clone, Default)]
pub struct Sources {
    /// Files in order.
    pub files: Vec<SourceText>,
    /// Command-line flags.
    pub flags: AgentFlags,
    /// Remarks of whoever found the files.
    pub warnings: Vec<String>,
}

/// What is at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PathKind {
    /// Nothing.
    Missing,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
    /// It could not be looked at.
    Error(String),
}

/// The few questions that validation asks about the file system.
pub trait Disk {
    /// What is at `path`.
    fn kind(&self, path: &Path) -> PathKind;
}

/// A file system without files.
pub struct NoDisk;

impl Disk for NoDisk {
    fn kind(&self, _path: &Path) -> PathKind {
        PathKind::Missing
    }
}

/// The machine, as far as configuration depends on it.
pub struct Env<'a> {
    /// Host name.
    pub host_name: String,
    /// Addresses of the host.
    pub interfaces: Vec<IfAddr>,
    /// `CONSUL_INTRO_TOKEN`.
    pub intro_token: Option<String>,
    /// Limit of open files.
    pub open_files: Option<u64>,
    /// File system.
    pub disk: &'a dyn Disk,
}

/// A checked configuration and what its author should know.
#[derive(Clone, Debug)]
pub struct Built {
    /// The configuration.
    pub config: RuntimeConfig,
    /// Remarks in order.
    pub warnings: Vec<String>,
}

/// Why a configuration is refused. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// A source could not be read as text of its format.
    #[error("failed to parse {name}: {error}")]
    Syntax {
        /// Path or flag.
        name: String,
        /// What is wrong.
        error: text::SyntaxError,
    },
    /// A source has wrong types or unknown keys.
    #[error("failed to parse {name}: {error}")]
    Decode {
        /// Path or flag.
        name: String,
        /// What is wrong.
        error: decode::DecodeError,
    },
    /// A rule is broken.
    #[error("{0}")]
    Rule(String),
    /// Bad values, all of them.
    #[error("{}", error_list(.0.iter()))]
    Values(Vec<String>),
}

fn rule(text: impl Into<String>) -> ConfigError {
    ConfigError::Rule(text.into())
}

/// Builds the configuration.
///
/// # Errors
/// The first [`ConfigError`].
pub fn build(sources: &Sources, env: &Env<'_>) -> Result<Built, ConfigError> {
    let mut warnings = sources.warnings.clone();
    warnings.extend(sources.flags.warnings.iter().cloned());
    let mut merged = merge_sources(sources, &mut warnings)?;
    deprecated::rewrite_merged(&mut merged);
    let r = Reader::new(&merged);
    let config = parts::config(&r, env, sources.flags.dev)?;
    warnings.extend(r.take_warnings());
    Ok(Built { config, warnings })
}

fn merge_sources(sources: &Sources, warnings: &mut Vec<String>) -> Result<Settings, ConfigError> {
    let mut merged = Settings::default();
    if sources.flags.dev {
        merged.merge(dev_settings());
    }
    let mut before_files = sources.flags.before_files.clone();
    deprecated::rewrite(&mut before_files, warnings);
    merged.merge(before_files);
    for file in &sources.files {
        merged.merge(read_source(&file.name, &file.text, file.format, warnings)?);
    }
    let mut after_files = sources.flags.after_files.clone();
    deprecated::rewrite(&mut after_files, warnings);
    merged.merge(after_files);
    for (i, fragment) in sources.flags.fragments.iter().enumerate() {
        merged.merge(read_source(&format!("flags-{i}.hcl"), fragment, Format::Hcl, warnings)?);
    }
    Ok(merged)
}

fn read_source(
    name: &str,
    text: &str,
    format: Format,
    warnings: &mut Vec<String>,
) -> Result<Settings, ConfigError> {
    let root =
        text::read(text, format).map_err(|error| ConfigError::Syntax { name: name.to_owned(), error })?;
    let mut decoded =
        decode::decode(&root).map_err(|error| ConfigError::Decode { name: name.to_owned(), error })?;
    warnings.append(&mut decoded.warnings);
    deprecated::rewrite(&mut decoded.settings, warnings);
    Ok(decoded.settings)
}

/// What `-dev` sets before everything else.
fn dev_settings() -> Settings {
    let mut s = Settings::default();
    for path in [
        "server",
        "ui_config.enabled",
        "enable_debug",
        "disable_anonymous_signature",
        "disable_keyring_file",
        "connect.enabled",
        "peering.enabled",
    ] {
        s.set(path, Value::Bool(true));
    }
    s.set("bind_addr", Value::Text(Str::new_static("127.0.0.1")));
    s.set("log_level", Value::Text(Str::new_static("DEBUG")));
    s.set("ports.grpc", Value::Int(8502));
    s.set("performance.raft_multiplier", Value::Int(1));
    for pool in ["gossip_lan", "gossip_wan"] {
        for key in ["gossip_interval", "probe_interval", "probe_timeout"] {
            s.set(&format!("{pool}.{key}"), Value::Text(Str::new_static("100ms")));
        }
        s.set(&format!("{pool}.suspicion_mult"), Value::Int(3));
    }
    s
}

#[cfg(test)]
mod tests;
