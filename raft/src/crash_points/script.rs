//! The operations: made from a seed and what the model holds, done on a server, and what they do to the model.

use super::{
    SEGMENT, Server,
    model::{Held, Model, bytes_of},
    peer,
};
use crate::{
    ServerId,
    kinds::{Data, Entry, LogId, Payload, SnapshotMeta, StoredMembership, Vote, index},
    snapshot::{SnapshotDir, SnapshotFile},
    storage::MemFiles,
};
use catalog::{ApplyCtx, ChangeSet, Store};
use openraft::{
    EntryPayload, Membership, RaftLogReader, RaftSnapshotBuilder,
    storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine},
};
use rand::{Rng, RngCore, rngs::SmallRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::Arc,
};
use types::{
    Str, Tenancy,
    command::{Command, KvOp, Proposal},
};

/// What the steps of a script are. Votes are rare, so that the segment with the last one is removed in time.
pub const PLAN: [Kind; 31] = {
    use Kind::*;
    [
        Vote, Append, Commit, Append, Truncate, Append, Commit, Append, Commit, Build, Purge, Receive,
        Append, Commit, Build, Purge, Append, Commit, Append, Commit, Build, Purge, Install, Append, Commit,
        Append, Truncate, Append, Install, Append, Commit,
    ]
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Append,
    Vote,
    Truncate,
    Commit,
    Build,
    Purge,
    Receive,
    Accept,
    Install,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Append,
        Self::Vote,
        Self::Truncate,
        Self::Commit,
        Self::Build,
        Self::Purge,
        Self::Receive,
        Self::Accept,
        Self::Install,
    ];
}

/// A snapshot that a leader sends, with what it does to who installs it.
pub struct Sent {
    meta: SnapshotMeta,
    bytes: Vec<u8>,
    store: Store,
}

/// One operation.
pub enum Action {
    Append(Vec<Entry>),
    Vote(Vote),
    /// Removes what follows this.
    Truncate(Option<LogId>),
    Commit(LogId),
    Build,
    Purge(LogId),
    /// Begins to receive a snapshot and gives up.
    Receive(Arc<Sent>),
    /// Receives a snapshot and keeps it.
    Accept(Arc<Sent>),
    /// Makes it the state.
    Install,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(entries) => {
                let id = |e: Option<&Entry>| e.map(|e| e.log_id);
                write!(f, "Append({:?} to {:?})", id(entries.first()), id(entries.last()))
            }
            Self::Vote(vote) => write!(f, "Vote({vote:?})"),
            Self::Truncate(last) => write!(f, "Truncate(after {last:?})"),
            Self::Commit(id) => write!(f, "Commit({id:?})"),
            Self::Purge(id) => write!(f, "Purge({id:?})"),
            Self::Receive(sent) => write!(f, "Receive({:?})", sent.meta.last_log_id),
            Self::Accept(sent) => write!(f, "Accept({:?})", sent.meta.last_log_id),
            Self::Build | Self::Install => write!(f, "{:?}", self.kind()),
        }
    }
}

fn set(rng: &mut SmallRng, len: usize) -> Command {
    let mut value = vec![0; len];
    rng.fill_bytes(&mut value);
    let key = Str::new(format!("k/{}", rng.random_range(0..8)));
    Command::Kv { tenancy: Tenancy::default(), op: KvOp::Set { key, value: value.into(), flags: 0 } }
}

fn members(n: u64) -> Membership<ServerId, crate::Peer> {
    let voters: BTreeSet<_> = (1..=n).map(|i| ServerId(i.into())).collect();
    let nodes: BTreeMap<_, _> = (1..=n).map(|i| (ServerId(i.into()), peer(i))).collect();
    Membership::new(vec![voters], nodes).unwrap()
}

fn entries(model: &Model, rng: &mut SmallRng) -> Vec<Entry> {
    let term = model.held.vote.map_or(1, |v| v.leader_id.term);
    let first = model.held.last().map_or(0, |id| id.index + 1);
    let batch = |rng: &mut SmallRng, n| -> Vec<_> {
        (0..n)
            .map(|_| match rng.random_range(0..12) {
                0 => EntryPayload::Blank,
                1 => EntryPayload::Membership(members(rng.random_range(1..5))),
                // Now and then one that needs a segment of its own.
                2 => normal(rng, 3000),
                _ => {
                    let len = rng.random_range(0..500);
                    normal(rng, len)
                }
            })
            .collect()
    };
    let n = rng.random_range(1..7);
    batch(rng, n)
        .into_iter()
        .zip(first..)
        .map(|(payload, index)| Entry { log_id: LogId::new_term_index(term, index), payload })
        .collect()
}

fn normal(rng: &mut SmallRng, len: usize) -> Payload {
    let proposal = Proposal { proposed_at_ms: rng.random_range(0..1000), command: set(rng, len) };
    EntryPayload::Normal(Data(types::codec::encode(&proposal).unwrap().into()))
}

/// A snapshot of a leader of a later term, which decided other things than this server knows of.
fn sent(model: &Model, at: u64, rng: &mut SmallRng) -> Sent {
    let term = model.held.vote.map_or(1, |v| v.leader_id.term) + 1;
    let mut store = model.store.clone();
    for index in model.committed.map_or(0, |id| id.index + 1)..=at {
        let command = set(rng, 60);
        store.apply(&ApplyCtx { index, proposed_at_ms: 0 }, &command, &mut ChangeSet::new());
    }
    let id = LogId::new_term_index(term, at);
    let meta =
        SnapshotMeta { last_log_id: Some(id), last_membership: StoredMembership::new(Some(id), members(3)) };
    let dir = SnapshotDir::open(Arc::new(MemFiles::new()), "/leader".into()).unwrap();
    let file = dir.write(&meta, store.clone()).unwrap();
    let bytes = file.bytes_at(0, usize::MAX).unwrap();
    Sent { meta, bytes, store }
}

/// The operations of a step; none if the model has nothing for it.
pub fn actions(kind: Kind, model: &Model, rng: &mut SmallRng) -> Vec<Action> {
    let held = &model.held;
    let committed = model.committed.map_or(0, |id| id.index);
    // Between what is decided and what is there.
    let undecided = |rng: &mut SmallRng| {
        let ids: Vec<_> = held.log.range(committed + 1..).map(|(_, e)| e.log_id).collect();
        (!ids.is_empty()).then(|| ids[rng.random_range(0..ids.len())])
    };
    let term = held.vote.map_or(0, |v| v.leader_id.term);
    let vote = |term, committed| {
        if committed { Vote::new_committed(term, ServerId(2)) } else { Vote::new(term, ServerId(3 << 70)) }
    };
    match kind {
        Kind::Append => {
            // Several batches, as they come in.
            let mut model = model.clone();
            let mut actions = Vec::new();
            for _ in 0..rng.random_range(1..4) {
                let action = Action::Append(entries(&model, rng));
                model = action.next(&model);
                actions.push(action);
            }
            actions
        }
        Kind::Vote => vec![Action::Vote(vote(term + 1, false)), Action::Vote(vote(term + 1, true))],
        Kind::Truncate => {
            let Some(from) = undecided(rng) else { return Vec::new() };
            let last = from.index.checked_sub(1).and_then(|i| held.log.get(&i)).map(|e| e.log_id);
            vec![Action::Vote(vote(term + 1, true)), Action::Truncate(last.or(held.purged))]
        }
        Kind::Commit => {
            let all = held.log.range(committed + 1..).next_back().map(|(_, e)| e.log_id);
            let upto = if rng.random_bool(0.5) { all } else { undecided(rng) };
            upto.map(Action::Commit).into_iter().collect()
        }
        Kind::Build if model.committed.is_some() => vec![Action::Build, Action::Build],
        Kind::Purge => {
            let snapshot = held.snapshot_id().map_or(0, |id| id.index);
            let upto = held.log.range(..=snapshot).map(|(_, e)| e.log_id).collect::<Vec<_>>();
            let Some(last) = upto.len().checked_sub(1) else { return Vec::new() };
            vec![Action::Purge(upto[rng.random_range(0..=last)]), Action::Purge(upto[last])]
        }
        Kind::Receive => {
            let at = held.last().map_or(0, |id| id.index) + 3;
            vec![Action::Receive(Arc::new(sent(model, at, rng)))]
        }
        Kind::Accept | Kind::Install => install(model, undecided(rng), rng),
        Kind::Build => Vec::new(),
    }
}

/// Entries of more than two segments, a snapshot of them, and no entry left.
pub fn long_after(model: &Model, rng: &mut SmallRng) -> Vec<Action> {
    let mut model = model.clone();
    let mut actions = Vec::new();
    let mut bytes = 0;
    while bytes < 2 * SEGMENT {
        let entries = entries(&model, rng);
        bytes += entries.iter().map(|e| encoded_len(&e.payload)).sum::<u64>();
        actions.push(Action::Append(entries));
        model = actions[actions.len() - 1].next(&model);
    }
    let last = model.held.last();
    actions
        .extend(last.map(Action::Commit).into_iter().chain([Action::Build]).chain(last.map(Action::Purge)));
    actions
}

fn encoded_len(payload: &Payload) -> u64 {
    match payload {
        EntryPayload::Normal(data) => data.0.len() as u64,
        _ => 0,
    }
}

/// What openraft does with a snapshot of the leader, which may end amid entries that contradict it, or behind all.
fn install(model: &Model, amid: Option<LogId>, rng: &mut SmallRng) -> Vec<Action> {
    let beyond = model.held.last().map_or(0, |id| id.index) + rng.random_range(1..9);
    let at = amid.filter(|_| rng.random_bool(0.7)).map_or(beyond, |id| id.index);
    let sent = Arc::new(sent(model, at, rng));
    let Some(id) = sent.meta.last_log_id else { return Vec::new() };
    // The leader asked for entries, with its vote, before it turned to a snapshot.
    let mut actions =
        vec![Action::Vote(Vote::new_committed(id.leader_id.term, ServerId(2))), Action::Accept(sent.clone())];
    if model.held.log.contains_key(&id.index) {
        actions.push(Action::Truncate(model.committed));
    }
    actions.extend([Action::Install, Action::Purge(id)]);
    actions
}

impl Action {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Append(_) => Kind::Append,
            Self::Vote(_) => Kind::Vote,
            Self::Truncate(_) => Kind::Truncate,
            Self::Commit(_) => Kind::Commit,
            Self::Build => Kind::Build,
            Self::Purge(_) => Kind::Purge,
            Self::Receive(_) => Kind::Receive,
            Self::Accept(_) => Kind::Accept,
            Self::Install => Kind::Install,
        }
    }

    /// The model once it is done.
    pub fn next(&self, model: &Model) -> Model {
        let mut next = model.clone();
        let held: &mut Held = &mut next.held;
        match self {
            Self::Append(entries) => held.log.extend(entries.iter().map(|e| (e.log_id.index, e.clone()))),
            Self::Vote(vote) => held.vote = Some(*vote),
            Self::Truncate(last) => {
                let from = last.map_or(0, |id| id.index + 1);
                held.log.retain(|index, _| *index < from);
            }
            Self::Commit(upto) => {
                let first = model.committed.map_or(0, |id| id.index + 1);
                for (at, entry) in model.held.log.range(first..=upto.index) {
                    match &entry.payload {
                        EntryPayload::Blank => {}
                        EntryPayload::Membership(m) => {
                            next.members = StoredMembership::new(Some(entry.log_id), m.clone());
                        }
                        EntryPayload::Normal(data) => {
                            let p: Proposal = types::codec::decode(&data.0).unwrap();
                            let ctx = ApplyCtx { index: *at, proposed_at_ms: p.proposed_at_ms };
                            next.store.apply(&ctx, &p.command, &mut ChangeSet::new());
                        }
                    }
                }
                next.committed = Some(*upto);
                next.states.insert(upto.index, bytes_of(&next.store));
            }
            Self::Build => {
                let meta =
                    SnapshotMeta { last_log_id: model.committed, last_membership: model.members.clone() };
                held.snapshot = Some((meta, bytes_of(&model.store)));
            }
            Self::Purge(upto) => {
                held.log.retain(|index, _| *index > upto.index);
                held.purged = held.purged.max(Some(*upto));
            }
            Self::Accept(sent) => {
                let bytes = bytes_of(&sent.store);
                held.snapshot = Some((sent.meta.clone(), bytes.clone()));
                next.committed = sent.meta.last_log_id;
                next.members = sent.meta.last_membership.clone();
                next.store = sent.store.clone();
                next.states.insert(index(sent.meta.last_log_id.as_ref()), bytes);
            }
            Self::Receive(_) | Self::Install => {}
        }
        next
    }

    /// Does it; answers when openraft would be answered.
    pub async fn run(&self, server: &mut Server) -> io::Result<()> {
        match self {
            Self::Append(entries) => {
                server.log.blocking_append(entries.clone()).await.map_err(io::Error::other)
            }
            Self::Vote(vote) => server.log.save_vote(vote).await,
            Self::Truncate(last) => server.log.truncate_after(*last).await,
            Self::Commit(upto) => {
                let (applied, _) = server.machine.applied_state().await?;
                let first = applied.map_or(0, |id| id.index + 1);
                let entries = server.log.try_get_log_entries(first..=upto.index).await?;
                server.log.save_committed(Some(*upto)).await?;
                let items = entries.into_iter().map(|e| Ok::<_, io::Error>((e, None)));
                server.machine.apply(futures_util::stream::iter(items)).await
            }
            Self::Build => server.machine.get_snapshot_builder().await.build_snapshot().await.map(drop),
            Self::Purge(upto) => server.log.purge(*upto).await,
            Self::Receive(sent) => {
                let mut incoming = server.snapshots.receive("2-partly")?;
                incoming.push(&sent.bytes[..sent.bytes.len() / 2])?;
                server.snapshots.discard(&incoming);
                Ok(())
            }
            Self::Accept(sent) => {
                let mut incoming = server.snapshots.receive("2-whole")?;
                for piece in sent.bytes.chunks(700) {
                    incoming.push(piece)?;
                }
                server.accepted = Some(server.snapshots.accept(incoming)?);
                Ok(())
            }
            Self::Install => {
                let (meta, file): (SnapshotMeta, SnapshotFile) =
                    server.accepted.take().ok_or(io::ErrorKind::NotFound)?;
                server.machine.install_snapshot(&meta, file).await
            }
        }
    }
}
