//! Giving a log another set of servers, when so many of its voters are lost that no election can be won any more.
//!
//! Works on the files of a server that does not run. Everything up to a point is taken as decided: what is known to be, and
//! further up to the last change of the set of servers that the log holds. The state at that point is written as a snapshot that
//! names the new set, so no entry behind it names another. Entries behind the point stay in the log: the new set decides on
//! them, as after any restart. So nothing that was acknowledged is lost as long as the server that is kept had it.

use crate::{
    Peer, Server, ServerId, StartError,
    kinds::{Data, LogId, SnapshotMeta, StoredMembership},
    log_store::{MEMBERSHIP, decode, log_id, position},
    snapshot::SnapshotDir,
    status::{Membership, servers_of},
    storage::Storage,
    wal::{self, Recovered, Segments},
};
use catalog::{ApplyCtx, ChangeSet, Store};
use openraft::EntryPayload;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};
use types::command::Proposal;

/// What the files of a server hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Last term that it knows.
    pub term: u64,
    /// Last entry of its log.
    pub last: u64,
    /// Last entry that is known to be decided.
    pub committed: u64,
    /// Last entry in its newest snapshot, 0 without one.
    pub snapshot: u64,
    /// The servers it knows.
    pub membership: Membership,
}

/// Why there is no recovery. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The files cannot be read.
    #[error(transparent)]
    Open(#[from] StartError),
    /// There is nothing to recover.
    #[error("this server never took part in a datacenter: its log is empty")]
    Empty,
    /// The new set cannot be one.
    #[error("these servers cannot be the new set: {0}")]
    Set(String),
    /// An entry of the log cannot be applied, or the snapshot not be written. May be repeated.
    #[error("cannot write the state with the new set of servers: {0}")]
    Write(#[source] io::Error),
}

/// The state at the point up to which a recovery takes everything as decided.
struct Found {
    record: Record,
    snapshots: SnapshotDir,
    store: Store,
    /// That point.
    point: LogId,
}

/// Shows what the files of server `id` hold. Changes nothing but a torn end of the log, which is cut as at any start.
///
/// # Errors
/// They cannot be read, or are empty.
pub fn inspect(id: ServerId, storage: &Storage) -> Result<Record, RecoveryError> {
    find(id, storage).map(|found| found.record)
}

/// Makes `servers` the set of servers in the files of server `id`.
///
/// # Errors
/// The set is impossible, or the files cannot be read or written.
pub fn rewrite(id: ServerId, storage: &Storage, servers: &[Server]) -> Result<Record, RecoveryError> {
    let members = set_of(servers)?;
    let found = find(id, storage)?;
    let membership = StoredMembership::new(Some(found.point), members);
    let meta = SnapshotMeta { last_log_id: Some(found.point), last_membership: membership };
    found.snapshots.write(&meta, found.store).map_err(RecoveryError::Write)?;
    Ok(Record { membership: servers_of(&meta.last_membership), snapshot: found.point.index, ..found.record })
}

type Members = openraft::Membership<ServerId, Peer>;

fn set_of(servers: &[Server]) -> Result<Members, RecoveryError> {
    let voters: BTreeSet<ServerId> = servers.iter().filter(|s| s.voter).map(|s| s.id).collect();
    if voters.is_empty() {
        return Err(RecoveryError::Set("none of them votes".to_owned()));
    }
    let nodes: BTreeMap<ServerId, Peer> = servers.iter().map(|s| (s.id, s.peer.clone())).collect();
    if nodes.len() != servers.len() {
        return Err(RecoveryError::Set("one of them is named twice".to_owned()));
    }
    Members::new(vec![voters], nodes).map_err(|e| RecoveryError::Set(e.to_string()))
}

fn find(id: ServerId, storage: &Storage) -> Result<Found, RecoveryError> {
    let io = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| StartError::Io { path, source }
    };
    let files = storage.files.clone();
    let dir = storage.dir.join("snapshots");
    let snapshots = SnapshotDir::open(files.clone(), dir.clone()).map_err(io(&dir))?;
    let newest = snapshots.newest()?;
    // The size counts only for new segments, of which there are none.
    let segments = Segments::new(files, storage.dir.join("log"), id, 0);
    let mut log: Recovered = wal::recover(&Arc::new(segments), usize::MAX)?;
    // As at any start: what contradicts a snapshot was never decided on.
    if let Some(decided) = newest.as_ref().and_then(|(meta, ..)| meta.last_log_id.as_ref()).map(position)
        && log.contradicts(decided)
    {
        log.truncate(decided.index);
    }
    let (mut applied, mut membership, mut store) = match newest {
        Some((meta, store, _)) => (meta.last_log_id, meta.last_membership, store),
        None => (None, StoredMembership::default(), Store::new()),
    };
    // Entries are numbered from 0, so having none is not the same as having the first.
    let first = applied.as_ref().map_or(0, |id| id.index + 1);
    let snapshot = crate::kinds::index(applied.as_ref());
    let last = log.entries.back().map_or(snapshot, |e| e.pos.index.max(snapshot));
    let committed = log.committed.map_or(snapshot, |p| p.index.max(snapshot)).min(last);
    let change = log.entries.iter().rev().find(|e| e.kind == MEMBERSHIP).map_or(0, |e| e.pos.index);
    let upto = committed.max(change);
    let term = log.vote.map_or(0, |v| v.term).max(log.entries.back().map_or(0, |e| e.pos.term));
    let mut changes = ChangeSet::new();
    for entry in log.entries {
        if entry.pos.index < first || entry.pos.index > upto {
            continue;
        }
        let data = entry.data.unwrap_or_default();
        let log_id = log_id(entry.pos);
        match decode(entry.pos, entry.kind, data).map_err(RecoveryError::Write)?.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(members) => membership = StoredMembership::new(Some(log_id), members),
            EntryPayload::Normal(data) => apply(&mut store, &log_id, &data, &mut changes)?,
        }
        changes.clear();
        applied = Some(log_id);
    }
    let point = applied.ok_or(RecoveryError::Empty)?;
    let record = Record { term, last, committed, snapshot, membership: servers_of(&membership) };
    Ok(Found { record, snapshots, store, point })
}

fn apply(store: &mut Store, id: &LogId, data: &Data, changes: &mut ChangeSet) -> Result<(), RecoveryError> {
    let proposal: Proposal = types::codec::decode(&data.0).map_err(|e| {
        let what = format!("log entry {} cannot be applied by this version: {e}", id.index);
        RecoveryError::Write(io::Error::new(io::ErrorKind::InvalidData, what))
    })?;
    let ctx = ApplyCtx { index: id.index, proposed_at_ms: proposal.proposed_at_ms };
    store.apply(&ctx, &proposal.command, changes);
    Ok(())
}
