//! What a snapshot consists of. Variants are only ever appended.

use crate::{
    authority::{AuthorityState, Autopilot},
    scope::Scope,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, sync::Arc};
use types::{
    Str, Tenancy,
    coordinate::CoordinateRow,
    entry::{ConfigEntry, EntryKind},
    prepared::PreparedQuery,
    record::{FederationState, HealthCheck, KvEntry, Namespace, Node, NodeService, Partition, Session},
};

/// One piece of the state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Record {
    /// Comes first.
    Start {
        index: u64,
        rows_index: u64,
        /// Highest virtual address handed out so far.
        vips_used: u32,
    },
    NodeTable {
        scope: Scope,
        index: u64,
        extinct: u64,
    },
    ServiceTable {
        scope: Scope,
        names_index: u64,
        rows_index: u64,
        extinct: u64,
        connect_extinct: u64,
        checks_index: u64,
        state_index: [u64; 4],
    },
    /// Its services and checks follow.
    Node {
        node: Arc<Node>,
        services_index: u64,
        checks_index: u64,
    },
    Service(Arc<NodeService>),
    Check(Arc<HealthCheck>),
    /// Index of a service name; its instances came before.
    Group {
        scope: Scope,
        name: Str,
        index: u64,
    },
    /// Index of a name in the mesh; its instances came before.
    Connect {
        scope: Scope,
        name: Str,
        index: u64,
    },
    KvTable {
        tenancy: Tenancy,
        index: u64,
        reaped: u64,
    },
    Kv(Arc<KvEntry>),
    Tombstone {
        tenancy: Tenancy,
        key: Str,
        index: u64,
    },
    Authority(Box<AuthorityState>),
    Autopilot(Autopilot),
    /// Comes last in a snapshot, with the number of records before it.
    End {
        records: u64,
    },
    /// Indexes of a table of configuration entries: of all, and of kinds (last change, last disappearance).
    EntryTable {
        tenancy: Tenancy,
        index: u64,
        kinds: Vec<(EntryKind, u64, u64)>,
    },
    Entry(Arc<ConfigEntry>),
    FederationTable {
        index: u64,
        extinct: u64,
    },
    FederationState(Arc<FederationState>),
    /// Last serial number of the authority.
    AuthoritySerial(u64),
    SessionTable {
        tenancy: Tenancy,
        index: u64,
    },
    Session(Arc<Session>),
    /// Last change of the sessions on a node; the sessions came before.
    SessionsOfNode {
        tenancy: Tenancy,
        node: Str,
        index: u64,
    },
    /// Last change of the times to live of keys.
    KvExpiries {
        tenancy: Tenancy,
        index: u64,
    },
    KvExpiry {
        tenancy: Tenancy,
        key: Str,
        at: u64,
    },
    LockDelay {
        tenancy: Tenancy,
        key: Str,
        until: u64,
    },
    /// What an earlier restore left behind.
    Lineage {
        offset: u64,
        floor: u64,
    },
    /// A piece of a restore that has begun.
    Staged {
        id: Str,
        data: Bytes,
    },
    CoordinateTable {
        index: u64,
        extinct: u64,
    },
    Coordinate {
        row: Arc<CoordinateRow>,
        index: u64,
    },
    TenancyTable {
        index: u64,
    },
    Partition(Arc<Partition>),
    Namespace(Arc<Namespace>),
    PreparedQueryTable {
        index: u64,
    },
    PreparedQuery(Arc<PreparedQuery>),
    VipTable {
        extinct: u64,
    },
    /// Virtual addresses of a service.
    Vip {
        scope: Scope,
        name: Str,
        number: u32,
        by_instances: bool,
        by_entries: bool,
        manual: Vec<Ipv4Addr>,
        index: u64,
    },
}
