//! Which attack is known to find which fault.

use faults::Fault;

/// A fault and what finds it.
#[derive(Clone, Copy, Debug)]
pub struct Catch {
    /// The fault.
    pub fault: Fault,
    /// Name of the workload.
    pub workload: &'static str,
    /// Name of the nemesis.
    pub nemesis: &'static str,
}

const fn by(fault: Fault, workload: &'static str, nemesis: &'static str) -> Catch {
    Catch { fault, workload, nemesis }
}

/// All faults.
pub const ALL: [Catch; 10] = [
    by(Fault::AckBeforeFsync, "set", "kill"),
    by(Fault::ReadWithoutQuorum, "kv", "partition"),
    by(Fault::LostTombstone, "watch", "none"),
    by(Fault::SkippedIndex, "kv", "none"),
    by(Fault::DoubleLockGrant, "lock", "none"),
    by(Fault::DroppedSessionInvalidation, "session", "none"),
    by(Fault::QuorumOffByOne, "kv", "partition"),
    by(Fault::SnapshotMissingTable, "set", "kill"),
    by(Fault::ReplayedGossipAccepted, "register", "replay"),
    by(Fault::StaleReadByDefault, "kv", "delay"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{nemesis::Nemesis, workload};

    #[test]
    fn every_fault_has_an_attack_that_exists() -> anyhow::Result<()> {
        for fault in Fault::ALL {
            assert_eq!(ALL.iter().filter(|c| c.fault == fault).count(), 1, "{fault}");
        }
        for catch in ALL {
            workload::of(catch.workload)?;
            Nemesis::of(catch.nemesis)?;
        }
        Ok(())
    }
}
