//! Writes: what goes into the Raft log, and what applying answers.
//!
//! Times, ids and random choices are made before proposing; applying is a pure function of the log.
//! Variants are only ever appended: the binary codec numbers them by position.

use crate::{
    ca::{CaConfig, CaProviderState, CaRoot},
    coordinate::CoordinateRow,
    entry::{ConfigEntry, EntryKey, EntryKind},
    names::{CheckId, DatacenterName, NodeName, PeerName, ServiceId, ServiceName, Str, Tenancy},
    prepared::PreparedQuery,
    record::{FederationState, HealthCheck, Locality, Map, Namespace, NodeService, Partition, Session},
    txn::{TxnAnswer, TxnOp},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Upsert of a node, optionally one service, any checks (`PUT /v1/catalog/register`).
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Register {
    /// Datacenter, filled before proposing.
    pub datacenter: DatacenterName,
    /// Node id or `""`.
    pub id: Str,
    /// Node name.
    pub node: NodeName,
    /// Node address.
    pub address: Str,
    /// Tagged addresses of the node.
    pub tagged_addresses: Option<Map>,
    /// Metadata of the node.
    pub node_meta: Option<Map>,
    /// Region and zone of the node.
    pub locality: Option<Locality>,
    /// An instance.
    pub service: Option<Box<NodeService>>,
    /// Checks.
    pub checks: Vec<HealthCheck>,
    /// Leave an existing node row as it is.
    pub skip_node_update: bool,
    /// Owner of the node.
    pub tenancy: Tenancy,
    /// Peer for imported rows.
    pub peer: PeerName,
}

/// Removal of an instance, a check or a node (`PUT /v1/catalog/deregister`): the first of service id, check id, node.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deregister {
    /// Node name.
    pub node: NodeName,
    /// Instance to remove, `""` for none.
    pub service_id: ServiceId,
    /// Check to remove, `""` for none.
    pub check_id: CheckId,
    /// Owner.
    pub tenancy: Tenancy,
    /// Peer for imported rows.
    pub peer: PeerName,
}

/// A change of the key-value store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum KvOp {
    /// Write unconditionally.
    Set {
        /// Key.
        key: Str,
        /// Value.
        value: Bytes,
        /// Flags.
        flags: u64,
    },
    /// Write if the entry's modify index equals `index`; 0 = only if absent.
    Cas {
        /// Key.
        key: Str,
        /// Value.
        value: Bytes,
        /// Flags.
        flags: u64,
        /// Expected modify index.
        index: u64,
    },
    /// Remove one key.
    Delete {
        /// Key.
        key: Str,
    },
    /// Remove if the entry's modify index equals `index`.
    DeleteCas {
        /// Key.
        key: Str,
        /// Expected modify index.
        index: u64,
    },
    /// Remove every key with this prefix.
    DeleteTree {
        /// Prefix.
        prefix: Str,
    },
    /// Write and take the lock for a session, if nobody else holds it and no lock-delay runs.
    Lock {
        /// Key.
        key: Str,
        /// Value.
        value: Bytes,
        /// Flags.
        flags: u64,
        /// The session.
        session: Str,
    },
    /// Write and give the lock back, if this session holds it.
    Unlock {
        /// Key.
        key: Str,
        /// Value.
        value: Bytes,
        /// Flags.
        flags: u64,
        /// The session.
        session: Str,
    },
    /// A write whose key goes away by itself. The time starts anew with each such write, and ends with one that names none.
    WithTtl {
        /// Time to live from when it was proposed, milliseconds.
        ttl_ms: u64,
        /// `Set`, `Cas`, `Lock` or `Unlock`.
        #[serde(deserialize_with = "crate::codec::nested")]
        write: Box<Self>,
    },
}

impl KvOp {
    /// The key that is written when the operation takes effect; `None` for deletions.
    pub fn written_key(&self) -> Option<&Str> {
        match self {
            Self::Set { key, .. }
            | Self::Cas { key, .. }
            | Self::Lock { key, .. }
            | Self::Unlock { key, .. } => Some(key),
            Self::WithTtl { write, .. } => write.written_key(),
            Self::Delete { .. } | Self::DeleteCas { .. } | Self::DeleteTree { .. } => None,
        }
    }
    /// Session that takes a lock (`true`) or gives it back.
    pub fn session(&self) -> Option<(&Str, bool)> {
        match self {
            Self::Lock { session, .. } => Some((session, true)),
            Self::Unlock { session, .. } => Some((session, false)),
            Self::WithTtl { write, .. } => write.session(),
            _ => None,
        }
    }
}

/// Settings of autopilot. Durations in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AutopilotConfig {
    /// Remove failed servers as new ones join.
    pub cleanup_dead_servers: bool,
    /// Longest silence of a healthy server.
    pub last_contact_threshold_ns: u64,
    /// How many entries a healthy server may lag.
    pub max_trailing_logs: u64,
    /// Smallest number of servers that clean-up leaves.
    pub min_quorum: u32,
    /// How long a server must be healthy before it votes.
    pub server_stabilization_time_ns: u64,
    /// Key of the node metadata that names a server's zone, of which one server votes; empty for no zones.
    pub redundancy_zone_tag: Str,
    /// Kept and shown; without effect.
    pub disable_upgrade_migration: bool,
    /// Kept and shown; without effect.
    pub upgrade_version_tag: Str,
}

impl Default for AutopilotConfig {
    fn default() -> Self {
        Self {
            cleanup_dead_servers: true,
            last_contact_threshold_ns: 200_000_000,
            max_trailing_logs: 250,
            min_quorum: 0,
            server_stabilization_time_ns: 10_000_000_000,
            redundancy_zone_tag: Str::default(),
            disable_upgrade_migration: false,
            upgrade_version_tag: Str::default(),
        }
    }
}

/// One entry of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Nothing; used as a barrier.
    Noop,
    /// Catalog upsert.
    Register(Box<Register>),
    /// Catalog removal.
    Deregister(Deregister),
    /// Key-value change.
    Kv {
        /// Owner of the key.
        tenancy: Tenancy,
        /// The change.
        op: KvOp,
    },
    /// First root of the authority, or a rotation: stores configuration, private state and the full list of roots in one step.
    /// Answers `Bool(false)` and changes nothing if the stored configuration's modify index is not `expect_index`.
    CaSet {
        /// Modify index of the configuration this is based on; 0 = none yet.
        expect_index: u64,
        /// Configuration.
        config: CaConfig,
        /// Private state.
        state: CaProviderState,
        /// Roots.
        roots: Vec<CaRoot>,
    },
    /// Stores autopilot's settings, if the stored modify index equals `cas` (when given).
    AutopilotSet {
        /// Settings.
        config: AutopilotConfig,
        /// Expected modify index.
        cas: Option<u64>,
    },
    /// Forgets deletions (tombstones) up to this index.
    ReapTombstones {
        /// Highest index to forget.
        up_to: u64,
    },
    /// Several commands as one entry, each with its own answer; not a transaction.
    Batch(#[serde(deserialize_with = "crate::codec::nested")] Vec<Self>),
    /// Stores a configuration entry that is normal and keeps its own rules; those that concern other entries are looked at
    /// when it is applied. Answers `Bool`; writing what is stored already is `true` and changes nothing.
    ConfigEntrySet {
        /// The entry; its indexes do not count.
        entry: Box<ConfigEntry>,
        /// Expected modify index of the stored entry; 0 = none is stored.
        cas: Option<u64>,
    },
    /// Removes a configuration entry; answers `Bool`, `true` also when there is none.
    ConfigEntryDelete {
        /// Owner.
        tenancy: Tenancy,
        /// Kind.
        kind: EntryKind,
        /// Name.
        name: Str,
        /// Expected modify index.
        cas: Option<u64>,
    },
    /// Stores the gateways of a datacenter. In the primary datacenter `primary_modify_index` is 0 and becomes the index of this command.
    FederationStateSet {
        /// The gateways; its own indexes do not count.
        state: Box<FederationState>,
    },
    /// Forgets the gateways of a datacenter.
    FederationStateDelete {
        /// The datacenter.
        datacenter: DatacenterName,
    },
    /// Entries as the primary datacenter has them, in one step. They were checked there, so rules that concern more than
    /// one entry are not looked at again: a part of a change could break them, the whole does not.
    ReplicateConfigEntries {
        /// Entries to store.
        set: Vec<ConfigEntry>,
        /// Entries to remove.
        delete: Vec<(Tenancy, EntryKey)>,
    },
    /// Gateways as the primary datacenter knows them, in one step.
    ReplicateFederationStates {
        /// Rows to store, each with the index that the primary gave it.
        set: Vec<FederationState>,
        /// Datacenters to forget.
        delete: Vec<DatacenterName>,
    },
    /// Takes the next serial number of the authority; answers `Number`.
    CaSerial,
    /// Stores a new session. Refused when its node or one of its checks is missing, or a check is critical.
    SessionCreate(Box<Session>),
    /// Ends a session: locks are given back or their keys deleted. An unknown one is fine.
    SessionDestroy {
        /// Owner.
        tenancy: Tenancy,
        /// The session.
        id: Str,
    },
    /// All operations or none; answers `Txn`.
    Txn {
        /// Datacenter, for node rows.
        datacenter: DatacenterName,
        /// The operations, in order.
        ops: Vec<TxnOp>,
    },
    /// Removes keys whose time to live is over, each unless it was written anew: then its time is another one.
    ExpireKeys {
        /// Owner, key, and the end of its time that was seen, Unix milliseconds.
        keys: Vec<(Tenancy, Str, u64)>,
    },
    /// A piece of a snapshot that is to replace the state. The first one puts an older restore away.
    RestoreChunk {
        /// The restore.
        id: Str,
        /// How many pieces came before.
        at: u32,
        /// The piece.
        data: Bytes,
    },
    /// Replaces the state by the snapshot whose pieces came before; refused when one is missing or they are none.
    RestoreCommit {
        /// The restore.
        id: Str,
        /// How many pieces there are.
        chunks: u32,
    },
    /// Forgets the pieces of whatever restore has begun: a new leader does not go on with it.
    RestoreAbort,
    /// Stores where nodes are in the network; those of nodes that do not exist are passed over.
    CoordinateUpdates(Vec<CoordinateRow>),
    /// Stores a partition.
    PartitionSet(Box<Partition>),
    /// Removes a partition that holds nothing.
    PartitionDelete {
        /// Its name.
        name: Str,
    },
    /// Stores a namespace of a partition that exists.
    NamespaceSet(Box<Namespace>),
    /// Removes a namespace that holds nothing.
    NamespaceDelete {
        /// Its partition.
        partition: Str,
        /// Its name.
        name: Str,
    },
    /// Stores a prepared query. Refused when its name is taken, its session or, unless `create`, the query does not exist.
    PreparedQuerySet {
        /// The query, with an id; its indexes do not count.
        query: Box<PreparedQuery>,
        /// It is a new one.
        create: bool,
    },
    /// Forgets a prepared query. Refused when there is none.
    PreparedQueryDelete {
        /// Its id.
        id: Str,
    },
    /// Gives a service virtual addresses besides its own, which it has to have, and takes them from other services of its
    /// partition. Answers `ManualVips`.
    ManualVips {
        /// Owner.
        tenancy: Tenancy,
        /// The service.
        service: ServiceName,
        /// All that it is to have.
        addresses: Vec<Ipv4Addr>,
    },
}

impl Command {
    /// Whether all datacenters share what it changes, so that it is the primary datacenter's to apply.
    pub fn is_global(&self) -> bool {
        match self {
            Self::ConfigEntrySet { .. }
            | Self::ConfigEntryDelete { .. }
            | Self::FederationStateSet { .. }
            | Self::FederationStateDelete { .. } => true,
            Self::Batch(commands) => commands.iter().any(Self::is_global),
            Self::Noop
            | Self::Register(_)
            | Self::Deregister(_)
            | Self::Kv { .. }
            | Self::CaSet { .. }
            | Self::CaSerial
            | Self::CoordinateUpdates(_)
            | Self::PreparedQuerySet { .. }
            | Self::PreparedQueryDelete { .. }
            | Self::AutopilotSet { .. }
            | Self::ReapTombstones { .. }
            | Self::ReplicateConfigEntries { .. }
            | Self::ReplicateFederationStates { .. }
            | Self::SessionCreate(_)
            | Self::SessionDestroy { .. }
            | Self::Txn { .. }
            | Self::ExpireKeys { .. }
            | Self::RestoreChunk { .. }
            | Self::RestoreCommit { .. }
            | Self::PartitionSet(_)
            | Self::PartitionDelete { .. }
            | Self::NamespaceSet(_)
            | Self::NamespaceDelete { .. }
            | Self::RestoreAbort
            | Self::ManualVips { .. } => false,
        }
    }
}

/// A command with what the proposer fixed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Proposal {
    /// Wall time of the proposer, Unix milliseconds.
    pub proposed_at_ms: u64,
    /// The command.
    pub command: Command,
}

/// What applying a command answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum CommandResponse {
    /// Done.
    Ok,
    /// Whether a conditional command took effect.
    Bool(bool),
    /// Refused by the state machine; the text is part of the public API. Nothing was changed.
    Refused(Str),
    /// Answers of a batch.
    Batch(#[serde(deserialize_with = "crate::codec::nested")] Vec<Self>),
    /// A number that was handed out.
    Number(u64),
    /// Results or errors of a transaction.
    Txn(Box<TxnAnswer>),
    /// The services that lost an address; `None`: the one that was to have them has none of its own.
    ManualVips(Option<Vec<(Tenancy, Str)>>),
}
