//! Programs that the agent starts.

use rustix::process::{Pid, Signal};
use std::ffi::OsStr;
use tokio::process::{Child, Command};

/// A program in a process group of its own, which goes as a whole when this is dropped before its end.
pub(crate) struct Group(pub(crate) Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // It may just have ended by itself.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }
}

/// A line for the user's shell (`SHELL`, else `/bin/sh`).
pub(crate) fn in_shell(line: &OsStr) -> Command {
    let mut command = Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()));
    command.arg("-c").arg(line);
    command
}
