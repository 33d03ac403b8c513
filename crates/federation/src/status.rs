//! How replication goes, for metrics and for whoever asks.

use crate::replicate::Kind;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;
use types::Str;

/// One kind.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Replication {
    /// Index of the primary datacenter up to which this one is like it.
    pub index: u64,
    /// When the primary answered last.
    pub succeeded: Option<Instant>,
    /// When it was asked in vain last.
    pub failed: Option<Instant>,
    /// Why.
    pub last_error: Str,
    /// Attempts that failed since it answered.
    pub failures: u32,
}

impl Replication {
    /// Whether the last attempt worked.
    pub fn is_healthy(&self) -> bool {
        self.succeeded.is_some() && self.failures == 0
    }
}

/// All kinds while this server leads a secondary datacenter; empty otherwise. Cloning shares it.
#[derive(Clone, Default, Debug)]
pub struct Status(Arc<Mutex<BTreeMap<Kind, Replication>>>);

impl Status {
    /// What is known now.
    pub fn all(&self) -> Vec<(Kind, Replication)> {
        self.0.lock().iter().map(|(k, r)| (*k, r.clone())).collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    /// True when it had failed before.
    pub(crate) fn succeeded(&self, kind: Kind, index: u64) -> bool {
        let mut all = self.0.lock();
        let one = all.entry(kind).or_default();
        (one.index, one.succeeded) = (index, Some(Instant::now()));
        std::mem::take(&mut one.failures) > 0
    }

    /// How often it has failed in a row, with this one.
    pub(crate) fn failed(&self, kind: Kind, error: Str) -> u32 {
        let mut all = self.0.lock();
        let one = all.entry(kind).or_default();
        (one.failed, one.last_error) = (Some(Instant::now()), error);
        one.failures = one.failures.saturating_add(1);
        one.failures
    }
}
