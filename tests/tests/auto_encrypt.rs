//! Client agents that get their certificates from the servers.

use anyhow::{Result, bail, ensure};
use tests::cluster::{Cluster, wait_for};

/// Verifies servers, and has no certificate to show.
fn without_certificate(cluster: &mut Cluster, node: &str, more: &str) -> Result<()> {
    let ca = cluster.dir().join("consul-agent-ca.pem");
    let text = format!(
        "tls {{ defaults {{ ca_file = {ca:?} verify_outgoing = true }} internal_rpc {{ verify_server_hostname = true }} }} {more}"
    );
    cluster.node_mut(node)?.args.extend(["-hcl".into(), text]);
    Ok(())
}

#[test]
fn a_client_gets_its_certificate_from_the_servers() -> Result<()> {
    let mut cluster = Cluster::new(1, 2)?;
    cluster.node_mut("server1")?.args = ["-bootstrap-expect", "1"].map(String::from).into();
    cluster.verify("server1", "dc1")?;
    without_certificate(&mut cluster, "client1", "auto_encrypt { tls = true }")?;
    without_certificate(&mut cluster, "client2", "")?;
    cluster.start()?;

    // The server gives none yet.
    let said = wait_for("why there is no certificate", || {
        let (client, server) = (cluster.node("client1").ok()?.log(), cluster.node("server1").ok()?.log());
        let both = client.contains("no certificate from the servers yet")
            && server.contains("auto_encrypt.allow_tls is not set");
        both.then_some(())
    });
    if let Err(error) = said {
        bail!("{error}\n{}", cluster.logs());
    }
    let kv = |node: &str| cluster.node(node).map(|n| n.call("PUT", "/v1/kv/a", node));
    ensure!(kv("client1")?.status == 500, "it is not let in");

    let server = cluster.node_mut("server1")?;
    server.kill();
    server.args.extend(["-hcl", "auto_encrypt { allow_tls = true }"].map(String::from));
    server.start()?;
    let wrote = wait_for("a write of client1", || {
        (cluster.node("client1").ok()?.call("PUT", "/v1/kv/a", "one").body.trim() == "true").then_some(())
    });
    if let Err(error) = wrote {
        bail!("{error}\n{}", cluster.logs());
    }
    let refused = cluster.node("client2")?.call("PUT", "/v1/kv/a", "two");
    ensure!(refused.status == 500, "who does not ask is not let in: {refused:?}");
    let read = cluster.node("client1")?.call("GET", "/v1/kv/a?raw", "");
    ensure!(read.body == "one", "{read:?}");
    for node in &cluster.nodes {
        ensure!(!node.log().contains("PRIVATE KEY"), "{} logs a key", node.name);
    }
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
