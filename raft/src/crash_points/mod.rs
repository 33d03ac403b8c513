//! Log and snapshots are stopped at every operation on the disk: a run for each operation, for each way of losing what was
//! not synced, until one ends that was not stopped.
//!
//! A script of appends, votes, conflicts, commits, snapshots and purges, made from a seed, runs on the log store and the
//! state machine as openraft uses them. When the power is cut, the disk must hold what was answered, and of the one
//! operation that was not answered all or nothing (`model`). Opening is cut at each of its own operations, too. Then the
//! script goes on, the power is cut at its end, and the disk is looked at once more.

mod model;
mod script;

use crate::{
    Observer, Peer, RaftConfig, ServerId,
    kinds::{C, Runtime, SnapshotMeta},
    log_store::LogStore,
    machine::{Machine, Published, SnapshotRule},
    opened::{Opened, Ready},
    recovery,
    snapshot::{SnapshotDir, SnapshotFile},
    storage::{Driver, MemFiles, Names, Storage, Tail},
};
use catalog::{ChangeSet, Store};
use model::{Held, Model};
use openraft::{RaftLogReader, StorageHelper, storage::RaftLogStorage, storage::RaftStateMachine};
use rand::{SeedableRng, rngs::SmallRng};
use runtime::{Shutdown, Tasks};
use script::{Action, Kind};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

const DIR: &str = "/raft";
/// Small, so that a script fills many.
const SEGMENT: u64 = 2048;
const FAR: u64 = 1 << 40;

struct Deaf;
impl Observer for Deaf {
    fn published(&self, _: Arc<Store>, _: &ChangeSet) {}
    fn replaced(&self, _: Arc<Store>) {}
}

fn peer(n: u64) -> Peer {
    Peer { name: format!("s{n}").into(), addr: ([127, 0, 0, n as u8], 8300).into() }
}

fn storage(files: &MemFiles) -> Storage {
    Storage { files: Arc::new(files.clone()), dir: DIR.into(), driver: Driver::Inline }
}

/// What runs between two cuts of the power.
struct Server {
    files: MemFiles,
    log: LogStore,
    machine: Machine,
    published: Arc<Published>,
    snapshots: SnapshotDir,
    /// A snapshot that was received and not yet installed.
    accepted: Option<(SnapshotMeta, SnapshotFile)>,
}

impl Server {
    /// Opens as a start does, up to where openraft's own tasks would begin.
    async fn open(files: &MemFiles, cache_bytes: usize) -> Result<Self, String> {
        let mut config = RaftConfig::new(ServerId(1), peer(1), None);
        (config.segment_bytes, config.cache_bytes) = (SEGMENT, cache_bytes);
        let storage = storage(files);
        let tasks = Tasks::new(Shutdown::new());
        let opened = Opened::find(&config, &storage).map_err(|e| e.to_string())?;
        let ready = opened.start(&config, &storage, &tasks).await.map_err(|e| e.to_string())?;
        let Ready { mut log, snapshots, newest, .. } = ready;
        let rule = SnapshotRule { interval: Duration::ZERO, entries: 0 };
        let (mut machine, published) = Machine::new(newest, snapshots.clone(), Arc::new(Deaf), rule, true);
        let mut helper = StorageHelper::<C, _, _>::new(&mut log, &mut machine).with_id(ServerId(1));
        helper.get_initial_state().await.map_err(|e| e.to_string())?;
        Ok(Self { files: files.clone(), log, machine, published, snapshots, accepted: None })
    }

    /// What it holds, all of it read back.
    async fn held(&mut self) -> Result<Held, String> {
        let state = self.log.get_log_state().await.map_err(|e| e.to_string())?;
        let entries = self.log.try_get_log_entries(..).await.map_err(|e| e.to_string())?;
        let first = state.last_purged_log_id.map_or(0, |id| id.index + 1);
        if let Some((expected, entry)) = (first..).zip(&entries).find(|(n, e)| e.log_id.index != *n) {
            return Err(format!("entry {} stands where {expected} should", entry.log_id.index));
        }
        let newest = self.snapshots.newest().map_err(|e| e.to_string())?;
        Ok(Held {
            vote: self.log.read_vote().await.map_err(|e| e.to_string())?,
            purged: state.last_purged_log_id,
            log: entries.into_iter().map(|e| (e.log_id.index, e)).collect(),
            snapshot: newest.map(|(meta, store, _)| (meta, model::bytes_of(&store))),
        })
    }
}

/// One way of losing power.
#[derive(Clone, Copy, Debug)]
struct Loss {
    tail: Tail,
    names: Names,
}

const LOSSES: [Loss; 7] = [
    Loss { tail: Tail::Dropped, names: Names::Undone },
    Loss { tail: Tail::Dropped, names: Names::Kept },
    Loss { tail: Tail::Torn, names: Names::Undone },
    Loss { tail: Tail::Torn, names: Names::Kept },
    Loss { tail: Tail::Kept, names: Names::Undone },
    Loss { tail: Tail::Kept, names: Names::Kept },
    Loss { tail: Tail::Scattered, names: Names::Some },
];

struct Run {
    server: Server,
    model: Model,
    loss: Loss,
    /// Decides what is lost; the script has a generator of its own.
    fate: SmallRng,
    cache_bytes: usize,
    /// How often each kind of operation was answered.
    done: BTreeMap<Kind, usize>,
}

impl Run {
    /// What a start after a power cut finds must be `before` or `after`; goes on from there.
    async fn restart(&mut self, before: &Model, after: &Model) -> Result<(), String> {
        let image = self.server.files.crash_as(self.loss.tail, self.loss.names, &mut self.fate);
        for cut in 0.. {
            let files = image.copy();
            files.die_after(cut);
            let opened = Server::open(&files, self.cache_bytes).await;
            if files.is_dead() {
                let again = files.crash_as(self.loss.tail, self.loss.names, &mut self.fate);
                let mut server = Server::open(&again, self.cache_bytes).await.map_err(|e| {
                    format!("does not open when the opening before it lost power at its operation {cut}: {e}")
                })?;
                model::resolve(&server.held().await?, before, after)?;
                continue;
            }
            files.die_after(FAR);
            self.server = opened.map_err(|e| format!("does not open: {e}"))?;
            break;
        }
        self.model = model::resolve(&self.server.held().await?, before, after)?;
        // Reads the same files once more, so one way of losing is enough.
        if matches!(self.loss, Loss { tail: Tail::Torn, names: Names::Kept }) {
            self.recover(&image.copy()).await.map_err(|e| format!("recovery: {e}"))?;
        }
        self.catch_up().await
    }

    /// An operator may make this server the only one, and start it.
    async fn recover(&self, files: &MemFiles) -> Result<(), String> {
        let alone = [crate::Server { id: ServerId(1), peer: peer(1), voter: true }];
        match (recovery::rewrite(ServerId(1), &storage(files), &alone), self.model.held.last()) {
            (Err(recovery::RecoveryError::Empty), None) => Ok(()),
            (Ok(found), Some(last)) if found.last == last.index => {
                let mut server = Server::open(files, self.cache_bytes).await?;
                let (applied, members) = server.machine.applied_state().await.map_err(|e| e.to_string())?;
                let voters: Vec<_> = members.membership().voter_ids().collect();
                if voters != [ServerId(1)] || applied < self.model.held.snapshot_id() {
                    return Err(format!("{voters:?} vote, applied {applied:?}"));
                }
                Ok(())
            }
            (Err(e), _) => Err(e.to_string()),
            (Ok(found), last) => Err(format!("{found:?}, the last entry is {last:?}")),
        }
    }

    /// Applies again what was decided, and compares with the state of before.
    async fn catch_up(&mut self) -> Result<(), String> {
        let (applied, _) = self.server.machine.applied_state().await.map_err(|e| e.to_string())?;
        self.model.check_state(applied.as_ref(), &self.server.published.store.load())?;
        let saved = self.server.log.read_committed().await.map_err(|e| e.to_string())?;
        if saved > self.model.committed {
            return Err(format!("{saved:?} counts as decided, {:?} was", self.model.committed));
        }
        if let Some(committed) = self.model.committed.filter(|id| applied.is_none_or(|a| a < *id)) {
            Action::Commit(committed).run(&mut self.server).await.map_err(|e| e.to_string())?;
        }
        let (applied, members) = self.server.machine.applied_state().await.map_err(|e| e.to_string())?;
        if applied != self.model.committed || members != self.model.members {
            return Err(format!(
                "applied {applied:?} with {members:?} instead of {:?}",
                self.model.committed
            ));
        }
        self.model.check_state(applied.as_ref(), &self.server.published.store.load())
    }

    /// Goes on with a copy until everything of before is behind a snapshot and its segments are gone: what only they knew
    /// must have been carried on.
    async fn outlive(&self) -> Result<(), String> {
        let files = self.server.files.copy();
        let server = Server::open(&files, self.cache_bytes).await?;
        let fate = self.fate.clone();
        let mut run = Self { server, model: self.model.clone(), fate, done: BTreeMap::new(), ..*self };
        run.catch_up().await?;
        for action in script::long_after(&run.model, &mut run.fate.clone()) {
            let what = format!("{action:?}");
            run.act(action).await.map_err(|e| format!("{what} later: {e}"))?;
        }
        let model = run.model.clone();
        run.restart(&model, &model).await.map_err(|e| format!("later: {e}"))
    }

    /// Does one thing; answers whether the power held.
    async fn act(&mut self, action: Action) -> Result<bool, String> {
        let after = action.next(&self.model);
        match action.run(&mut self.server).await {
            Ok(()) => {
                self.model = after;
                *self.done.entry(action.kind()).or_default() += 1;
                Ok(true)
            }
            Err(e) if self.server.files.is_dead() => {
                let before = self.model.clone();
                self.restart(&before, &after).await.map_err(|w| format!("{action:?} failed ({e}): {w}"))?;
                Ok(false)
            }
            Err(e) => Err(format!("{action:?}: {e}")),
        }
    }
}

/// Runs the script of `seed`, losing power at disk operation `at`; answers how often each kind of operation was answered,
/// and whether the power held.
async fn run(seed: u64, at: u64, loss: Loss) -> Result<(BTreeMap<Kind, usize>, bool), String> {
    let files = MemFiles::new();
    let cache_bytes = [0, 600, 1 << 20][seed as usize % 3];
    let server = Server::open(&files, cache_bytes).await?;
    files.die_after(at);
    let fate = SmallRng::seed_from_u64(seed ^ at << 8);
    let mut run = Run { server, model: Model::default(), loss, fate, cache_bytes, done: BTreeMap::new() };
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut held = true;
    for kind in script::PLAN {
        for action in script::actions(kind, &run.model, &mut rng) {
            if !run.act(action).await? {
                held = false;
                run.outlive().await?;
                break;
            }
        }
    }
    // The operation at which it was to die may be one that nobody waits for.
    held &= !run.server.files.is_dead();
    let rolled = run.server.files.paths();
    let last = rolled.iter().filter(|p| p.extension().is_some_and(|e| e == "wal")).max();
    let model = run.model.clone();
    run.restart(&model, &model).await.map_err(|w| format!("at the end: {w}"))?;
    if held && last.is_none_or(|p| p.as_path() < Path::new("/raft/log/0000000000000008.wal")) {
        return Err(format!("few segments were filled: {rolled:?}"));
    }
    Ok((run.done, held))
}

fn every_point(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for loss in LOSSES {
        let mut at = 0;
        loop {
            let result = runtime.block_on(Runtime::scope(seed, run(seed, at, loss)));
            let (done, held) = result
                .unwrap_or_else(|e| panic!("seed {seed}, stopped at disk operation {at}, {loss:?}: {e}"));
            if held {
                for kind in Kind::ALL {
                    assert!(done.contains_key(&kind), "seed {seed}: nothing of kind {kind:?} in {done:?}");
                }
                break;
            }
            at += 1;
        }
        assert!(at > 100, "seed {seed}: only {at} operations");
    }
}

#[test]
fn nothing_answered_is_lost_wherever_the_power_fails_seed_1() {
    every_point(1);
}

#[test]
fn nothing_answered_is_lost_wherever_the_power_fails_seed_2() {
    every_point(2);
}

#[test]
fn nothing_answered_is_lost_wherever_the_power_fails_seed_3() {
    every_point(3);
}

#[test]
fn nothing_answered_is_lost_wherever_the_power_fails_seed_4() {
    every_point(4);
}
