//! Opening: snapshot, log, then openraft.

use crate::{
    Observer, RaftConfig, RaftStatus, StartError, Timing, Transport,
    handle::Shared,
    kinds::{Raft, Runtime},
    machine::{Machine, SnapshotRule},
    network::Network,
    opened::{Opened, Ready},
    status,
    storage::Storage,
};
use openraft::{Config, SnapshotPolicy};
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
    let opening = (config.clone(), storage.clone());
    let open = move || Opened::find(&opening.0, &opening.1);
    let opened = if inline {
        open()?
    } else {
        tokio::task::spawn_blocking(open).await.map_err(|e| StartError::Raft(e.to_string()))??
    };
    let Ready { log, snapshots, newest, pristine: pristine_start } =
        opened.start(&config, &storage, &tasks).await?;
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
