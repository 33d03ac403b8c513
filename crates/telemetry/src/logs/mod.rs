//! Log output: one `tracing` subscriber that writes lines as Consul does, to stdout, a rotated file, syslog, and to whoever
//! listens through `/v1/agent/monitor`.
//!
//! Lines are made on the calling thread and written by one thread of their own, so that a slow disk or terminal never stalls
//! the caller; when its queue is full, lines are lost and counted. Levels change while running ([`Logs::set_level`]).

mod fields;
mod file;
mod layer;
mod level;
mod line;
mod monitor;
mod names;
mod syslog;
#[cfg(test)]
mod tests;
mod writer;

pub use file::FileConfig;
pub use layer::LogLayer;
pub use level::{Level, UnknownLevel};
pub use monitor::{LogStream, TooManyStreams};
pub use syslog::{Facility, UnknownFacility};

use layer::Shared;
use runtime::WallClock;
use std::{io, path::PathBuf, sync::Arc};
use thiserror::Error;
use tracing_subscriber::layer::SubscriberExt;

/// Settings of the log output.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Least level that is written.
    pub level: Level,
    /// JSON lines instead of text.
    pub json: bool,
    /// Write to stdout.
    pub stdout: bool,
    /// `log_file` with its rotation.
    pub file: Option<FileConfig>,
    /// `enable_syslog`.
    pub syslog: Option<Facility>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: Level::Info, json: false, stdout: true, file: None, syslog: None }
    }
}

/// Why logging could not start.
#[derive(Debug, Error)]
pub enum LogError {
    /// The log file cannot be opened.
    #[error("Failed to open log file {}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No syslog socket.
    #[error("Syslog setup error: {0}")]
    Syslog(io::Error),
    /// The writer thread cannot start.
    #[error("cannot start the log writer: {0}")]
    Thread(io::Error),
    /// Another subscriber is installed already.
    #[error("logging was set up before")]
    Twice,
}

/// The running log output. Clones share it; [`Logs::flush`] before the process ends.
#[derive(Clone, Debug)]
pub struct Logs(Arc<Shared>);

/// Sets logging up for the whole process.
pub fn init(config: &LogConfig, clock: Arc<dyn WallClock>) -> Result<Logs, LogError> {
    let (logs, layer) = Logs::build(config, clock)?;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .map_err(|_already_set| LogError::Twice)?;
    Ok(logs)
}

impl Logs {
    /// The output and the layer that feeds it, for a subscriber of the caller's own.
    pub fn build(config: &LogConfig, clock: Arc<dyn WallClock>) -> Result<(Self, LogLayer), LogError> {
        let writer = writer::Writer::start(config, Arc::clone(&clock))?;
        let shared = Arc::new(Shared::new(config, writer, clock));
        Ok((Self(Arc::clone(&shared)), LogLayer::new(shared)))
    }

    /// Changes the least level that is written (a reload).
    pub fn set_level(&self, level: Level) {
        self.0.set_level(level);
    }

    /// The least level that is written.
    pub fn level(&self) -> Level {
        self.0.level()
    }

    /// Follows the log from now on, from `level` upwards, as text or JSON lines. A reader that falls 512 lines behind loses lines.
    pub fn subscribe(&self, level: Level, json: bool) -> Result<LogStream, TooManyStreams> {
        Shared::subscribe(&self.0, level, json)
    }

    /// Waits until everything logged so far is written.
    pub fn flush(&self) {
        self.0.writer.flush();
    }
}
