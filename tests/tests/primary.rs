//! A primary datacenter and a secondary one over the WAN pool: what all share is written in the primary, wherever it was asked
//! for, and comes to the secondary by itself.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use tests::cluster::{Cluster, Node, wait_for};

/// `server1` is dc1, the primary; `server2` and `client1` are dc2.
fn federation() -> Result<Cluster> {
    let mut cluster = Cluster::new(2, 1)?;
    let entry = cluster.nodes[0].wan().to_string();
    for (node, dc) in cluster.nodes.iter_mut().zip(["dc1", "dc2", "dc2"]) {
        let mut args: Vec<String> = vec!["-datacenter".into(), dc.into()];
        args.extend(["-hcl", "primary_datacenter = \"dc1\""].map(String::from));
        if node.name.starts_with("server") {
            args.extend(["-bootstrap-expect", "1", "-serf-wan-port"].map(String::from));
            args.push(node.wan().port().to_string());
            // Only what the primary is told to create is created.
            let entry_of = format!(
                "config_entries {{ bootstrap = [{{ kind = \"service-defaults\", name = \"from-{dc}\", protocol = \"http\" }}] }}"
            );
            args.extend(["-hcl".into(), entry_of]);
            if dc == "dc2" {
                args.extend(["-retry-join-wan".into(), entry.clone()]);
            }
        }
        node.args = args;
    }
    cluster.start()?;
    Ok(cluster)
}

fn put(node: &Node, path: &str, body: &str) -> Result<()> {
    let answer = node.call("PUT", path, body);
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    Ok(())
}

fn entry(node: &Node, kind_and_name: &str) -> Option<Value> {
    node.get(&format!("/v1/config/{kind_and_name}"))
}

fn appears(node: &Node, kind_and_name: &str) -> Result<Value> {
    wait_for(&format!("{kind_and_name} in {}", node.name), || entry(node, kind_and_name))
        .map(|(found, _)| found)
}

fn goes(node: &Node, kind_and_name: &str) -> Result<()> {
    let path = format!("/v1/config/{kind_and_name}");
    wait_for(&format!("{kind_and_name} to go from {}", node.name), || {
        (node.call("GET", &path, "").status == 404).then_some(())
    })
    .map(drop)
}

#[test]
fn a_secondary_follows_its_primary() -> Result<()> {
    let mut cluster = federation()?;
    let primary = cluster.node("server1")?;
    for node in &cluster.nodes {
        appears(node, "service-defaults/from-dc1")?;
        ensure!(entry(node, "service-defaults/from-dc2").is_none(), "{} made an entry of its own", node.name);
    }

    // Written through a client agent of the secondary: the rules are those of the primary, and everyone has it.
    let client = cluster.node("client1")?;
    let splitter =
        r#"{"Kind": "service-splitter", "Name": "web", "Splits": [{"Weight": 100, "Service": "web"}]}"#;
    let refused = client.call("PUT", "/v1/config", splitter);
    ensure!(refused.status == 500 && refused.body.contains("protocol"), "{refused:?}");
    put(client, "/v1/config", r#"{"Kind": "service-defaults", "Name": "web", "Protocol": "http"}"#)?;
    put(client, "/v1/config", splitter)?;
    ensure!(entry(primary, "service-splitter/web").is_some(), "not written in the primary");
    for node in &cluster.nodes {
        appears(node, "service-splitter/web")?;
    }

    // Removed in the primary.
    for gone in ["service-splitter/web", "service-defaults/web"] {
        let answer = primary.call("DELETE", &format!("/v1/config/{gone}"), "");
        ensure!(answer.status == 200, "{answer:?}");
        goes(client, gone)?;
    }

    // Both datacenters tell of their gateways.
    let gateway = r#"{"Kind": "mesh-gateway", "Name": "gw", "Address": "10.0.0.7", "Port": 8443,
        "Meta": {"consul-wan-federation": "1"},
        "TaggedAddresses": {"wan": {"Address": "198.51.100.7", "Port": 443}}}"#;
    put(cluster.node("server2")?, "/v1/agent/service/register", gateway)?;
    for node in &cluster.nodes {
        let (known, _) = wait_for("the gateway of dc2", || {
            let known = node.get("/v1/internal/federation-states/mesh-gateways")?;
            known["dc2"].is_array().then_some(known)
        })?;
        ensure!(known["dc2"][0]["Service"]["TaggedAddresses"]["wan"]["Port"] == 443, "{known}");
        ensure!(known["dc1"].is_null(), "{known}");
        let states = node.get("/v1/internal/federation-states").context("states")?;
        ensure!(states.as_array().map(Vec::len) == Some(2), "{states}");
        let one = node.get("/v1/internal/federation-state/dc2").context("state")?;
        ensure!(one["State"]["Datacenter"] == "dc2", "{one}");
    }
    let healthy = || {
        let metrics = cluster.node("server2").ok()?.get("/v1/agent/metrics")?;
        let gauges = metrics["Gauges"].as_array()?;
        let is_one = |kind: &str| {
            let name = format!("leader.replication.{kind}.status");
            gauges.iter().any(|g| g["Name"].as_str().is_some_and(|n| n.ends_with(&name)) && g["Value"] == 1)
        };
        (is_one("config-entries") && is_one("federation-state")).then_some(())
    };
    wait_for("healthy replication in the metrics", healthy)?;

    // Without its primary a secondary still has everything, and says at once that it cannot write.
    cluster.node_mut("server1")?.kill();
    let client = cluster.node("client1")?;
    ensure!(entry(client, "service-defaults/from-dc1").is_some(), "lost with the primary");
    let (refused, _) = wait_for("a refusal", || {
        let answer = client.call(
            "PUT",
            "/v1/config",
            r#"{"Kind": "service-defaults", "Name": "late", "Protocol": "http"}"#,
        );
        (answer.status != 200).then_some(answer)
    })?;
    ensure!(refused.status == 500 && refused.body.contains("Remote DC"), "{refused:?}");
    put(client, "/v1/kv/own", "still mine")?;
    cluster.node_mut("server1")?.start()?;
    let client = cluster.node("client1")?;
    let written = || {
        let answer = client.call(
            "PUT",
            "/v1/config",
            r#"{"Kind": "service-defaults", "Name": "late", "Protocol": "http"}"#,
        );
        (answer.status == 200).then_some(())
    };
    let (_, took) = wait_for("a write after the primary is back", written)?;
    ensure!(took < Duration::from_secs(30), "{took:?}");
    for node in &cluster.nodes {
        appears(node, "service-defaults/late")?;
    }
    Ok(())
}

#[test]
fn two_primaries_are_told_apart() -> Result<()> {
    let mut cluster = Cluster::new(2, 0)?;
    let entry = cluster.nodes[0].wan().to_string();
    for (node, dc) in cluster.nodes.iter_mut().zip(["dc1", "dc2"]) {
        let wan = node.wan().port().to_string();
        let args =
            ["-datacenter", dc, "-bootstrap-expect", "1", "-serf-wan-port", &wan, "-retry-join-wan", &entry];
        node.args = args.map(String::from).into();
    }
    cluster.start()?;
    for (node, other) in [("server1", "dc2"), ("server2", "dc1")] {
        let want = format!("datacenter {other} has primary_datacenter = \"{other}\"");
        wait_for(&format!("a word of {node} on the two primaries"), || {
            cluster.node(node).ok()?.log().contains(&want).then_some(())
        })?;
    }
    Ok(())
}
