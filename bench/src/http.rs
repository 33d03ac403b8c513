//! The little HTTP/1.1 that a load generator needs.

use anyhow::{Context, Result, bail};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A request as bytes.
pub fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n");
    if !body.is_empty() || method != "GET" {
        out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// What the front of a buffer holds.
pub enum Parsed {
    /// Not a whole answer yet.
    Partial,
    /// An answer: status, where its body begins, where it ends.
    Whole(u16, usize, usize),
    /// No HTTP, or a form that agents never send for these requests.
    Bad,
}

/// Looks for one whole answer at the front of `buf`.
pub fn parse(buf: &[u8]) -> Parsed {
    let Some(head) = buf.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if buf.len() > 64 << 10 { Parsed::Bad } else { Parsed::Partial };
    };
    let Ok(text) = std::str::from_utf8(&buf[..head]) else { return Parsed::Bad };
    let mut lines = text.split("\r\n");
    let Some(status) = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()) else {
        return Parsed::Bad;
    };
    let mut length = None;
    let mut chunked = false;
    for line in lines {
        let Some((k, v)) = line.split_once(':') else { continue };
        if k.eq_ignore_ascii_case("content-length") {
            length = v.trim().parse::<usize>().ok();
        } else if k.eq_ignore_ascii_case("transfer-encoding") {
            chunked = v.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let start = head + 4;
    if chunked {
        let mut at = start;
        loop {
            let Some(eol) = buf[at..].windows(2).position(|w| w == b"\r\n") else { return Parsed::Partial };
            let Some(size) =
                std::str::from_utf8(&buf[at..at + eol]).ok().and_then(|s| usize::from_str_radix(s, 16).ok())
            else {
                return Parsed::Bad;
            };
            at += eol + 2 + size + 2;
            if at > buf.len() {
                return Parsed::Partial;
            }
            if size == 0 {
                return Parsed::Whole(status, start, at);
            }
        }
    }
    let end = start + length.unwrap_or(0);
    if buf.len() < end { Parsed::Partial } else { Parsed::Whole(status, start, end) }
}

/// The body without the sizes of its chunks; both have been looked at by [`parse`].
fn plain(head: &[u8], body: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.contains("\r\ntransfer-encoding: chunked") {
        return body.to_vec();
    }
    let (mut out, mut rest) = (vec![], body);
    while let Some(eol) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&rest[..eol]).ok().and_then(|s| usize::from_str_radix(s, 16).ok());
        let Some(chunk) = size.and_then(|n| rest.get(eol + 2..eol + 2 + n)) else { break };
        out.extend_from_slice(chunk);
        rest = rest.get(eol + 2 + chunk.len() + 2..).unwrap_or_default();
    }
    out
}

/// One request on a connection of its own.
pub fn once(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&request(method, path, body))?;
    let mut buf = vec![];
    let mut chunk = [0; 64 << 10];
    loop {
        match parse(&buf) {
            Parsed::Whole(status, start, end) => return Ok((status, plain(&buf[..start], &buf[start..end]))),
            Parsed::Bad => bail!("not an HTTP answer"),
            Parsed::Partial => {}
        }
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            bail!("connection closed");
        }
        buf.extend_from_slice(&chunk[..n]);
    }
}

/// A JSON answer.
pub fn json(to: SocketAddr, path: &str) -> Result<serde_json::Value> {
    let (status, body) = once(to, "GET", path, b"")?;
    if status != 200 {
        bail!("{path}: status {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("{path}: not JSON"))
}

/// The index that an answer carries.
pub fn index(to: SocketAddr, path: &str) -> Result<u64> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&request("GET", path, b""))?;
    let (mut buf, mut chunk) = (vec![], [0; 64 << 10]);
    while let Parsed::Partial = parse(&buf) {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            bail!("connection closed");
        }
        buf.extend_from_slice(&chunk[..n]);
    }
    let text = String::from_utf8_lossy(&buf).to_ascii_lowercase();
    let line = text.lines().find_map(|l| l.strip_prefix("x-consul-index:")).context("an index")?;
    Ok(line.trim().parse()?)
}

/// Reads an answer's body to its end into `out` (`Content-Length`, chunked, or until the connection closes) after
/// sending `body` of `length` bytes; its size. For bodies too large for memory.
///
/// # Errors
/// Another status than 200, with the body's beginning.
pub fn stream(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: Option<(&mut dyn Read, u64)>,
    out: &mut dyn Write,
) -> Result<u64> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(600)))?;
    let length = body.as_ref().map_or(0, |(_, n)| *n);
    // HTTP/1.0 has no chunks: the body is what comes until the end.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    if let Some((mut from, _)) = body {
        std::io::copy(&mut from, &mut stream)?;
    }
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            bail!("connection closed");
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head);
    if text.split(' ').nth(1) != Some("200") {
        let mut rest = String::new();
        let _ = stream.take(1000).read_to_string(&mut rest);
        bail!("{path}: {}: {rest}", text.lines().next().unwrap_or_default());
    }
    Ok(std::io::copy(&mut stream, out)?)
}
