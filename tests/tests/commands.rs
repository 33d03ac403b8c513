//! Commands that run on, against a real agent: locks exclude each other and are given back, watches call their handlers.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use std::{path::Path, process::Command};
use tests::{
    cluster::{Cluster, PATIENCE, wait_for},
    process::{Child, binary, clean_command},
};

fn command(cluster: &Cluster, args: &[&str]) -> Result<Command> {
    let mut command = clean_command(&binary()?);
    command
        .env("CONSUL_HTTP_ADDR", cluster.nodes[0].http().to_string())
        .args(args)
        .current_dir(cluster.dir());
    Ok(command)
}

fn one_server() -> Result<Cluster> {
    let mut cluster = Cluster::new(1, 0)?;
    cluster.nodes[0].args = vec!["-bootstrap-expect".into(), "1".into()];
    cluster.start()?;
    cluster.wait_formed(1)?;
    Ok(cluster)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn lines(path: &Path) -> usize {
    text(path).lines().count()
}

#[test]
fn a_lock_excludes_and_is_given_back() -> Result<()> {
    let cluster = one_server()?;
    let out = cluster.dir().join("order");
    // Each child writes its begin and its end; nothing may come between the two.
    let script = "echo begin >> order; sleep 0.3; echo end >> order";
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(Child::start(&mut command(&cluster, &["lock", "mutex", script])?)?);
    }
    for child in &mut all {
        let ended = child.wait_end(PATIENCE).context("a lock was never given back")?;
        ensure!(ended.success(), "{ended}");
    }
    ensure!(text(&out) == "begin\nend\n".repeat(3), "children overlapped: {}", text(&out));
    let left = cluster.nodes[0].call("GET", "/v1/kv/mutex/.lock", "");
    ensure!(left.status == 404, "the key stayed: {}", left.body);
    Ok(())
}

#[test]
fn a_lock_ends_with_a_signal_and_its_child_with_it() -> Result<()> {
    let cluster = one_server()?;
    let started = cluster.dir().join("started");
    let script = "trap 'echo told > told; exit 3' TERM; echo x > started; while :; do sleep 0.1; done";
    let mut holder = Child::start(&mut command(&cluster, &["lock", "-child-exit-code", "held", script])?)?;
    holder.wait_until(PATIENCE, || started.exists().then_some(())).context("the child never started")?;
    // Another does not get it in the meantime.
    let other = command(&cluster, &["lock", "-timeout", "500ms", "held", "echo x > stolen"])?.output()?;
    let err = String::from_utf8_lossy(&other.stderr).into_owned();
    ensure!(other.status.code() == Some(1) && err.contains("timeout during lock acquisition"), "{err}");
    ensure!(!cluster.dir().join("stolen").exists(), "two held it");
    holder.signal(Signal::TERM)?;
    let ended = holder.wait_end(PATIENCE).context("the holder does not end")?;
    ensure!(ended.code() == Some(2), "{ended}");
    ensure!(text(&cluster.dir().join("told")) == "told\n", "the child was not asked to end");
    let next = command(&cluster, &["lock", "-timeout", "30s", "held", "true"])?.output()?;
    ensure!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    Ok(())
}

#[test]
fn a_child_ends_when_its_lock_is_taken_away() -> Result<()> {
    let cluster = one_server()?;
    let started = cluster.dir().join("started");
    let script = "echo x > started; while :; do sleep 0.1; done";
    let mut holder = Child::start(&mut command(&cluster, &["lock", "lost", script])?)?;
    holder.wait_until(PATIENCE, || started.exists().then_some(())).context("the child never started")?;
    let sessions = cluster.nodes[0].get("/v1/session/list").context("no sessions")?;
    let id = sessions[0]["ID"].as_str().context("no session")?.to_owned();
    ensure!(cluster.nodes[0].call("PUT", &format!("/v1/session/destroy/{id}"), "").status == 200);
    let ended = holder.wait_end(PATIENCE).context("it goes on without the lock")?;
    ensure!(ended.success(), "{ended}");
    Ok(())
}

#[test]
fn a_semaphore_has_as_many_places_as_it_says() -> Result<()> {
    let cluster = one_server()?;
    let (begun, go) = (cluster.dir().join("begun"), cluster.dir().join("go"));
    let script = "echo x >> begun; while [ ! -e go ]; do sleep 0.05; done; echo x >> done";
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(Child::start(&mut command(&cluster, &["lock", "-n", "2", "places", script])?)?);
    }
    wait_for("two holders", || (lines(&begun) == 2).then_some(()))?;
    let contenders = || {
        let keys = cluster.nodes[0].get("/v1/kv/places/?keys")?;
        (keys.as_array()?.len() == 4).then_some(())
    };
    wait_for("the third contender", contenders)?;
    ensure!(lines(&begun) == 2, "a third got a place");
    std::fs::write(&go, "")?;
    for child in &mut all {
        ensure!(child.wait_end(PATIENCE).context("a place was never given back")?.success());
    }
    ensure!(lines(&cluster.dir().join("done")) == 3, "not all had their turn");
    Ok(())
}

#[test]
fn a_watch_calls_its_child_on_every_change() -> Result<()> {
    let cluster = one_server()?;
    let seen = cluster.dir().join("seen");
    let script = "cat >> seen; echo $CONSUL_INDEX >> indexes";
    let mut watch = Child::start(&mut command(&cluster, &["watch", "-type", "key", "-key", "w", script])?)?;
    watch.wait_until(PATIENCE, || text(&seen).contains("null").then_some(())).context("the first call")?;
    for (n, value) in [(2, "one"), (3, "two")] {
        ensure!(cluster.nodes[0].call("PUT", "/v1/kv/w", value).status == 200);
        watch.wait_until(PATIENCE, || (lines(&seen) == n).then_some(())).context("a call for a change")?;
    }
    ensure!(text(&seen).lines().last().is_some_and(|l| l.contains(r#""Value":"dHdv""#)), "{}", text(&seen));
    watch.signal(Signal::INT)?;
    ensure!(watch.wait_end(PATIENCE).context("it does not end")?.success());
    let indexes: Vec<u64> =
        text(&cluster.dir().join("indexes")).lines().filter_map(|l| l.parse().ok()).collect();
    ensure!(indexes.len() == 3 && indexes.is_sorted(), "{indexes:?}");
    Ok(())
}

#[test]
fn watches_of_the_configuration_start_and_end_with_a_reload() -> Result<()> {
    let mut cluster = Cluster::new(1, 0)?;
    let file = cluster.dir().join("watches.hcl");
    let of = |key: &str| {
        let args = format!("[\"/bin/sh\", \"-c\", \"cat >> seen-{key}\"]");
        format!("watches = [{{ type = \"key\", key = \"{key}\", args = {args} }}]\n")
    };
    std::fs::write(&file, of("a"))?;
    let name = file.to_string_lossy().into_owned();
    cluster.nodes[0].args = ["-bootstrap-expect", "1", "-config-file", &name].map(str::to_owned).into();
    cluster.start()?;
    cluster.wait_formed(1)?;
    let seen = |key: &str| text(&cluster.dir().join(format!("seen-{key}")));
    wait_for("the first call", || seen("a").contains("null").then_some(()))?;
    ensure!(cluster.nodes[0].call("PUT", "/v1/kv/a", "x").status == 200);
    wait_for("a call for a change", || (seen("a").lines().count() == 2).then_some(()))?;
    std::fs::write(&file, of("b"))?;
    ensure!(cluster.nodes[0].call("PUT", "/v1/agent/reload", "").status == 200);
    wait_for("the new watch", || seen("b").contains("null").then_some(()))?;
    ensure!(cluster.nodes[0].call("PUT", "/v1/kv/a", "y").status == 200);
    ensure!(cluster.nodes[0].call("PUT", "/v1/kv/b", "y").status == 200);
    wait_for("a call of the new one", || (seen("b").lines().count() == 2).then_some(()))?;
    ensure!(seen("a").lines().count() == 2, "the old one still runs");
    Ok(())
}

#[test]
fn exec_runs_where_it_is_permitted() -> Result<()> {
    let mut cluster = Cluster::new(1, 2)?;
    let file = cluster.dir().join("exec.hcl");
    std::fs::write(&file, "disable_remote_exec = false\n")?;
    cluster.nodes[0].args = vec!["-bootstrap-expect".into(), "1".into()];
    // The server does not permit it.
    for client in &mut cluster.nodes[1..] {
        client.args.extend(["-config-file".to_owned(), file.to_string_lossy().into_owned()]);
    }
    cluster.start()?;
    cluster.wait_formed(3)?;
    let run = |args: &[&str]| -> Result<(Option<i32>, String)> {
        let out = command(&cluster, &[&["exec", "-wait", "5s"], args].concat())?.output()?;
        Ok((out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned()))
    };
    let (code, said) = run(&["echo on $((1 + 1)); echo two >&2"])?;
    for node in ["client1", "client2"] {
        for line in ["on 2", "two"] {
            ensure!(said.contains(&format!("    {node}: {line}\n")), "{said}");
        }
        ensure!(said.contains(&format!("==> {node}: finished with exit code 0")), "{said}");
    }
    ensure!(code == Some(0) && said.contains("2 / 2 node(s) completed / acknowledged"), "{code:?} {said}");

    let (code, said) = run(&["-node", "client2", "-shell=false", "/bin/sh", "-c", "exit 7"])?;
    ensure!(code == Some(2) && said.contains("==> client2: finished with exit code 7"), "{code:?} {said}");
    ensure!(!said.contains("client1"), "{said}");
    let (code, said) = run(&["-node", "client1", "-shell=false", "/no/such/program"])?;
    ensure!(code == Some(2) && said.contains("cannot start /no/such/program"), "{code:?} {said}");
    // More than one key holds, in order; lines are cut where a key ends.
    let (_, said) = run(&["-node", "client1", "seq 1 20000"])?;
    let digits: String = said.lines().filter_map(|l| l.strip_prefix("    client1: ")).collect();
    let expected: String = (1..=20_000).map(|n: u32| n.to_string()).collect();
    ensure!(digits == expected, "{} digits of {}", digits.len(), expected.len());
    ensure!(
        cluster.nodes[0].call("GET", "/v1/kv/_rexec/?keys", "").status == 404,
        "something was left behind"
    );
    Ok(())
}

#[test]
fn bad_arguments_are_told_before_anything_happens() -> Result<()> {
    for (args, expected) in [
        (&["lock", "x"][..], "Key prefix and child command must be specified"),
        (&["lock", "-n", "0", "x", "y"], "Lock holder limit must be positive"),
        (&["lock", "-timeout", "-1s", "x", "y"], "Timeout must be positive"),
        (&["watch"], "Watch type must be specified"),
        (&["watch", "-type", "connect_roots"], "Type connect_roots is not supported in the CLI tool"),
        (&["exec"], "Must specify a command to execute"),
        (&["event"], "Event name must be specified"),
        (&["snapshot", "inspect", "nothing.snap"], "Error opening snapshot file: open nothing.snap"),
        (&["operator", "recover"], "Must specify the -data-dir"),
        (&["operator", "recover", "-data-dir", "/nonexistent"], "is not the data directory of a server"),
    ] {
        let out = clean_command(&binary()?).args(args).output()?;
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        ensure!(out.status.code() == Some(1) && err.contains(expected), "{args:?}: {err}");
    }
    Ok(())
}
