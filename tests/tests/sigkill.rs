//! Every server is killed at a random moment, over and over, under writes; whatever was acknowledged must be there after.
//!
//! `PRAETOR_KILLS` says how often, `PRAETOR_SEED` repeats the moments of an earlier run.

use anyhow::{Result, bail, ensure};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};
use tests::{
    cluster::{Cluster, wait_for},
    process::{call, now},
};

const KILLS: usize = 50;
const WRITERS: usize = 4;
/// The longest time between an elected leader and the blow.
const LIFE_MS: u64 = 400;
/// Of the kills, every nth hits the servers one after another with a pause, so that a majority goes on for a moment.
const STAGGERED: usize = 3;
/// Of the kills, every nth is followed by another one during the start.
const RELAPSE: usize = 4;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// One writer's life: unique keys, `cas=0`, any server. Answers what was acknowledged.
fn write(round: usize, writer: usize, servers: &[SocketAddr], stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("sigkill/{round}/{writer}/{n}");
        let server = servers[(writer + n) % servers.len()];
        n += 1;
        let answer = call(server, "PUT", &format!("/v1/kv/{key}?cas=0"), &value_of(&key), "");
        if answer.status == 200 && answer.body.trim() == "true" {
            acknowledged.push(key);
        } else if answer.status == 0 {
            // Dead or not yet there; the outcome of this key may be either.
            thread::yield_now();
        }
    }
    acknowledged
}

/// Distinct for each key, and long enough to cross the blocks of a disk.
fn value_of(key: &str) -> String {
    key.repeat(20)
}

/// All keys with their values, read linearizably.
fn stored(cluster: &Cluster, prefix: &str) -> Result<HashMap<String, String>> {
    let path = format!("/v1/kv/{prefix}?recurse&consistent");
    let read = || {
        cluster.nodes.iter().find_map(|n| {
            let answer = n.call("GET", &path, "");
            match answer.status {
                200 => serde_json::from_str::<Vec<Value>>(&answer.body).ok(),
                404 => Some(Vec::new()),
                _ => None,
            }
        })
    };
    let ((rows, _took), mut out) = (wait_for("a linearizable read", read)?, HashMap::new());
    for row in rows {
        use base64::Engine;
        let text = row["Value"].as_str().unwrap_or_default();
        let value = base64::engine::general_purpose::STANDARD.decode(text)?;
        out.insert(row["Key"].as_str().unwrap_or_default().to_owned(), String::from_utf8(value)?);
    }
    Ok(out)
}

fn wait_leader(cluster: &Cluster) -> Result<()> {
    let all = || {
        let leads = |n: &tests::cluster::Node| n.call("GET", "/v1/kv/none?consistent", "").status == 404;
        cluster.nodes.iter().all(leads).then_some(())
    };
    wait_for("a leader", all).map(|_formed| ())
}

fn check(stored: &HashMap<String, String>, acknowledged: &[String]) -> Vec<String> {
    let wrong = acknowledged.iter().filter(|k| stored.get(*k) != Some(&value_of(k)));
    wrong.map(|k| format!("{k}: {:?}", stored.get(k))).collect()
}

#[test]
fn acknowledged_writes_survive_the_death_of_all_servers() -> Result<()> {
    let kills = setting("PRAETOR_KILLS").unwrap_or(KILLS);
    let seed = setting("PRAETOR_SEED").unwrap_or_else(|| rand::rng().random());
    println!("PRAETOR_SEED={seed} PRAETOR_KILLS={kills}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut cluster = Cluster::new(3, 0)?;
    let servers: Vec<SocketAddr> = cluster.nodes.iter().map(tests::cluster::Node::http).collect();
    let mut acknowledged: Vec<String> = Vec::new();
    let (begin, mut slowest, mut back_sum) = (now(), Duration::ZERO, Duration::ZERO);
    cluster.start()?;
    wait_leader(&cluster)?;
    for round in 0..kills {
        let stop = AtomicBool::new(false);
        let life = Duration::from_millis(rng.random_range(0..LIFE_MS));
        let pause = Duration::from_millis(rng.random_range(0..200));
        let written = thread::scope(|scope| {
            let (servers, stop) = (&servers, &stop);
            let writers: Vec<_> =
                (0..WRITERS).map(|w| scope.spawn(move || write(round, w, servers, stop))).collect();
            thread::sleep(life);
            for node in &mut cluster.nodes {
                node.kill();
                if round % STAGGERED == 0 {
                    thread::sleep(pause);
                }
            }
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().flat_map(|w| w.join().unwrap_or_default()).collect::<Vec<_>>()
        });
        acknowledged.extend(written);
        if round % RELAPSE == 0 {
            // Dies again while it still reads its log, or elects.
            cluster.start()?;
            thread::sleep(Duration::from_millis(rng.random_range(0..1500)));
            cluster.nodes.iter_mut().for_each(tests::cluster::Node::kill);
        }
        let up = now();
        cluster.start()?;
        // This round's keys now, all of them at times and in the end.
        let all = round % 10 == 9 || round + 1 == kills;
        let prefix = if all { "sigkill/".to_owned() } else { format!("sigkill/{round}/") };
        let stored = match stored(&cluster, &prefix) {
            Ok(stored) => stored,
            Err(e) => bail!("seed {seed}, round {round}: {e}\n{}", cluster.logs()),
        };
        slowest = slowest.max(up.elapsed());
        back_sum += up.elapsed();
        let expected: Vec<String> = acknowledged.iter().filter(|k| k.starts_with(&prefix)).cloned().collect();
        let lost = check(&stored, &expected);
        ensure!(
            lost.is_empty(),
            "seed {seed}, round {round}: {} of {} acknowledged writes lost: {:?}\n{}",
            lost.len(),
            expected.len(),
            lost.iter().take(5).collect::<Vec<_>>(),
            cluster.logs()
        );
    }
    println!(
        "{kills} kills in {:?}: {} acknowledged writes, none lost; readable after {:?} on average, {slowest:?} at worst",
        begin.elapsed(),
        acknowledged.len(),
        back_sum / u32::try_from(kills.max(1))?
    );
    ensure!(acknowledged.len() > kills, "too few writes to say anything: {}", acknowledged.len());
    ensure!(cluster.panics().is_empty(), "{:?}", cluster.panics());
    Ok(())
}
