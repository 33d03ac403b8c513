//! The plainest HTTP client, so that what tests see is what the server sent.

use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(15);

/// An answer; status 0 if there was none, and then the body says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Header lines.
    pub head: String,
    /// Body.
    pub body: String,
}

/// Asks `addr` by HTTP/1.0, whose answers end with the connection and are never chunked.
pub fn call(addr: SocketAddr, method: &str, path: &str, body: &str, token: &str) -> Answer {
    ask(addr, method, path, body, token).unwrap_or_else(|e| Answer {
        status: 0,
        head: String::new(),
        body: e.to_string(),
    })
}

fn ask(addr: SocketAddr, method: &str, path: &str, body: &str, token: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&addr, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let token = if token.is_empty() { String::new() } else { format!("X-Consul-Token: {token}\r\n") };
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {addr}\r\n{token}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
