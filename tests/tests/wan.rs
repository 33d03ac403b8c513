//! Three datacenters joined over the WAN pool: what one has, the others can ask for; one that is gone hurts nobody.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use std::{thread, time::Duration};
use tests::{
    cluster::{Cluster, Node, ask_dns, wait_for},
    process::now,
};

const GONE: &str = "Remote DC has no server currently reachable";

/// `server1` is dc1, `server2` and `client1` are dc2, `server3` is dc3; each server leads its own.
fn federation() -> Result<Cluster> {
    let mut cluster = planned()?;
    cluster.start()?;
    Ok(cluster)
}

/// The same, not started yet.
fn planned() -> Result<Cluster> {
    let mut cluster = Cluster::new(3, 1)?;
    let entry = cluster.nodes[0].wan().to_string();
    for (node, dc) in cluster.nodes.iter_mut().zip(["dc1", "dc2", "dc3", "dc2"]) {
        let mut args: Vec<String> = vec!["-datacenter".into(), dc.into()];
        if node.name.starts_with("server") {
            args.extend(["-bootstrap-expect", "1", "-serf-wan-port"].map(String::from));
            args.push(node.wan().port().to_string());
            if dc == "dc2" {
                args.extend(["-hcl", "translate_wan_addrs = true"].map(String::from));
            }
            if dc != "dc1" {
                args.extend(["-retry-join-wan".into(), entry.clone()]);
            }
        }
        node.args = args;
    }
    Ok(cluster)
}

#[test]
fn datacenters_verify_each_other() -> Result<()> {
    let mut cluster = planned()?;
    // The server of dc3 shows a certificate that was made for dc1.
    for (node, dc) in [("server1", "dc1"), ("server2", "dc2"), ("server3", "dc1"), ("client1", "dc2")] {
        cluster.verify(node, dc)?;
    }
    cluster.start()?;
    let wrote = wait_for("a write in dc1 from dc2", || {
        let put = cluster.node("client1").ok()?.call("PUT", "/v1/kv/far?dc=dc1", "away");
        (put.body.trim() == "true").then_some(())
    });
    if let Err(error) = wrote {
        bail!("{error}\n{}", cluster.logs());
    }
    let read = cluster.node("server1")?.call("GET", "/v1/kv/far?raw", "");
    ensure!(read.body == "away", "{read:?}");
    refused_at_once(cluster.node("client1")?, "/v1/kv/far?dc=dc3")?;
    let log = cluster.node("server2")?.log();
    ensure!(log.lines().any(|l| l.contains("no rpc connection to 127.0.0.3")), "{log}");
    Ok(())
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn all_know_all(cluster: &Cluster) -> Result<()> {
    let known = |list: &Value| names(list).len() == 3;
    cluster.wait_everywhere("three datacenters", "/v1/catalog/datacenters", known)?;
    for (node, own) in cluster.nodes.iter().zip(["dc1", "dc2", "dc3", "dc2"]) {
        let list = node.get("/v1/catalog/datacenters").context("datacenters")?;
        let mut sorted = names(&list);
        ensure!(sorted.first() == Some(&own), "{} lists {sorted:?}", node.name);
        sorted.sort_unstable();
        ensure!(sorted == ["dc1", "dc2", "dc3"], "{sorted:?}");
    }
    for server in &cluster.nodes[..3] {
        let found = || {
            let members = server.get("/v1/agent/members?wan=1")?;
            let alive = members.as_array()?.iter().filter(|m| m["Status"] == 1).count();
            (alive == 3).then_some(members)
        };
        let (members, _) = wait_for("members of the WAN pool", found)?;
        let mut found: Vec<_> =
            members.as_array().into_iter().flatten().map(|m| m["Name"].to_string()).collect();
        found.sort();
        ensure!(found == [r#""server1.dc1""#, r#""server2.dc2""#, r#""server3.dc3""#], "{found:?}");
    }
    Ok(())
}

fn put(node: &Node, path: &str, body: &str) -> Result<()> {
    let answer = node.call("PUT", path, body);
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    Ok(())
}

#[test]
fn what_one_has_the_others_ask_for() -> Result<()> {
    let cluster = federation()?;
    all_know_all(&cluster)?;
    let (one, two, three, client) = (
        cluster.node("server1")?,
        cluster.node("server2")?,
        cluster.node("server3")?,
        cluster.node("client1")?,
    );
    for node in &cluster.nodes {
        wait_for("a leader", || node.get("/v1/status/leader")?.as_str().filter(|l| !l.is_empty()).map(drop))?;
    }

    let web = r#"{"Name": "web", "Port": 80, "TaggedAddresses": {"wan": {"Address": "198.51.100.2", "Port": 9000}}}"#;
    put(one, "/v1/agent/service/register", web)?;
    for node in [two, three, client] {
        let seen = || {
            let rows = node.get("/v1/health/service/web?dc=dc1&passing")?;
            (rows.as_array()?.len() == 1).then_some(rows)
        };
        let (rows, _) = wait_for("web of dc1", seen)?;
        ensure!(rows[0]["Node"]["Node"] == "server1" && rows[0]["Node"]["Datacenter"] == "dc1", "{rows}");
        // Only server2 translates addresses of other datacenters.
        let shown = if node.name == "server2" { "198.51.100.2:9000" } else { ":80" };
        let service = &rows[0]["Service"];
        let at = format!("{}:{}", service["Address"].as_str().context("address")?, service["Port"]);
        ensure!(at == shown, "{}: {at}", node.name);
        ensure!(node.get("/v1/health/service/web") == Some(Value::Array(vec![])), "only dc1 has it");
        let answers = ask_dns(node.dns(), "web.service.dc1.consul")?;
        let ip = if node.name == "server2" { "198.51.100.2" } else { "127.0.0.1" };
        ensure!(answers == [format!("web.service.dc1.consul. 0 IN A {ip}")], "{answers:?}");
        let none = ask_dns(node.dns(), "web.service.dc9.consul")?;
        ensure!(none.is_empty(), "{none:?}");
    }

    put(client, "/v1/kv/far?dc=dc3", "away")?;
    for (node, path) in [
        (three, "/v1/kv/far?raw"),
        (one, "/v1/kv/far?raw&dc=dc3&consistent"),
        (client, "/v1/kv/far?raw&dc=DC3"),
    ] {
        let read = node.call("GET", path, "");
        ensure!(read.status == 200 && read.body == "away", "{} {path}: {read:?}", node.name);
    }
    ensure!(client.call("GET", "/v1/kv/far", "").status == 404, "it is not in dc2");

    // Each asks the other's Raft.
    let leader = client.get("/v1/status/leader?dc=dc3").context("leader of dc3")?;
    ensure!(leader == three.rpc().to_string(), "{leader}");
    let raft = client.get("/v1/operator/raft/configuration?dc=dc1").context("raft of dc1")?;
    ensure!(raft["Servers"][0]["Address"] == one.rpc().to_string(), "{raft}");

    let unknown = client.call("GET", "/v1/kv/far?dc=dc9", "");
    ensure!(unknown.status == 500 && unknown.body == "No path to datacenter", "{unknown:?}");

    // A query that waits there wakes here.
    let before = client.call("GET", "/v1/kv/far?dc=dc3", "");
    let head = before.head.to_ascii_lowercase();
    let index = head.lines().find_map(|l| l.strip_prefix("x-consul-index: ")).context("index")?;
    let path = format!("/v1/kv/far?dc=dc3&raw&wait=60s&index={}", index.trim());
    let after = thread::scope(|scope| -> Result<_> {
        let waiting = scope.spawn(|| client.call("GET", &path, ""));
        put(one, "/v1/kv/far?dc=dc3", "back")?;
        waiting.join().map_err(|_panic| anyhow::anyhow!("the query panicked"))
    })?;
    ensure!(after.status == 200 && after.body == "back", "{after:?}");
    Ok(())
}

/// Asks until the answer comes at once and says that the datacenter is out of reach.
fn refused_at_once(node: &Node, path: &str) -> Result<()> {
    wait_for("a refusal without waiting", || {
        let begun = now();
        let answer = node.call("GET", path, "");
        (answer.status == 500 && answer.body == GONE && begun.elapsed() < Duration::from_secs(1))
            .then_some(())
    })?;
    Ok(())
}

#[test]
fn a_datacenter_that_is_gone_hurts_nobody_and_comes_back() -> Result<()> {
    let mut cluster = federation()?;
    all_know_all(&cluster)?;
    let far = "/v1/kv/far?raw&dc=dc3";
    wait_for("a write in dc3", || {
        let put = cluster.node("client1").ok()?.call("PUT", "/v1/kv/far?dc=dc3", "away");
        (put.body.trim() == "true").then_some(())
    })?;

    // A machine that stands still accepts connections and never answers.
    cluster.node_mut("server3")?.signal(Signal::STOP)?;
    refused_at_once(cluster.node("client1")?, far)?;
    refused_at_once(cluster.node("server1")?, far)?;
    for node in ["server1", "server2", "client1"] {
        let local = cluster.node(node)?.call("PUT", "/v1/kv/near", "here");
        ensure!(local.body.trim() == "true", "{node}: {local:?}");
    }
    cluster.node_mut("server3")?.signal(Signal::CONT)?;
    wait_for("dc3 after a pause", || {
        (cluster.node("client1").ok()?.call("GET", far, "").body == "away").then_some(())
    })?;

    cluster.node_mut("server3")?.kill();
    refused_at_once(cluster.node("client1")?, far)?;
    cluster.node_mut("server3")?.start()?;
    let back = wait_for("dc3 after a restart", || {
        (cluster.node("client1").ok()?.call("GET", far, "").body == "away").then_some(())
    });
    if let Err(error) = back {
        bail!("{error}\n{}", cluster.logs());
    }
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
