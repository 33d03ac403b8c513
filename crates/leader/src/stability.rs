//! Which servers keep up, and since when.

use crate::{
    autopilot::{MembershipView, Seen},
    membership::ServerId,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;
use types::member::MemberStatus;

#[derive(Clone, Copy, Debug)]
struct Standing {
    healthy: bool,
    since: u64,
}

/// Since when each server has been healthy or not, and since when it has been missing from gossip. Milliseconds of a
/// monotonic clock.
#[derive(Clone, Default, Debug)]
pub struct Stability {
    standings: BTreeMap<ServerId, Standing>,
    absent_since: BTreeMap<ServerId, u64>,
}

/// Whether a server of the configuration is alive and keeps up with the log.
pub(crate) fn is_healthy(view: &MembershipView<'_>, gossip: &BTreeMap<ServerId, Seen>, id: ServerId) -> bool {
    let alive = gossip.get(&id).is_some_and(|g| g.status == MemberStatus::Alive);
    let follows = view.health.get(&id).is_some_and(|h| {
        h.last_contact <= Duration::from_nanos(view.config.last_contact_threshold_ns)
            && h.lag <= view.config.max_trailing_logs
    });
    alive && follows
}

impl Stability {
    pub(crate) fn observe(
        &mut self,
        view: &MembershipView<'_>,
        gossip: &BTreeMap<ServerId, Seen>,
        now_ms: u64,
    ) {
        let configured: BTreeSet<ServerId> = view.servers.iter().map(|s| s.id).collect();
        self.standings.retain(|id, _| configured.contains(id));
        self.absent_since.retain(|id, _| configured.contains(id) && !gossip.contains_key(id));
        for &id in &configured {
            let now = Standing { healthy: is_healthy(view, gossip, id), since: now_ms };
            let known = self.standings.entry(id).or_insert(now);
            if known.healthy != now.healthy {
                *known = now;
            }
            if !gossip.contains_key(&id) {
                self.absent_since.entry(id).or_insert(now_ms);
            }
        }
    }

    pub(crate) fn healthy_since(&self, id: ServerId) -> Option<u64> {
        self.standings.get(&id).filter(|s| s.healthy).map(|s| s.since)
    }

    pub(crate) fn healthy_for(&self, id: ServerId, now_ms: u64) -> Option<Duration> {
        self.healthy_since(id).map(|since| Duration::from_millis(now_ms.saturating_sub(since)))
    }

    pub(crate) fn absent_for(&self, id: ServerId, now_ms: u64) -> Option<Duration> {
        self.absent_since.get(&id).map(|since| Duration::from_millis(now_ms.saturating_sub(*since)))
    }

    /// For how long a server has been as healthy (or not) as it is; zero if the last pass saw it otherwise, or not at all.
    pub(crate) fn unchanged_for(&self, id: ServerId, healthy: bool, now_ms: u64) -> Duration {
        let same = self.standings.get(&id).filter(|s| s.healthy == healthy);
        same.map_or(Duration::ZERO, |s| Duration::from_millis(now_ms.saturating_sub(s.since)))
    }
}

/// What the passes of autopilot remember, for those who ask in between.
#[derive(Debug)]
pub struct Memory {
    stability: Mutex<Stability>,
    started: Instant,
}

impl Default for Memory {
    fn default() -> Self {
        Self { stability: Mutex::default(), started: Instant::now() }
    }
}

impl Memory {
    /// Forgets everything: a new term began.
    pub(crate) fn clear(&self) {
        *self.stability.lock() = Stability::default();
    }

    /// Looks at what is remembered, or changes it, with the time that it is counted by.
    pub fn with<T>(&self, act: impl FnOnce(&mut Stability, u64) -> T) -> T {
        let now_ms = self.started.elapsed().as_millis() as u64;
        act(&mut self.stability.lock(), now_ms)
    }
}
