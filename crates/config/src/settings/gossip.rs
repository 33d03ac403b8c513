//! Gossip pools and joining.

use super::Cidr;
use std::time::Duration;
use types::{SecretToken, Str};

/// Timers of one gossip pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GossipTiming {
    /// Period of gossip messages.
    pub gossip_interval: Duration,
    /// Peers per round.
    pub gossip_nodes: u32,
    /// Failure probe period.
    pub probe_interval: Duration,
    /// Wait for an answer to a probe.
    pub probe_timeout: Duration,
    /// Retransmissions: this × log(n).
    pub retransmit_mult: u32,
    /// Suspicion time: this × log(n) × probe interval.
    pub suspicion_mult: u32,
}

impl GossipTiming {
    /// Defaults within a datacenter.
    pub fn lan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            retransmit_mult: 4,
            suspicion_mult: 4,
        }
    }
    /// Defaults between datacenters.
    pub fn wan() -> Self {
        Self {
            gossip_interval: Duration::from_millis(500),
            gossip_nodes: 3,
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            retransmit_mult: 4,
            suspicion_mult: 6,
        }
    }
}

/// Both pools.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GossipSettings {
    /// LAN timers.
    pub lan: GossipTiming,
    /// WAN timers.
    pub wan: GossipTiming,
    /// `encrypt`: a base64 text that decodes, empty = off. Its length is checked when the keyring is set up
    /// ([`crate::gossip_key`]).
    pub encrypt: SecretToken,
    /// Refuse plain gossip.
    pub encrypt_verify_incoming: bool,
    /// Send no plain gossip.
    pub encrypt_verify_outgoing: bool,
    /// Keep the key in memory only.
    pub disable_keyring_file: bool,
    /// Reap failed LAN members after this.
    pub reconnect_timeout_lan: Duration,
    /// Reap failed WAN members after this.
    pub reconnect_timeout_wan: Duration,
    /// What this client asks others to use for it; zero = not set.
    pub advertise_reconnect_timeout: Duration,
    /// Join former members after a graceful leave too.
    pub rejoin_after_leave: bool,
    /// Networks whose LAN packets are taken; empty = all.
    pub lan_allowed: Vec<Cidr>,
    /// Networks whose WAN packets are taken; empty = all.
    pub wan_allowed: Vec<Cidr>,
    /// No network coordinates.
    pub disable_coordinates: bool,
}

/// Whom to join and how long to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinSettings {
    /// LAN targets after template expansion.
    pub lan: Vec<Str>,
    /// WAN targets.
    pub wan: Vec<Str>,
    /// Wait between LAN attempts.
    pub interval_lan: Duration,
    /// Wait between WAN attempts.
    pub interval_wan: Duration,
    /// Further attempts after the first; 0 = for ever.
    pub max_lan: u32,
    /// The same for WAN.
    pub max_wan: u32,
    /// Mesh gateways of the primary datacenter.
    pub primary_gateways: Vec<Str>,
    /// How often those are resolved again.
    pub primary_gateways_interval: Duration,
}
