//! Calling a handler: a program or a web server.

use crate::programs::{Group, in_shell};
use config::watch::Handler;
use std::{collections::BTreeMap, process::Stdio};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};
use types::{Str, definition::CheckDefinition};

/// Most bytes of a handler's output that are kept for the log.
const OUTPUT_BYTES: u64 = 4096;

/// Calls `handler` and waits for its end; dropping this ends a program that runs.
///
/// # Errors
/// It could not be started, or failed.
pub(super) async fn call(handler: &Handler, index: &str, json: &str) -> Result<(), String> {
    match handler {
        Handler::Args(words) => {
            let (program, args) = words.split_first().ok_or("no program is given")?;
            let mut command = Command::new(program.as_str());
            command.args(args.iter().map(Str::as_str));
            script(command, index, json).await
        }
        Handler::Shell(line) => script(in_shell(line.as_ref()), index, json).await,
        Handler::Http { path, method, timeout, header, tls_skip_verify } => {
            let mut headers: BTreeMap<Str, Vec<Str>> = header.iter().cloned().collect();
            headers
                .entry(Str::new_static("Content-Type"))
                .or_insert_with(|| vec![Str::new_static("application/json")]);
            headers.insert(Str::new_static("X-Consul-Index"), vec![Str::new(index)]);
            let request = CheckDefinition {
                http: path.clone(),
                method: method.clone(),
                header: headers,
                body: Str::new(json),
                tls_skip_verify: *tls_skip_verify,
                timeout: *timeout,
                ..CheckDefinition::default()
            };
            let (status, output) = checks::http_call(&request).await?;
            tracing::debug!(status, output, "watch handler answered");
            if (200..300).contains(&status) {
                Ok(())
            } else {
                Err(format!("the handler answered with status {status}"))
            }
        }
    }
}

async fn script(mut command: Command, index: &str, json: &str) -> Result<(), String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let also = writer.try_clone().map_err(|e| e.to_string())?;
    command
        .env("CONSUL_INDEX", index)
        .stdin(Stdio::piped())
        .stdout(writer)
        .stderr(also)
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|e| format!("cannot start {program}: {e}"))?;
    // It holds the writing ends of the pipe.
    drop(command);
    let mut group = Group(child);
    let input = group.0.stdin.take();
    let feed = async {
        if let Some(mut input) = input {
            // A handler that does not read its input is free to do so.
            let _ = input.write_all(format!("{json}\n").as_bytes()).await;
        }
    };
    let mut kept = Vec::new();
    let mut output =
        tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into()).map_err(|e| e.to_string())?;
    let drain = async {
        let _ = (&mut output).take(OUTPUT_BYTES).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
        // What it left behind may hold the pipe open: its own end counts.
        std::future::pending::<()>().await;
    };
    let status = tokio::select! {
        (status, ()) = async { tokio::join!(group.0.wait(), feed) } => status,
        () = drain => return Ok(()),
    };
    let output = String::from_utf8_lossy(&kept).trim().to_owned();
    tracing::debug!(program, output, "watch handler output");
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}: {output}")),
        Err(e) => Err(format!("{program}: {e}")),
    }
}
