//! Sessions, snapshots, watches by events, namespaces and limits, on real servers and a client agent.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};
use tests::{
    cluster::{Cluster, Node, PATIENCE, wait_for},
    process::{binary, clean_command, now},
};

fn cluster(servers: u8, clients: u8) -> Result<Cluster> {
    let mut cluster = Cluster::new(servers, clients)?;
    cluster.start()?;
    cluster.wait_formed(usize::from(servers + clients))?;
    Ok(cluster)
}

fn done(node: &Node, path: &str, body: &str) -> bool {
    node.call("PUT", path, body).body.trim() == "true"
}

fn session(node: &Node, body: &str) -> Result<String> {
    let path = "/v1/session/create";
    let answer = node.call("PUT", path, body);
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
    let id: Value = serde_json::from_str(&answer.body)?;
    Ok(id["ID"].as_str().context("no id")?.to_owned())
}

fn lives(node: &Node, id: &str) -> Option<bool> {
    Some(!node.get(&format!("/v1/session/info/{id}?consistent"))?.as_array()?.is_empty())
}

/// A session ends at twice its time to live after the last renewal, with the node that it lives on, and not before; and a lock is
/// then free after its delay.
#[test]
fn sessions_end_in_time_and_with_their_node() -> Result<()> {
    let mut cluster = cluster(3, 1)?;
    let begun = now();
    let (kept, left, of_client) = {
        let (server, client) = (&cluster.nodes[0], &cluster.nodes[3]);
        // Of a client that has just come the gossip check may lag behind.
        let of_client = wait_for("a session of the client", || {
            session(client, r#"{"Name":"of the client","LockDelay":"1s"}"#).ok()
        })?;
        let kept = session(client, r#"{"TTL":"10s","NodeChecks":[]}"#)?;
        let left = session(server, r#"{"TTL":"10s","Behavior":"delete","NodeChecks":[]}"#)?;
        (kept, left, of_client.0)
    };
    let (server, client) = (&cluster.nodes[0], &cluster.nodes[3]);
    ensure!(done(client, &format!("/v1/kv/lock?acquire={of_client}"), "mine"));
    ensure!(done(server, &format!("/v1/kv/gone?acquire={left}"), "x"));
    let created = now();
    let mut renewed = now();
    let over = wait_for("the end of the session that nobody renews", || {
        if renewed.elapsed() > Duration::from_secs(2) {
            renewed = now();
            let answer = client.call("PUT", &format!("/v1/session/renew/{kept}"), "");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        (!lives(server, &left)?).then(|| created.elapsed())
    })?
    .0;
    ensure!(over > Duration::from_secs(19), "ended after {over:?}");
    ensure!(begun.elapsed() < PATIENCE && lives(server, &kept) == Some(true), "the renewed one ended");
    ensure!(server.call("GET", "/v1/kv/gone", "").status == 404, "its key is still there");
    let late = server.call("PUT", &format!("/v1/session/renew/{left}"), "");
    ensure!(late.status == 404 && late.body.contains("not found"), "{}", late.body);

    cluster.nodes[3].kill();
    let server = &cluster.nodes[0];
    wait_for("the end of the session on a dead node", || (!lives(server, &of_client)?).then_some(()))?;
    let next = session(server, "{}")?;
    let take = || done(server, &format!("/v1/kv/lock?acquire={next}"), "mine now").then_some(());
    wait_for("the lock", take)?;
    let held = server.get("/v1/kv/lock").context("no lock")?;
    ensure!(held[0]["LockIndex"] == 2 && held[0]["Session"] == next.as_str(), "{held}");
    Ok(())
}

fn praetor(node: &Node, args: &[&str]) -> Result<Command> {
    let mut command = clean_command(&binary()?);
    command.args(args).env("CONSUL_HTTP_ADDR", node.http().to_string());
    Ok(command)
}

/// What a client agent saved, another server restores; all servers have it, whoever waited is told, and a broken file changes
/// nothing.
#[test]
fn a_snapshot_comes_back_on_every_server() -> Result<()> {
    let cluster = cluster(3, 1)?;
    let (server, client) = (&cluster.nodes[0], &cluster.nodes[3]);
    for n in 0..20 {
        ensure!(done(server, &format!("/v1/kv/saved/{n}"), &"v".repeat(50_000)));
    }
    let file = cluster.dir().join("state.tgz");
    let file = file.to_string_lossy();
    let saved = praetor(client, &["snapshot", "save", &file])?.output()?;
    ensure!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    ensure!(done(server, "/v1/kv/later", "x"));
    let seen = server.get("/v1/kv/later").context("no key")?;
    let index = seen[0]["ModifyIndex"].as_u64().context("no index")?;

    let whole = std::fs::read(&*file)?;
    let broken = format!("{file}.broken");
    std::fs::write(&broken, &whole[..whole.len() / 2])?;
    let refused = praetor(client, &["snapshot", "restore", &broken])?.output()?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && why.contains("truncated"), "{why}");
    ensure!(server.call("GET", "/v1/kv/later", "").status == 200, "a broken file changed something");

    let waiting = std::thread::spawn({
        let addr = server.http();
        move || tests::process::call(addr, "GET", &format!("/v1/kv/later?index={index}&wait=80s"), "", "")
    });
    let restored = praetor(&cluster.nodes[1], &["snapshot", "restore", &file])?.output()?;
    ensure!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let told = waiting.join().map_err(|_panic| anyhow::anyhow!("the watch panicked"))?;
    ensure!(told.status == 404, "{}", told.status);
    for node in &cluster.nodes[..3] {
        wait_for("the restored state", || {
            let keys = node.get("/v1/kv/?keys&stale")?;
            (keys.as_array()?.len() == 20 && node.call("GET", "/v1/kv/later?stale", "").status == 404)
                .then_some(())
        })?;
    }
    ensure!(done(server, "/v1/kv/later", "again"));
    let again = server.get("/v1/kv/later").context("no key")?;
    ensure!(again[0]["ModifyIndex"].as_u64() > Some(index), "an index went back: {again}");
    Ok(())
}

/// The next event of a stream: its id and data.
fn event(stream: &mut impl BufRead) -> Result<(u64, String)> {
    let (id, data) = message(stream)?;
    Ok((id.parse()?, data))
}

/// The next message of a stream, whatever its id is.
fn message(stream: &mut impl BufRead) -> Result<(String, String)> {
    let (mut id, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the stream ended");
        if let Some(given) = line.strip_prefix("id: ") {
            given.trim().clone_into(&mut id);
        } else if let Some(data) = line.strip_prefix("data: ") {
            return Ok((id, data.trim().to_owned()));
        }
    }
}

fn follow(node: &Node, path: &str, last: Option<impl std::fmt::Display>) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(node.http())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{last}\r\n")?;
    Ok(BufReader::new(stream))
}

#[test]
fn a_read_is_followed_by_events_and_resumed() -> Result<()> {
    let cluster = cluster(3, 1)?;
    let (server, client) = (&cluster.nodes[0], &cluster.nodes[3]);
    for (node, key) in [(server, "a"), (client, "b")] {
        let path = format!("/v1/kv/{key}?watch=sse");
        let mut stream = follow(node, &path, None::<u64>)?;
        let (_, nothing) = event(&mut stream)?;
        ensure!(nothing == "null", "{nothing}");
        ensure!(done(server, &format!("/v1/kv/{key}"), "1"));
        let (first, data) = event(&mut stream)?;
        ensure!(data.contains("\"MQ==\""), "{data}");
        drop(stream);
        ensure!(done(server, &format!("/v1/kv/{key}"), "2"));
        let mut resumed = follow(node, &path, Some(first))?;
        let (second, data) = event(&mut resumed)?;
        ensure!(second > first && data.contains("\"Mg==\""), "{second} {data}");
    }
    let bad = server.call("GET", "/v1/kv/a?watch=sometimes", "");
    ensure!(bad.status == 400 && bad.body.contains("sometimes"), "{}", bad.body);
    // What goes is told although it has no index any more.
    let made = server.call("POST", "/v1/query", r#"{"Name":"gone","Service":{"Service":"web"}}"#);
    let made: Value = serde_json::from_str(&made.body)?;
    let path = format!("/v1/query/{}", made["ID"].as_str().context("no id")?);
    let mut stream = follow(server, &format!("{path}?watch=sse"), None::<u64>)?;
    ensure!(event(&mut stream)?.1.contains("\"gone\""));
    ensure!(server.call("DELETE", &path, "").status == 200);
    let (_, nothing) = event(&mut stream)?;
    ensure!(nothing == "null", "{nothing}");
    // What is executed has no index to wait by.
    let bad = server.call("GET", "/v1/query/a/execute?watch=sse", "");
    ensure!(bad.status == 400 && bad.body.contains("cannot follow what is executed"), "{}", bad.body);
    Ok(())
}

#[test]
fn user_events_are_followed_one_by_one() -> Result<()> {
    let cluster = cluster(3, 1)?;
    let (server, client) = (&cluster.nodes[0], &cluster.nodes[3]);
    let fire = |name: &str| -> Result<String> {
        let fired: Value =
            serde_json::from_str(&server.call("PUT", &format!("/v1/event/fire/{name}"), "x").body)?;
        Ok(fired["ID"].as_str().context("no id")?.to_owned())
    };
    let path = "/v1/event/list?watch=sse&name=deploy";
    let first = fire("deploy")?;
    let mut stream = follow(client, path, None::<u64>)?;
    let (id, data) = message(&mut stream)?;
    ensure!(id == first && data.contains("\"Payload\":\"eA==\""), "{id} {data}");
    fire("other")?;
    let second = fire("deploy")?;
    ensure!(message(&mut stream)?.0 == second, "another name was told");
    let third = fire("deploy")?;
    // Whoever comes back hears what came meanwhile, and nothing twice.
    let mut resumed = follow(client, path, Some(&second))?;
    ensure!(message(&mut resumed)?.0 == third);
    Ok(())
}

#[test]
fn namespaces_and_partitions_are_made_used_and_removed() -> Result<()> {
    let cluster = cluster(3, 0)?;
    let node = &cluster.nodes[0];
    let put = |path: &str, body: &str| node.call("PUT", path, body);
    let unknown = put("/v1/kv/x?ns=team", "v");
    ensure!(unknown.status == 400 && unknown.body.contains("\"team\" does not exist"), "{}", unknown.body);
    let unknown = put("/v1/kv/x?partition=edge", "v");
    ensure!(unknown.status == 400 && unknown.body.contains("Partition \"edge\""), "{}", unknown.body);
    let bad = put("/v1/namespace", r#"{"Name":"no dots.here"}"#);
    ensure!(bad.status == 500 && bad.body.contains("not valid"), "{}: {}", bad.status, bad.body);

    let made = put("/v1/namespace", r#"{"Name":"team","Description":"ours","Meta":{"a":"b"}}"#);
    ensure!(made.status == 200 && made.body.contains("\"ours\""), "{}", made.body);
    ensure!(put("/v1/partition", r#"{"Name":"edge"}"#).status == 200);
    ensure!(put("/v1/namespace?partition=edge", r#"{"Name":"team"}"#).status == 200);
    let names = node.get("/v1/namespaces").context("no namespaces")?;
    let names: Vec<_> = names.as_array().into_iter().flatten().filter_map(|n| n["Name"].as_str()).collect();
    ensure!(names == ["default", "team"], "{names:?}");

    for (query, value) in [("", "0"), ("?ns=team", "1"), ("?ns=team&partition=edge", "2")] {
        ensure!(done(node, &format!("/v1/kv/x{query}"), value));
    }
    for (query, value) in [("?raw", "0"), ("?raw&ns=team", "1"), ("?raw&ns=team&partition=edge", "2")] {
        ensure!(node.call("GET", &format!("/v1/kv/x{query}"), "").body == value, "{query}");
    }
    let held = node.call("DELETE", "/v1/namespace/team", "");
    ensure!(held.status == 500 && held.body.contains("keys: 1"), "{}", held.body);
    node.call("DELETE", "/v1/kv/x?ns=team", "");
    ensure!(node.call("DELETE", "/v1/namespace/team", "").status == 200);
    ensure!(node.call("GET", "/v1/namespace/team", "").status == 404);
    ensure!(node.call("DELETE", "/v1/partition/edge", "").status == 500, "it holds a key");
    Ok(())
}

/// Clients without measure, for a time that is far above an election timeout, on every server at once.
#[test]
fn a_flooded_datacenter_keeps_its_leader() -> Result<()> {
    const FLOOD: Duration = Duration::from_secs(6);
    let mut cluster = Cluster::new(3, 0)?;
    let file = cluster.dir().join("limits.hcl");
    let rates = "request_limits { mode = \"enforcing\" read_rate = 20 write_rate = 10 }";
    std::fs::write(&file, format!("limits {{ http_max_conns_per_client = 1000 {rates} }}\n"))?;
    for node in &mut cluster.nodes {
        node.args.extend(["-config-file".to_owned(), file.to_string_lossy().into_owned()]);
    }
    cluster.start()?;
    cluster.wait_formed(3)?;
    let leader = cluster.leader()?;
    let term = |node: &Node| node.get("/v1/agent/self")?["Stats"]["raft"]["term"].as_str().map(str::to_owned);
    let before = term(cluster.node(&leader)?).context("no term")?;
    let end = now() + FLOOD;
    let client = |node: &Node, method: &str| -> Result<(u32, u32)> {
        let (mut served, mut refused) = (0, 0);
        while now() < end {
            let answer = node.call(method, "/v1/kv/flood", "x");
            match answer.status {
                200 | 404 => served += 1,
                429 | 503 => {
                    let head = answer.head.to_ascii_lowercase();
                    ensure!(head.contains("\r\nretry-after: 1"), "{head}");
                    refused += 1;
                }
                other => anyhow::bail!("{method}: {other} {}", answer.body),
            }
        }
        Ok((served, refused))
    };
    let (mut served, mut refused) = (0, 0);
    std::thread::scope(|scope| -> Result<()> {
        let floods: Vec<_> = cluster
            .nodes
            .iter()
            .flat_map(|node| ["PUT", "GET", "PUT", "GET"].map(|method| (node, method)))
            .map(|(node, method)| scope.spawn(move || client(node, method)))
            .collect();
        // What an operator needs most is still there.
        while now() < end {
            let seen = cluster.nodes[0].call("GET", "/v1/operator/raft/configuration", "");
            ensure!(seen.status == 200, "{} {}", seen.status, seen.body);
        }
        for flood in floods {
            let (s, r) = flood.join().map_err(|_panic| anyhow::anyhow!("a client panicked"))??;
            (served, refused) = (served + s, refused + r);
        }
        Ok(())
    })?;
    ensure!(served > 0 && refused > served / 10, "{served} served, {refused} refused");
    ensure!(cluster.leader()? == leader, "another leads");
    let after = term(cluster.node(&leader)?).context("no term")?;
    ensure!(after == before, "there was an election: term {before}, then {after}");
    Ok(())
}
