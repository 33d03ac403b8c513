//! What a proposal costs on a server that is alone: lone latency, and throughput of 64 proposers.
//!
//! `cargo run --release -p raft --example propose_bench [directory]`; `-` keeps the log in memory.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]

use bytes::Bytes;
use catalog::{ChangeSet, Store};
use raft::{Observer, Peer, RaftConfig, RaftHandle, ServerId, Transport, TransportError};
use runtime::{BoxFuture, RngSeed, Shutdown, SystemClock, Tasks};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use types::{
    Tenancy,
    command::{Command, KvOp},
};

struct Nobody;
impl Transport for Nobody {
    fn call(
        &self,
        _: &Peer,
        _: ServerId,
        _: Bytes,
        _: Duration,
    ) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async { Err(TransportError::Unreachable("alone".into())) })
    }
}
impl Observer for Nobody {
    fn published(&self, _: Arc<Store>, _: &ChangeSet) {}
    fn replaced(&self, _: Arc<Store>) {}
}

fn set(i: usize) -> Command {
    let op =
        KvOp::Set { key: format!("key/{}", i % 1000).into(), value: Bytes::from_static(&[7; 128]), flags: 0 };
    Command::Kv { tenancy: Tenancy::default(), op }
}

async fn run(raft: &RaftHandle, proposers: usize, each: usize) -> (f64, Duration, Duration) {
    let start = Instant::now();
    let mut set_of = JoinSet::new();
    for p in 0..proposers {
        let raft = raft.clone();
        set_of.spawn(async move {
            let mut times = Vec::with_capacity(each);
            for i in 0..each {
                let at = Instant::now();
                raft.propose(set(p * each + i)).await.unwrap();
                times.push(at.elapsed());
            }
            times
        });
    }
    let mut times: Vec<Duration> = set_of.join_all().await.into_iter().flatten().collect();
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    (rate, times[times.len() / 2], times[times.len() * 99 / 100])
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = (base != "-").then(|| tempfile::tempdir_in(&base).unwrap());
    let me = Peer { name: "bench".into(), addr: ([127, 0, 0, 1], 8300).into() };
    let mut config = RaftConfig::new(ServerId(1), me.clone(), dir.as_ref().map(|d| d.path().into()));
    config.multiplier = 1;
    let tasks = Tasks::new(Shutdown::new());
    let seed = RngSeed::fixed(1);
    let raft =
        RaftHandle::start(config, Arc::new(Nobody), Arc::new(Nobody), Arc::new(SystemClock), seed, tasks)
            .await
            .unwrap();
    raft.bootstrap(BTreeMap::from([(ServerId(1), me)])).await.unwrap();
    raft.status().wait_for(raft::RaftStatus::is_leader).await.unwrap();
    for (proposers, each) in [(1, 3000), (64, 2000), (256, 1000)] {
        let (rate, p50, p99) = run(&raft, proposers, each).await;
        println!("{proposers:>4} proposers: {rate:>8.0} proposals/s, p50 {p50:>7.0?}, p99 {p99:>7.0?}");
    }
    let start = Instant::now();
    let n = 1_000_000;
    (0..n).for_each(|_| assert!(raft.read_point_now().is_some()));
    println!("read_point_now: {:.0} ns", start.elapsed().as_nanos() as f64 / f64::from(n));
    raft.shutdown().await;
}
