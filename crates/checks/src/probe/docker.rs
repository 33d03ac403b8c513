//! A program inside a container, through the engine's HTTP API.

use super::{
    Outcome,
    dial::{self, Stream},
    http::{send, tail},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use local::tail_output;
use std::path::PathBuf;
use tokio::net::UnixStream;
use types::definition::CheckDefinition;

const SOCKET: &str = "/var/run/docker.sock";
/// Largest output that is taken in, bytes; the check keeps its own, smaller bound.
const ANSWER_MAX: usize = 4 << 20;

enum Address {
    Unix(PathBuf),
    Tcp(String),
    Unsupported(String),
}

/// Where the engine listens.
pub(super) struct Engine {
    address: Address,
    shell: String,
}

impl Engine {
    pub(super) fn new(host: Option<&str>, shell: &str) -> Self {
        let address = match host {
            None | Some("") => Address::Unix(SOCKET.into()),
            Some(h) => match h.split_once("://") {
                Some(("unix", path)) => Address::Unix(path.into()),
                Some(("tcp" | "http", target)) => Address::Tcp(target.trim_end_matches('/').to_owned()),
                _ => Address::Unsupported(h.to_owned()),
            },
        };
        Self { address, shell: shell.to_owned() }
    }

    pub(super) async fn probe(&self, c: &CheckDefinition, limit: usize) -> Outcome {
        match self.exec(c).await {
            Err(text) => Outcome::critical(text),
            Ok((code, output)) => {
                let kept = &output[output.len().saturating_sub(limit)..];
                let text = tail_output(kept, output.len() as u64);
                match code {
                    0 => Outcome::passing(text),
                    1 => Outcome::warning(text),
                    _ => Outcome::critical(text),
                }
            }
        }
    }

    async fn exec(&self, c: &CheckDefinition) -> Result<(i64, Vec<u8>), String> {
        let shell = if c.shell.is_empty() { self.shell.as_str() } else { c.shell.as_str() };
        let script: Vec<&str> = c.script_args.iter().map(|a| a.as_str()).collect();
        let command: Vec<&str> = match script.as_slice() {
            [line] if !c.shell.is_empty() => vec![shell, "-c", line],
            words => words.to_vec(),
        };
        let body = serde_json::json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": command });
        let created =
            self.call(Method::POST, &format!("/containers/{}/exec", c.docker_container_id), &body).await?;
        let id = serde_json::from_slice::<serde_json::Value>(&created)
            .ok()
            .and_then(|v| v.get("Id").and_then(|id| id.as_str()).map(str::to_owned))
            .ok_or("the docker engine answered without an exec id")?;
        let start = serde_json::json!({ "Detach": false, "Tty": false });
        let output = self.call(Method::POST, &format!("/exec/{id}/start"), &start).await?;
        let state = self.call(Method::GET, &format!("/exec/{id}/json"), &serde_json::Value::Null).await?;
        let code = serde_json::from_slice::<serde_json::Value>(&state)
            .ok()
            .and_then(|v| v.get("ExitCode").and_then(serde_json::Value::as_i64))
            .ok_or("the docker engine answered without an exit code")?;
        Ok((code, demultiplex(&output)))
    }

    async fn connect(&self) -> Result<Stream, String> {
        match &self.address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|e| {
                    format!(
                        "cannot reach the docker engine at unix://{}: {}",
                        path.display(),
                        dial::io_text(&e)
                    )
                })?;
                Ok(Box::pin(stream))
            }
            Address::Tcp(target) => {
                let stream = dial::tcp(target)
                    .await
                    .map_err(|e| format!("cannot reach the docker engine at tcp://{target}: {e}"))?;
                Ok(Box::pin(stream))
            }
            Address::Unsupported(host) => Err(format!("unsupported docker host {host:?}")),
        }
    }

    async fn call(&self, method: Method, path: &str, body: &serde_json::Value) -> Result<Bytes, String> {
        let stream = self.connect().await?;
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|e| format!("docker: {e}"))?;
        let response = send(stream, request).await.map_err(|e| format!("docker: {e}"))?;
        let status = response.status();
        // Kept until the body is read: it holds the connection.
        let (parts, body) = response.into_parts();
        if !status.is_success() {
            let text = tail(body, 512).await.unwrap_or_default();
            drop(parts);
            return Err(match status {
                StatusCode::NOT_FOUND => format!("docker: no such container: {text}"),
                _ => format!("docker: {status}: {text}"),
            });
        }
        let bytes = Limited::new(body, ANSWER_MAX).collect().await.map_err(|e| format!("docker: {e}"))?;
        drop(parts);
        Ok(bytes.to_bytes())
    }
}

/// Joins the frames of both output streams: one byte of kind, three of nothing, four of length.
fn demultiplex(mut frames: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&[_kind, _, _, _, a, b, c, d], rest)) = frames.split_first_chunk::<8>() {
        let len = (u32::from_be_bytes([a, b, c, d]) as usize).min(rest.len());
        out.extend_from_slice(&rest[..len]);
        frames = &rest[len..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_joined() {
        assert_eq!(demultiplex(&[1, 0, 0, 0, 0, 0, 0, 2, b'a', b'b', 2, 0, 0, 0, 0, 0, 0, 1, b'c']), b"abc");
        assert_eq!(demultiplex(&[1, 0, 0, 0, 0, 0, 0, 9, b'a']), b"a");
    }

    #[tokio::test]
    async fn no_engine_is_said_plainly() {
        let c = CheckDefinition {
            script_args: vec!["true".into()],
            docker_container_id: "x".into(),
            ..Default::default()
        };
        let found = Engine::new(Some("unix:///nowhere/docker.sock"), "/bin/sh").probe(&c, 100).await;
        assert!(found.output.starts_with("cannot reach the docker engine at unix:///nowhere"), "{found:?}");
        let found = Engine::new(Some("npipe://x"), "/bin/sh").probe(&c, 100).await;
        assert_eq!(found.output, "unsupported docker host \"npipe://x\"");
    }
}
