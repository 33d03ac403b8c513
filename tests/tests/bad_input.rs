//! Mistakes and hostile input, from outside: an agent says what is wrong, and a running one is not hurt.

use anyhow::{Result, ensure};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};
use tests::cluster::{Cluster, Node, ask_dns, wait_for};

const OTHER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const LIMIT: Duration = Duration::from_secs(15);

fn args(list: &[&str]) -> Vec<String> {
    list.iter().map(|a| (*a).to_owned()).collect()
}

/// Starts an agent that must end by itself with code 1; answers its log.
fn refused(node: &mut Node) -> Result<String> {
    node.start()?;
    let code = node.wait_end()?;
    ensure!(code == Some(1), "exit code {code:?}: {}", node.log());
    Ok(node.log())
}

fn logged(node: &Node, text: &str) -> Result<()> {
    match wait_for(text, || node.log().contains(text).then_some(())) {
        Ok(_) => Ok(()),
        Err(e) => anyhow::bail!("{}: {e}\n{}", node.name, node.log()),
    }
}

/// A server alone and one client.
fn pair() -> Result<Cluster> {
    let mut cluster = Cluster::new(1, 1)?;
    cluster.node_mut("server1")?.args = args(&["-bootstrap-expect=1"]);
    Ok(cluster)
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let mut cluster = Cluster::new(1, 0)?;
    let node = cluster.node_mut("server1")?;
    for (what, addr) in
        [("HTTP", node.http()), ("DNS", node.dns()), ("RPC", node.rpc()), ("TCP", node.gossip())]
    {
        let held = TcpListener::bind(addr)?;
        let log = refused(node)?;
        drop(held);
        let line = log.lines().rev().find(|l| l.contains("Error starting agent")).unwrap_or_default();
        for part in
            [&format!("Failed to start {what} listener"), "ddress already in use", &addr.port().to_string()]
        {
            ensure!(line.contains(part), "{part:?} is not in: {log}");
        }
    }
    for (what, addr) in [("DNS", node.dns()), ("UDP", node.gossip())] {
        let held = UdpSocket::bind(addr)?;
        let log = refused(node)?;
        drop(held);
        let line = log.lines().rev().find(|l| l.contains("Error starting agent")).unwrap_or_default();
        ensure!(line.contains(&format!("Failed to start {what} listener")), "{log}");
        ensure!(line.contains(&addr.port().to_string()), "{log}");
    }
    // Nothing of the failed starts is in the way.
    node.args = args(&["-bootstrap-expect=1"]);
    cluster.start()?;
    cluster.wait_formed(1)?;
    Ok(())
}

#[test]
fn settings_that_cannot_work_are_named() -> Result<()> {
    let mut cluster = Cluster::new(1, 0)?;
    let file = cluster.dir().join("file");
    std::fs::write(&file, "")?;
    let (file, below) = (file.display().to_string(), file.join("below").display().to_string());
    let node = cluster.node_mut("server1")?;
    let cases: [(&[&str], &str); 7] = [
        (&["-data-dir", &file], "is not a directory"),
        (&["-data-dir", &below], "Not a directory"),
        (&["-encrypt", "YWJj"], "key size must be 16, 24 or 32 bytes"),
        (&["-encrypt", "not base64"], "encrypt has invalid key: illegal base64 data"),
        (&["-bootstrap"], "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"),
        (&["-node-id", "nonsense"], "specified NodeID is invalid"),
        (&["-hcl", "bootstrap_expect = \"many\""], "bootstrap_expect"),
    ];
    for (more, text) in cases {
        node.args = args(more);
        let log = refused(node)?;
        ensure!(log.contains(text), "{more:?}: {text:?} is not in:\n{log}");
    }
    Ok(())
}

#[test]
fn a_data_dir_has_one_agent() -> Result<()> {
    let mut cluster = pair()?;
    let data = cluster.node("server1")?.data_dir().display().to_string();
    cluster.node_mut("server1")?.start()?;
    cluster.wait_formed(1)?;
    let second = cluster.node_mut("client1")?;
    second.args = args(&["-data-dir", &data]);
    let log = refused(second)?;
    ensure!(log.contains("is in use by another agent"), "{log}");
    cluster.wait_formed(1)?;
    Ok(())
}

#[test]
fn servers_with_one_node_id_or_other_expectations_form_nothing() -> Result<()> {
    let mut cluster = Cluster::new(2, 0)?;
    for (first, second, text) in [
        (
            ["-node-id=0123cdef-0a0b-4c0d-8e0f-000000000001", "-bootstrap-expect=2"],
            ["-node-id=0123cdef-0a0b-4c0d-8e0f-000000000001", "-bootstrap-expect=2"],
            "two servers have the node id 0123cdef-0a0b-4c0d-8e0f-000000000001",
        ),
        (
            ["-node-id=0123cdef-0a0b-4c0d-8e0f-000000000002", "-bootstrap-expect=2"],
            ["-node-id=0123cdef-0a0b-4c0d-8e0f-000000000003", "-bootstrap-expect=3"],
            "all servers must agree",
        ),
    ] {
        cluster.node_mut("server1")?.args = args(&first);
        cluster.node_mut("server2")?.args = args(&second);
        cluster.start()?;
        for node in &cluster.nodes {
            logged(node, text)?;
            ensure!(node.get("/v1/status/leader").is_some_and(|l| l == ""), "{} has a leader", node.name);
        }
        cluster.nodes.iter_mut().for_each(Node::kill);
    }
    Ok(())
}

#[test]
fn two_bootstrap_servers_stay_two_and_lose_nothing() -> Result<()> {
    let mut cluster = Cluster::new(2, 0)?;
    for node in &mut cluster.nodes {
        node.args = args(&["-bootstrap", "-hcl", "bootstrap_expect = 0"]);
    }
    cluster.start()?;
    for node in &cluster.nodes {
        let write = || (node.call("PUT", "/v1/kv/mine", &node.name).body.trim() == "true").then_some(());
        wait_for("each leads its own", write)?;
    }
    for node in &cluster.nodes {
        logged(node, "both in bootstrap mode")?;
    }
    for node in &cluster.nodes {
        let read = node.call("GET", "/v1/kv/mine?raw&consistent", "");
        ensure!(read.status == 200 && read.body == node.name, "{}: {read:?}\n{}", node.name, cluster.logs());
    }
    Ok(())
}

#[test]
fn a_wrong_gossip_key_stays_outside() -> Result<()> {
    let mut cluster = pair()?;
    cluster.node_mut("client1")?.args = args(&["-encrypt", OTHER_KEY]);
    cluster.node_mut("server1")?.start()?;
    cluster.wait_formed(1)?;
    let client = cluster.node_mut("client1")?;
    client.start()?;
    logged(client, "another encryption key or datacenter?")?;
    let server = cluster.node("server1")?;
    let members = server.get("/v1/agent/members").unwrap_or_default();
    ensure!(members.as_array().is_some_and(|m| m.len() == 1), "{members}");
    ensure!(server.call("PUT", "/v1/kv/a", "b").status == 200);
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}

/// Sends bytes and waits until the other side has dealt with them: it answers, closes or resets.
fn throw(addr: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // The other side may have closed in the middle, which is its right.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(answer)
}

#[test]
fn hostile_bytes_hurt_nobody() -> Result<()> {
    let mut cluster = pair()?;
    cluster.start()?;
    cluster.wait_formed(2)?;
    let server = cluster.node("server1")?;
    let status = |method, path, body: &str| {
        let answer = server.call(method, path, body);
        (answer.status, answer.body)
    };
    for body in ["{", "[]", "{\"Name\":1}", "\u{0}", ""] {
        let (code, text) = status("PUT", "/v1/agent/service/register", body);
        ensure!(code == 400 && !text.is_empty(), "{body:?}: {code} {text}");
    }
    let (code, text) = status("GET", "/v1/catalog/nodes?filter=Node+is+is", "");
    ensure!(code == 500 && text.contains("Failed to create boolean expression evaluator"), "{code} {text}");
    let (code, text) = status("PUT", "/v1/kv/big", &"x".repeat(600 * 1024));
    ensure!(code == 413 && text.contains("too large"), "{code} {text}");
    ensure!(status("GET", "/v1/kv/big", "").0 == 404, "half a value was stored");

    let noise: Vec<u8> = (0..4096u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let throws: [&[u8]; 6] =
        [b"", b"\0", b"GET / HTTP/9.9\r\n\r\n", &noise, &[0xFF; 70_000], long_line.as_bytes()];
    for addr in [server.http(), server.dns(), server.rpc(), server.gossip()] {
        for bytes in throws {
            throw(addr, bytes)?;
        }
    }
    for addr in [server.dns(), server.gossip()] {
        let socket = UdpSocket::bind((server.ip, 0))?;
        for length in [0, 1, 11, 12, 13, 40, 100, 512, 1400, 4000] {
            socket.send_to(&noise[..length], addr)?;
            socket.send_to(&vec![0xFF; length], addr)?;
            socket.send_to(&vec![0xC0; length], addr)?;
        }
    }
    ensure!(
        status("PUT", "/v1/kv/after", "x") == (200, "true\n".to_owned())
            || status("PUT", "/v1/kv/after", "x").0 == 200
    );
    ensure!(!ask_dns(server.dns(), "server1.node.consul")?.is_empty());
    cluster.wait_formed(2)?;
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}

#[test]
fn a_client_reloads_and_leaves() -> Result<()> {
    let mut cluster = pair()?;
    let file = cluster.dir().join("service.hcl");
    let write = |port: &str| std::fs::write(&file, format!("service {{ name = \"api\" port = {port} }}\n"));
    write("1000")?;
    cluster.node_mut("client1")?.args = args(&["-config-file", &file.display().to_string()]);
    cluster.start()?;
    cluster.wait_formed(2)?;
    let api = |port: u16| {
        cluster.wait_everywhere("the service", "/v1/catalog/service/api", move |rows| {
            rows.as_array().is_some_and(|r| r.len() == 1) && rows[0]["ServicePort"] == port
        })
    };
    api(1000)?;
    write("2000")?;
    let client = cluster.node("client1")?;
    ensure!(client.call("PUT", "/v1/agent/reload", "").status == 200);
    api(2000)?;
    write("\"many")?;
    let answer = client.call("PUT", "/v1/agent/reload", "");
    ensure!(answer.status == 500 && answer.body.contains("service.hcl"), "{answer:?}");
    api(2000)?;

    let client = cluster.node_mut("client1")?;
    client.signal(Signal::INT)?;
    let code = client.wait_end()?;
    ensure!(code == Some(0), "{code:?} {}", client.log());
    cluster.wait_everywhere("client1 out of the catalog", "/v1/catalog/nodes", |rows| {
        rows.as_array().is_some_and(|r| r.len() == 1)
    })?;
    cluster.wait_everywhere("client1 left", "/v1/agent/members", |rows| {
        let left = |m: &serde_json::Value| m["Name"] != "client1" || m["Status"] == 3;
        rows.as_array().is_some_and(|r| r.iter().all(left))
    })?;
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
