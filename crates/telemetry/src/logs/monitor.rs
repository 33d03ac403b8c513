//! Followers of the live log.

use super::{Level, layer::Shared};
use arc_swap::ArcSwap;
use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};
use thiserror::Error;
use tokio::sync::mpsc;

/// Lines a follower may be behind before it loses some.
const BACKLOG: usize = 512;
/// Followers at a time.
const MOST: usize = 64;

/// The log is followed by as many as it can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("too many log streams are open (limit {MOST})")]
pub struct TooManyStreams;

/// The sending side of one follower.
#[derive(Debug)]
pub(super) struct Subscriber {
    level: Level,
    pub(super) json: bool,
    lines: mpsc::Sender<Arc<str>>,
    lost: AtomicU64,
}

impl Subscriber {
    pub(super) fn wants(&self, level: Level) -> bool {
        level >= self.level
    }

    pub(super) fn send(&self, line: Arc<str>) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// All followers; nothing to do while there are none.
#[derive(Default, Debug)]
pub(super) struct Monitors(ArcSwap<Vec<Arc<Subscriber>>>);

impl Monitors {
    pub(super) fn listeners(&self) -> arc_swap::Guard<Arc<Vec<Arc<Subscriber>>>> {
        self.0.load()
    }

    pub(super) fn lowest(&self) -> Option<Level> {
        self.0.load().iter().map(|s| s.level).min()
    }

    pub(super) fn add(
        &self,
        shared: &Arc<Shared>,
        level: Level,
        json: bool,
    ) -> Result<LogStream, TooManyStreams> {
        let (tx, lines) = mpsc::channel(BACKLOG);
        let subscriber = Arc::new(Subscriber { level, json, lines: tx, lost: AtomicU64::new(0) });
        let before = self.0.rcu(|all| {
            let mut all = Vec::clone(all);
            if all.len() < MOST {
                all.push(Arc::clone(&subscriber));
            }
            all
        });
        if before.len() >= MOST {
            return Err(TooManyStreams);
        }
        Ok(LogStream { lines, subscriber, shared: Arc::downgrade(shared) })
    }

    fn remove(&self, gone: &Arc<Subscriber>) {
        self.0.rcu(|all| all.iter().filter(|s| !Arc::ptr_eq(s, gone)).cloned().collect::<Vec<_>>());
    }
}

/// Lines as they are logged; ends following when dropped.
#[derive(Debug)]
pub struct LogStream {
    lines: mpsc::Receiver<Arc<str>>,
    subscriber: Arc<Subscriber>,
    shared: Weak<Shared>,
}

impl LogStream {
    /// The next line, with its line end. Cancel safe. `None` never comes while the stream lives.
    pub async fn recv(&mut self) -> Option<Arc<str>> {
        self.lines.recv().await
    }

    /// A line that is there already.
    pub fn try_recv(&mut self) -> Option<Arc<str>> {
        self.lines.try_recv().ok()
    }

    /// How many lines were lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.subscriber.lost.load(Ordering::Relaxed)
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.monitors.remove(&self.subscriber);
            shared.refresh();
        }
    }
}
