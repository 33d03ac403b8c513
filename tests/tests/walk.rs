//! The walk of the README: the example datacenter forms, serves, loses agents, and comes back.
//!
//! Times are printed; only generous bounds are asserted, for machines that do much else.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};
use tests::{
    cluster::{Cluster, Node, ask_dns, wait_for},
    process::now,
};

/// What a registration may take until every agent shows it. Unloaded it is a fraction of a second.
const SEEN_LIMIT: Duration = Duration::from_secs(5);
const WEB: &str = r#"{"Name":"web","ID":"web-1","Port":8080,"Tags":["v1"],"Check":{"CheckID":"web-ttl","TTL":"10m","Status":"passing"}}"#;

fn put(node: &Node, path: &str, body: &str) -> Result<()> {
    let answer = node.call("PUT", path, body);
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    Ok(())
}

/// Registers on a client and waits until every agent shows the service by HTTP and by DNS.
fn service_everywhere(cluster: &Cluster) -> Result<()> {
    let start = now();
    put(cluster.node("client1")?, "/v1/agent/service/register", WEB)?;
    let (mut http, mut dns) = (Duration::ZERO, Duration::ZERO);
    for node in &cluster.nodes {
        let seen = || {
            let rows = node.get("/v1/health/service/web?passing")?;
            (rows.as_array()?.len() == 1).then_some(rows)
        };
        let (rows, _) = wait_for("web by HTTP", seen)?;
        http = http.max(start.elapsed());
        ensure!(rows[0]["Node"]["Node"] == "client1" && rows[0]["Service"]["Port"] == 8080, "{rows}");
        let asked = || ask_dns(node.dns(), "web.service.consul").ok().filter(|a| !a.is_empty());
        let (answers, _) = wait_for("web by DNS", asked)?;
        dns = dns.max(start.elapsed());
        ensure!(answers == ["web.service.consul. 0 IN A 127.0.0.4"], "{answers:?}");
    }
    println!("a service is seen on {} agents: HTTP {http:?}, DNS {dns:?}", cluster.nodes.len());
    ensure!(dns < SEEN_LIMIT, "it took {dns:?}");
    Ok(())
}

fn index_of(head: &str) -> Option<u64> {
    let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with("x-consul-index:"))?;
    line.split(':').nth(1)?.trim().parse().ok()
}

/// A check flips twice; a query that waits on another agent sees each change, and sleeps without one.
fn flips_seen_by_a_blocked_query(cluster: &Cluster) -> Result<()> {
    let (owner, watcher) = (cluster.node("client1")?, cluster.node("client2")?);
    let path = "/v1/health/checks/web";
    for (verb, state) in [("fail", "critical"), ("pass", "passing")] {
        let before = watcher.call("GET", path, "");
        let index = index_of(&before.head).with_context(|| before.head.clone())?;
        ensure!(!before.body.contains(state), "{}", before.body);
        let blocked = format!("{path}?index={index}&wait=60s");
        let returned = AtomicBool::new(false);
        let (early, after) = thread::scope(|scope| -> Result<_> {
            let query = scope.spawn(|| {
                // A plain client: it asks again when its own patience ends before the change.
                let (found, _) = wait_for("the flip", || {
                    let answer = watcher.call("GET", &blocked, "");
                    (answer.status == 200).then_some(answer)
                })?;
                returned.store(true, Ordering::SeqCst);
                anyhow::Ok((found, now()))
            });
            // Other services do not wake it. What is waited for is the proof that their change was seen here.
            put(owner, "/v1/agent/service/register", &format!(r#"{{"Name":"other-{state}"}}"#))?;
            wait_for("the other service", || {
                let rows = watcher.get(&format!("/v1/catalog/service/other-{state}"))?;
                (!rows.as_array()?.is_empty()).then_some(())
            })?;
            let early = returned.load(Ordering::SeqCst);
            let flipped = now();
            put(owner, &format!("/v1/agent/check/{verb}/web-ttl"), "")?;
            let (answer, at) = query.join().map_err(|_panic| anyhow::anyhow!("the query panicked"))??;
            println!(
                "a flip to {state} is seen by a blocked query after {:?}",
                at.saturating_duration_since(flipped)
            );
            Ok((early, answer))
        })?;
        ensure!(!early, "the query returned before the check changed");
        let rows: Value = serde_json::from_str(&after.body)?;
        ensure!(rows[0]["Status"] == state, "{}", after.body);
        ensure!(index_of(&after.head).is_some_and(|i| i > index), "{}", after.head);
    }
    Ok(())
}

/// Acknowledged keys that do not read back.
fn missing<'a>(node: &Node, keys: &'a [String]) -> Vec<&'a String> {
    let lost = |k: &&String| {
        let read = || {
            let answer = node.call("GET", &format!("/v1/kv/{k}?raw&consistent"), "");
            matches!(answer.status, 200 | 404).then_some(answer.body)
        };
        !wait_for(k, read).is_ok_and(|(body, _)| body == **k)
    };
    keys.iter().filter(lost).collect()
}

/// The leader dies under writes.
fn leader_dies(cluster: &mut Cluster) -> Result<(String, Vec<String>)> {
    let leader = cluster.leader()?;
    let (stop, client) = (AtomicBool::new(false), cluster.node("client2")?.http());
    let (keys, gap) = thread::scope(|scope| -> Result<_> {
        let stop = &stop;
        let writer = scope.spawn(move || {
            let (mut keys, mut n) = (Vec::new(), 0);
            let (mut last, mut gap) = (now(), Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                let key = format!("walk/{n}");
                n += 1;
                let answer = tests::process::call(client, "PUT", &format!("/v1/kv/{key}?cas=0"), &key, "");
                if answer.status == 200 && answer.body.trim() == "true" {
                    gap = gap.max(last.elapsed());
                    last = now();
                    keys.push(key);
                }
            }
            (keys, gap)
        });
        let written = || ask_keys(cluster).filter(|n| *n > 20);
        wait_for("writes before", written)?;
        cluster.node_mut(&leader)?.kill();
        let killed = now();
        let mut n = 0;
        let survivor = cluster.nodes.iter().find(|n| n.runs()).context("no server left")?;
        let works = || {
            n += 1;
            (survivor.call("PUT", &format!("/v1/kv/after/{n}"), "x").status == 200).then_some(())
        };
        wait_for("writes after the leader's death", works)?;
        println!("first write {:?} after the leader's death", killed.elapsed());
        let now_there = ask_keys(cluster).unwrap_or(0);
        wait_for("more writes", || ask_keys(cluster).filter(|n| *n > now_there + 5))?;
        stop.store(true, Ordering::Relaxed);
        writer.join().map_err(|_panic| anyhow::anyhow!("the writer panicked"))
    })?;
    println!("{} writes acknowledged around it; longest gap between two {gap:?}", keys.len());
    let survivor = cluster.nodes.iter().find(|n| n.runs()).context("no server left")?;
    let lost = missing(survivor, &keys);
    ensure!(lost.is_empty(), "{} acknowledged writes lost: {lost:?}", lost.len());
    Ok((leader, keys))
}

fn ask_keys(cluster: &Cluster) -> Option<usize> {
    let server = cluster.nodes.iter().find(|n| n.runs())?;
    Some(server.get("/v1/kv/walk/?keys&stale")?.as_array()?.len())
}

fn serf_is(cluster: &Cluster, node: &str, state: &str) -> Result<Duration> {
    cluster.wait_everywhere(&format!("{node} {state}"), &format!("/v1/health/node/{node}"), |rows| {
        rows.as_array()
            .is_some_and(|r| r.iter().any(|c| c["CheckID"] == "serfHealth" && c["Status"] == state))
    })
}

/// What must be the same after everything was stopped, without indexes.
fn content(node: &Node) -> Option<Vec<Value>> {
    let mut out = Vec::new();
    for path in ["/v1/catalog/nodes", "/v1/catalog/services", "/v1/catalog/service/web", "/v1/kv/?recurse"] {
        let mut value = node.get(path)?;
        for row in value.as_array_mut().into_iter().flatten() {
            if let Some(row) = row.as_object_mut() {
                row.retain(|k, _| path.contains("kv") || !k.ends_with("Index"));
            }
        }
        out.push(value);
    }
    Some(out)
}

#[test]
fn the_walk() -> Result<()> {
    let mut cluster = Cluster::new(3, 2)?;
    let start = now();
    cluster.start()?;
    cluster.wait_formed(5)?;
    println!("formed after {:?}", start.elapsed());
    service_everywhere(&cluster)?;
    flips_seen_by_a_blocked_query(&cluster)?;

    let (dead, keys) = leader_dies(&mut cluster)?;
    println!("{dead} critical after {:?}", serf_is(&cluster, &dead, "critical")?);
    cluster.node_mut("client2")?.kill();
    println!("client2 critical after {:?}", serf_is(&cluster, "client2", "critical")?);

    let back = now();
    cluster.start()?;
    cluster.wait_formed(5)?;
    println!("{dead} and client2 back after {:?}", back.elapsed());
    let lost = missing(cluster.node(&dead)?, &keys);
    ensure!(lost.is_empty(), "missing on {dead}: {lost:?}");

    let before = content(cluster.node("server1")?).context("no content")?;
    // As a power cut does, all at once.
    cluster.nodes.iter_mut().for_each(Node::kill);
    let again = now();
    cluster.start()?;
    cluster.wait_formed(5)?;
    println!("everything back from disk after {:?}", again.elapsed());
    for node in &cluster.nodes {
        let same = wait_for("the same content", || content(node).filter(|after| *after == before));
        ensure!(same.is_ok(), "{}: {:#?}\nbefore {before:#?}", node.name, content(node));
    }
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
