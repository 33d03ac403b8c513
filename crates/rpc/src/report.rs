//! What autopilot thinks of the servers of a datacenter.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use types::{Str, member::MemberStatus};

/// What a server is for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ServerRole {
    /// It votes, or will.
    #[default]
    Voter,
    /// It never votes.
    ReadReplica,
    /// It votes for its redundancy zone.
    ZoneVoter,
    /// It votes although another server of its zone does.
    ZoneExtraVoter,
    /// It stands by in its zone.
    ZoneStandby,
}

impl ServerRole {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::ReadReplica => "read-replica",
            Self::ZoneVoter => "zone-voter",
            Self::ZoneExtraVoter => "zone-extra-voter",
            Self::ZoneStandby => "zone-standby",
        }
    }
}

/// One server of the Raft configuration.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServerReport {
    /// Node id (UUID text).
    pub id: Str,
    /// Node name.
    pub name: Str,
    /// RPC address.
    pub address: SocketAddr,
    /// State in gossip, [`MemberStatus::None`] if gossip does not know it.
    pub status: MemberStatus,
    /// API level.
    pub version: Str,
    /// It leads.
    pub leader: bool,
    /// It votes.
    pub voter: bool,
    /// What it is for.
    pub role: ServerRole,
    /// Its redundancy zone, empty without one.
    pub zone: Str,
    /// Since it last answered, [`Duration::MAX`] if it never did.
    pub last_contact: Duration,
    /// Term of the last entry known to be in its log.
    pub last_term: u64,
    /// Index of that entry.
    pub last_index: u64,
    /// It is alive and keeps up.
    pub healthy: bool,
    /// Since when it has been so (or not), Unix milliseconds of the leader's clock.
    pub stable_since_ms: u64,
    /// Metadata of its node.
    pub meta: BTreeMap<Str, Str>,
}

/// One redundancy zone.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneReport {
    /// Its name.
    pub name: Str,
    /// Ids of all its servers.
    pub servers: Vec<Str>,
    /// Ids of those that vote.
    pub voters: Vec<Str>,
    /// How many of its servers may fail before it has none that works.
    pub failure_tolerance: u64,
}

/// What autopilot thinks of the servers of a datacenter.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct AutopilotReport {
    /// All servers are.
    pub healthy: bool,
    /// Voters that may fail at once.
    pub failure_tolerance: u64,
    /// Servers that may fail one after the other, each replaced by a standby if there is one.
    pub optimistic_failure_tolerance: u64,
    /// The servers.
    pub servers: Vec<ServerReport>,
    /// The zones; none where servers are not divided into zones.
    pub zones: Vec<ZoneReport>,
}
