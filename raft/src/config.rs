//! Settings, and the timings that `raft_multiplier` stands for.

use crate::{Peer, ServerId, StartError};
use std::{path::PathBuf, time::Duration};

/// Settings of consensus on one server.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// Id of this server.
    pub id: ServerId,
    /// Name and RPC address of this server, as the others should see them.
    pub me: Peer,
    /// Directory for log, vote and snapshots (`<data_dir>/raft`); `None` keeps everything in memory (dev mode).
    pub data_dir: Option<PathBuf>,
    /// `raft_multiplier`, 1 to 10; see [`Timing::of_multiplier`].
    pub multiplier: u32,
    /// Entries since the last snapshot that make a new one due (`raft_snapshot_threshold`).
    pub snapshot_threshold: u64,
    /// How often that is looked at (`raft_snapshot_interval`).
    pub snapshot_interval: Duration,
    /// Entries kept before the last snapshot for followers that lag (`raft_trailing_logs`).
    pub trailing_logs: u64,
    /// Whether a candidate first asks whether it could win (`raft_prevote_disabled = false`).
    pub prevote: bool,
    /// Longest time a proposal may take before its outcome is called unknown.
    pub propose_limit: Duration,
    /// Longest time a linearizable read waits for its confirmation.
    pub read_limit: Duration,
    /// Proposals that may wait at once on this server; more are answered `Overloaded`.
    pub proposals_max: usize,
    /// Bytes of recent entries kept in memory for followers.
    pub cache_bytes: usize,
    /// Size of a preallocated log segment, bytes.
    pub segment_bytes: u64,
}

impl RaftConfig {
    /// The defaults for this server.
    pub fn new(id: ServerId, me: Peer, data_dir: Option<PathBuf>) -> Self {
        Self {
            id,
            me,
            data_dir,
            multiplier: 5,
            snapshot_threshold: 16_384,
            snapshot_interval: Duration::from_secs(30),
            trailing_logs: 10_240,
            prevote: true,
            propose_limit: Duration::from_secs(10),
            read_limit: Duration::from_secs(5),
            proposals_max: 16_384,
            cache_bytes: 32 << 20,
            segment_bytes: 16 << 20,
        }
    }

    pub(crate) fn validate(&self) -> Result<Timing, StartError> {
        let bad = |text: String| Err(StartError::Config(text));
        if !(1..=10).contains(&self.multiplier) {
            return bad(format!("raft_multiplier must be between 1 and 10, not {}", self.multiplier));
        }
        if self.snapshot_threshold == 0 {
            return bad("raft_snapshot_threshold must be positive".into());
        }
        if self.segment_bytes < 64 << 10 || self.segment_bytes > 1 << 30 {
            return bad(format!("a log segment has 64 KiB to 1 GiB, not {} bytes", self.segment_bytes));
        }
        Ok(Timing::of_multiplier(self.multiplier))
    }
}

/// The timings behind a multiplier.
///
/// A follower that hears nothing waits `lease`, in which no server votes for another, and then a random time between
/// `election_min` and `election_max`; with one round of pre-vote and one of votes, a leader that died is replaced after
///
/// | multiplier | heartbeat | lease | random wait | replaced after |
/// |---|---|---|---|---|
/// | 1 | 50 ms | 320 ms | 120-320 ms | 0.45-0.7 s |
/// | 5 (default) | 90 ms | 600 ms | 200-600 ms | 0.8-1.3 s |
/// | 10 | 140 ms | 950 ms | 300-950 ms | 1.3-2.0 s |
///
/// and half of that when the transport reports the broken connection
/// ([`RaftHandle::hint_unreachable`](crate::RaftHandle::hint_unreachable)): then only the lease is waited for.
/// Between six and nine heartbeats in a row have to be missing before anyone stands for election, which a loaded machine
/// with two cores survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Between two heartbeats of the leader.
    pub heartbeat: Duration,
    /// Shortest random wait of a follower after the lease ended.
    pub election_min: Duration,
    /// Longest random wait; also the lease.
    pub election_max: Duration,
}

impl Timing {
    /// Timings for `multiplier`, which is brought into 1..=10.
    pub fn of_multiplier(multiplier: u32) -> Self {
        let m = u64::from(multiplier.clamp(1, 10));
        Self {
            heartbeat: Duration::from_millis(40 + 10 * m),
            election_min: Duration::from_millis(100 + 20 * m),
            election_max: Duration::from_millis(250 + 70 * m),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_leave_room_for_missed_heartbeats_and_replace_a_leader_in_time() {
        for m in 1..=10 {
            let t = Timing::of_multiplier(m);
            assert!(t.election_max + t.election_min > t.heartbeat * 6, "{m}");
            assert!(t.election_min > t.heartbeat, "{m}");
        }
        assert!(Timing::of_multiplier(1).election_max * 2 < Duration::from_millis(700));
        assert!(Timing::of_multiplier(5).election_max * 2 < Duration::from_millis(1300));
    }
}
