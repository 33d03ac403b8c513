//! openraft's own tests of log store and state machine, on memory and on disk.

use crate::{
    Observer, ServerId,
    kinds::C,
    log_store::{Index, LogStore},
    machine::{Machine, SnapshotRule},
    snapshot::SnapshotDir,
    storage::Storage,
    wal::{Segments, Wal, recover},
};
use catalog::{ChangeSet, Store};
use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use parking_lot::RwLock;
use runtime::{Shutdown, Tasks};
use std::{sync::Arc, time::Duration};

struct Deaf;
impl Observer for Deaf {
    fn published(&self, _: Arc<Store>, _: &ChangeSet) {}
    fn replaced(&self, _: Arc<Store>) {}
}

struct Builder {
    disk: bool,
    cache: usize,
}

impl StoreBuilder<C, LogStore, Machine, Option<tempfile::TempDir>> for Builder {
    async fn build(&self) -> Result<(Option<tempfile::TempDir>, LogStore, Machine), StorageError<C>> {
        let dir = self.disk.then(|| tempfile::tempdir().unwrap());
        let storage = dir.as_ref().map_or_else(Storage::memory, |d| Storage::disk(d.path()));
        let tasks = Tasks::new(Shutdown::new());
        let snapshots = SnapshotDir::open(storage.files.clone(), storage.dir.join("snapshots")).unwrap();
        let segments =
            Arc::new(Segments::new(storage.files.clone(), storage.dir.join("log"), ServerId(1), 64 << 10));
        let mut found = recover(&segments, self.cache).unwrap();
        let index = Arc::new(RwLock::new(Index::default()));
        let for_writer = index.clone();
        let placed = Box::new(move |places: &[_]| for_writer.write().placed(places));
        let wal = Wal::start(segments, &found, &storage.driver, placed, &tasks).unwrap();
        *index.write() = Index::recovered(&mut found, self.cache).unwrap();
        let rule = SnapshotRule { interval: Duration::ZERO, entries: 0 };
        let (machine, _) = Machine::new(None, snapshots, Arc::new(Deaf), rule, !self.disk);
        Ok((dir, LogStore::new(index, Arc::new(wal)), machine))
    }
}

fn run(builder: Builder) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(crate::kinds::Runtime::scope(
            1,
            Suite::<C, LogStore, Machine, Builder, _>::test_all(builder),
        ))
        .unwrap();
}

#[test]
fn openrafts_storage_suite_in_memory() {
    run(Builder { disk: false, cache: 1 << 20 });
}

#[test]
fn openrafts_storage_suite_on_disk_without_cache() {
    run(Builder { disk: true, cache: 0 });
}
