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

/// A program without files.
struct Nothing;

impl crate::Local for Nothing {
    fn agent(&self, args: Vec<String>) -> i32 {
        if args == ["-dev"] { 42 } else { 43 }
    }
    fn walk_state(
        &self,
        state: &mut dyn Read,
        each: &mut dyn FnMut(&crate::StateRecord<'_>),
    ) -> Result<(), String> {
        // A line a record: the key of a pair.
        let mut text = String::new();
        state.read_to_string(&mut text).map_err(|e| e.to_string())?;
        for key in text.lines() {
            let data = || format!("{{\"Key\":{key:?}}}");
            each(&crate::StateRecord { kind: "KVS", bytes: key.len() as u64, key: Some(key), data: &data });
        }
        Ok(())
    }
    fn server_record(&self, _data_dir: &std::path::Path) -> Result<crate::ServerRecord, String> {
        let server = |id: &str, voter| crate::RecoveryServer {
            id: id.to_owned(),
            address: "10.0.0.1:8300".to_owned(),
            name: String::new(),
            voter,
        };
        Ok(crate::ServerRecord {
            id: "a".to_owned(),
            term: 3,
            last_index: 9,
            committed_index: 8,
            snapshot_index: 0,
            servers: vec![server("a", true), server("b", true), server("c", true)],
        })
    }
    fn recover(&self, _data_dir: &std::path::Path, plan: &crate::RecoveryPlan) -> Result<(), String> {
        let ids: Vec<&str> = plan.servers.iter().map(|s| s.id.as_str()).collect();
        if ids == ["a"] { Ok(()) } else { Err(format!("unexpected {ids:?}")) }
    }
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
    let code = crate::run(args, env, &mut io, &Nothing);
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
