//! The published version of the state, and those who wait for it to change.
//!
//! Order matters twice: [`ViewHub::publish`] swaps in the new version first and wakes second; a reader subscribes first
//! and looks a second time before it parks ([`crate::blocking`]). So no write between read and subscription is lost.

use crate::shared::SharedRuns;
use ahash::AHashMap;
use arc_swap::ArcSwap;
use catalog::{ChangeSet, Store, Topic};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, watch};
use types::{Str, Tenancy};

/// Watchers at once, across all topics.
pub const WATCHERS_MAX: usize = 1_000_000;

/// The state and its watchers.
pub struct ViewHub {
    current: ArcSwap<Store>,
    watchers: Arc<Mutex<Watchers>>,
    applied: watch::Sender<u64>,
    restores: AtomicU64,
    shared: SharedRuns,
}

#[derive(Default)]
struct Watchers {
    next: u64,
    count: usize,
    by_topic: AHashMap<Topic, AHashMap<u64, Arc<Notify>>>,
    /// How many subscriptions watch prefixes of each length, by tenancy: a changed key looks up only these.
    prefix_lengths: AHashMap<Tenancy, BTreeMap<usize, usize>>,
}

/// A place among the watchers of some topics; given back on drop.
pub struct Subscription {
    id: u64,
    topics: smallvec::SmallVec<[Topic; 2]>,
    notify: Arc<Notify>,
    watchers: Weak<Mutex<Watchers>>,
}

impl Default for ViewHub {
    fn default() -> Self {
        Self::new(Arc::new(Store::new()))
    }
}

impl ViewHub {
    /// Starts from a state.
    pub fn new(store: Arc<Store>) -> Self {
        let applied = watch::Sender::new(store.index());
        Self { current: ArcSwap::new(store), watchers: Arc::default(), applied, restores: AtomicU64::new(0), shared: SharedRuns::default() }
    }

    /// The current version; keep the guard only briefly.
    pub fn load(&self) -> arc_swap::Guard<Arc<Store>> {
        self.current.load()
    }

    /// Index of the last applied entry.
    pub fn applied(&self) -> u64 {
        self.current.load().index()
    }

    /// Waits until the entry at `index` is applied here. Cancel safe.
    pub async fn wait_applied(&self, index: u64) {
        if self.applied() >= index {
            return;
        }
        let mut rx = self.applied.subscribe();
        // The sender lives as long as self, so this cannot fail.
        let _ = rx.wait_for(|applied| *applied >= index).await;
    }

    /// Publishes a new version and wakes those whose topics changed.
    pub fn publish(&self, store: Arc<Store>, changes: &ChangeSet) {
        if changes.everything {
            return self.replace(store);
        }
        let index = store.index();
        self.current.store(store);
        self.applied.send_replace(index);
        let watchers = self.watchers.lock();
        if watchers.count == 0 {
            return;
        }
        for topic in changes.topics() {
            watchers.wake(topic);
        }
        for (tenancy, key) in changes.kv_keys() {
            watchers.wake(&Topic::Kv(tenancy.clone(), key.clone()));
            watchers.wake_prefixes(tenancy, key);
        }
    }

    /// Publishes a state that replaces the old one as a whole, and wakes everybody.
    pub fn replace(&self, store: Arc<Store>) {
        let index = store.index();
        self.current.store(store);
        self.restores.fetch_add(1, Ordering::Release);
        self.applied.send_replace(index);
        self.watchers.lock().by_topic.values().flat_map(|list| list.values()).for_each(|n| n.notify_one());
    }

    /// Joins the watchers of `topics`; `None` when there are too many.
    pub fn subscribe(&self, topics: smallvec::SmallVec<[Topic; 2]>) -> Option<Subscription> {
        let mut w = self.watchers.lock();
        if w.count >= WATCHERS_MAX {
            return None;
        }
        w.count += 1;
        w.next += 1;
        let (id, notify) = (w.next, Arc::new(Notify::new()));
        for topic in &topics {
            if let Some((tenancy, len)) = prefix_of(topic) {
                *w.prefix_lengths.entry(tenancy).or_default().entry(len).or_default() += 1;
            }
            w.by_topic.entry(topic.clone()).or_default().insert(id, notify.clone());
        }
        Some(Subscription { id, topics, notify, watchers: Arc::downgrade(&self.watchers) })
    }

    /// How often the whole state was replaced.
    pub fn restores(&self) -> u64 {
        self.restores.load(Ordering::Acquire)
    }

    /// Answers that several who wait for the same were given together.
    pub(crate) fn shared(&self) -> &SharedRuns {
        &self.shared
    }

    /// How many queries are parked.
    pub fn watchers(&self) -> usize {
        self.watchers.lock().count
    }
}

fn prefix_of(topic: &Topic) -> Option<(Tenancy, usize)> {
    match topic {
        Topic::KvPrefix(tenancy, prefix) => Some((tenancy.clone(), prefix.len())),
        _ => None,
    }
}

impl Watchers {
    fn wake(&self, topic: &Topic) {
        if let Some(list) = self.by_topic.get(topic) {
            // The order in which waiters wake is of no consequence: each runs its query again.
            list.values().for_each(|n| n.notify_one());
        }
    }

    fn wake_prefixes(&self, tenancy: &Tenancy, key: &str) {
        let Some(lengths) = self.prefix_lengths.get(tenancy) else { return };
        for &len in lengths.keys() {
            if let Some(prefix) = key.get(..len) {
                self.wake(&Topic::KvPrefix(tenancy.clone(), Str::new(prefix)));
            }
        }
    }
}

impl Subscription {
    /// Resolves when one of the topics changed since the subscription was made, or since the last call. Cancel safe.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(watchers) = self.watchers.upgrade() else { return };
        let mut w = watchers.lock();
        w.count -= 1;
        for topic in &self.topics {
            if let Some(list) = w.by_topic.get_mut(topic) {
                list.remove(&self.id);
                if list.is_empty() {
                    w.by_topic.remove(topic);
                }
            }
            if let Some((tenancy, len)) = prefix_of(topic)
                && let Some(lengths) = w.prefix_lengths.get_mut(&tenancy)
            {
                if let Some(n) = lengths.get_mut(&len) {
                    *n -= 1;
                    if *n == 0 {
                        lengths.remove(&len);
                    }
                }
                if lengths.is_empty() {
                    w.prefix_lengths.remove(&tenancy);
                }
            }
        }
    }
}
