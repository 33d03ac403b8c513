//! The loop: starts with leadership, ends with it.

use crate::{MemberEvent, Members, Membership};
use rpc::{Query, Submit};
use runtime::{RngSeed, Tasks, WallClock};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use types::{DatacenterName, SecretToken, Str};

/// Settings of the leader's duties.
#[derive(Clone, Debug)]
pub struct LeaderConfig {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// Own node name: this server never removes itself.
    pub node_name: Str,
    /// Period of the full comparison of members and catalog.
    pub reconcile_interval: Duration,
    /// Period of autopilot's pass.
    pub autopilot_interval: Duration,
    /// Age from which deletions are forgotten.
    pub tombstone_ttl: Duration,
    /// Number of servers that the cluster was formed with (`bootstrap_expect`, 1 with `bootstrap`): up to that many become
    /// voters without the stabilization time.
    pub bootstrap_expect: u32,
    /// `connect.enabled`: whether there is an authority at all.
    pub connect_enabled: bool,
    /// `connect.ca_config.cluster_id`, the UUID of the trust domain; `None` makes one.
    pub ca_cluster_id: Option<Str>,
    /// `connect.ca_config` as a JSON object, merged over the defaults.
    pub ca_config: Option<types::Opaque>,
    /// Token of the leader's own writes.
    pub token: SecretToken,
}

impl LeaderConfig {
    /// Defaults for a datacenter and a node.
    pub fn new(datacenter: DatacenterName, node_name: impl AsRef<str>) -> Self {
        Self {
            datacenter,
            node_name: Str::new(node_name),
            reconcile_interval: Duration::from_secs(60),
            autopilot_interval: Duration::from_secs(2),
            tombstone_ttl: Duration::from_secs(15 * 60),
            bootstrap_expect: 0,
            connect_enabled: true,
            ca_cluster_id: None,
            ca_config: None,
            token: SecretToken::default(),
        }
    }
}

/// What the duties are given.
pub struct Deps {
    /// Writes.
    pub submit: Arc<dyn Submit>,
    /// Reads.
    pub query: Arc<dyn Query>,
    /// The LAN pool.
    pub members: Arc<dyn Members>,
    /// Its changes; the sender drops events when it is full and sends [`MemberEvent::Resync`] afterwards.
    pub member_events: mpsc::Receiver<MemberEvent>,
    /// `Some(term)` while this server leads.
    pub leadership: watch::Receiver<Option<u64>>,
    /// The Raft configuration.
    pub membership: Arc<dyn Membership>,
    /// Wall time, for certificates and the age of deletions.
    pub clock: Arc<dyn WallClock>,
    /// Source of the trust domain's UUID and of serial numbers.
    pub seed: RngSeed,
    /// Owner of the loop.
    pub tasks: Tasks,
}

/// The leader's duties.
#[derive(Clone, Debug)]
pub struct Leader;

impl Leader {
    /// Starts the loop, which waits for leadership.
    pub fn start(config: LeaderConfig, deps: Deps) -> Self {
        let _ = (config, deps);
        Self
    }
}
