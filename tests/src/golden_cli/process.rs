//! Child processes that never outlive the test.

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Instant;
use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Steps in which an ending process is looked at.
const STEP: Duration = Duration::from_millis(5);

/// A child that is killed when dropped.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command left.
pub(super) struct Output {
    /// -1 if it had to be killed.
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn()?))
    }

    /// Asks `ready` until it says yes; no if the process ends or time is over.
    pub(super) fn wait_until(
        &mut self,
        limit: Duration,
        every: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> bool {
        let start = now();
        while start.elapsed() < limit && matches!(self.0.try_wait(), Ok(None)) {
            if ready() {
                return true;
            }
            thread::sleep(every);
        }
        false
    }
}

/// Runs to the end, with a signal after `interrupt_after` if given.
pub(super) fn run(
    command: &mut Command,
    stdin: Option<&str>,
    interrupt_after: Option<Duration>,
    limit: Duration,
) -> Result<Output> {
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    if let (Some(mut pipe), Some(text)) = (child.0.stdin.take(), stdin) {
        // A command that does not read closes the pipe; that is its right.
        let _ = pipe.write_all(text.as_bytes());
    }
    let out = collect(child.0.stdout.take());
    let err = collect(child.0.stderr.take());
    if let Some(after) = interrupt_after {
        child.wait_until(after, STEP, || false);
        let pid = i32::try_from(child.0.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(pid)) = (child.0.try_wait(), pid) {
            kill_process(pid, Signal::INT)?;
        }
    }
    child.wait_until(limit, STEP, || false);
    let code = match child.0.try_wait()? {
        Some(status) => status.code().unwrap_or(-1),
        None => -1,
    };
    drop(child);
    let text = |handle: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&handle.join().unwrap_or_default()).into_owned()
    };
    Ok(Output { code, out: text(out), err: text(err) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error still counts.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

#[expect(clippy::disallowed_methods, reason = "real processes run in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
