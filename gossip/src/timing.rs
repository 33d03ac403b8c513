//! How often and how patiently the protocol works.

use std::time::Duration;

/// Intervals and multipliers of one pool; the first six are the keys of `gossip_lan` and `gossip_wan`.
#[derive(Clone, PartialEq, Debug)]
pub struct Timing {
    /// Period of gossip messages.
    pub gossip_interval: Duration,
    /// Peers told in one period.
    pub gossip_nodes: usize,
    /// Period of failure probes.
    pub probe_interval: Duration,
    /// Wait for a direct answer before others are asked to probe; shorter than `probe_interval`.
    pub probe_timeout: Duration,
    /// Times log10(members + 1): how often one update is sent on.
    pub retransmit_mult: u32,
    /// Times log10(members) times `probe_interval`: how long a lone suspicion lasts.
    pub suspicion_mult: u32,
    /// Peers asked to probe on our behalf.
    pub indirect_checks: usize,
    /// Period of the full state exchange in a pool of up to 32 members; grows with the pool.
    pub push_pull_interval: Duration,
    /// Period between attempts to reach a failed member.
    pub reconnect_interval: Duration,
    /// How long the announcement of a leave is spread before the member is gone.
    pub leave_propagate: Duration,
    /// Largest value of the local health score plus one: the most that probing is slowed down by.
    pub health_max: u32,
}

impl Timing {
    /// Members of one datacenter.
    pub fn lan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            retransmit_mult: 4,
            suspicion_mult: 4,
            indirect_checks: 3,
            push_pull_interval: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(30),
            leave_propagate: Duration::from_secs(1),
            health_max: 8,
        }
    }

    /// Servers of several datacenters.
    pub fn wan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(500),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            suspicion_mult: 6,
            push_pull_interval: Duration::from_secs(60),
            leave_propagate: Duration::from_secs(2),
            ..Self::lan()
        }
    }

    /// One process on one machine, or a test: everything happens in milliseconds.
    pub fn dev() -> Self {
        Self {
            gossip_interval: Duration::from_millis(100),
            probe_interval: Duration::from_millis(100),
            probe_timeout: Duration::from_millis(60),
            push_pull_interval: Duration::from_secs(5),
            reconnect_interval: Duration::from_secs(1),
            leave_propagate: Duration::from_millis(300),
            ..Self::lan()
        }
    }

    /// How often one update is sent on in a pool of `members`.
    pub fn transmissions(&self, members: usize) -> u8 {
        let t = f64::from(self.retransmit_mult) * ((members + 1) as f64).log10().ceil();
        t.clamp(1.0, 255.0) as u8
    }

    /// Period of the full exchange in a pool of `members`: doubled for each doubling beyond 32, so that
    /// the load of the whole pool does not grow with the square of its size.
    pub fn push_pull_every(&self, members: usize) -> Duration {
        let doublings = if members <= 32 { 0.0 } else { ((members as f64).log2() - 5.0).ceil() };
        self.push_pull_interval.mul_f64(1.0 + doublings)
    }

    /// Longest and shortest life of a suspicion in a pool of `members`.
    ///
    /// The longest is the documented `suspicion_mult × log10(members) × probe_interval`; enough independent
    /// confirmations bring it down to a quarter of that, never below two probe periods, in which the suspect,
    /// who was told directly, has had its chance to answer.
    pub fn suspicion_bounds(&self, members: usize) -> (Duration, Duration) {
        let scale = (members.max(1) as f64).log10().max(1.0);
        let max = self.probe_interval.mul_f64(f64::from(self.suspicion_mult) * scale);
        let min = (self.probe_interval * 2).max(max / 4).min(max);
        (max, min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_follow_the_documented_formulas() {
        let t = Timing::lan();
        assert_eq!(t.transmissions(1), 4);
        assert_eq!(t.transmissions(63), 8);
        assert_eq!(t.transmissions(1000), 16);
        assert_eq!(t.suspicion_bounds(3), (Duration::from_secs(4), Duration::from_secs(2)));
        assert_eq!(t.suspicion_bounds(1000), (Duration::from_secs(12), Duration::from_secs(3)));
        assert_eq!(t.push_pull_every(32), Duration::from_secs(30));
        assert_eq!(t.push_pull_every(64), Duration::from_secs(60));
        assert_eq!(t.push_pull_every(65), Duration::from_secs(90));
    }
}
