//! Two of three servers are lost for good; the third comes back alone, with all data: by `operator recover` and by `peers.json`.

use anyhow::{Result, ensure};
use std::process::Command;
use tests::{
    cluster::{Cluster, wait_for},
    process::{binary, clean_command},
};

const KEYS: usize = 50;

/// Three servers with keys that were acknowledged; then all are killed. Its data directory goes with each of the first two.
fn lost_two() -> Result<Cluster> {
    let mut cluster = Cluster::new(3, 0)?;
    cluster.start()?;
    cluster.wait_formed(3)?;
    for n in 0..KEYS {
        let put = || {
            (cluster.nodes[0].call("PUT", &format!("/v1/kv/kept/{n}"), "value").status == 200).then_some(())
        };
        wait_for("a write", put)?;
    }
    // The one that is kept must have them all.
    let path = format!("/v1/kv/kept/{}?stale", KEYS - 1);
    wait_for("the last key on the third server", || cluster.nodes[2].get(&path))?;
    cluster.nodes.iter_mut().for_each(tests::cluster::Node::kill);
    for node in &cluster.nodes[..2] {
        std::fs::remove_dir_all(node.data_dir())?;
    }
    Ok(cluster)
}

/// The third leads alone, has every key, and takes new ones.
fn comes_back(cluster: &mut Cluster) -> Result<()> {
    cluster.nodes[2].start()?;
    let node = &cluster.nodes[2];
    let keys = || node.get("/v1/kv/kept/?keys&consistent")?.as_array().map(Vec::len);
    let (found, _) = wait_for("a leader that has the keys", keys)?;
    ensure!(found == KEYS, "{found} of {KEYS} keys are there");
    let put = || (node.call("PUT", "/v1/kv/new", "x").body.trim() == "true").then_some(());
    wait_for("a new write", put)?;
    let raft = node.get("/v1/operator/raft/configuration").unwrap_or_default();
    let servers = raft["Servers"].as_array().cloned().unwrap_or_default();
    ensure!(servers.len() == 1 && servers[0]["Leader"] == true, "{raft}");
    Ok(())
}

fn command(args: &[&str]) -> Result<Command> {
    let mut command = clean_command(&binary()?);
    command.args(args);
    Ok(command)
}

#[test]
fn operator_recover_makes_the_last_server_the_datacenter() -> Result<()> {
    let mut cluster = lost_two()?;
    let dir = cluster.nodes[2].data_dir();
    let dir = dir.to_string_lossy();
    // Alone it elects nobody, and while it runs nobody rewrites its log.
    cluster.nodes[2].start()?;
    wait_for("the agent", || cluster.nodes[2].get("/v1/agent/self"))?;
    ensure!(cluster.nodes[2].call("PUT", "/v1/kv/x", "x").status != 200, "a write without a quorum");
    let busy = command(&["operator", "recover", "-data-dir", &dir, "-yes"])?.output()?;
    let text = String::from_utf8_lossy(&busy.stderr).into_owned();
    ensure!(busy.status.code() == Some(1) && text.contains("stop it first"), "{text}");
    cluster.nodes[2].kill();

    let refused =
        command(&["operator", "recover", "-data-dir", &dir])?.stdin(std::process::Stdio::null()).output()?;
    ensure!(refused.status.code() == Some(1), "went on without a confirmation");
    let done = command(&["operator", "recover", "-data-dir", &dir, "-yes"])?.output()?;
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success(), "{out}{err}");
    ensure!(out.contains("wants 2 of 3 voters") && out.contains("Recovered."), "{out}");
    comes_back(&mut cluster)
}

#[test]
fn peers_json_is_taken_up_once() -> Result<()> {
    let mut cluster = lost_two()?;
    let raft = cluster.nodes[2].data_dir().join("raft");
    let file = raft.join("peers.json");
    std::fs::write(&file, "[{\"id\": \"nonsense\"}]")?;
    cluster.nodes[2].start()?;
    ensure!(cluster.nodes[2].wait_end()? == Some(1), "started with a broken peers.json");
    let log = cluster.nodes[2].log();
    ensure!(log.contains("peers.json: entry 1: id: a server id is a UUID"), "{log}");
    ensure!(file.exists(), "a file that was not taken up is gone");
    cluster.nodes[2].kill();

    std::fs::write(&file, format!("[{:?}]", cluster.nodes[2].rpc().to_string()))?;
    comes_back(&mut cluster)?;
    ensure!(!file.exists(), "the file would be taken up again");
    ensure!(raft.join("peers.info").exists(), "nobody is told how to write it");
    Ok(())
}
