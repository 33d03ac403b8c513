//! One command, run to its end.

use crate::process::Child;
use anyhow::Result;
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// What a command left.
pub(super) struct Output {
    /// -1 if it had to be killed.
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs to the end, with a signal after `interrupt_after` if given.
pub(super) fn run(
    command: &mut Command,
    stdin: Option<&str>,
    interrupt_after: Option<Duration>,
    limit: Duration,
) -> Result<Output> {
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut raw = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (pipe, out, err) = (raw.stdin.take(), collect(raw.stdout.take()), collect(raw.stderr.take()));
    let mut child = Child::from(raw);
    if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
        // A command that does not read closes the pipe; that is its right.
        let _ = pipe.write_all(text.as_bytes());
    }
    if let Some(after) = interrupt_after
        && child.wait_end(after).is_none()
    {
        child.signal(Signal::INT)?;
    }
    let code = child.wait_end(limit).and_then(|status| status.code()).unwrap_or(-1);
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
