//! Commands against a small HTTP server that answers what a test tells it.

mod commands;
mod connection;
mod dispatch;

use crate::{Env, Streams};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

/// What came out.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Streams that are kept.
struct Kept {
    stdin: String,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Streams for Kept {
    fn read_stdin(&mut self) -> std::io::Result<Vec<u8>> {
        Ok(self.stdin.clone().into_bytes())
    }
    fn write_stdout(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.write_all(bytes)
    }
    fn write_stderr(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.err.write_all(bytes)
    }
}

fn run_with(env: &[(&str, &str)], args: &[&str], stdin: &str) -> Ran {
    let env: Env = env.iter().copied().collect();
    let mut io = Kept { stdin: stdin.to_owned(), out: Vec::new(), err: Vec::new() };
    let args = std::iter::once("praetor").chain(args.iter().copied()).map(Into::into).collect();
    let code = crate::run(args, env, &mut io, |rest| if rest == ["-dev"] { 42 } else { 43 });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code, out: text(io.out), err: text(io.err) }
}

fn run(args: &[&str]) -> Ran {
    run_with(&[], args, "")
}

/// Answers requests by their start line; remembers what was asked.
struct Fake {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// `routes`: request line without version, status, body.
    fn start(routes: &[(&str, u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let routes: Vec<_> = routes.iter().map(|(r, s, b)| ((*r).to_owned(), *s, (*b).to_owned())).collect();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        // The thread ends with the test process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let request = head.lines().next().unwrap_or_default().replace(" HTTP/1.1", "");
                let (status, answer) = routes
                    .iter()
                    .find(|(r, ..)| *r == request)
                    .map_or((404, String::new()), |(_, s, b)| (*s, b.clone()));
                log.lock().unwrap().push(format!("{head}\n{}", String::from_utf8_lossy(&body)));
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
                // A client that hung up is the client's matter.
                let _ = stream.get_mut().write_all(format!("{head}{answer}").as_bytes());
            }
        });
        Self { addr, seen }
    }

    fn run(&self, args: &[&str]) -> Ran {
        run_with(&[("CONSUL_HTTP_ADDR", &self.addr.to_string())], args, "")
    }

    fn last(&self) -> String {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }
}
