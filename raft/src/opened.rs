//! What the disk of a server holds when it starts, and the log store that goes on from there.

use crate::{
    RaftConfig, StartError,
    kinds::SnapshotMeta,
    log_store::{Index, LogStore, position},
    snapshot::{SnapshotDir, SnapshotFile},
    storage::Storage,
    wal::{self, Recovered, Segments, Wal},
};
use catalog::Store;
use parking_lot::RwLock;
use runtime::Tasks;
use std::sync::Arc;

/// Snapshots and log, read and checked.
pub(crate) struct Opened {
    snapshots: SnapshotDir,
    newest: Option<(SnapshotMeta, Store, SnapshotFile)>,
    segments: Arc<Segments>,
    found: Recovered,
}

/// What openraft is started with.
pub(crate) struct Ready {
    pub(crate) log: LogStore,
    pub(crate) snapshots: SnapshotDir,
    /// The newest snapshot.
    pub(crate) newest: Option<(SnapshotMeta, Store, SnapshotFile)>,
    /// Whether this server never took part in a cluster.
    pub(crate) pristine: bool,
}

impl Opened {
    /// Reads everything. Blocks.
    ///
    /// # Errors
    /// The disk fails, or holds what cannot be relied on.
    pub(crate) fn find(config: &RaftConfig, storage: &Storage) -> Result<Self, StartError> {
        let (files, dir) = (storage.files.clone(), &storage.dir);
        let io = |source| StartError::Io { path: dir.clone(), source };
        files.create_dir(dir).map_err(io)?;
        let snapshots = SnapshotDir::open(files.clone(), dir.join("snapshots")).map_err(io)?;
        let newest = snapshots.newest()?;
        let segments = Arc::new(Segments::new(files, dir.join("log"), config.id, config.segment_bytes));
        let found = wal::recover(&segments, config.cache_bytes)?;
        let reaches = newest.as_ref().map_or(0, |(meta, ..)| crate::kinds::index(meta.last_log_id.as_ref()));
        if let Some(purged) = &found.purged
            && purged.index > reaches
        {
            let what = format!(
                "the log begins after index {}, but the newest snapshot reaches {reaches}",
                purged.index
            );
            return Err(StartError::Snapshot { path: dir.join("snapshots"), what });
        }
        Ok(Self { snapshots, newest, segments, found })
    }

    /// Starts the log's writer.
    ///
    /// # Errors
    /// The disk fails, or an entry cannot be decoded.
    pub(crate) async fn start(
        self,
        config: &RaftConfig,
        storage: &Storage,
        tasks: &Tasks,
    ) -> Result<Ready, StartError> {
        let Self { snapshots, newest, segments, mut found } = self;
        let path = segments.dir().to_owned();
        let io = |source| StartError::Io { path: path.clone(), source };
        let index = Arc::new(RwLock::new(Index::default()));
        let for_writer = index.clone();
        let placed = Box::new(move |places: &[_]| for_writer.write().placed(places));
        let wal = Wal::start(segments, &found, &storage.driver, placed, tasks).map_err(io)?;
        // A leader's snapshot is kept before the entries that contradict it are removed, and the power may have failed
        // in between. They were never decided on; left in place, openraft would refuse to start.
        if let Some(decided) = newest.as_ref().and_then(|(meta, ..)| meta.last_log_id.as_ref()).map(position)
            && found.contradicts(decided)
        {
            wal.truncate(decided.index).await.map_err(io)?;
            found.truncate(decided.index);
        }
        let found = Index::recovered(&mut found, config.cache_bytes).map_err(io)?;
        let pristine = found.is_pristine() && newest.is_none();
        *index.write() = found;
        Ok(Ready { log: LogStore::new(index, Arc::new(wal)), snapshots, newest, pristine })
    }
}
