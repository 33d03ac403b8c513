//! One HTTP/1.1 request a connection, byte for byte as recorded.

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Reply {
    pub(super) status: u16,
    /// The first of each name, in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

pub(super) fn ask(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &BTreeMap<String, String>,
    body: Option<&[u8]>,
) -> Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&addr, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {addr}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let sized = headers.keys().any(|k| k.eq_ignore_ascii_case("content-length"));
    let changes = matches!(method, "PUT" | "POST" | "PATCH" | "DELETE");
    if !sized && (body.is_some() || changes) {
        head += &format!("Content-Length: {}\r\n", body.map_or(0, <[u8]>::len));
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    // A server may answer and close before it has read a body that is too large.
    let sent = stream.write_all(&bytes);
    let reply = receive(stream, method == "HEAD");
    if reply.is_err() {
        sent?;
    }
    reply
}

fn receive(stream: TcpStream, no_body: bool) -> Result<Reply> {
    let mut input = BufReader::new(stream);
    let (status, headers) = loop {
        let (status, headers) = head(&mut input)?;
        if status != 100 {
            break (status, headers);
        }
    };
    let mut body = Vec::new();
    let chunked = headers.get("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    if no_body || matches!(status, 204 | 304) {
    } else if chunked {
        chunks(&mut input, &mut body)?;
    } else if let Some(length) = headers.get("content-length") {
        body.resize(length.parse()?, 0);
        input.read_exact(&mut body)?;
    } else {
        input.read_to_end(&mut body)?;
    }
    if headers.get("content-encoding").is_some_and(|v| v == "gzip") && !body.is_empty() {
        let mut plain = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
        body = plain;
    }
    Ok(Reply { status, headers, body })
}

fn line(input: &mut impl BufRead) -> Result<String> {
    let mut bytes = Vec::new();
    input.read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        bail!("the connection ended");
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn head(input: &mut impl BufRead) -> Result<(u16, BTreeMap<String, String>)> {
    let first = line(input)?;
    let status = first.split(' ').nth(1).with_context(|| format!("no status in {first:?}"))?.parse()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = line(input)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').with_context(|| format!("no header: {line:?}"))?;
        headers.entry(name.to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
    }
}

fn chunks(input: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let size = line(input)?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        let from = body.len();
        body.resize(from + size, 0);
        input.read_exact(&mut body[from..])?;
        // The end of the chunk, or of the trailers.
        while !line(input)?.is_empty() {}
        if size == 0 {
            return Ok(());
        }
    }
}
