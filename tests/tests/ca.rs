//! The mesh's certificate authority over two datacenters: the secondary's is signed by the primary's, and openssl believes
//! every leaf.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{fs, path::Path, process::Command};
use tests::{
    cluster::{Cluster, Node, wait_for},
    process::{binary, clean_command},
};

/// `server1` is dc1, the primary; `server2` and `client1` are dc2. All show certificates to each other.
fn federation() -> Result<Cluster> {
    let mut cluster = Cluster::new(2, 1)?;
    let entry = cluster.nodes[0].wan().to_string();
    for (node, dc) in cluster.nodes.iter_mut().zip(["dc1", "dc2", "dc2"]) {
        node.args = ["-datacenter", dc].map(String::from).into();
        if node.name.starts_with("server") {
            node.args.extend(["-bootstrap-expect", "1", "-serf-wan-port"].map(String::from));
            node.args.push(node.wan().port().to_string());
        }
        if dc == "dc2" {
            node.args.extend(["-hcl", "primary_datacenter = \"dc1\""].map(String::from));
        }
        if node.name == "server2" {
            node.args.extend(["-retry-join-wan".into(), entry.clone()]);
        }
    }
    for (node, dc) in [("server1", "dc1"), ("server2", "dc2"), ("client1", "dc2")] {
        cluster.verify(node, dc)?;
    }
    Ok(cluster)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("{key} in {value}"))
}

/// Certificates of the roots alone, the active one last.
fn roots(node: &Node) -> Option<Vec<String>> {
    let roots = node.get("/v1/connect/ca/roots")?;
    let mut list: Vec<_> = roots["Roots"].as_array()?.clone();
    list.sort_by_key(|r| r["Active"].as_bool());
    let pem = |r: &Value| r["RootCert"].as_str().map(str::to_owned);
    (!list.is_empty()).then(|| list.iter().map(pem).collect())?
}

fn active(node: &Node) -> Option<String> {
    let id = node.get("/v1/connect/ca/roots")?["ActiveRootID"].as_str()?.to_owned();
    (!id.is_empty()).then_some(id)
}

/// A leaf, once there is one.
fn leaf(cluster: &Cluster, node: &str, service: &str) -> Result<Value> {
    let path = format!("/v1/agent/connect/ca/leaf/{service}");
    let found = wait_for("a leaf", || cluster.node(node).ok()?.get(&path));
    match found {
        Ok((leaf, _)) => Ok(leaf),
        Err(error) => {
            let last = cluster.node(node)?.call("GET", &path, "");
            bail!("{error}: {last:?}\n{}", cluster.logs())
        }
    }
}

/// Has openssl look at a leaf, trusting only `roots`.
fn verify(dir: &Path, leaf: &Value, roots: &[String]) -> Result<()> {
    let (trusted, bundle) = (dir.join("trusted.pem"), dir.join("leaf.pem"));
    fs::write(&trusted, roots.concat())?;
    fs::write(&bundle, text(leaf, "CertPEM")?)?;
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]).arg(&trusted);
    let out = openssl.arg("-untrusted").arg(&bundle).arg(&bundle).output().context("openssl")?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

#[test]
fn a_secondary_signs_below_the_primarys_root() -> Result<()> {
    let mut cluster = federation()?;
    let dir = cluster.dir().to_owned();

    // The primary is not there yet.
    for node in ["server2", "client1"] {
        cluster.node_mut(node)?.start()?;
    }
    let path = "/v1/agent/connect/ca/leaf/web";
    let told = wait_for("why there is no leaf", || {
        let answer = cluster.node("client1").ok()?.call("GET", path, "");
        (answer.status == 500 && answer.body.contains("not initialized yet")).then_some(())
    });
    if let Err(error) = told {
        bail!("{error}\n{}", cluster.logs());
    }
    ensure!(active(cluster.node("server2")?).is_none(), "nothing half-made");
    let log = cluster.node("server2")?.log();
    ensure!(log.contains("primary datacenter is unreachable: dc1"), "{log}");

    cluster.node_mut("server1")?.start()?;
    let (one, two) = (leaf(&cluster, "server1", "web")?, leaf(&cluster, "client1", "web")?);
    let trusted = roots(cluster.node("server1")?).context("roots of dc1")?;
    ensure!(roots(cluster.node("client1")?).as_ref() == Some(&trusted), "dc2 serves the same roots");
    verify(&dir, &one, &trusted)?;
    verify(&dir, &two, &trusted)?;
    let certs = |leaf: &Value| leaf["CertPEM"].as_str().map_or(0, |pem| pem.matches("BEGIN").count());
    ensure!((certs(&one), certs(&two)) == (1, 2), "leaf, and leaf with its intermediate");
    ensure!(text(&two, "ServiceURI")?.ends_with(".consul/ns/default/dc/dc2/svc/web"), "{two}");
    let domain =
        |leaf: &Value| leaf["ServiceURI"].as_str().and_then(|u| u.split('/').nth(2)).map(str::to_owned);
    ensure!(domain(&one) == domain(&two), "one trust domain");
    ensure!(verify(&dir, &one, &["".into()]).is_err(), "openssl is not content with anything");

    // Another root in the primary.
    let before = active(cluster.node("server1")?).context("active root")?;
    let file = dir.join("ca.json");
    fs::write(&file, r#"{"Provider": "consul", "Config": {"PrivateKeyBits": 384, "LeafCertTTL": "72h"}}"#)?;
    let mut set = clean_command(&binary()?);
    set.args(["connect", "ca", "set-config", "-config-file"]).arg(&file);
    let set = set.arg("-http-addr").arg(cluster.node("server1")?.http().to_string()).output()?;
    ensure!(set.stdout == b"Configuration updated!\n", "{}", String::from_utf8_lossy(&set.stderr));
    let now = active(cluster.node("server1")?).context("active root")?;
    ensure!(now != before, "the root was rotated");
    let followed =
        wait_for("the new root in dc2", || (active(cluster.node("client1").ok()?)? == now).then_some(()));
    if let Err(error) = followed {
        bail!("{error}\n{}", cluster.logs());
    }
    let both = roots(cluster.node("client1")?).context("roots of dc2")?;
    ensure!(both.len() == 2 && both[..1] == trusted[..], "old and new");
    for node in ["server1", "client1"] {
        let fresh = leaf(&cluster, node, "web")?;
        ensure!(
            fresh["SerialNumber"] != one["SerialNumber"] && fresh["CertPEM"] != two["CertPEM"],
            "signed anew"
        );
        verify(&dir, &fresh, &both[..1]).context("by who knows only the old root")?;
        verify(&dir, &fresh, &both[1..]).context("by who knows only the new root")?;
    }
    verify(&dir, &two, &both).context("a leaf of before")?;

    // The primary is gone: the secondary goes on, also after a restart.
    cluster.node_mut("server1")?.kill();
    verify(&dir, &leaf(&cluster, "client1", "db")?, &both)?;
    cluster.node_mut("server2")?.kill();
    cluster.node_mut("server2")?.start()?;
    verify(&dir, &leaf(&cluster, "client1", "cache")?, &both)?;
    cluster.node_mut("server1")?.start()?;
    let same = wait_for("dc1 with the root that it had", || {
        (active(cluster.node("server1").ok()?)? == now).then_some(())
    });
    same?;
    ensure!(roots(cluster.node("client1")?) == Some(both), "nothing changed by that");

    for node in &cluster.nodes {
        ensure!(!node.log().contains("PRIVATE KEY"), "{} logs a key", node.name);
    }
    let shown = cluster.node("server1")?.call("GET", "/v1/connect/ca/configuration", "");
    ensure!(shown.status == 200 && !shown.body.contains("PRIVATE KEY"), "{shown:?}");
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
