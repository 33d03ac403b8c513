//! A program: exit code 0 is passing, 1 a warning.

use super::Outcome;
use local::{go_duration, tail_output};
use std::{
    collections::VecDeque,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe,
    process::{Child, Command},
    time::{sleep, timeout},
};
use types::definition::CheckDefinition;

/// After the program has ended, how long something it left behind may go on writing.
const LEFTOVER_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn probe(c: &CheckDefinition, patience: Duration, limit: usize) -> Outcome {
    let (mut group, mut output) = match start(c) {
        Ok(started) => started,
        Err(e) => return Outcome::critical(e.to_string()),
    };
    let mut tail = Tail { kept: VecDeque::new(), total: 0, limit };
    let finished = async {
        let status = tokio::select! {
            status = group.child.wait() => status,
            Err(e) = tail.read(&mut output) => Err(e),
        };
        // What is still in the pipe; a program that went to the background does not hold up the check.
        let _ = timeout(LEFTOVER_WAIT, tail.read_to_end(&mut output)).await;
        status
    };
    let ended = tokio::select! {
        status = finished => Some(status),
        () = sleep(patience) => None,
    };
    match ended {
        Some(Ok(status)) => judge(status, tail.text()),
        Some(Err(e)) => Outcome::critical(e.to_string()),
        None => {
            group.kill();
            let text = format!("Timed out ({}) running check", go_duration(patience));
            Outcome::critical(if tail.total == 0 { text } else { format!("{text}\n{}", tail.text()) })
        }
    }
}

fn judge(status: ExitStatus, output: String) -> Outcome {
    match status.code() {
        Some(0) => Outcome::passing(output),
        Some(1) => Outcome::warning(output),
        _ => Outcome::critical(output),
    }
}

/// A program in a process group of its own, which is killed as a whole when this is dropped before the program ended.
struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn kill(&mut self) {
        // A child that was waited for has no id any more, and its number may belong to somebody else by now.
        if self.child.id().is_some()
            && let Some(id) = self.id.take()
        {
            // It may just have ended by itself.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(c: &CheckDefinition) -> io::Result<(Group, pipe::Receiver)> {
    let (program, args) = c
        .script_args
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is given"))?;
    // One pipe for both, so that the order of what was written is kept.
    let (reader, writer) = io::pipe()?;
    let child = Command::new(program.as_str())
        .args(args.iter().map(|a| a.as_str()))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("failed to invoke {program:?}: {e}")))?;
    let id = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    let output = pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((Group { child, id }, output))
}

/// The last bytes of an output.
struct Tail {
    kept: VecDeque<u8>,
    total: u64,
    limit: usize,
}

impl Tail {
    /// Reads until the end, and then never answers: the end of the output is not the end of the program.
    async fn read(&mut self, from: &mut pipe::Receiver) -> io::Result<()> {
        self.read_to_end(from).await?;
        std::future::pending().await
    }

    async fn read_to_end(&mut self, from: &mut pipe::Receiver) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let n = from.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            self.total += n as u64;
            let fresh = &buffer[n.saturating_sub(self.limit)..n];
            let excess = (self.kept.len() + fresh.len()).saturating_sub(self.limit);
            self.kept.drain(..excess);
            self.kept.extend(fresh);
        }
    }

    fn text(mut self) -> String {
        tail_output(self.kept.make_contiguous(), self.total)
    }
}
