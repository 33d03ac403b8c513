//! Child processes that never outlive the test.

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    path::Path,
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// Variables of the surroundings that an agent or command would listen to.
const FOREIGN: [&str; 5] = ["CONSUL_", "HCP_", "CONNECT_", "ENVOY_", "UPSTREAM_"];
/// Steps in which a process is looked at.
const STEP: Duration = Duration::from_millis(20);

/// A command that inherits nothing it could listen to.
pub fn clean_command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|p| name.to_string_lossy().starts_with(p)) {
            command.env_remove(name);
        }
    }
    command
}

/// A child that is killed when dropped.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl From<std::process::Child> for Child {
    fn from(child: std::process::Child) -> Self {
        Self(child)
    }
}

impl Child {
    /// Starts a command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn()?))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Asks `ready` until it answers something; `None` if the process ends or time is over first.
    pub fn wait_until<T>(&mut self, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        let start = now();
        while start.elapsed() < limit && self.ended().is_none() {
            if let Some(found) = ready() {
                return Some(found);
            }
            thread::sleep(STEP);
        }
        None
    }

    /// How it ends by itself; `None` if it does not in time.
    pub fn wait_end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if start.elapsed() >= limit {
                return None;
            }
            thread::sleep(STEP);
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, signal)?;
        }
        Ok(())
    }
}

/// Real time: real processes run in it.
#[expect(clippy::disallowed_methods, reason = "real processes run in real time")]
pub fn now() -> Instant {
    Instant::now()
}
