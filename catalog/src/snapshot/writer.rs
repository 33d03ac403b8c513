//! Writing: a cursor over an immutable version of the state.

use super::{CHUNK_BYTES, MAGIC, VERSION, record::Record};
use crate::{
    catalog::RowKey,
    coordinates::CoordinateKey,
    scope::Scope,
    store::{Lineage, Store},
    vip::Vips,
};
use faults::Fault;
use imbl::OrdMap;
use std::{collections::VecDeque, ops::Bound};
use types::{Str, codec, entry::EntryKey};

/// Yields a snapshot of one version of the state in chunks of about 64 KiB, without holding more than one.
pub struct Writer {
    store: Store,
    /// What is still to be written.
    parts: VecDeque<Part>,
    records: u64,
    started: bool,
    failed: bool,
}

/// A table, and the key up to which it is written.
enum Part {
    Head,
    Nodes { scope: Scope, after: Option<Str> },
    NodeServices { scope: Scope, node: Str, after: Option<RowKey> },
    NodeChecks { scope: Scope, node: Str, after: Option<RowKey> },
    Groups { scope: Scope, after: Option<Str> },
    Connect { scope: Scope, after: Option<Str> },
    Entries { scope: Scope, after: Option<Str> },
    Tombstones { scope: Scope, after: Option<Str> },
    Expiries { scope: Scope, after: Option<Str> },
    Delays { scope: Scope, after: Option<Str> },
    Sessions { scope: Scope, after: Option<Str> },
    Staged { at: usize },
    ConfigEntries { scope: Scope, after: Option<EntryKey> },
    Coordinates { after: Option<CoordinateKey> },
    PreparedQueries { after: Option<Str> },
    Vips { after: Option<(Scope, Str)> },
    End,
}

impl Writer {
    /// A snapshot of `store` to keep: without the pieces of a restore that has begun.
    pub fn of_state(mut store: Store) -> Self {
        store.staging = None;
        Self::new(store)
    }

    /// A snapshot of `store`.
    pub fn new(store: Store) -> Self {
        let mut parts = VecDeque::from([Part::Head]);
        parts.extend(store.catalog.nodes.iter().map(|(scope, _)| Part::Nodes { scope, after: None }));
        for (scope, _) in store.catalog.services.iter() {
            parts.push_back(Part::Groups { scope: scope.clone(), after: None });
            parts.push_back(Part::Connect { scope, after: None });
        }
        for (scope, _) in store.kv.iter().filter(|_| !faults::on(Fault::SnapshotMissingTable)) {
            parts.push_back(Part::Entries { scope: scope.clone(), after: None });
            parts.push_back(Part::Tombstones { scope: scope.clone(), after: None });
            parts.push_back(Part::Expiries { scope: scope.clone(), after: None });
            parts.push_back(Part::Delays { scope, after: None });
        }
        for (scope, _) in store.sessions.iter().filter(|(_, t)| t.index > 0) {
            parts.push_back(Part::Sessions { scope, after: None });
        }
        for (scope, _) in store.entries.iter().filter(|(_, t)| t.index() > 0) {
            parts.push_back(Part::ConfigEntries { scope, after: None });
        }
        if store.catalog.vips != Vips::default() {
            parts.push_back(Part::Vips { after: None });
        }
        if store.catalog.coordinates.index > 0 {
            parts.push_back(Part::Coordinates { after: None });
        }
        if store.queries.index > 0 {
            parts.push_back(Part::PreparedQueries { after: None });
        }
        if store.staging.is_some() {
            parts.push_back(Part::Staged { at: 0 });
        }
        parts.push_back(Part::End);
        Self { store, parts, records: 0, started: false, failed: false }
    }

    /// Whether a row could not be encoded; the snapshot then has no end and is of no use.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Writes what fits of one part; what is left of it comes back.
    fn write(&mut self, part: Part, out: &mut Vec<u8>) -> Option<Part> {
        let store = self.store.clone();
        match part {
            Part::Head => {
                self.head(&store, out);
                None
            }
            Part::Nodes { scope, after } => {
                let table = store.catalog.nodes.get(&scope)?;
                let (key, row) = next(&table.rows, after.as_ref())?;
                self.put(
                    out,
                    &Record::Node {
                        node: row.node.clone(),
                        services_index: row.services_index,
                        checks_index: row.checks_index,
                    },
                );
                self.parts.push_front(Part::Nodes { scope: scope.clone(), after: Some(key.clone()) });
                self.parts.push_front(Part::NodeChecks {
                    scope: scope.clone(),
                    node: key.clone(),
                    after: None,
                });
                Some(Part::NodeServices { scope, node: key.clone(), after: None })
            }
            Part::NodeServices { scope, node, after } => {
                let row = store.catalog.nodes.get(&scope)?.rows.get(&node)?;
                let after = self.rows(&row.services, after, out, |_, s| Record::Service(s.clone()))?;
                Some(Part::NodeServices { scope, node, after: Some(after) })
            }
            Part::NodeChecks { scope, node, after } => {
                let row = store.catalog.nodes.get(&scope)?.rows.get(&node)?;
                let after = self.rows(&row.checks, after, out, |_, c| Record::Check(c.clone()))?;
                Some(Part::NodeChecks { scope, node, after: Some(after) })
            }
            Part::Groups { scope, after } => {
                let table = store.catalog.services.get(&scope)?;
                let after = self.rows(&table.groups, after, out, |name, g| Record::Group {
                    scope: scope.clone(),
                    name: name.clone(),
                    index: g.index,
                })?;
                Some(Part::Groups { scope, after: Some(after) })
            }
            Part::Connect { scope, after } => {
                let table = store.catalog.services.get(&scope)?;
                let after = self.rows(&table.connect, after, out, |name, g| Record::Connect {
                    scope: scope.clone(),
                    name: name.clone(),
                    index: g.index,
                })?;
                Some(Part::Connect { scope, after: Some(after) })
            }
            Part::Entries { scope, after } => {
                let table = store.kv.get(&scope)?;
                let after = self.rows(table.entries(), after, out, |_, e| Record::Kv(e.clone()))?;
                Some(Part::Entries { scope, after: Some(after) })
            }
            Part::Tombstones { scope, after } => {
                let table = store.kv.get(&scope)?;
                let after = self.rows(table.tombstones(), after, out, |key, index| Record::Tombstone {
                    tenancy: scope.tenancy.clone(),
                    key: key.clone(),
                    index: *index,
                })?;
                Some(Part::Tombstones { scope, after: Some(after) })
            }
            Part::Expiries { scope, after } => {
                let table = store.kv.get(&scope)?;
                let after = self.rows(table.expiries(), after, out, |key, at| Record::KvExpiry {
                    tenancy: scope.tenancy.clone(),
                    key: key.clone(),
                    at: *at,
                })?;
                Some(Part::Expiries { scope, after: Some(after) })
            }
            Part::Delays { scope, after } => {
                let table = store.kv.get(&scope)?;
                let after = self.rows(table.delays(), after, out, |key, until| Record::LockDelay {
                    tenancy: scope.tenancy.clone(),
                    key: key.clone(),
                    until: *until,
                })?;
                Some(Part::Delays { scope, after: Some(after) })
            }
            Part::Sessions { scope, after } => {
                let table = store.sessions.get(&scope)?;
                match self.rows(table.rows(), after, out, |_, s| Record::Session(s.clone())) {
                    Some(after) => Some(Part::Sessions { scope, after: Some(after) }),
                    None => {
                        for (node, index) in table.node_indexes() {
                            let (tenancy, node) = (scope.tenancy.clone(), node.clone());
                            self.put(out, &Record::SessionsOfNode { tenancy, node, index });
                        }
                        None
                    }
                }
            }
            Part::ConfigEntries { scope, after } => {
                let table = store.entries.get(&scope)?;
                let after = self.rows(table.rows(), after, out, |_, e| Record::Entry(e.clone()))?;
                Some(Part::ConfigEntries { scope, after: Some(after) })
            }
            Part::Coordinates { after } => {
                let table = &store.catalog.coordinates;
                let after = self.rows(table.map(), after, out, |_, (row, index)| Record::Coordinate {
                    row: row.clone(),
                    index: *index,
                })?;
                Some(Part::Coordinates { after: Some(after) })
            }
            Part::PreparedQueries { after } => {
                let after =
                    self.rows(store.queries.rows(), after, out, |_, q| Record::PreparedQuery(q.clone()))?;
                Some(Part::PreparedQueries { after: Some(after) })
            }
            Part::Staged { at } => {
                let staging = store.staging.as_ref()?;
                let data = staging.chunks.get(at)?.clone();
                self.put(out, &Record::Staged { id: staging.id.clone(), data });
                Some(Part::Staged { at: at + 1 })
            }
            Part::Vips { after } => {
                let vips = &store.catalog.vips;
                if after.is_none() {
                    self.put(out, &Record::VipTable { extinct: vips.extinct });
                }
                let after = self.rows(&vips.rows, after, out, |(scope, name), vip| Record::Vip {
                    scope: scope.clone(),
                    name: name.clone(),
                    number: vip.number,
                    by_instances: vip.by_instances,
                    by_entries: vip.by_entries,
                    manual: vip.manual.clone(),
                    index: vip.index,
                })?;
                Some(Part::Vips { after: Some(after) })
            }
            Part::End => {
                let records = self.records;
                self.put(out, &Record::End { records });
                None
            }
        }
    }

    fn head(&mut self, store: &Store, out: &mut Vec<u8>) {
        let catalog = &store.catalog;
        self.put(
            out,
            &Record::Start {
                index: store.index(),
                rows_index: catalog.rows_index,
                vips_used: catalog.vips.pool.used,
            },
        );
        if store.lineage != Lineage::default() {
            let Lineage { offset, floor } = store.lineage;
            self.put(out, &Record::Lineage { offset, floor });
        }
        for (scope, t) in catalog.nodes.iter() {
            self.put(out, &Record::NodeTable { scope, index: t.index, extinct: t.extinct });
        }
        for (scope, t) in catalog.services.iter() {
            self.put(
                out,
                &Record::ServiceTable {
                    scope,
                    names_index: t.names_index,
                    rows_index: t.rows_index,
                    extinct: t.extinct,
                    connect_extinct: t.connect_extinct,
                    checks_index: t.checks_index,
                    state_index: t.state_index,
                },
            );
        }
        for (scope, t) in store.kv.iter() {
            let (index, reaped) = t.indexes();
            if t.expiries_index() > 0 {
                let (tenancy, index) = (scope.tenancy.clone(), t.expiries_index());
                self.put(out, &Record::KvExpiries { tenancy, index });
            }
            self.put(out, &Record::KvTable { tenancy: scope.tenancy, index, reaped });
        }
        for (scope, t) in store.sessions.iter().filter(|(_, t)| t.index > 0) {
            self.put(out, &Record::SessionTable { tenancy: scope.tenancy, index: t.index });
        }
        for (scope, t) in store.entries.iter().filter(|(_, t)| t.index() > 0) {
            let kinds = t.kinds().iter().map(|(k, i)| (*k, i.changed, i.extinct)).collect();
            self.put(out, &Record::EntryTable { tenancy: scope.tenancy, index: t.index(), kinds });
        }
        if let Some(state) = store.authority.state() {
            self.put(out, &Record::Authority(Box::new(state.clone())));
        }
        if store.authority.serial() > 0 {
            self.put(out, &Record::AuthoritySerial(store.authority.serial()));
        }
        self.put(out, &Record::Autopilot(store.autopilot.clone()));
        let coordinates = &catalog.coordinates;
        if coordinates.index > 0 {
            let (index, extinct) = (coordinates.index, coordinates.extinct);
            self.put(out, &Record::CoordinateTable { index, extinct });
        }
        let tenancies = &store.tenancies;
        if tenancies.index > 0 {
            self.put(out, &Record::TenancyTable { index: tenancies.index });
            for row in tenancies.partition_rows() {
                self.put(out, &Record::Partition(row.clone()));
            }
            for row in tenancies.namespace_rows() {
                self.put(out, &Record::Namespace(row.clone()));
            }
        }
        if store.queries.index > 0 {
            self.put(out, &Record::PreparedQueryTable { index: store.queries.index });
        }
        let federation = &store.federation;
        if federation.index > 0 {
            let (index, extinct) = (federation.index, federation.extinct);
            self.put(out, &Record::FederationTable { index, extinct });
            for row in federation.rows() {
                self.put(out, &Record::FederationState(row.clone()));
            }
        }
    }

    /// Writes rows after a key until the chunk is full; the last key written, or `None` when there are no more.
    fn rows<K: Ord + Clone, V>(
        &mut self,
        map: &OrdMap<K, V>,
        after: Option<K>,
        out: &mut Vec<u8>,
        record: impl Fn(&K, &V) -> Record,
    ) -> Option<K> {
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = map.range::<_, K>((from, Bound::Unbounded));
        for (key, value) in &mut range {
            self.put(out, &record(key, value));
            if out.len() >= CHUNK_BYTES {
                return Some(key.clone());
            }
        }
        None
    }

    fn put(&mut self, out: &mut Vec<u8>, record: &Record) {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        if codec::encode_into(record, out).is_err() {
            self.failed = true;
            out.truncate(at);
            return;
        }
        let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
        out[at..at + 4].copy_from_slice(&length.to_le_bytes());
        self.records += 1;
    }
}

fn next<'m, K: Ord + Clone, V>(map: &'m OrdMap<K, V>, after: Option<&K>) -> Option<(&'m K, &'m V)> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<_, K>((from, Bound::Unbounded)).next()
}

impl Iterator for Writer {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.failed {
            return None;
        }
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        if !self.started {
            self.started = true;
            chunk.extend_from_slice(MAGIC);
            chunk.extend_from_slice(&VERSION.to_le_bytes());
        }
        let frame = chunk.len();
        chunk.extend_from_slice(&[0; 8]);
        while chunk.len() < CHUNK_BYTES {
            let Some(part) = self.parts.pop_front() else { break };
            if let Some(rest) = self.write(part, &mut chunk) {
                self.parts.push_front(rest);
            }
        }
        if chunk.len() == frame + 8 || self.failed {
            return None;
        }
        let payload = &chunk[frame + 8..];
        let (length, crc) = (u32::try_from(payload.len()).ok()?, crc32fast::hash(payload));
        chunk[frame..frame + 4].copy_from_slice(&length.to_le_bytes());
        chunk[frame + 4..frame + 8].copy_from_slice(&crc.to_le_bytes());
        Some(chunk)
    }
}
