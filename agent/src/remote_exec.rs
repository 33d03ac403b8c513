//! Commands that an operator runs on many nodes (`exec`), where `disable_remote_exec = false` permits it.
//!
//! A `_rexec` event names a session. What to run stands in the key-value store under `<prefix>/<session>/job`; this node answers
//! below `<prefix>/<session>/<node>/`: `ack`, `out/<number>` as output comes, and `exit` with the exit code. Every key is held by
//! that session, so all goes when it ends.

use crate::{
    Agent,
    programs::{Group, in_shell},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rpc::{Query as _, Submit as _};
use serde::Deserialize;
use std::{io::Write as _, os::unix::fs::PermissionsExt as _, os::unix::process::ExitStatusExt as _};
use std::{process::Stdio, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt as _, net::unix::pipe, process::Command as Process, sync::Semaphore};
use types::{
    SecretToken, Str, Tenancy,
    command::{Command, CommandResponse, KvOp},
    event::UserEvent,
    query::{Query, QueryOptions, QueryResult},
};

/// Commands that run at one time; further ones are not begun.
const RUNNING_MAX: usize = 8;
/// Bytes of output in one key.
const PART_BYTES: usize = 4096;
/// Output is told after this time at the latest.
const TOLD_AFTER: Duration = Duration::from_millis(500);
/// Keys of output of one command; what it prints beyond that is not kept.
const PARTS_MAX: u32 = 1 << 16;
/// How long output may come after the program has ended, from what it left behind.
const LATE: Duration = Duration::from_secs(1);

/// How many more commands may run.
#[derive(Debug)]
pub struct RemoteExec(Arc<Semaphore>);

impl Default for RemoteExec {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RUNNING_MAX)))
    }
}

/// What the event says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Call {
    prefix: String,
    session: String,
}

/// What to run: one of the three.
#[derive(Default, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "PascalCase", default)]
struct Job {
    /// For a shell.
    command: String,
    /// Program and arguments.
    args: Vec<String>,
    /// A file to run, base64.
    script: Option<String>,
}

/// Begins what an event asks for.
pub(crate) fn begin(agent: &Arc<Agent>, event: &UserEvent) {
    let call: Call = match serde_json::from_slice(&event.payload) {
        Ok(call) => call,
        Err(error) => {
            tracing::warn!(id = %event.id, %error, "a remote execution cannot be read");
            return;
        }
    };
    let Ok(place) = agent.remote_exec.0.clone().try_acquire_owned() else {
        tracing::warn!(session = call.session, "a remote execution is not begun: {RUNNING_MAX} run already");
        return;
    };
    tracing::info!(session = call.session, "remote execution begins");
    let (agent, stop) = (agent.clone(), agent.tasks.shutdown().clone());
    agent.tasks.clone().spawn("remote execution", async move {
        tokio::select! {
            () = stop.wait() => {}
            done = run(&agent, &call) => match done {
                Ok(code) => tracing::info!(session = call.session, code, "remote execution is over"),
                Err(error) => tracing::warn!(session = call.session, error, "remote execution failed"),
            },
        }
        drop(place);
    });
}

async fn run(agent: &Agent, call: &Call) -> Result<i32, String> {
    let base = format!("{}/{}/", call.prefix.trim_matches('/'), call.session);
    let job = job(agent, &format!("{base}job")).await?;
    let answers =
        Answers { agent, base: format!("{base}{}/", agent.config.load().node.name), session: &call.session };
    answers.put("ack", Bytes::new()).await?;
    let code = match execute(&answers, job).await {
        Ok(code) => code,
        Err(why) => {
            // Whoever waits should know why there is no output.
            answers.put("out/00000", Bytes::from(why)).await?;
            255
        }
    };
    answers.put("exit", Bytes::from(code.to_string())).await?;
    Ok(code)
}

async fn job(agent: &Agent, key: &str) -> Result<Job, String> {
    let query = Query::KvGet { tenancy: Tenancy::default(), key: Str::new(key) };
    let found = agent.service.query(query, QueryOptions::default()).await.map_err(|e| e.to_string())?;
    let QueryResult::Kv(Some(entry)) = found.result else { return Err(format!("there is no key {key}")) };
    serde_json::from_slice(&entry.value).map_err(|e| format!("{key}: {e}"))
}

/// Where this node answers.
struct Answers<'a> {
    agent: &'a Agent,
    base: String,
    session: &'a str,
}

impl Answers<'_> {
    async fn put(&self, name: &str, value: Bytes) -> Result<(), String> {
        let key = Str::from(format!("{}{name}", self.base));
        let op = KvOp::Lock { key: key.clone(), value, flags: 0, session: Str::new(self.session) };
        let command = Command::Kv { tenancy: Tenancy::default(), op };
        match self.agent.service.submit(None, &SecretToken::default(), command).await {
            Ok((_, CommandResponse::Bool(true))) => Ok(()),
            Ok(_) => Err(format!("the session does not get {key}")),
            Err(e) => Err(format!("{key}: {e}")),
        }
    }
}

/// Runs the job; its exit code, 128 and the signal's number if one ended it.
///
/// # Errors
/// It could not be started.
async fn execute(answers: &Answers<'_>, job: Job) -> Result<i32, String> {
    let (mut command, _script) = prepare(job)?;
    let (reader, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let also = writer.try_clone().map_err(|e| e.to_string())?;
    command.stdin(Stdio::null()).stdout(writer).stderr(also).process_group(0).kill_on_drop(true);
    let child = command
        .spawn()
        .map_err(|e| format!("cannot start {}: {e}", command.as_std().get_program().to_string_lossy()))?;
    // It holds the writing ends of the pipe.
    drop(command);
    let mut group = Group(child);
    let output = pipe::Receiver::from_owned_fd(reader.into()).map_err(|e| e.to_string())?;
    let mut telling = std::pin::pin!(tell(answers, output));
    let status = tokio::select! {
        status = group.0.wait() => {
            // The rest of what it printed; what it left behind may hold the pipe open.
            let _ = tokio::time::timeout(LATE, telling).await;
            status
        }
        () = &mut telling => group.0.wait().await,
    };
    let status = status.map_err(|e| e.to_string())?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// The program of a job, and the file that it is read from.
fn prepare(job: Job) -> Result<(Process, Option<tempfile::TempPath>), String> {
    match (job.script.filter(|s| !s.is_empty()), job.args.split_first()) {
        (Some(script), _) => {
            let script = STANDARD.decode(script).map_err(|e| format!("the script is no base64: {e}"))?;
            let write = || -> std::io::Result<tempfile::TempPath> {
                let mut file = tempfile::Builder::new().prefix("rexec").tempfile()?;
                file.write_all(&script)?;
                file.as_file().set_permissions(std::fs::Permissions::from_mode(0o700))?;
                // Closed, as a file that is written to cannot be run.
                Ok(file.into_temp_path())
            };
            let path = write().map_err(|e| format!("the script cannot be written: {e}"))?;
            Ok((in_shell(path.as_os_str()), Some(path)))
        }
        (None, Some((program, args))) => {
            let mut command = Process::new(program);
            command.args(args);
            Ok((command, None))
        }
        (None, None) if job.command.is_empty() => Err("the job names no command".to_owned()),
        (None, None) => Ok((in_shell(job.command.as_ref()), None)),
    }
}

/// Tells output as it comes, until it ends or cannot be told any more; the rest is read and dropped, so that the program goes on.
async fn tell(answers: &Answers<'_>, mut output: pipe::Receiver) {
    let (mut part, mut number) = (Vec::with_capacity(PART_BYTES), 0);
    loop {
        let full = async {
            while part.len() < PART_BYTES {
                let room = (PART_BYTES - part.len()) as u64;
                match (&mut output).take(room).read_buf(&mut part).await {
                    Ok(0) | Err(_) => return true,
                    Ok(_) => {}
                }
            }
            false
        };
        let ended = tokio::time::timeout(TOLD_AFTER, full).await.unwrap_or(false);
        if !part.is_empty() {
            let told =
                answers.put(&format!("out/{number:05x}"), Bytes::from(std::mem::take(&mut part))).await;
            number += 1;
            if told.is_err() || number == PARTS_MAX {
                let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
                return;
            }
        }
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_each_form() {
        let job = |json: &str| serde_json::from_str::<Job>(json).unwrap();
        assert_eq!(job(r#"{"Command":"uptime","Wait":2000000000}"#).command, "uptime");
        let (command, _) = prepare(job(r#"{"Args":["echo","a b"]}"#)).unwrap();
        assert_eq!(command.as_std().get_args().collect::<Vec<_>>(), ["a b"]);
        let (command, script) = prepare(job(r#"{"Script":"IyEvYmluL3NoCmVjaG8gaGk="}"#)).unwrap();
        let path = script.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "#!/bin/sh\necho hi");
        assert_eq!(command.as_std().get_args().last(), Some(path.as_os_str()));
        assert!(prepare(Job::default()).unwrap_err().contains("no command"));
        assert!(prepare(job(r#"{"Script":"%"}"#)).unwrap_err().contains("no base64"));
    }
}
