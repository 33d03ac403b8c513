//! What is measured with much of something: watchers, keys, bytes, nodes.

use crate::{
    Options,
    cluster::{Agent, Plan, servers},
    cpu, http,
    load::{self, Shape},
    targets::{Figure, cpu_of, figures, leader, less, more, registration},
    watchers::{Watchers, settle},
};
use anyhow::{Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::{Rng, RngCore, SeedableRng, rngs::SmallRng};
use serde_json::json;
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(600);

/// A server on which many connections of one client are welcome.
fn alone(program: &Path, extra: serde_json::Value) -> Result<Agent> {
    let agent = Agent::spawn(program, &Plan { extra, ..Plan::default() })?;
    agent.ready(Duration::from_secs(60))?;
    Ok(agent)
}

/// T2: linearizable reads of three servers, from the leader.
pub fn consistent(program: &Path, o: &Options, query: &'static str) -> Result<Vec<Figure>> {
    let agents = servers(program, 3, 1)?;
    let at = leader(&agents)?;
    load::run(agents[at].http, 64, LONG, 10_000, |i| {
        http::request("PUT", &format!("/v1/kv/bench/{i}"), &[b'v'; 36])
    })?;
    let mut rng = SmallRng::seed_from_u64(1);
    let before = cpu_of(&agents)?;
    let m = load::run(agents[at].http, 64, Duration::from_secs(o.seconds), u64::MAX, |_| {
        http::request("GET", &format!("/v1/kv/bench/{}{query}", rng.random_range(0..9_900)), b"")
    })?;
    Ok(figures(&m, cpu_of(&agents)? - before))
}

/// T7 and T8: everybody waits for one thing, which changes once.
pub fn woken(program: &Path, watchers: usize, service: bool) -> Result<Vec<Figure>> {
    let agent = alone(program, json!({}))?;
    let change = |value: &str| -> Result<()> {
        if service {
            // A whole answer is only news if a row in it is.
            let mut last = registration(9, "web");
            if value == "2" {
                last = String::from_utf8(last)?.replace("\"Port\":8080", "\"Port\":8081").into_bytes();
            }
            load::run(agent.http, 1, LONG, 1, |_| last.clone())?;
        } else {
            ensure!(http::once(agent.http, "PUT", "/v1/kv/watched", value.as_bytes())?.0 == 200, "write");
        }
        Ok(())
    };
    if service {
        load::run(agent.http, 1, LONG, 9, |i| registration(i, "web"))?;
    }
    change("1")?;
    let path = if service { "/v1/health/service/web?passing" } else { "/v1/kv/watched?separator=" };
    let index = http::index(agent.http, path)?;
    settle(&agent)?;
    let rss = cpu::rss_mib(agent.pid())?;
    let mut open = Watchers::open(&agent, watchers, |_| format!("{path}&index={index}&wait=10m"))?;
    let each = (cpu::rss_mib(agent.pid())? - rss) * 1024.0 / watchers as f64;
    let begin = Instant::now();
    change("2")?;
    let answered = open.answered(watchers, Duration::from_secs(60))?;
    let took = begin.elapsed();
    ensure!(answered == watchers, "only {answered} of {watchers} were answered");
    Ok(vec![less("ms to the last", took.as_secs_f64() * 1e3), less("RSS KiB per watcher", each)])
}

/// Writes beside watchers of other keys: what do those who wait for something else cost?
pub fn beside(program: &Path, o: &Options, watchers: usize) -> Result<Vec<Figure>> {
    const RATE: f64 = 10_000.0;
    let agent = alone(program, json!({}))?;
    let write = |seed| {
        let mut rng = SmallRng::seed_from_u64(seed);
        move |i: u64| {
            let key = format!("/v1/kv/busy/{}", rng.random_range(0..10_000));
            http::request("PUT", &key, format!("{i:036}").as_bytes())
        }
    };
    let shape =
        Shape { connections: 64, length: Duration::from_secs(o.seconds), total: u64::MAX, rate: RATE };
    let measured = |seed| -> Result<(f64, f64)> {
        let before = cpu::cpu_time(agent.pid())?;
        let m = load::shaped(agent.http, shape, write(seed), || true)?;
        let cpu = cpu::cpu_time(agent.pid())? - before;
        Ok((m.rate, cpu.as_micros() as f64 / m.count.max(1) as f64))
    };
    measured(0)?;
    let (_, without) = measured(1)?;
    let index = http::index(agent.http, "/v1/kv/idle/none")?;
    let mut open = Watchers::open(&agent, watchers, |i| format!("/v1/kv/idle/{i}?index={index}&wait=10m"))?;
    let (rate, with) = measured(2)?;
    let spurious = open.take(Duration::from_millis(500))?;
    Ok(vec![
        more("writes per s", rate),
        less("CPU us per write without watchers", without),
        less("CPU us per write with them", with),
        less("watchers answered though nothing of theirs changed", spurious as f64),
    ])
}

/// Transactions of 64 writes each, and of 64 reads each.
pub fn txn(program: &Path, o: &Options, n: u32, verb: &str) -> Result<Vec<Figure>> {
    const OPERATIONS: u64 = 64;
    let agents = servers(program, n, 1)?;
    let at = leader(&agents)?;
    let value = STANDARD.encode([b'v'; 36]);
    let body = |seed: u64| {
        let mut rng = SmallRng::seed_from_u64(seed);
        let operations: Vec<_> = (0..OPERATIONS)
            .map(|_| {
                let key = format!("bench/{}", rng.random_range(0..10_000));
                if verb == "set" {
                    json!({"KV": {"Verb": "set", "Key": key, "Value": value}})
                } else {
                    json!({"KV": {"Verb": verb, "Key": key}})
                }
            })
            .collect();
        http::request("PUT", "/v1/txn", json!(operations).to_string().as_bytes())
    };
    load::run(agents[at].http, 64, LONG, 10_000, |i| {
        http::request("PUT", &format!("/v1/kv/bench/{i}"), &[b'v'; 36])
    })?;
    let before = cpu_of(&agents)?;
    let m = load::run(agents[at].http, 16, Duration::from_secs(o.seconds), u64::MAX, body)?;
    let cpu = cpu_of(&agents)? - before;
    let operations = OPERATIONS as f64;
    Ok(vec![
        more("operations per s", m.rate * operations),
        less("CPU us per operation", cpu.as_micros() as f64 / (m.count.max(1) as f64 * operations)),
        less("p50 us of a transaction", m.p50_us),
        less("p99 us of a transaction", m.p99_us),
    ])
}

/// T13: new keys of 256 bytes with 1 KiB values through three servers.
pub fn fill(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    const KEYS: u64 = 300_000;
    const RAW: u64 = 256 + 1024;
    let agents = servers(program, 3, 1)?;
    let at = leader(&agents)?;
    let mut rng = SmallRng::seed_from_u64(1);
    let mut value = [0; 1024];
    let written_before = agents[at].device_written()?;
    let before = cpu_of(&agents)?;
    let m = load::run(agents[at].http, 256, LONG, KEYS, |i| {
        rng.fill_bytes(&mut value);
        let key = format!("/v1/kv/{i:0>249}");
        http::request("PUT", &key, &value)
    })?;
    let raw = (m.count * RAW) as f64;
    let mut out = figures(&m, cpu_of(&agents)? - before);
    let rss = cpu::rss_mib(agents[at].pid())? * f64::from(1 << 20) / raw;
    let written = (agents[at].device_written()? - written_before) as f64 / 3.0 / raw;
    out.push(less("p99.9 us", m.p999_us));
    out.push(more("slowest second / median one", m.slowest_second()));
    out.push(less("leader's RSS / raw", rss));
    out.push(less("written by a server / raw", written));
    Ok(out)
}

/// A snapshot of one GB taken under load, and restored.
pub fn snapshot(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    const VALUE: usize = 500 << 10;
    const VALUES: u64 = 2_000;
    let agent = alone(program, json!({}))?;
    let mut rng = SmallRng::seed_from_u64(1);
    let mut value = vec![0; VALUE];
    let filled = load::run(agent.http, 4, LONG, VALUES, |i| {
        rng.fill_bytes(&mut value);
        http::request("PUT", &format!("/v1/kv/large/{i}"), &value)
    })?;
    let rss_before = cpu::rss_mib(agent.pid())?;
    let mut archive = tempfile::tempfile()?;
    let small = |i: u64| http::request("PUT", &format!("/v1/kv/small/{}", i % 1_000), b"0123456789");
    let shape = Shape { connections: 8, length: LONG, total: u64::MAX, rate: 500.0 };
    // What the same load sees while nothing else goes on.
    let quiet = load::shaped(agent.http, Shape { length: Duration::from_secs(3), ..shape }, small, || true)?;

    // Both sides of a thing and the load beside it, until the thing is over; the most memory seen meanwhile.
    let under_load = |thing: &mut (dyn FnMut() -> Result<u64> + Send)| -> Result<(Duration, u64, f64, f64)> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let begin = Instant::now();
                let out = thing();
                over.store(true, Ordering::Release);
                out.map(|n| (begin.elapsed(), n))
            });
            let mut peak = 0.0_f64;
            let m = load::shaped(agent.http, shape, small, || {
                peak = peak.max(cpu::rss_mib(agent.pid()).unwrap_or(0.0));
                !over.load(Ordering::Acquire)
            });
            let (took, bytes) = worker.join().map_err(|_| anyhow::anyhow!("the worker panicked"))??;
            Ok((took, bytes, m?.max_us / 1e3, peak))
        })
    };
    let (saved, bytes, save_pause, save_peak) =
        under_load(&mut || http::stream(agent.http, "GET", "/v1/snapshot", None, &mut archive))?;
    std::io::Seek::rewind(&mut archive)?;
    let (restored, _, restore_pause, restore_peak) = under_load(&mut || {
        http::stream(agent.http, "PUT", "/v1/snapshot", Some((&mut archive, bytes)), &mut std::io::sink())
    })?;
    Ok(vec![
        more("MB/s written before", filled.rate * VALUE as f64 / 1e6),
        less("longest write ms without", quiet.max_us / 1e3),
        less("save s", saved.as_secs_f64()),
        less("longest write ms during the save", save_pause),
        less("restore s", restored.as_secs_f64()),
        less("longest write ms during the restore", restore_pause),
        less("RSS MiB before", rss_before),
        less("most RSS MiB during the save", save_peak),
        less("most RSS MiB during the restore", restore_peak),
        less("data directory MiB", agent.disk()? as f64 / f64::from(1 << 20)),
    ])
}

/// T14: 10,000 nodes with 172,000 service instances.
pub fn estate(program: &Path, _o: &Options) -> Result<Vec<Figure>> {
    const NODES: u64 = 10_000;
    const INSTANCES: u64 = 172_000;
    let mut agent = alone(program, json!({}))?;
    let m = load::run(agent.http, 64, LONG, INSTANCES, |i| {
        let (node, nth) = (i % NODES, i / NODES);
        let service = format!("svc-{}", (node * 18 + nth) % 500);
        let body = json!({
            "Node": format!("node-{node}"), "Address": format!("10.0.{}.{}", node >> 8, node & 255),
            "Service": {"ID": format!("{service}-{nth}"), "Service": service, "Port": 8000 + nth,
                "Tags": ["v1", "primary"], "Meta": {"version": "1"}},
            "Check": {"CheckID": format!("{service}-{nth}"), "Name": "health", "Status": "passing",
                "ServiceID": format!("{service}-{nth}")},
        });
        http::request("PUT", "/v1/catalog/register", body.to_string().as_bytes())
    })?;
    let rss = cpu::rss_mib(agent.pid())?;
    let begin = Instant::now();
    let bytes = http::stream(agent.http, "GET", "/v1/snapshot", None, &mut std::io::sink())?;
    let saved = begin.elapsed();
    let begin = Instant::now();
    agent.restart()?;
    agent.ready(Duration::from_secs(120))?;
    let ready = begin.elapsed();
    let nodes = http::json(agent.http, "/v1/catalog/nodes")?;
    ensure!(nodes.as_array().is_some_and(|n| n.len() as u64 > NODES), "nodes are missing after the restart");
    Ok(vec![
        less("s to register all", m.count as f64 / m.rate),
        less("RSS MiB", rss),
        less("snapshot s", saved.as_secs_f64()),
        less("snapshot MiB", bytes as f64 / f64::from(1 << 20)),
        less("restart until a write is answered, s", ready.as_secs_f64()),
    ])
}
