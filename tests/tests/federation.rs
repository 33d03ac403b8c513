//! Three datacenters that reach each other through mesh gateways alone, and what an operator does with them: form, read and write across,
//! lose a gateway, cut a datacenter off, rotate certificates and keys, restart the primary.
//!
//! Where the machine gives network namespaces, all three use the same private addresses and a router lets only the
//! ports of gateways through. Elsewhere a smaller form runs on loopback and says so.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use tests::{
    cluster::{ask_dns, wait_for},
    federation::{GATEWAY_PORT, Process, World},
    process::{Child, now},
};

/// Set, it asks for the smaller form also where there are namespaces.
const NO_NAMESPACES: &str = "PRAETOR_NO_NAMESPACES";
/// How long a datacenter is cut off.
const CUT: Duration = Duration::from_secs(60);
const SERVERS: [&str; 5] = ["dc1-s1", "dc1-s2", "dc1-s3", "dc2-s1", "dc3-s1"];
const CLIENTS: [&str; 3] = ["dc1-c1", "dc2-c1", "dc3-c1"];

fn alive(server: &Process) -> Option<usize> {
    let members = server.get("/v1/agent/members?wan=1")?;
    Some(members.as_array()?.iter().filter(|m| m["Status"] == 1).count())
}

/// Every server sees every server, and every client reads from every datacenter.
fn formed(world: &World) -> Result<Duration> {
    let begun = now();
    for server in SERVERS {
        let all = || (alive(world.of(server).ok()?)? == SERVERS.len()).then_some(());
        world.told(wait_for(&format!("all servers in the WAN pool of {server}"), all))?;
    }
    for client in CLIENTS {
        for dc in ["dc1", "dc2", "dc3"] {
            let read = || world.of(client).ok()?.get(&format!("/v1/catalog/nodes?dc={dc}"));
            world.told(wait_for(&format!("nodes of {dc} for {client}"), read))?;
        }
    }
    Ok(begun.elapsed())
}

/// Answers of one connection that asks the same again and again.
#[derive(Debug, Default)]
struct Load {
    times: Vec<Duration>,
    bad: Vec<String>,
}

impl Load {
    fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted
            .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

/// Asks `agent` for `path` until `stop`; every answer but 200 with `want` is noted.
fn load(agent: &Process, path: &str, want: &str, stop: &AtomicBool) -> Result<Load> {
    let addr = agent.http();
    agent.space.within(|| {
        let mut load = Load::default();
        let mut open: Option<BufReader<TcpStream>> = None;
        while !stop.load(Ordering::Acquire) {
            let begun = now();
            let answer = one(&mut open, addr, path);
            load.times.push(begun.elapsed());
            match answer {
                Ok((200, body)) if body == want => {}
                Ok((status, body)) => load.bad.push(format!("{status}: {body}")),
                Err(e) => {
                    open = None;
                    load.bad.push(e.to_string());
                }
            }
        }
        Ok(load)
    })
}

fn one(open: &mut Option<BufReader<TcpStream>>, addr: SocketAddr, path: &str) -> Result<(u16, String)> {
    if open.is_none() {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(15)))?;
        stream.set_nodelay(true)?;
        *open = Some(BufReader::new(stream));
    }
    let stream = open.as_mut().context("no connection")?;
    stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n").as_bytes())?;
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "closed");
        let line = line.trim_end();
        if status == 0 {
            status = line.split(' ').nth(1).context("no status")?.parse()?;
        } else if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Runs `work` while `agent` is asked for `path`.
fn under_load<T>(
    world: &mut World,
    agent: &str,
    path: &str,
    want: &str,
    work: impl FnOnce(&mut World) -> Result<T>,
) -> Result<(T, Load)> {
    let stop = AtomicBool::new(false);
    // What the load needs of the agent does not change with the world.
    let asked = world.of(agent)?.twin();
    thread::scope(|scope| {
        let asking = scope.spawn(|| load(&asked, path, want, &stop));
        let done = work(world);
        stop.store(true, Ordering::Release);
        let load = asking.join().map_err(|_panic| anyhow::anyhow!("the load panicked"))??;
        Ok((done?, load))
    })
}

fn no_way_in(world: &World) -> Result<()> {
    let Some(net) = &world.net else { return Ok(()) };
    // From dc2 to the card of dc1, where the server port would be if it were anywhere outside.
    let reach = |ip: String, port: u16| {
        let addr: SocketAddr = format!("{ip}:{port}").parse()?;
        net.space(2).within(|| Ok(TcpStream::connect_timeout(&addr, Duration::from_secs(2)).is_ok()))
    };
    ensure!(reach(net.wan(1), GATEWAY_PORT)?, "the gateway of dc1 is not reached from dc2");
    for port in [8300, 8301, 8302, 8500, 8501, 8502, 8600] {
        ensure!(!reach(net.wan(1), port)?, "port {port} of dc1 is reached from dc2");
    }
    // Its servers have the same private addresses as ours: what answers there is our own server.
    let members = world.of("dc1-s1")?.get("/v1/agent/members?wan=1").context("members")?;
    let at = |name: &str| {
        let list = members.as_array()?;
        list.iter().find(|m| m["Name"] == name)?["Addr"].as_str().map(str::to_owned)
    };
    ensure!(at("s1.dc1") == at("s1.dc2") && at("s1.dc2").as_deref() == Some("10.0.0.1"), "{members}");
    Ok(())
}

fn shared(world: &World) -> Result<()> {
    // Registered in dc2, read in dc1 and dc3, over HTTP and DNS.
    world
        .of("dc2-c1")?
        .put("/v1/agent/service/register", r#"{"Name": "web", "Port": 80, "Address": "10.9.9.9"}"#)?;
    for agent in CLIENTS {
        let seen = || {
            let rows = world.of(agent).ok()?.get("/v1/health/service/web?dc=dc2&passing")?;
            (rows.as_array()?.len() == 1).then_some(())
        };
        world.told(wait_for(&format!("web of dc2 in {agent}"), seen))?;
        let process = world.of(agent)?;
        let dns: SocketAddr = (process.ip, 8600).into();
        let records = process.space.within(|| ask_dns(dns, "web.service.dc2.consul"))?;
        ensure!(records.iter().any(|r| r.contains("10.9.9.9")), "{agent}: {records:?}");
    }
    // A key of another datacenter is written and read there.
    world.of("dc3-c1")?.put("/v1/kv/far?dc=dc2", "from dc3")?;
    let read = world.of("dc2-c1")?.call("GET", "/v1/kv/far?raw", "");
    ensure!(read.body == "from dc3", "{read:?}");
    world.of("dc1-c1")?.put("/v1/kv/key", "value")?;
    // Configuration written in a secondary is everywhere.
    world
        .of("dc3-c1")?
        .put("/v1/config", r#"{"Kind": "service-defaults", "Name": "web", "Protocol": "http"}"#)?;
    for agent in CLIENTS {
        let seen = || world.of(agent).ok()?.get("/v1/config/service-defaults/web");
        world.told(wait_for(&format!("the entry in {agent}"), seen))?;
    }
    // Whoever operates it can see the ways.
    let shown = world.of("dc2-s1")?.cli(&["operator", "federation"])?;
    for part in ["through mesh gateways", "dc1", "dc3", "local", "remote", "config-entries", "healthy"] {
        ensure!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    Ok(())
}

/// A leaf of the mesh from the agent `client`, as files beside it; the directory.
fn leaf(world: &World, client: &str, service: &str) -> Result<PathBuf> {
    let agent = world.of(client)?;
    let leaf = agent.get(&format!("/v1/agent/connect/ca/leaf/{service}")).context("leaf")?;
    let roots = agent.get("/v1/agent/connect/ca/roots").context("roots")?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("not a text");
    for (file, pem) in [
        ("leaf.pem", &leaf["CertPEM"]),
        ("leaf-key.pem", &leaf["PrivateKeyPEM"]),
        ("root.pem", &roots["Roots"][0]["RootCert"]),
    ] {
        std::fs::write(agent.dir().join(file), text(pem)?)?;
    }
    Ok(agent.dir().to_owned())
}

/// A service of dc2 is reached from dc1 and dc3 through the gateways, both sides showing leaves of their own datacenter's authority.
fn service(world: &mut World) -> Result<()> {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("no openssl here, the way to services is not tried");
        return Ok(());
    }
    let at = format!("{}:9443", world.ip(2, 8)?);
    let (dir, dc2) = (leaf(world, "dc2-c1", "db")?, world.of("dc2-c1")?);
    let shows =
        ["-cert", "leaf.pem", "-cert_chain", "leaf.pem", "-key", "leaf-key.pem", "-CAfile", "root.pem"];
    let mut server = dc2.space.command(Path::new("openssl"));
    server.args(["s_server", "-accept", &at, "-Verify", "2", "-verify_return_error", "-www"]).args(shows);
    server.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Child::start(&mut server)?;
    let (ip, port) = at.rsplit_once(':').context("address")?;
    let native =
        format!(r#"{{"Name": "db", "Address": {ip:?}, "Port": {port}, "Connect": {{"Native": true}}}}"#);
    dc2.put("/v1/agent/service/register", &native)?;
    for dc in [1, 3] {
        let name = format!("dc{dc}-c1");
        let (dir, client) = (leaf(world, &name, "web")?, world.of(&name)?);
        let domain = client.get("/v1/agent/connect/ca/roots").context("roots")?;
        let sni =
            format!("db.default.dc2.internal.{}", domain["TrustDomain"].as_str().context("trust domain")?);
        let gateway = format!("{}:{GATEWAY_PORT}", world.of(&format!("dc{dc}-gw1"))?.ip);
        let answered = || {
            let mut ask = client.space.command(Path::new("openssl"));
            ask.args([
                "s_client",
                "-connect",
                &gateway,
                "-servername",
                &sni,
                "-verify_return_error",
                "-quiet",
            ]);
            ask.args(shows)
                .current_dir(&dir)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut asking = ask.spawn().ok()?;
            asking.stdin.take()?.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
            let out = asking.wait_with_output().ok()?;
            String::from_utf8_lossy(&out.stdout).starts_with("HTTP/1.0 200").then_some(())
        };
        world.told(wait_for(&format!("db of dc2 to answer {name} through the gateways"), answered))?;
    }
    Ok(())
}

/// Each gateway on the way dies under load and comes back; nobody who reads notices.
fn gateways_die(world: &mut World) -> Result<()> {
    for gateway in ["dc2-gw1", "dc1-gw1", "dc1-gw2"] {
        let ((), load) = under_load(world, "dc2-c1", "/v1/kv/key?raw&dc=dc1", "value", |world| {
            world.of_mut(gateway)?.kill();
            let gone = || {
                let view = world.of("dc2-s1").ok()?.get("/v1/operator/federation")?;
                view["Datacenters"].as_array()?.iter().all(|d| d["Reachable"] == true).then_some(())
            };
            // Long enough for probes, gossip and replication to need another way.
            for _ in 0..30 {
                wait_for("all datacenters reachable", gone)?;
                thread::sleep(Duration::from_millis(100));
            }
            let serves = |world: &World| {
                Some(world.of(gateway).ok()?.log().matches("the mesh gateway serves").count())
            };
            let before = serves(world);
            world.of_mut(gateway)?.start()?;
            wait_for(&format!("{gateway} to serve again"), || (serves(world) > before).then_some(()))?;
            // All datacenters know that it is back before the next one dies.
            for server in SERVERS {
                let healthy = || {
                    let known = world.of(server).ok()?.get("/v1/internal/federation-states/mesh-gateways")?;
                    let passing = |g: &Value| {
                        g["Checks"].as_array().is_some_and(|c| c.iter().all(|c| c["Status"] == "passing"))
                    };
                    let count = |dc: &str| Some(known[dc].as_array()?.iter().filter(|g| passing(g)).count());
                    (count("dc1")? == 2 && count("dc2")? == 1).then_some(())
                };
                world.told(wait_for(&format!("all gateways to be healthy for {server}"), healthy))?;
            }
            Ok(())
        })?;
        println!(
            "{gateway} killed: {} reads, p99 {:?}, failed {}",
            load.times.len(),
            load.at(99),
            load.bad.len()
        );
        ensure!(
            load.bad.is_empty(),
            "reads failed when {gateway} died: {:?}",
            &load.bad[..load.bad.len().min(5)]
        );
    }
    // With its own gateway back, dc2 uses it again.
    let back = || {
        let view = world.of("dc2-s1").ok()?.get("/v1/operator/federation")?;
        let dc1 = view["Datacenters"].as_array()?.iter().find(|d| d["Name"] == "dc1")?.clone();
        let local = dc1["Gateways"].as_array()?.iter().find(|g| g["Tier"] == "local")?.clone();
        (local["Servers"].as_u64()? > 0).then_some(())
    };
    world.told(wait_for("dc2 to use its own gateway again", back)).map(drop)
}

/// dc3 is cut off: the others do not suffer and are told at once, dc3 works on by itself, and all is well afterwards.
fn cut_off(world: &mut World) -> Result<()> {
    let cut = |world: &mut World, cut: bool| -> Result<()> {
        match &world.net {
            Some(net) => net.cut(3, cut),
            None => {
                let signal = if cut { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
                world.of_mut("dc3-gw1")?.signal(signal)?;
                world.of_mut("dc3-s1")?.signal(signal)
            }
        }
    };
    let (_, before) = under_load(world, "dc1-c1", "/v1/kv/key?raw", "value", |_| {
        thread::sleep(Duration::from_secs(5));
        Ok(())
    })?;
    let ((), during) = under_load(world, "dc1-c1", "/v1/kv/key?raw", "value", |world| {
        let begun = now();
        cut(world, true)?;
        let refused = || {
            let begun: Instant = now();
            let answer = world.of("dc1-c1").ok()?.call("GET", "/v1/catalog/nodes?dc=dc3", "");
            (answer.status == 500 && begun.elapsed() < Duration::from_millis(500)).then_some(answer)
        };
        let (answer, took) = wait_for("a refusal at once", refused)?;
        ensure!(answer.body.contains("Remote DC has no server currently reachable"), "{answer:?}");
        println!("dc3 cut off: refused at once after {took:?}");
        // What all share waits until the primary is back, and says so; all else goes on in dc3.
        if world.net.is_some() {
            let three = world.of("dc3-c1")?;
            three.put("/v1/kv/alone", "mine")?;
            let entry =
                three.get("/v1/config/service-defaults/web").context("replicated entries are kept")?;
            ensure!(entry["Protocol"] == "http", "{entry}");
        }
        while begun.elapsed() < CUT {
            ensure!(
                world.of("dc2-c1")?.call("GET", "/v1/kv/key?raw&dc=dc1", "").body == "value",
                "dc2 and dc1 part, too"
            );
            thread::sleep(Duration::from_millis(250));
        }
        world
            .of("dc1-c1")?
            .put("/v1/config", r#"{"Kind": "service-defaults", "Name": "meanwhile", "Protocol": "grpc"}"#)?;
        cut(world, false)
    })?;
    println!(
        "local reads before: {}, p99 {:?}; while dc3 was away: {}, p99 {:?}",
        before.times.len(),
        before.at(99),
        during.times.len(),
        during.at(99)
    );
    ensure!(before.bad.is_empty() && during.bad.is_empty(), "local reads failed: {:?}", during.bad);
    let healed = || world.of("dc1-c1").ok()?.get("/v1/catalog/nodes?dc=dc3");
    let (_, took) = world.told(wait_for("dc3 to answer again", healed))?;
    let entry = || world.of("dc3-c1").ok()?.get("/v1/config/service-defaults/meanwhile");
    world.told(wait_for("what dc3 missed", entry))?;
    println!("healed: dc3 answers after {took:?}; all servers alive again after {:?}", formed(world)?);
    Ok(())
}

/// A read over a long line costs one round trip.
fn long_line(world: &mut World) -> Result<()> {
    const EACH_WAY: Duration = Duration::from_millis(25);
    let Some(line) = &world.line else { return Ok(()) };
    world.of("dc2-c1")?.put("/v1/kv/line", "here")?;
    line.delay(EACH_WAY);
    let leader = world.of("dc1-s1")?;
    // Connect first; and what a stale read costs is the line, not the consensus behind it.
    for _ in 0..3 {
        ensure!(
            leader.call("GET", "/v1/kv/line?raw&stale&dc=dc2", "").body == "here",
            "no answer over the long line"
        );
    }
    let stop = AtomicBool::new(false);
    let asked = leader.twin();
    let measured = thread::scope(|scope| {
        let asking = scope.spawn(|| load(&asked, "/v1/kv/line?raw&stale&dc=dc2", "here", &stop));
        thread::sleep(Duration::from_secs(4));
        stop.store(true, Ordering::Release);
        asking.join().map_err(|_panic| anyhow::anyhow!("the load panicked"))?
    })?;
    if let Some(line) = &world.line {
        line.delay(Duration::ZERO);
    }
    let round_trip = EACH_WAY * 2;
    let over = |percent| measured.at(percent).saturating_sub(round_trip);
    println!(
        "reads over a line of {round_trip:?}: {}, over it p50 {:?} p99 {:?}",
        measured.times.len(),
        over(50),
        over(99)
    );
    ensure!(measured.bad.is_empty(), "{:?}", measured.bad);
    ensure!(measured.at(50) >= round_trip, "the line is not as long as it should be: {:?}", measured.at(50));
    // One round trip, not two: whatever else the machine does.
    ensure!(measured.at(50) < round_trip * 2, "more than one round trip: {:?}", measured.at(50));
    Ok(())
}

/// Certificates and gossip keys change under load.
fn rotate(world: &mut World) -> Result<()> {
    let ((), load) = under_load(world, "dc2-c1", "/v1/kv/key?raw&dc=dc1", "value", |world| {
        for (name, dc, node) in [
            ("dc1-s1", "dc1", "s1"),
            ("dc1-s2", "dc1", "s2"),
            ("dc1-s3", "dc1", "s3"),
            ("dc2-s1", "dc2", "s1"),
        ] {
            world.certificate(name, &["-server", "-dc", dc, "-node", node])?;
            let server = world.of(name)?;
            let before = server.log().len();
            server.put("/v1/agent/reload", "")?;
            ensure!(server.log().len() >= before, "the log of {name} shrank");
        }
        // New connections show the new certificates.
        world.of_mut("dc2-gw1")?.kill();
        world.of_mut("dc2-gw1")?.start()?;
        for server in ["dc1-s1", "dc1-s2", "dc1-s3", "dc3-s1"] {
            let read = || world.of(server).ok()?.get("/v1/catalog/nodes?dc=dc2&stale");
            wait_for(&format!("dc2 to answer {server} through its new gateway"), read)?;
        }

        let key = world.of("dc1-s1")?.plain(&["keygen"])?.trim().to_owned();
        let servers = ["dc1-s1", "dc2-s1", "dc3-s1"];
        for flag in ["-install", "-use"] {
            for server in servers {
                world.of(server)?.cli(&["keyring", flag, &key])?;
            }
        }
        let old = "J/4mE4cVZUVsQFF5KsXKLNhsZYIvGTUmLzpGUxKvZnI=";
        for server in servers {
            // The WAN pool is one for all: the first to remove it does so everywhere.
            let _already = world.of(server)?.cli(&["keyring", "-remove", old]);
        }
        for server in servers {
            let rings = world.of(server)?.get("/v1/operator/keyring").context("keyring")?;
            for ring in rings.as_array().context("rings")? {
                let keys: Vec<_> = ring["Keys"].as_object().context("keys")?.keys().cloned().collect();
                ensure!(keys == [key.clone()], "{server}: {ring}");
                if ring["WAN"] == true {
                    ensure!(ring["NumNodes"] == SERVERS.len(), "{ring}");
                }
            }
        }
        formed(world).map(drop)
    })?;
    println!("certificates and keys rotated: {} reads, failed {}", load.times.len(), load.bad.len());
    ensure!(load.bad.is_empty(), "reads failed: {:?}", &load.bad[..load.bad.len().min(5)]);
    Ok(())
}

/// All servers of the primary die at once and come back: nobody there is told where the others are.
fn primary_restarts(world: &mut World) -> Result<()> {
    for server in ["dc1-s1", "dc1-s2", "dc1-s3"] {
        world.of_mut(server)?.kill();
    }
    let entry = r#"{"Kind": "service-defaults", "Name": "lost", "Protocol": "http"}"#;
    let refused = world.of("dc2-c1")?.call("PUT", "/v1/config", entry);
    ensure!(refused.status == 500, "{refused:?}");
    world.of("dc2-c1")?.put("/v1/kv/own", "goes on")?;
    for server in ["dc1-s1", "dc1-s2", "dc1-s3"] {
        world.of_mut(server)?.start()?;
    }
    println!("primary restarted: formed again after {:?}", formed(world)?);
    ensure!(world.of("dc3-c1")?.call("GET", "/v1/kv/key?raw&dc=dc1", "").body == "value", "lost");
    Ok(())
}

/// What goes wrong when it is set up wrongly is said where somebody looks, with the addresses that were tried.
fn mistakes(world: &mut World) -> Result<()> {
    let gateways = "primary_gateways = [\"127.0.0.1:1\"]";
    let wrong_primary = ["-hcl".to_owned(), "primary_datacenter = \"dc9\"".to_owned(), "-hcl".to_owned(), {
        let own = world.of("dc3-gw1")?;
        format!("primary_gateways = [\"{}:{GATEWAY_PORT}\", \"127.0.0.1:1\"]", own.ip)
    }];
    world.agent(3, "lost", 15, 1, &wrong_primary)?;
    let lost = world.of_mut("dc3-lost")?;
    lost.alone(4);
    lost.start()?;
    let said = || {
        let log = world.of("dc3-lost").ok()?.log();
        let line = log.lines().find(|l| l.contains("Failed to join *.dc9"))?.to_owned();
        let all = line.contains("knows no way to that name")
            && line.contains("127.0.0.1:1 (configured): connection refused");
        all.then_some(())
    };
    world.told(wait_for("why the wrong primary is not found", said))?;
    let shown = world.of("dc3-lost")?.cli(&["operator", "federation"])?;
    ensure!(shown.contains("dc9") && shown.contains("connection refused"), "{shown}");
    world.of_mut("dc3-lost")?.kill();

    // A certificate that is not a server's: the server that is asked says whose it is and what it should be.
    let dc1 = format!("{}:{GATEWAY_PORT}", world.of("dc1-gw1")?.ip);
    let way = if world.net.is_some() {
        world.net.as_ref().map(|n| format!("{}:{GATEWAY_PORT}", n.wan(1)))
    } else {
        Some(dc1)
    };
    let way = format!("primary_gateways = [{:?}]", way.context("gateway")?);
    world.agent(3, "client", 17, 1, &["-hcl".to_owned(), way])?;
    world.certificate("dc3-client", &["-client", "-dc", "dc4"])?;
    let client = world.of_mut("dc3-client")?;
    client.alone(4);
    client.start()?;
    let said = || {
        let logs = ["dc1-s1", "dc1-s2", "dc1-s3"].map(|s| world.of(s).map(Process::log).unwrap_or_default());
        let want = "its certificate is for client.dc4.consul, localhost, not for server.<datacenter>.consul";
        logs.iter().any(|log| log.contains(want)).then_some(())
    };
    world.told(wait_for("why a certificate of a client is refused", said))?;
    world.of_mut("dc3-client")?.kill();

    // Settings that cannot work end the agent with a word on what to set.
    for (more, want) in [
        ("connect { enabled = false }", "requires 'connect.enabled=true'"),
        (
            "tls { defaults { verify_incoming = false } internal_rpc { verify_incoming = false } }",
            "verify_incoming = true",
        ),
        ("node_name = \"a.b\"", "has a dot"),
        ("retry_join_wan = [\"127.0.0.1\"]", "incompatible"),
    ] {
        let args = ["-hcl".to_owned(), more.to_owned(), "-hcl".to_owned(), gateways.to_owned()];
        let n = world.processes.len();
        world.agent(3, &format!("bad{n}"), 16, 1, &args)?;
        let name = format!("dc3-bad{n}");
        let bad = world.of_mut(&name)?;
        if more.starts_with("node_name") {
            bad.forget("-node");
        }
        bad.start()?;
        let ended = bad.wait_end()?;
        let log = bad.log();
        ensure!(ended != Some(0) && log.contains(want), "{more}: {ended:?} {log}");
    }
    Ok(())
}

/// A part of the walk and its name.
type Step<'a> = (&'a str, &'a dyn Fn(&mut World) -> Result<()>);

#[test]
fn datacenters_meet_through_gateways_alone() -> Result<()> {
    let mut world = World::new(std::env::var_os(NO_NAMESPACES).is_none())?;
    let begun = now();
    world.start()?;
    formed(&world)?;
    println!("formed {:?} after the start", begun.elapsed());
    let steps: [Step<'_>; 9] = [
        ("no way in but through gateways", &|w| no_way_in(w)),
        ("what is shared", &|w| shared(w)),
        ("a service of another datacenter", &service),
        ("gateways die", &gateways_die),
        ("a long line", &long_line),
        ("mistakes", &mistakes),
        ("rotation", &rotate),
        ("a datacenter is cut off", &cut_off),
        ("the primary restarts", &primary_restarts),
    ];
    for (name, step) in steps {
        let begun = now();
        if let Err(error) = step(&mut world) {
            return world.told(Err(error.context(name.to_owned())));
        }
        println!("{name}: done in {:?}", begun.elapsed());
    }
    let panics = world.panics();
    if !panics.is_empty() {
        bail!("{panics:?}");
    }
    Ok(())
}
