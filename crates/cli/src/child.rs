//! Programs that commands start: `watch`, `lock`.

use crate::{Env, text::os_words};
use rustix::process::{Pid, Signal};
use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    signal::unix::{Signal as Listener, SignalKind, signal},
};

/// How a child reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stdin<'a> {
    /// Nothing.
    Null,
    /// What we would read.
    Ours,
    /// These bytes.
    Bytes(&'a [u8]),
}

/// A child in a process group of its own, so that a signal reaches what it started, too.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    group: Option<Pid>,
    own_group: bool,
}

impl Running {
    /// Starts `words`, joined for a shell or as program and arguments.
    pub(crate) async fn start(
        words: &[String],
        shell: bool,
        env: &Env,
        more: &[(&str, &str)],
        stdin: Stdin<'_>,
    ) -> Result<Self, String> {
        let mut command = match words {
            [program, args @ ..] if !shell => {
                let mut command = Command::new(program);
                command.args(args);
                command
            }
            _ => {
                let mut command = Command::new(env.get("SHELL").unwrap_or("/bin/sh"));
                command.arg("-c").arg(words.join(" "));
                command
            }
        };
        command.envs(more.iter().copied()).stdin(match stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Ours => Stdio::inherit(),
            Stdin::Bytes(_) => Stdio::piped(),
        });
        // A child in the background may not read from a terminal: one that reads stays in our group.
        let own_group = stdin != Stdin::Ours;
        if own_group {
            command.process_group(0);
        }
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .map_err(|e| format!("Error starting handler: fork/exec {program}: {}", os_words(&e)))?;
        if let (Stdin::Bytes(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
            // A child that does not read its input is free to do so.
            match tokio::time::timeout(Duration::from_secs(60), pipe.write_all(bytes)).await {
                Err(_elapsed) => tracing::debug!("the handler does not read its input"),
                Ok(Err(e)) if e.kind() != io::ErrorKind::BrokenPipe => {
                    tracing::debug!(error = %e, "the handler's input failed");
                }
                Ok(_) => {}
            }
        }
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group, own_group })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Waits for its end: `Err` says how it failed. Cancel safe.
    pub(crate) async fn wait(&mut self) -> Result<(), String> {
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(describe(status)),
            Err(e) => Err(os_words(&e)),
        }
    }

    /// Passes a signal on. A child that has ended is left alone: its number may be another's by now.
    pub(crate) fn send(&self, which: Signal) {
        if self.child.id().is_none() {
            return;
        }
        if let Some(pid) = self.group {
            // It may end this moment by itself.
            let _ = if self.own_group {
                rustix::process::kill_process_group(pid, which)
            } else {
                rustix::process::kill_process(pid, which)
            };
        }
    }

    /// SIGTERM, then SIGKILL after `grace`; how it ended.
    pub(crate) async fn end(&mut self, grace: Duration) -> Result<(), String> {
        self.send(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(grace, self.wait()).await {
            return ended;
        }
        self.send(Signal::KILL);
        self.wait().await
    }
}

/// How a program ended, in the words scripts know.
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                1 => "hangup",
                2 => "interrupt",
                3 => "quit",
                6 => "aborted",
                9 => "killed",
                11 => "segmentation fault",
                13 => "broken pipe",
                15 => "terminated",
                other => return format!("signal: signal {other}"),
            };
            format!("signal: {name}")
        }
        (None, None) => "it ended in an unknown way".to_owned(),
    }
}

/// SIGINT and SIGTERM, from now on.
pub(crate) struct Signals {
    interrupt: Listener,
    terminate: Listener,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
        }
    }
}
