//! Reading.

use super::{FRAME_BYTES_MAX, MAGIC, SnapshotError, VERSION, record::Record};
use crate::{
    catalog::Rebuild,
    entries::KindIndex,
    restore::Staging,
    scope::Scope,
    store::{Lineage, Store},
    vip::{self, Vip},
};
use std::{io::Read, sync::Arc};
use types::{Tenancy, codec};

/// Reads a snapshot to its end.
///
/// # Errors
/// Damaged, truncated or unknown input; see [`SnapshotError`].
pub fn restore(mut input: impl Read) -> Result<Store, SnapshotError> {
    open(&mut input)?;
    let mut builder = Builder { rebuild: Rebuild::default(), store: Store::new(), records: 0, ended: false };
    let mut payload = Vec::new();
    while !builder.ended {
        read_frame(&mut input, &mut payload)?;
        let mut rest = payload.as_slice();
        while !rest.is_empty() {
            let (length, tail) =
                rest.split_first_chunk::<4>().ok_or(SnapshotError::Damaged("a record has no length"))?;
            let (record, tail) = usize::try_from(u32::from_le_bytes(*length))
                .ok()
                .and_then(|n| tail.split_at_checked(n))
                .ok_or(SnapshotError::Damaged("a record is longer than its frame"))?;
            builder.put(codec::decode(record)?)?;
            rest = tail;
        }
    }
    if input.read(&mut [0])? != 0 {
        return Err(SnapshotError::Damaged("there is data after its end"));
    }
    Ok(builder.store)
}

/// Checks the header.
pub(super) fn open(input: &mut impl Read) -> Result<(), SnapshotError> {
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(SnapshotError::Damaged("it does not begin like a snapshot"));
    }
    let mut version = [0; 2];
    input.read_exact(&mut version)?;
    match u16::from_le_bytes(version) {
        VERSION => Ok(()),
        other => Err(SnapshotError::Version(other)),
    }
}

pub(super) fn read_frame(input: &mut impl Read, payload: &mut Vec<u8>) -> Result<(), SnapshotError> {
    let mut head = [0; 8];
    input.read_exact(&mut head)?;
    let [a, b, c, d, e, f, g, h] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(SnapshotError::Damaged("a frame is too long"));
    }
    payload.clear();
    // The buffer grows with what really arrives, not with what a damaged length promises.
    let got = input.by_ref().take(length as u64).read_to_end(payload)?;
    if got != length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    if crc32fast::hash(payload) != u32::from_le_bytes([e, f, g, h]) {
        return Err(SnapshotError::Damaged("a checksum does not match"));
    }
    Ok(())
}

struct Builder {
    store: Store,
    rebuild: Rebuild,
    records: u64,
    ended: bool,
}

impl Builder {
    fn put(&mut self, record: Record) -> Result<(), SnapshotError> {
        if self.ended {
            return Err(SnapshotError::Damaged("there are records after its end"));
        }
        if (self.records == 0) != matches!(record, Record::Start { .. }) {
            return Err(SnapshotError::Damaged("its first record is not where it belongs"));
        }
        let store = &mut self.store;
        let catalog = &mut store.catalog;
        match record {
            Record::Start { vips_used, .. } if vips_used > vip::LAST => {
                return Err(SnapshotError::Damaged("it counts more virtual addresses than there are"));
            }
            Record::Start { index, rows_index, vips_used } => {
                store.applied(index);
                store.catalog.rows_index = rows_index;
                store.catalog.vips.pool.used = vips_used;
            }
            Record::NodeTable { scope, index, extinct } => {
                let table = catalog.nodes.get_mut(&scope);
                (table.index, table.extinct) = (index, extinct);
            }
            Record::ServiceTable {
                scope,
                names_index,
                rows_index,
                extinct,
                connect_extinct,
                checks_index,
                state_index,
            } => {
                let t = catalog.services.get_mut(&scope);
                (t.names_index, t.rows_index, t.extinct) = (names_index, rows_index, extinct);
                (t.connect_extinct, t.checks_index, t.state_index) =
                    (connect_extinct, checks_index, state_index);
            }
            Record::Node { node, services_index, checks_index } => {
                self.rebuild.node(catalog, node, services_index, checks_index);
            }
            Record::Service(service) => self.rebuild.service(service),
            Record::Check(check) => self.rebuild.check(check),
            Record::Group { scope, name, index } => {
                self.rebuild.finish_node(catalog);
                let group = catalog.services.get_mut(&scope).groups.get_mut(&name);
                Arc::make_mut(group.ok_or(SnapshotError::Damaged("a service has no instances"))?).index =
                    index;
            }
            Record::Connect { scope, name, index } => {
                self.rebuild.finish_node(catalog);
                let group = catalog.services.get_mut(&scope).connect.get_mut(&name);
                let group =
                    Arc::make_mut(group.ok_or(SnapshotError::Damaged("a mesh service has no instances"))?);
                group.index = index;
            }
            Record::KvTable { tenancy, index, reaped } => {
                store.kv.get_mut(&kv_scope(tenancy)).set_indexes(index, reaped);
            }
            Record::Kv(entry) => store.kv.get_mut(&kv_scope(entry.tenancy.clone())).insert(entry),
            Record::Tombstone { tenancy, key, index } => {
                store.kv.get_mut(&kv_scope(tenancy)).bury(key, index);
            }
            Record::SessionTable { tenancy, index } => {
                store.sessions.get_mut(&kv_scope(tenancy)).index = index;
            }
            Record::Session(session) => {
                store.sessions.get_mut(&kv_scope(session.tenancy.clone())).restore(session);
            }
            Record::SessionsOfNode { tenancy, node, index } => {
                store.sessions.get_mut(&kv_scope(tenancy)).set_node_index(node, index);
            }
            Record::KvExpiries { tenancy, index } => {
                store.kv.get_mut(&kv_scope(tenancy)).set_expiries_index(index);
            }
            Record::KvExpiry { tenancy, key, at } => {
                store.kv.get_mut(&kv_scope(tenancy)).restore_expiry(key, at);
            }
            Record::LockDelay { tenancy, key, until } => {
                store.kv.get_mut(&kv_scope(tenancy)).restore_delay(key, until);
            }
            Record::Lineage { offset, floor } => store.lineage = Lineage { offset, floor },
            Record::Staged { id, data } => {
                let staging = store.staging.get_or_insert_with(|| Staging { id, ..Staging::default() });
                staging.push(data);
            }
            Record::TenancyTable { index } => store.tenancies.index = index,
            Record::Partition(row) => store.tenancies.restore_partition(row),
            Record::Namespace(row) => store.tenancies.restore_namespace(row),
            Record::Authority(state) => store.authority.restore(*state),
            Record::AuthoritySerial(serial) => store.authority.restore_serial(serial),
            Record::Autopilot(autopilot) => store.autopilot = autopilot,
            Record::EntryTable { tenancy, index, kinds } => {
                let kinds =
                    kinds.into_iter().map(|(k, changed, extinct)| (k, KindIndex { changed, extinct }));
                store.entries.get_mut(&kv_scope(tenancy)).set_indexes(index, kinds);
            }
            Record::Entry(entry) => store.entries.get_mut(&kv_scope(entry.tenancy.clone())).restore(entry),
            Record::FederationTable { index, extinct } => {
                (store.federation.index, store.federation.extinct) = (index, extinct);
            }
            Record::FederationState(row) => store.federation.restore(row),
            Record::CoordinateTable { index, extinct } => {
                (catalog.coordinates.index, catalog.coordinates.extinct) = (index, extinct);
            }
            Record::PreparedQueryTable { index } => store.queries.index = index,
            Record::PreparedQuery(query) => store.queries.restore(query),
            Record::VipTable { extinct } => catalog.vips.extinct = extinct,
            Record::Vip { scope, name, number, by_instances, by_entries, manual, index } => {
                let vip = Vip { number, by_instances, by_entries, manual, index };
                catalog.vips.rows.insert((scope, name), vip);
            }
            Record::Coordinate { row, index } => catalog.coordinates.restore(row, index),
            Record::End { records } => {
                if records != self.records {
                    return Err(SnapshotError::Damaged("records are missing"));
                }
                self.rebuild.finish_node(catalog);
                catalog.vips.rebuilt().map_err(SnapshotError::Damaged)?;
                self.ended = true;
            }
        }
        self.records += 1;
        Ok(())
    }
}

fn kv_scope(tenancy: Tenancy) -> Scope {
    Scope { tenancy, peer: Default::default() }
}
