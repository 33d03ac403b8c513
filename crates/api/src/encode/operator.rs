//! Operator documents.

use super::writer::{Object, key};
use crate::duration::GoDuration;
use types::{command::AutopilotConfig, record::RaftIndex};

/// `/v1/operator/autopilot/configuration`.
pub fn autopilot_config(out: &mut Vec<u8>, c: &AutopilotConfig, index: RaftIndex) {
    let text = |ns: u64| GoDuration(i64::try_from(ns).unwrap_or(i64::MAX)).to_string();
    let mut o = Object::open(out);
    o.bool(key!("CleanupDeadServers"), c.cleanup_dead_servers);
    o.str(key!("LastContactThreshold"), &text(c.last_contact_threshold_ns));
    o.u64(key!("MaxTrailingLogs"), c.max_trailing_logs);
    o.u64(key!("MinQuorum"), u64::from(c.min_quorum));
    o.str(key!("ServerStabilizationTime"), &text(c.server_stabilization_time_ns));
    o.str(key!("RedundancyZoneTag"), &c.redundancy_zone_tag);
    o.bool(key!("DisableUpgradeMigration"), c.disable_upgrade_migration);
    o.str(key!("UpgradeVersionTag"), &c.upgrade_version_tag);
    o.index(index);
    o.close();
}
