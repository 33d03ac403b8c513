//! Opening: snapshot, log, then openraft.

use crate::{
    Observer, RaftConfig, RaftStatus, StartError, Timing, Transport,
    handle::Shared,
    kinds::{Raft, Runtime},
    log_store::{Index, LogStore},
    machine::{Machine, SnapshotRule},
    network::Network,
    snapshot::SnapshotDir,
    status,
    storage::Storage,
    wal::{self, Segments, Wal},
};
use openraft::{Config, SnapshotPolicy};
use parking_lot::RwLock;
use rand::RngCore;
use runtime::{RngSeed, Shutdown, Tasks, WallClock};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Entries in one message to a follower. Bytes are bounded where entries are read.
const MESSAGE_ENTRIES: u64 = 1024;
/// A snapshot that comes this many thresholds late is made even if the last one is recent.
const LATE: u64 = 8;

fn openraft_config(config: &RaftConfig, timing: &Timing) -> Result<Config, StartError> {
    let ms = |d: Duration| d.as_millis() as u64;
    Config {
        cluster_name: "praetor".into(),
        heartbeat_interval: ms(timing.heartbeat),
        election_timeout_min: ms(timing.election_min),
        election_timeout_max: ms(timing.election_max),
        max_payload_entries: MESSAGE_ENTRIES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_threshold),
        max_in_snapshot_log_to_keep: config.trailing_logs,
        // Entries go in steps: a purge is a write of its own.
        purge_batch_size: (config.trailing_logs / 8).max(1),
        replication_lag_threshold: config.trailing_logs.max(1),
        install_snapshot_timeout: 60_000,
        enable_pre_vote: Some(config.prevote),
        // A restarted leader stands for election like anyone else: only then is what it applied known to be everything.
        enable_leader_restore: Some(false),
        backoff: "50ms 100ms 200ms ...500ms".into(),
        api_channel_size: Some(16_384),
        ..Config::default()
    }
    .validate()
    .map_err(|e| StartError::Config(e.to_string()))
}

/// Opens everything on `storage`.
pub(crate) async fn start(
    config: RaftConfig,
    storage: Storage,
    transport: Arc<dyn Transport>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn WallClock>,
    seed: RngSeed,
    tasks: Tasks,
) -> Result<(Shared, RaftStatus), StartError> {
    let timing = config.validate()?;
    let inline = storage.is_inline();
    let raft_config = Arc::new(openraft_config(&config, &timing)?);
    let (files, dir) = (storage.files.clone(), storage.dir.clone());
    let (id, size, cache) = (config.id, config.segment_bytes, config.cache_bytes);
    let open = move || {
        let io = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| StartError::Io { path, source }
        };
        files.create_dir(&dir).map_err(io(&dir))?;
        let snapshots = SnapshotDir::open(files.clone(), dir.join("snapshots")).map_err(io(&dir))?;
        let newest = snapshots.newest()?;
        let segments = Arc::new(Segments::new(files, dir.join("log"), id, size));
        let found = wal::recover(&segments, cache)?;
        Ok::<_, StartError>((snapshots, newest, segments, found))
    };
    let (snapshots, newest, segments, mut found) = if inline {
        open()?
    } else {
        tokio::task::spawn_blocking(open).await.map_err(|e| StartError::Raft(e.to_string()))??
    };
    let log_dir = segments.dir().to_owned();
    let io = |source| StartError::Io { path: log_dir.clone(), source };
    let snapshot_index =
        newest.as_ref().map_or(0, |(meta, ..)| crate::kinds::index(meta.last_log_id.as_ref()));
    if let Some(purged) = &found.purged
        && purged.index > snapshot_index
    {
        return Err(StartError::Snapshot {
            path: storage.dir.join("snapshots"),
            what: format!(
                "the log begins after index {}, but the newest snapshot reaches {snapshot_index}",
                purged.index
            ),
        });
    }
    let index = Arc::new(RwLock::new(Index::default()));
    let for_writer = index.clone();
    let placed = Box::new(move |places: &[_]| for_writer.write().placed(places));
    let wal = Wal::start(segments, &found, &storage.driver, placed, &tasks).map_err(io)?;
    *index.write() = Index::recovered(&mut found, config.cache_bytes).map_err(io)?;
    let pristine_start = index.read().is_pristine() && newest.is_none();
    let log = LogStore::new(index, Arc::new(wal));
    let rule = SnapshotRule {
        interval: config.snapshot_interval,
        entries: config.snapshot_threshold.saturating_mul(LATE),
    };
    let (machine, published) = Machine::new(newest, snapshots.clone(), observer, rule, inline);
    let network = Network::new(config.id, transport.clone());
    let seed = seed.fork("raft").next_u64();
    let raft = Runtime::scope(seed, Raft::new(config.id, raft_config, network, log.clone(), machine))
        .await
        .map_err(|e| StartError::Raft(e.to_string()))?;
    let server_metrics = raft.server_metrics();
    let shared = Shared {
        id: config.id,
        log,
        published,
        server_metrics,
        transport,
        clock,
        snapshots,
        receiving: tokio::sync::Mutex::new(None),
        heard: status::Heard::default(),
        proposals: Semaphore::new(config.proposals_max),
        propose_limit: config.propose_limit,
        read_limit: config.read_limit,
        confirm_limit: timing.election_max.min(config.read_limit),
        lease: timing.election_max,
        inline,
        pristine_start,
        stop: Shutdown::new(),
        tasks,
        raft,
    };
    let status = status::of(&shared);
    Ok((shared, status))
}
