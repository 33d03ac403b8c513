//! What is measured: one function a target.

use crate::{
    Options,
    cluster::{Agent, Plan, servers},
    cpu, dns, http,
    load::{self, Measured},
    scale,
};
use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// One number.
pub struct Figure {
    /// Name with unit.
    pub name: &'static str,
    /// Value.
    pub value: f64,
    /// Which way is better.
    pub more_is_better: bool,
}

/// One thing to measure.
pub struct Target {
    /// Id; its first word selects it.
    pub id: &'static str,
    /// In words.
    pub what: &'static str,
    /// What is to be reached first.
    pub first: &'static str,
    /// Measures a program.
    pub run: fn(&Path, &Options) -> Result<Vec<Figure>>,
}

/// Everything, in order.
pub const ALL: &[Target] = &[
    Target {
        id: "T1 default",
        what: "KV GET, 64 connections, 1 server",
        first: "4x rate and CPU",
        run: |p, o| kv_get(p, o, "", 64),
    },
    Target {
        id: "T1 stale",
        what: "KV GET, 64 connections, 1 server",
        first: "4x",
        run: |p, o| kv_get(p, o, "?stale", 64),
    },
    Target {
        id: "T1 consistent",
        what: "KV GET, 64 connections, 1 server",
        first: "4x",
        run: |p, o| kv_get(p, o, "?consistent", 64),
    },
    Target {
        id: "T1 one",
        what: "KV GET, 1 connection, 1 server",
        first: "p50 <= 80 us",
        run: |p, o| kv_get(p, o, "", 1),
    },
    Target {
        id: "T2 default",
        what: "KV GET, 64 connections, 3 servers",
        first: "–",
        run: |p, o| scale::consistent(p, o, ""),
    },
    Target {
        id: "T2 consistent",
        what: "KV GET, 64 connections, 3 servers",
        first: "4x",
        run: |p, o| scale::consistent(p, o, "?consistent"),
    },
    Target {
        id: "T2 stale",
        what: "KV GET, 64 connections, 3 servers",
        first: "–",
        run: |p, o| scale::consistent(p, o, "?stale"),
    },
    Target {
        id: "T3 1",
        what: "KV PUT, 1 connection, 1 server",
        first: "1.5x",
        run: |p, o| kv_put(p, o, 1, 1),
    },
    Target {
        id: "T3 64",
        what: "KV PUT, 64 connections, 1 server",
        first: "6x, p99 <= 5 ms",
        run: |p, o| kv_put(p, o, 1, 64),
    },
    Target {
        id: "T3 256",
        what: "KV PUT, 256 connections, 1 server",
        first: "8x",
        run: |p, o| kv_put(p, o, 1, 256),
    },
    Target {
        id: "T4 1",
        what: "KV PUT, 1 connection, 3 servers",
        first: "2x",
        run: |p, o| kv_put(p, o, 3, 1),
    },
    Target {
        id: "T4 64",
        what: "KV PUT, 64 connections, 3 servers",
        first: "5x",
        run: |p, o| kv_put(p, o, 3, 64),
    },
    Target {
        id: "T4 256",
        what: "KV PUT, 256 connections, 3 servers",
        first: "5x",
        run: |p, o| kv_put(p, o, 3, 256),
    },
    Target {
        id: "T5 1",
        what: "catalog register, 64 connections, 1 server",
        first: "10x",
        run: |p, o| register(p, o, 1),
    },
    Target {
        id: "T5 3",
        what: "catalog register, 64 connections, 3 servers",
        first: "20x",
        run: |p, o| register(p, o, 3),
    },
    Target {
        id: "T6 10",
        what: "health service of 10 instances, 16 connections",
        first: "8x",
        run: |p, o| health(p, o, 10),
    },
    Target {
        id: "T6 1000",
        what: "health service of 1,000 instances, 16 connections",
        first: "15x",
        run: |p, o| health(p, o, 1000),
    },
    Target {
        id: "T6 10000",
        what: "health service of 10,000 instances, 16 connections",
        first: "15x",
        run: |p, o| health(p, o, 10_000),
    },
    Target {
        id: "T7 1000",
        what: "one key changes, 1,000 watchers",
        first: "4x; <= 8 KiB",
        run: |p, _| scale::woken(p, 1_000, false),
    },
    Target {
        id: "T7 10000",
        what: "one key changes, 10,000 watchers",
        first: "4x; <= 8 KiB",
        run: |p, _| scale::woken(p, 10_000, false),
    },
    Target {
        id: "T8 1000",
        what: "health of a service changes, 1,000 watchers",
        first: "6x",
        run: |p, _| scale::woken(p, 1_000, true),
    },
    Target {
        id: "T8 10000",
        what: "health of a service changes, 10,000 watchers",
        first: "6x",
        run: |p, _| scale::woken(p, 10_000, true),
    },
    Target {
        id: "T9 A3",
        what: "DNS A of 3 instances",
        first: "6x",
        run: |p, o| dns_of(p, o, 3, "svc.service.consul", 1, 0),
    },
    Target {
        id: "T9 SRV3",
        what: "DNS SRV of 3 instances",
        first: "6x",
        run: |p, o| dns_of(p, o, 3, "svc.service.consul", 33, 0),
    },
    Target {
        id: "T9 A1000",
        what: "DNS A of 1,000 instances",
        first: "200x",
        run: |p, o| dns_of(p, o, 1000, "svc.service.consul", 1, 0),
    },
    Target {
        id: "T9 NX",
        what: "DNS NXDOMAIN",
        first: "5x",
        run: |p, o| dns_of(p, o, 3, "none.service.consul", 1, 3),
    },
    Target {
        id: "T10",
        what: "start of one server until a write is answered",
        first: "<= 0.3 s",
        run: start,
    },
    Target {
        id: "T11",
        what: "idle memory with 20 services; size of the binary",
        first: "1/4; 1/5; 1/6",
        run: idle,
    },
    Target {
        id: "T12 m1",
        what: "leader killed, 3 servers, raft_multiplier 1",
        first: "0.8 s",
        run: |p, o| failover(p, o, 1),
    },
    Target {
        id: "T12 default",
        what: "leader killed, 3 servers, default configuration",
        first: "1.5 s",
        run: |p, o| failover(p, o, 0),
    },
    Target {
        id: "T13",
        what: "300,000 new keys of 256 B + 1 KiB, 256 connections, 3 servers",
        first: "5x; >= 0.7; <= 2",
        run: scale::fill,
    },
    Target {
        id: "T14",
        what: "10,000 nodes, 172,000 instances, 1 server",
        first: "15 s; 1/4; 2 s; 3 s",
        run: scale::estate,
    },
    Target {
        id: "WATCH",
        what: "10,000 writes a second beside 10,000 watchers of other keys",
        first: "no wake",
        run: |p, o| scale::beside(p, o, 10_000),
    },
    Target {
        id: "TXN set1",
        what: "transactions of 64 writes, 16 connections, 1 server",
        first: "–",
        run: |p, o| scale::txn(p, o, 1, "set"),
    },
    Target {
        id: "TXN set3",
        what: "transactions of 64 writes, 16 connections, 3 servers",
        first: "–",
        run: |p, o| scale::txn(p, o, 3, "set"),
    },
    Target {
        id: "TXN get",
        what: "transactions of 64 reads, 16 connections, 1 server",
        first: "–",
        run: |p, o| scale::txn(p, o, 1, "get"),
    },
    Target {
        id: "SNAP",
        what: "1 GB in 2,000 keys, 500 writes a second beside it, 1 server",
        first: "–",
        run: scale::snapshot,
    },
    Target {
        id: "T15",
        what: "3 servers + 60 clients at once, encrypted",
        first: "10 s / 8 s / 20 MiB",
        run: crowd,
    },
];

/// A figure of which more is better.
pub fn more(name: &'static str, value: f64) -> Figure {
    Figure { name, value, more_is_better: true }
}
/// A figure of which less is better.
pub fn less(name: &'static str, value: f64) -> Figure {
    Figure { name, value, more_is_better: false }
}

/// Rate, processor time and latencies of a load.
pub fn figures(m: &Measured, cpu: Duration) -> Vec<Figure> {
    vec![
        more("per s", m.rate),
        less("CPU us per op", cpu.as_micros() as f64 / m.count.max(1) as f64),
        less("p50 us", m.p50_us),
        less("p99 us", m.p99_us),
    ]
}

/// Processor time of all agents together.
pub fn cpu_of(agents: &[Agent]) -> Result<Duration> {
    agents.iter().map(|a| cpu::cpu_time(a.pid())).sum()
}

/// The agent that leads.
pub fn leader(agents: &[Agent]) -> Result<usize> {
    for (i, a) in agents.iter().enumerate() {
        let info = http::json(a.http, "/v1/agent/self")?;
        if info["Stats"]["consul"]["leader"] == "true" {
            return Ok(i);
        }
    }
    anyhow::bail!("no leader")
}

fn kv_get(program: &Path, o: &Options, query: &'static str, connections: usize) -> Result<Vec<Figure>> {
    let agents = servers(program, 1, 1)?;
    load::run(agents[0].http, 64, Duration::from_secs(60), 10_000, |i| {
        http::request("PUT", &format!("/v1/kv/bench/{i}"), &[b'v'; 36])
    })?;
    let mut rng = SmallRng::seed_from_u64(1);
    let before = cpu_of(&agents)?;
    let m = load::run(agents[0].http, connections, Duration::from_secs(o.seconds), u64::MAX, |_| {
        http::request("GET", &format!("/v1/kv/bench/{}{query}", rng.random_range(0..9_900)), b"")
    })?;
    Ok(figures(&m, cpu_of(&agents)? - before))
}

fn kv_put(program: &Path, o: &Options, n: u32, connections: usize) -> Result<Vec<Figure>> {
    let agents = servers(program, n, 1)?;
    let at = leader(&agents)?;
    let mut rng = SmallRng::seed_from_u64(1);
    let before = cpu_of(&agents)?;
    let m = load::run(agents[at].http, connections, Duration::from_secs(o.seconds), u64::MAX, |i| {
        http::request(
            "PUT",
            &format!("/v1/kv/bench/{}", rng.random_range(0..10_000)),
            format!("{i:036}").as_bytes(),
        )
    })?;
    Ok(figures(&m, cpu_of(&agents)? - before))
}

/// A request that registers a new node with an instance of a service and its check.
pub fn registration(i: u64, service: &str) -> Vec<u8> {
    let body = json!({
        "Node": format!("node-{i}"), "Address": format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255),
        "Service": {"ID": format!("{service}-{i}"), "Service": service, "Port": 8080, "Tags": ["v1", "primary"], "Meta": {"version": "1"}},
        "Check": {"CheckID": format!("{service}-{i}"), "Name": "health", "Status": "passing", "ServiceID": format!("{service}-{i}")}
    });
    http::request("PUT", "/v1/catalog/register", body.to_string().as_bytes())
}

fn register(program: &Path, o: &Options, n: u32) -> Result<Vec<Figure>> {
    let agents = servers(program, n, 1)?;
    let at = leader(&agents)?;
    let before = cpu_of(&agents)?;
    let m = load::run(agents[at].http, 64, Duration::from_secs(o.seconds), 20_000, |i| {
        registration(i, &format!("svc-{}", i % 200))
    })?;
    let mut out = figures(&m, cpu_of(&agents)? - before);
    out.push(less(
        "RSS KiB per registration",
        cpu::rss_mib(agents[at].pid())? * 1024.0 / m.count.max(1) as f64,
    ));
    Ok(out)
}

fn with_instances(program: &Path, instances: u64) -> Result<Vec<Agent>> {
    let agents = servers(program, 1, 1)?;
    let connections = instances.min(16) as usize;
    load::run(agents[0].http, connections, Duration::from_secs(120), instances, |i| registration(i, "svc"))?;
    let rows = http::json(agents[0].http, "/v1/health/service/svc?passing")?;
    ensure!(rows.as_array().map(Vec::len) == Some(instances as usize), "not all instances are registered");
    Ok(agents)
}

fn health(program: &Path, o: &Options, instances: u64) -> Result<Vec<Figure>> {
    let agents = with_instances(program, instances)?;
    let before = cpu_of(&agents)?;
    let m = load::run(agents[0].http, 16, Duration::from_secs(o.seconds), u64::MAX, |_| {
        http::request("GET", "/v1/health/service/svc?passing&stale", b"")
    })?;
    let mut out = figures(&m, cpu_of(&agents)? - before);
    out.push(more("MB/s", m.bytes_per_s / 1e6));
    Ok(out)
}

fn dns_of(
    program: &Path,
    o: &Options,
    instances: u64,
    name: &str,
    qtype: u16,
    rcode: u8,
) -> Result<Vec<Figure>> {
    let agents = with_instances(program, instances)?;
    let before = cpu_of(&agents)?;
    let m = dns::run(agents[0].dns, name, qtype, rcode, Duration::from_secs(o.seconds))?;
    Ok(figures(&m, cpu_of(&agents)? - before))
}

fn start(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    let begin = Instant::now();
    let agent = Agent::spawn(program, &Plan::default())?;
    agent.ready(Duration::from_secs(60))?;
    Ok(vec![less("s", begin.elapsed().as_secs_f64())])
}

fn idle(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    let services: Vec<_> =
        (0..20).map(|i| json!({"name": format!("s{i}"), "port": 1000 + i, "check": {"ttl": "1h"}})).collect();
    let server = servers(program, 1, 1)?.remove(0);
    let plan = Plan {
        ip: "127.0.0.2".into(),
        server: false,
        join: vec![server.lan],
        extra: json!({"services": services}),
        ..Plan::default()
    };
    let client = Agent::spawn(program, &plan)?;
    client.ready(Duration::from_secs(60))?;
    // Memory is read once the services are in the catalog and nothing moves any more.
    let end = Instant::now() + Duration::from_secs(30);
    while http::json(server.http, "/v1/catalog/services")?.as_object().map_or(0, serde_json::Map::len) < 21 {
        ensure!(Instant::now() < end, "services were not synced");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(3));
    let size = std::fs::metadata(program)?.len() as f64 / f64::from(1 << 20);
    Ok(vec![
        less("server MiB", cpu::rss_mib(server.pid())?),
        less("client MiB", cpu::rss_mib(client.pid())?),
        less("binary MiB", size),
    ])
}

fn failover(program: &Path, _o: &Options, multiplier: u32) -> Result<Vec<Figure>> {
    let mut agents = servers(program, 3, multiplier)?;
    let at = leader(&agents)?;
    let mut dead = agents.remove(at);
    let begin = Instant::now();
    dead.child.kill()?;
    dead.child.wait()?;
    loop {
        if let Ok((200, body)) = http::once(agents[0].http, "PUT", "/v1/kv/after", b"1")
            && body == b"true"
        {
            return Ok(vec![less("s", begin.elapsed().as_secs_f64())]);
        }
        ensure!(begin.elapsed() < Duration::from_secs(60), "no leader came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Members that an agent sees in a state.
fn members(agent: &Agent, status: u64) -> Result<usize> {
    let all = http::json(agent.http, "/v1/agent/members")?;
    Ok(all.as_array().context("members")?.iter().filter(|m| m["Status"] == status).count())
}

fn crowd(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    const CLIENTS: usize = 60;
    const KILLED: usize = 5;
    let key = json!({"encrypt": "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=", "leave_on_terminate": false});
    let begin = Instant::now();
    let mut agents: Vec<Agent> = vec![];
    for i in 0..3 + CLIENTS {
        let server = i < 3;
        let plan = Plan {
            ip: format!("127.0.1.{}", i + 1),
            server,
            expect: 3,
            join: agents.iter().take(3).map(|a| a.lan).collect(),
            multiplier: 1,
            extra: key.clone(),
            core: None,
        };
        agents.push(Agent::spawn(program, &plan)?);
    }
    let all = agents.len();
    wait(Duration::from_secs(120), || agents.iter().all(|a| members(a, 1).is_ok_and(|n| n == all)))?;
    let formed = begin.elapsed();
    let rss = cpu::rss_mib(agents[all - 1].pid())?;
    let mut killed: Vec<Agent> = agents.drain(all - KILLED..).collect();
    let begin = Instant::now();
    for a in &mut killed {
        a.child.kill()?;
    }
    wait(Duration::from_secs(120), || agents.iter().all(|a| members(a, 4).is_ok_and(|n| n == KILLED)))?;
    let detected = begin.elapsed();
    ensure!(
        agents.iter().all(|a| members(a, 1).is_ok_and(|n| n == all - KILLED)),
        "a living agent was called failed"
    );
    Ok(vec![
        less("s to all", formed.as_secs_f64()),
        less("s to detect", detected.as_secs_f64()),
        less("client MiB", rss),
    ])
}

fn wait(limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + limit;
    while !done() {
        ensure!(Instant::now() < end, "not reached in {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
