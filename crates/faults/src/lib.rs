//! Mistakes that a test build can be told to make, so that what looks for mistakes can be shown to find them.
//!
//! Owns the names of the faults and one switch for the process. Refuses to be on by accident: without the feature `switch`,
//! which only the program `praetor-faults` has, [`on`] is a constant `false` and costs nothing. What each fault breaks is
//! written where it is asked for.

use std::fmt;

/// A mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Fault {
    /// The Raft log says that it has written what it still holds in memory.
    AckBeforeFsync = 1,
    /// A leader gives out read points without asking whether it still leads.
    ReadWithoutQuorum,
    /// A deleted key leaves no mark.
    LostTombstone,
    /// Some writes keep the index of the version that they replace.
    SkippedIndex,
    /// A lock that is held is given to whoever asks.
    DoubleLockGrant,
    /// A session ends, its locks stay.
    DroppedSessionInvalidation,
    /// One voter that does not answer counts as if it had agreed.
    QuorumOffByOne,
    /// Snapshots have no keys.
    SnapshotMissingTable,
    /// Gossip packets are taken twice.
    ReplayedGossipAccepted,
    /// Reads that ask for nothing in particular are answered as `stale`.
    StaleReadByDefault,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AckBeforeFsync,
        Self::ReadWithoutQuorum,
        Self::LostTombstone,
        Self::SkippedIndex,
        Self::DoubleLockGrant,
        Self::DroppedSessionInvalidation,
        Self::QuorumOffByOne,
        Self::SnapshotMissingTable,
        Self::ReplayedGossipAccepted,
        Self::StaleReadByDefault,
    ];

    /// Its name, as in `PRAETOR_FAULT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeFsync => "ack-before-fsync",
            Self::ReadWithoutQuorum => "read-without-quorum",
            Self::LostTombstone => "lost-tombstone",
            Self::SkippedIndex => "skipped-index",
            Self::DoubleLockGrant => "double-lock-grant",
            Self::DroppedSessionInvalidation => "dropped-session-invalidation",
            Self::QuorumOffByOne => "quorum-off-by-one",
            Self::SnapshotMissingTable => "snapshot-missing-table",
            Self::ReplayedGossipAccepted => "replayed-gossip-accepted",
            Self::StaleReadByDefault => "stale-read-by-default",
        }
    }

    /// The fault of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(feature = "switch")]
static ARMED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Makes this process make a mistake from now on; called once, at start.
#[cfg(feature = "switch")]
pub fn arm(fault: Fault) {
    ARMED.store(fault as u8, std::sync::atomic::Ordering::Relaxed);
}

/// Whether the mistake is to be made.
#[cfg(feature = "switch")]
#[inline]
pub fn on(fault: Fault) -> bool {
    ARMED.load(std::sync::atomic::Ordering::Relaxed) == fault as u8
}

/// Whether the mistake is to be made: never, in this build.
#[cfg(not(feature = "switch"))]
#[inline(always)]
pub const fn on(_fault: Fault) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_fault() {
        for fault in Fault::ALL {
            assert_eq!(Fault::of(fault.name()), Some(fault));
            assert!(!on(fault));
        }
        assert_eq!(Fault::of("none"), None);
    }
}
