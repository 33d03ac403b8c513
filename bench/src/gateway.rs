//! `bench gateway`: TLS connections through the built-in mesh gateway, beside the same through Envoy's routing by SNI.
//!
//! The gateway under test is pinned to core 0; clients and the backend behind it share core 1. Only the first bytes of a
//! connection are TLS: neither program looks at what follows. The built-in gateway follows an agent's catalog; Envoy gets one
//! static cluster, named like the SNI, as a control plane would give it.

use crate::{
    cluster::{Agent, Plan},
    cpu, http,
    load::measured,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Connections of the throughput figures.
const STREAMS: usize = 4;
/// Size of one write of a client.
const BLOCK: usize = 256 << 10;
/// Size of a message there and back.
const MESSAGE: usize = 64;
const START_LIMIT: Duration = Duration::from_secs(30);

/// What was asked for after `gateway`.
pub struct Options {
    ours: PathBuf,
    envoy: Option<PathBuf>,
    length: Duration,
    rounds: usize,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let own = std::env::current_exe()?;
        let ours = own.parent().context("directory of the benchmark")?.join("praetor");
        let mut out = Self { ours, envoy: None, length: Duration::from_secs(3), rounds: 3 };
        while let Some(flag) = args.next() {
            let mut value = || args.next().with_context(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--ours" => out.ours = value()?.into(),
                "--envoy" => out.envoy = Some(value()?.into()),
                "--seconds" => out.length = Duration::from_secs(value()?.parse()?),
                "--rounds" => out.rounds = value()?.parse()?,
                _ => {
                    bail!("unknown flag {flag}; after gateway there are --ours, --envoy, --seconds, --rounds")
                }
            }
        }
        ensure!(out.ours.exists(), "{} does not exist: build it first", out.ours.display());
        Ok(out)
    }
}

/// A process that is killed with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway under test.
struct UnderTest {
    process: Process,
    addr: SocketAddr,
    _dir: TempDir,
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + START_LIMIT;
    while !ready() {
        ensure!(Instant::now() < end, "waited {START_LIMIT:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn start(
    program: &Path,
    args: &[&str],
    dir: TempDir,
    addr: SocketAddr,
    admin: SocketAddr,
) -> Result<UnderTest> {
    let log = std::fs::File::create(dir.path().join("log"))?;
    let mut command = cpu::pinned(0, program);
    command.args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let process = Process(command.spawn()?);
    let ready = || matches!(http::once(admin, "GET", "/ready", b""), Ok((200, _)));
    wait(&format!("{} to be ready", program.display()), ready)
        .with_context(|| std::fs::read_to_string(dir.path().join("log")).unwrap_or_default())?;
    Ok(UnderTest { process, addr, _dir: dir })
}

fn ours(program: &Path, agent: &Agent) -> Result<UnderTest> {
    let (addr, admin) = (free()?, free()?);
    let (at, admin_at, api) = (addr.to_string(), admin.to_string(), agent.http.to_string());
    let args = [
        "connect",
        "gateway",
        "-mesh",
        "-register",
        "-address",
        &at,
        "-admin-bind",
        &admin_at,
        "-http-addr",
        &api,
        "-log-level",
        "warn",
    ];
    start(program, &args, tempfile::tempdir()?, addr, admin)
}

fn envoy(program: &Path, sni: &str, backend: SocketAddr) -> Result<UnderTest> {
    let (addr, admin) = (free()?, free()?);
    let socket = |a: SocketAddr| json!({ "socket_address": { "address": a.ip().to_string(), "port_value": a.port() } });
    let typed = |kind: &str, mut more: Value| {
        more["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.{kind}"));
        more
    };
    let config = json!({
        "admin": { "address": socket(admin) },
        "static_resources": {
            "listeners": [{
                "name": "mesh", "address": socket(addr),
                "listener_filters": [{
                    "name": "envoy.filters.listener.tls_inspector",
                    "typed_config": typed("listener.tls_inspector.v3.TlsInspector", json!({})),
                }],
                "filter_chains": [{ "filters": [
                    { "name": "envoy.filters.network.sni_cluster",
                      "typed_config": typed("network.sni_cluster.v3.SniCluster", json!({})) },
                    { "name": "envoy.filters.network.tcp_proxy",
                      "typed_config": typed("network.tcp_proxy.v3.TcpProxy", json!({ "stat_prefix": "mesh", "cluster": "" })) },
                ] }],
            }],
            "clusters": [{
                "name": sni, "type": "STATIC", "connect_timeout": "5s",
                "load_assignment": { "cluster_name": sni, "endpoints": [{
                    "lb_endpoints": [{ "endpoint": { "address": socket(backend) } }],
                }] },
            }],
        },
    });
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("envoy.json");
    std::fs::write(&file, config.to_string())?;
    let file = file.to_string_lossy().into_owned();
    let args =
        ["--config-path", &file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];
    start(program, &args, dir, addr, admin)
}

/// A TLS client's first flight for `name`, with nothing in it but the name.
fn hello(name: &str) -> Result<Vec<u8>> {
    let two = |n: usize| -> Result<[u8; 2]> { Ok(u16::try_from(n)?.to_be_bytes()) };
    let entry = [&[0], &two(name.len())?[..], name.as_bytes()].concat();
    let list = [&two(entry.len())?[..], &entry].concat();
    let extension = [&[0, 0], &two(list.len())?[..], &list].concat();
    let body =
        [&[3, 3], &[7; 32][..], &[0, 0, 2, 0x13, 1, 1, 0], &two(extension.len())?, &extension].concat();
    let message = [&[1, 0], &two(body.len())?[..], &body].concat();
    Ok([&[22, 3, 1], &two(message.len())?[..], &message].concat())
}

/// What the backend does after the hello; the byte that follows it chooses.
const SINK: u8 = 1;
const ECHO: u8 = 2;
const SOURCE: u8 = 3;

/// Swallows, echoes or sends; counts what it swallowed.
struct Backend {
    addr: SocketAddr,
    swallowed: Arc<AtomicU64>,
}

impl Backend {
    fn start(hello_bytes: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let swallowed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&swallowed);
        // The threads end with the benchmark.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                thread::spawn(move || serve(stream, hello_bytes, &count));
            }
        });
        Ok(Self { addr, swallowed })
    }
}

fn serve(mut stream: TcpStream, hello_bytes: usize, swallowed: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = vec![0; hello_bytes + 1];
    stream.read_exact(&mut head)?;
    let mut buffer = vec![0; BLOCK];
    match head.last().copied() {
        Some(SINK) => loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => swallowed.fetch_add(n as u64, Relaxed),
            };
        },
        Some(SOURCE) => loop {
            stream.write_all(&buffer)?;
        },
        _ => loop {
            stream.read_exact(&mut buffer[..MESSAGE])?;
            stream.write_all(&buffer[..MESSAGE])?;
        },
    }
}

fn dial(to: SocketAddr, hello: &[u8], mode: u8) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.write_all(&[hello, &[mode]].concat())?;
    Ok(stream)
}

/// Bytes a second of several streams, and of each second of the gateway's CPU.
fn throughput(
    to: SocketAddr,
    hello: &[u8],
    mode: u8,
    backend: &Backend,
    pid: Option<u32>,
    length: Duration,
) -> Result<(f64, f64)> {
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut threads = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = dial(to, hello, mode)?;
        streams.push(stream.try_clone()?);
        let (stop, received) = (Arc::clone(&stop), Arc::clone(&received));
        threads.push(thread::spawn(move || {
            let mut buffer = vec![5; BLOCK];
            while !stop.load(Relaxed) {
                let moved = if mode == SINK {
                    stream.write_all(&buffer).map(|()| 0)
                } else {
                    stream.read(&mut buffer).map(|n| n as u64)
                };
                let Ok(moved) = moved else { break };
                received.fetch_add(moved, Relaxed);
            }
        }));
    }
    let counter = if mode == SINK { &backend.swallowed } else { &received };
    // Windows grow and buffers fill before anything is measured.
    thread::sleep(length / 4);
    let cpu = || pid.map_or(Ok(Duration::ZERO), cpu::cpu_time);
    let (bytes, busy, began) = (counter.load(Relaxed), cpu()?, Instant::now());
    thread::sleep(length);
    let moved = (counter.load(Relaxed) - bytes) as f64 * 8.0 / 1e9;
    let (busy, took) = (cpu()? - busy, began.elapsed());
    stop.store(true, Relaxed);
    streams.iter().for_each(|s| drop(s.shutdown(Shutdown::Both)));
    threads.into_iter().for_each(|t| drop(t.join()));
    Ok((moved / took.as_secs_f64(), moved / busy.as_secs_f64()))
}

/// Round trips of one connection: median and 99th percentile in microseconds, and how many there were.
fn round_trips(to: SocketAddr, hello: &[u8], length: Duration) -> Result<(f64, f64, u64)> {
    let mut stream = dial(to, hello, ECHO)?;
    let mut message = [9; MESSAGE];
    let mut all = Vec::new();
    let began = Instant::now();
    while began.elapsed() < length {
        let sent = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        // Tenths of a microsecond, as differences are small.
        all.push(u32::try_from(sent.elapsed().as_nanos() / 100)?);
    }
    let m = measured(all, 0, began.elapsed());
    Ok((m.p50_us / 10.0, m.p99_us / 10.0, m.count))
}

/// New connections one after the other, each with one message there and back: per second.
fn connections(to: SocketAddr, hello: &[u8], length: Duration) -> Result<f64> {
    let began = Instant::now();
    let mut n = 0_u32;
    while began.elapsed() < length {
        let mut stream = dial(to, hello, ECHO)?;
        let mut message = [9; MESSAGE];
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        n += 1;
    }
    Ok(f64::from(n) / began.elapsed().as_secs_f64())
}

/// Names of the figures, and whether more is better.
const FIGURES: [(&str, bool); 8] = [
    ("Gb/s per core, client to backend", true),
    ("Gb/s per core, backend to client", true),
    ("Gb/s, client to backend", true),
    ("Gb/s, backend to client", true),
    ("added us, p50", false),
    ("added us, p99", false),
    ("CPU us per round trip", false),
    ("new tunnels per s", true),
];

fn figures(gateway: &UnderTest, hello: &[u8], backend: &Backend, length: Duration) -> Result<[f64; 8]> {
    let pid = gateway.process.0.id();
    let (up, up_core) = throughput(gateway.addr, hello, SINK, backend, Some(pid), length)?;
    let (down, down_core) = throughput(gateway.addr, hello, SOURCE, backend, Some(pid), length)?;
    // The same two ends without anything between, just before.
    let (direct50, direct99, _) = round_trips(backend.addr, hello, length / 2)?;
    let busy = cpu::cpu_time(pid)?;
    let (p50, p99, n) = round_trips(gateway.addr, hello, length)?;
    let busy = (cpu::cpu_time(pid)? - busy).as_secs_f64() * 1e6 / n as f64;
    let rate = connections(gateway.addr, hello, length / 2)?;
    Ok([up_core, down_core, up, down, p50 - direct50, p99 - direct99, busy, rate])
}

fn median(runs: &[[f64; 8]], i: usize) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(|r| r[i]).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs the benchmark with the arguments after `gateway`.
pub fn run(args: impl Iterator<Item = String>) -> Result<()> {
    let options = Options::read(args)?;
    let extra = json!({ "connect": { "enabled": true } });
    let agent = Agent::spawn(&options.ours, &Plan { extra, core: None, ..Plan::default() })?;
    agent.ready(START_LIMIT)?;
    let mut trust = String::new();
    wait("a trust domain", || {
        let roots = http::once(agent.http, "GET", "/v1/connect/ca/roots", b"");
        let roots: Value = roots.ok().and_then(|(_, b)| serde_json::from_slice(&b).ok()).unwrap_or_default();
        trust = roots["TrustDomain"].as_str().unwrap_or_default().to_owned();
        !trust.is_empty()
    })?;
    let sni = format!("bench.default.dc1.internal.{trust}");
    let hello = hello(&sni)?;
    let backend = Backend::start(hello.len())?;
    let service = json!({
        "Name": "bench", "Address": backend.addr.ip().to_string(), "Port": backend.addr.port(),
        "Connect": { "Native": true },
    });
    let (status, _) =
        http::once(agent.http, "PUT", "/v1/agent/service/register", service.to_string().as_bytes())?;
    ensure!(status == 200, "the service cannot be registered: {status}");

    let built_in = ours(&options.ours, &agent)?;
    // Routed when a message comes back.
    wait("the route", || round_trips(built_in.addr, &hello, Duration::from_millis(1)).is_ok())?;
    let other = options.envoy.as_deref().map(|program| envoy(program, &sni, backend.addr)).transpose()?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        mine.push(figures(&built_in, &hello, &backend, options.length)?);
        if let Some(other) = &other {
            theirs.push(figures(other, &hello, &backend, options.length)?);
        }
    }
    println!("| figure | built-in | Envoy | ratio |\n|---|---|---|---|");
    for (i, (name, more_is_better)) in FIGURES.iter().enumerate() {
        let (a, b) = (median(&mine, i), median(&theirs, i));
        // A ratio above one is always better for us.
        let ratio = if *more_is_better { a / b } else { b / a };
        println!("| {name} | {a:.1} | {b:.1} | {ratio:.2}x |");
    }
    let rss = |u: &UnderTest| cpu::rss_mib(u.process.0.id());
    let (a, b) = (rss(&built_in)?, other.as_ref().map(rss).transpose()?.unwrap_or(f64::NAN));
    println!("| RSS MiB | {a:.1} | {b:.1} | {:.2}x |", b / a);
    Ok(())
}
