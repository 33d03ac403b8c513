//! Our log against `raft-log` on the disk of the current directory: lone commits, and 64 writers that share syncs.
//!
//! `cargo run --release -p raft --example wal_bench [directory]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]

use parking_lot::Mutex;
use raft::{
    ServerId,
    storage::{Driver, OsFiles},
    wal::{NewEntry, Position, Segments, Wal, recover},
};
use raft_log::api::raft_log_writer::RaftLogWriter;
use runtime::{Shutdown, Tasks};
use std::{
    io,
    path::Path,
    sync::{
        Arc, Barrier,
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};
use tokio::time::Instant;

const ENTRY: usize = 256;
const LONE: usize = 2000;
const WRITERS: usize = 64;
const EACH: usize = 1000;

type Reply = SyncSender<io::Result<()>>;

trait Log: Send + Sync {
    /// Appends one entry; the reply comes when it is on disk.
    fn append(&self, reply: Reply);
}

struct Ours {
    wal: Wal,
    next: Mutex<u64>,
}

impl Log for Ours {
    fn append(&self, reply: Reply) {
        let mut next = self.next.lock();
        let pos = Position { term: 1, index: *next };
        *next += 1;
        let entry = NewEntry { pos, kind: 1, data: vec![7; ENTRY].into(), stamp: 0 };
        self.wal.append(vec![entry], Box::new(move |r| drop(reply.send(r))));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Kinds;

impl raft_log::Types for Kinds {
    type LogId = (u64, u64);
    type LogPayload = String;
    type Vote = (u64, u64);
    type Callback = Reply;
    type UserData = String;
    fn log_index(id: &(u64, u64)) -> u64 {
        id.1
    }
    fn payload_size(payload: &String) -> u64 {
        payload.len() as u64
    }
}

struct Theirs(Mutex<(raft_log::RaftLog<Kinds>, u64)>);

impl Log for Theirs {
    fn append(&self, reply: Reply) {
        let mut log = self.0.lock();
        let index = log.1;
        log.1 += 1;
        log.0.append([((1, index), "7".repeat(ENTRY))]).unwrap();
        log.0.flush(true, Some(reply)).unwrap();
    }
}

fn ours(dir: &Path) -> Ours {
    let segments = Arc::new(Segments::new(Arc::new(OsFiles), dir.into(), ServerId(1), 16 << 20));
    let found = recover(&segments, 0).unwrap();
    let tasks = Tasks::new(Shutdown::new());
    let wal = Wal::start(segments, &found, &Driver::Thread, Box::new(|_| {}), &tasks).unwrap();
    Ours { wal, next: Mutex::new(0) }
}

fn theirs(dir: &Path, wait: Option<Duration>) -> Theirs {
    let mut config = raft_log::Config::new(dir.display());
    config.wal.flush_batch_wait = wait;
    Theirs(Mutex::new((raft_log::RaftLog::open(Arc::new(config)).unwrap(), 0)))
}

fn commit(log: &dyn Log) -> Duration {
    let (tx, rx) = sync_channel(1);
    let start = Instant::now();
    log.append(tx);
    rx.recv().unwrap().unwrap();
    start.elapsed()
}

fn measure(name: &str, log: &Arc<dyn Log>) {
    for _ in 0..100 {
        commit(&**log);
    }
    let mut lone: Vec<Duration> = (0..LONE).map(|_| commit(&**log)).collect();
    lone.sort_unstable();
    let barrier = Arc::new(Barrier::new(WRITERS + 1));
    let threads: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (log, barrier) = (log.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                for _ in 0..EACH {
                    commit(&*log);
                }
            })
        })
        .collect();
    barrier.wait();
    let start = Instant::now();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let rate = (WRITERS * EACH) as f64 / start.elapsed().as_secs_f64();
    println!(
        "{name:<34} lone commit p50 {:>7.0?} p99 {:>7.0?}   {WRITERS} writers {rate:>8.0} commits/s",
        lone[LONE / 2],
        lone[LONE * 99 / 100]
    );
}

fn main() {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(base).unwrap();
    for round in 1..=2 {
        println!("round {round}");
        let log: Arc<dyn Log> = Arc::new(ours(&dir.path().join(format!("ours-{round}"))));
        measure("praetor segments", &log);
        let waits = [
            ("raft-log, default wait", None),
            ("raft-log, wait 100 us", Some(100)),
            ("raft-log, wait 0", Some(0)),
        ];
        for (i, (name, wait)) in waits.into_iter().enumerate() {
            let path = dir.path().join(format!("theirs-{round}-{i}"));
            std::fs::create_dir(&path).unwrap();
            let log: Arc<dyn Log> = Arc::new(theirs(&path, wait.map(Duration::from_micros)));
            measure(name, &log);
        }
    }
}
