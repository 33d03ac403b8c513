//! Five servers in three redundancy zones, one of them a read replica: who votes, who stands by, who takes over.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use tests::cluster::{Cluster, Node, wait_for};

const STATE: &str = "/v1/operator/autopilot/state";
const ZONES: &str = r#"autopilot { redundancy_zone_tag = "zone" server_stabilization_time = "1s" }"#;

/// `Status` and `NodeType` by server.
fn parts(node: &Node) -> Option<BTreeMap<String, (String, String)>> {
    let state = node.get(STATE)?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let servers = state["Servers"].as_object()?.values();
    Some(servers.map(|s| (text(&s["Name"]), (text(&s["Status"]), text(&s["NodeType"])))).collect())
}

fn part(node: &Node, of: &str) -> Option<(String, String)> {
    parts(node)?.remove(of)
}

fn is(of: &Option<(String, String)>, status: &str, kind: &str) -> bool {
    of.as_ref().is_some_and(|(s, k)| s == status && k == kind)
}

fn write(cluster: &Cluster, through: &str, key: &str) -> Result<()> {
    let node = cluster.node(through)?;
    let put = || (node.call("PUT", &format!("/v1/kv/{key}"), "x").body.trim() == "true").then_some(());
    wait_for("a write", put).map(|_done| ())
}

#[test]
fn a_zone_has_one_vote_and_a_read_replica_none() -> Result<()> {
    let mut cluster = Cluster::new(3, 2)?;
    let zones = [("server1", "a"), ("server2", "b"), ("server3", "c"), ("client1", "c"), ("client2", "a")];
    for (name, zone) in zones {
        let node = cluster.node_mut(name)?;
        // The clients of the example are servers here.
        node.args =
            ["-server", "-hcl", ZONES, "-node-meta", &format!("zone:{zone}")].map(str::to_owned).into();
    }
    cluster.node_mut("client2")?.args.push("-read-replica".to_owned());
    // The first three form the datacenter, whoever comes when.
    for name in ["server1", "server2", "server3"] {
        cluster.node_mut(name)?.start()?;
    }
    cluster.wait_formed(3)?;
    cluster.start()?;
    cluster.wait_formed(5)?;

    // Asked of the read replica, the leader answers.
    let replica = cluster.node("client2")?;
    let settled = || {
        let parts = parts(replica)?;
        let voters = parts.values().filter(|(_, kind)| kind == "zone-voter").count();
        let ready = is(&parts.get("client2").cloned(), "non-voter", "read-replica")
            && is(&parts.get("client1").cloned(), "non-voter", "zone-standby");
        (ready && voters == 3 && parts.len() == 5).then_some(())
    };
    wait_for("a vote for each zone", settled).with_context(|| cluster.logs())?;
    let state = replica.get(STATE).context("the state")?;
    ensure!(state["ReadReplicas"].as_array().map(Vec::len) == Some(1), "{state}");
    let zone = &state["RedundancyZones"]["c"];
    ensure!(zone["Servers"].as_array().map(Vec::len) == Some(2), "{state}");
    ensure!(zone["Voters"].as_array().map(Vec::len) == Some(1) && zone["FailureTolerance"] == 1, "{state}");
    ensure!(state["FailureTolerance"] == 1 && state["OptimisticFailureTolerance"] == 2, "{state}");
    let pilot = replica.get("/v1/operator/autopilot/configuration").context("the configuration")?;
    ensure!(pilot["RedundancyZoneTag"] == "zone", "{pilot}");
    write(&cluster, "client2", "before")?;
    let replica = cluster.node("client2")?;
    wait_for("the key on the replica", || replica.get("/v1/kv/before?stale"))?;

    // The voter of zone c dies; who stands by there takes its vote, and the dead one goes.
    cluster.node_mut("server3")?.kill();
    let replica = cluster.node("client2")?;
    let taken = || {
        let parts = parts(replica)?;
        let role = |name: &str| parts.get(name).cloned();
        (role("server3").is_none()
            && role("client1").is_some_and(|(s, k)| s != "non-voter" && k == "zone-voter"))
        .then_some(())
    };
    wait_for("the standby to vote", taken).with_context(|| cluster.logs())?;
    write(&cluster, "client1", "after")?;
    let settled =
        || is(&part(cluster.node("server1").ok()?, "client2"), "non-voter", "read-replica").then_some(());
    wait_for("the replica's part", settled)?;

    // It comes back and stands by.
    cluster.node_mut("server3")?.start()?;
    let back =
        || is(&part(cluster.node("server1").ok()?, "server3"), "non-voter", "zone-standby").then_some(());
    wait_for("the former voter to stand by", back).with_context(|| cluster.logs())?;

    // Without zones all vote but the replica.
    let off = r#"{"RedundancyZoneTag":"","ServerStabilizationTime":"1s"}"#;
    let node = cluster.node("server1")?;
    ensure!(node.call("PUT", "/v1/operator/autopilot/configuration", off).body.trim() == "true");
    let all = || {
        let parts = parts(node)?;
        (parts.values().filter(|(status, kind)| status != "non-voter" && kind == "voter").count() == 4)
            .then_some(())
    };
    wait_for("four voters", all).with_context(|| cluster.logs())?;
    ensure!(node.get(STATE).is_some_and(|s| s.get("RedundancyZones").is_none()));
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
