//! HAProxy with a `server-template` that it fills from SRV records.

use super::agent::{Agent, PATIENCE, installed};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tests::process::{Child, call, free_ports};

/// Answers every request with its own name.
struct Backend {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Backend {
    fn start(name: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away spoils only its own request.
                let _ = stream.and_then(|stream| answer(stream, name));
            }
        });
        Ok(Self { addr, stop, thread: Some(thread) })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread; if that fails, it was awake.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut seen = Vec::new();
    let mut part = [0; 1024];
    while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            n => seen.extend_from_slice(&part[..n]),
        }
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}", name.len())
}

#[test]
fn server_template() -> Result<()> {
    if !installed("haproxy", "-v") {
        return Ok(());
    }
    let agent = Agent::start("")?;
    let (first, second) = (Backend::start("first")?, Backend::start("second")?);
    let front = SocketAddr::from(([127, 0, 0, 1], *free_ports(1)?.first().context("no port")?));
    let config = format!(
        "global\n  maxconn 50\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         resolvers praetor\n  nameserver one 127.0.0.1:{}\n  accepted_payload_size 8192\n  resolve_retries 3\n  \
         timeout resolve 200ms\n  timeout retry 1s\n  hold valid 200ms\n  hold obsolete 1s\n  hold nx 200ms\n\
         frontend in\n  bind {front}\n  default_backend apps\n\
         backend apps\n  balance roundrobin\n  \
         server-template app 4 _app._tcp.service.consul resolvers praetor resolve-prefer ipv4 init-addr none\n",
        agent.dns
    );
    let file = agent.dir.path().join("haproxy.cfg");
    std::fs::write(&file, config)?;
    let log = agent.dir.path().join("haproxy.log");
    let out = File::create(&log)?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let mut haproxy = Child::start(&mut command)?;

    // Who answers a row of requests; nothing while HAProxy has no server.
    let answering = || -> BTreeSet<String> {
        let row = (0..6).map(|_| call(front, "GET", "/", "", ""));
        row.map(|a| if a.status == 200 { a.body } else { a.status.to_string() }).collect()
    };
    let mut becomes = |want: &[&str]| -> Result<()> {
        let want: BTreeSet<String> = want.iter().map(|&w| w.to_owned()).collect();
        let mut last = BTreeSet::new();
        let reached = haproxy.wait_until(PATIENCE, || {
            last = answering();
            (last == want).then_some(())
        });
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        ensure!(
            reached.is_some(),
            "answers came from {last:?} instead of {want:?}; HAProxy says:\n{}",
            text()
        );
        Ok(())
    };
    let instance = |id: &str, backend: &Backend| serde_json::json!({ "Name": "app", "ID": id, "Address": "127.0.0.1", "Port": backend.addr.port() });
    becomes(&["503"])?;
    agent.register(&instance("a", &first))?;
    becomes(&["first"])?;
    agent.register(&instance("b", &second))?;
    becomes(&["first", "second"])?;
    agent.deregister("a")?;
    becomes(&["second"])?;
    agent.deregister("b")?;
    becomes(&["503"])
}
