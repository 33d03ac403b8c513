//! An HTTP client that can tell what did not happen from what may have.

use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Time to connect. A server that is there connects at once, even when it is busy.
const CONNECT: Duration = Duration::from_secs(1);
/// Larger answers are an error.
const BODY_MAX: usize = 32 << 20;

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer.
    Answer {
        /// Status.
        status: u16,
        /// `X-Consul-Index`; 0 if there is none.
        index: u64,
        /// `Date`, as sent.
        date: String,
        /// Body.
        body: Vec<u8>,
    },
    /// The server never had the request.
    NotSent(String),
    /// It may have had it.
    Lost(String),
}

/// What a request that should change something did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// It was answered with 200; the body.
    Yes(String),
    /// Answered otherwise, and certainly without effect; status and body.
    No(u16, String),
    /// Nobody knows.
    Unknown(String),
}

impl Reply {
    /// Reads it as the answer to a write.
    pub fn done(self) -> Done {
        match self {
            Self::NotSent(why) => Done::No(0, why),
            Self::Lost(why) => Done::Unknown(why),
            Self::Answer { status, body, .. } => {
                let text = String::from_utf8_lossy(&body).trim().to_owned();
                match status {
                    200 => Done::Yes(text),
                    // Refused before anybody tried.
                    400..=499 => Done::No(status, text),
                    _ if text.contains("No cluster leader") || text.contains("No known Consul servers") => {
                        Done::No(status, text)
                    }
                    _ => Done::Unknown(format!("{status}: {text}")),
                }
            }
        }
    }

    /// Reads it as JSON of status 200, with its index; `Ok(None)` for 404.
    ///
    /// # Errors
    /// What else there was instead.
    pub fn read(self) -> Result<(Option<serde_json::Value>, u64), String> {
        match self {
            Self::NotSent(why) | Self::Lost(why) => Err(why),
            Self::Answer { status: 404, index, .. } => Ok((None, index)),
            Self::Answer { status: 200, index, body, .. } => {
                let value = serde_json::from_slice(&body).map_err(|e| format!("not JSON: {e}"))?;
                Ok((Some(value), index))
            }
            Self::Answer { status, body, .. } => {
                Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim()))
            }
        }
    }
}

/// A client of one server; its connection is kept.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    limit: Duration,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client that gives up after `limit`.
    pub fn new(server: SocketAddr, limit: Duration) -> Self {
        Self { server, limit, stream: None }
    }

    /// Sends one request and waits for its answer.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Reply {
        self.send_for(method, path, body, Duration::ZERO)
    }

    /// The same for a request that the server keeps for up to `wait`.
    pub fn send_for(&mut self, method: &str, path: &str, body: &str, wait: Duration) -> Reply {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match TcpStream::connect_timeout(&self.server, CONNECT) {
                Ok(stream) => stream,
                Err(e) => return Reply::NotSent(format!("cannot connect: {e}")),
            },
        };
        let host = self.server;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let limit = Some(self.limit + wait);
        let asked = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(limit))
            .and_then(|()| stream.set_write_timeout(limit))
            .and_then(|()| stream.write_all(request.as_bytes()));
        match asked.map_err(anyhow::Error::from).and_then(|()| receive(&mut stream)) {
            Ok((reply, keep)) => {
                self.stream = keep.then_some(stream);
                reply
            }
            Err(e) => Reply::Lost(format!("{e:#}")),
        }
    }
}

fn receive(stream: &mut TcpStream) -> Result<(Reply, bool)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 << 10]);
    let mut more = |bytes: &mut Vec<u8>| -> Result<()> {
        let n = stream.read(&mut chunk)?;
        anyhow::ensure!(n > 0, "the connection was closed");
        anyhow::ensure!(bytes.len() < BODY_MAX, "the answer is too long");
        bytes.extend_from_slice(&chunk[..n]);
        Ok(())
    };
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        more(&mut bytes)?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let status =
        lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).context("no HTTP")?;
    let (mut length, mut chunked, mut keep) = (0, false, true);
    let (mut index, mut date) = (0, String::new());
    for (name, value) in lines.filter_map(|l| l.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().context("length")?,
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => keep = !value.eq_ignore_ascii_case("close"),
            "x-consul-index" => index = value.parse().unwrap_or(0),
            "date" => date = value.to_owned(),
            _ => {}
        }
    }
    let (mut body, mut at) = (Vec::new(), head + 4);
    if chunked {
        loop {
            let size = loop {
                let line = bytes[at..].windows(2).position(|w| w == b"\r\n");
                if let Some(end) = line {
                    let text = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
                    at += end + 2;
                    break usize::from_str_radix(text.trim(), 16).context("size of a chunk")?;
                }
                more(&mut bytes)?;
            };
            anyhow::ensure!(size < BODY_MAX, "the answer is too long");
            while bytes.len() < at + size + 2 {
                more(&mut bytes)?;
            }
            body.extend_from_slice(&bytes[at..at + size]);
            at += size + 2;
            if size == 0 {
                break;
            }
        }
    } else {
        while bytes.len() < at + length {
            more(&mut bytes)?;
        }
        body.extend_from_slice(&bytes[at..at + length]);
    }
    Ok((Reply::Answer { status, index, date, body }, keep))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What a client makes of these bytes.
    fn reply(bytes: &'static [u8]) -> Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = listener.local_addr()?;
        let answer = std::thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut request = [0; 1024];
            let _some = stream.read(&mut request)?;
            stream.write_all(bytes)
        });
        let reply = Client::new(server, Duration::from_secs(10)).send("PUT", "/v1/kv/a", "1");
        answer.join().map_err(|_panic| anyhow::anyhow!("panic"))??;
        Ok(reply)
    }

    #[test]
    fn outcomes_are_told_apart() -> Result<()> {
        let whole = reply(b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 4\r\n\r\ntrue")?;
        assert_eq!(whole.clone().read().map(|r| r.1), Ok(7));
        assert_eq!(whole.done(), Done::Yes("true".into()));
        let chunks =
            reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntr\r\n2\r\nue\r\n0\r\n\r\n")?;
        assert_eq!(chunks.done(), Done::Yes("true".into()));
        let leaderless = reply(b"HTTP/1.1 500 Error\r\nContent-Length: 17\r\n\r\nNo cluster leader")?;
        assert_eq!(leaderless.done(), Done::No(500, "No cluster leader".into()));
        let other = reply(b"HTTP/1.1 500 Error\r\nContent-Length: 3\r\n\r\nhm?")?;
        assert!(matches!(other.done(), Done::Unknown(_)));
        assert!(matches!(reply(b"HTTP/1.1 200 OK\r\nContent-Le")?.done(), Done::Unknown(_)));
        let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let refused = Client::new(closed, Duration::from_secs(1)).send("PUT", "/", "");
        assert!(matches!(refused.done(), Done::No(0, _)));
        Ok(())
    }
}
