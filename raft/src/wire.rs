//! What servers send each other.

use crate::{
    Peer, ServerId,
    kinds::{C, SnapshotMeta, Vote},
};
use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

/// A request with who asks whom: an address may have got another owner.
#[derive(Serialize, Deserialize)]
pub struct Envelope {
    pub from: ServerId,
    pub to: ServerId,
    pub request: Request,
}

/// A request. Variants are only ever appended.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Entries, or none for a heartbeat.
    Append(AppendEntriesRequest<C>),
    /// A vote.
    Vote(VoteRequest<C>),
    /// Whether a vote would be given.
    PreVote(VoteRequest<C>),
    /// Stand for election now.
    TransferLeader(TransferLeaderRequest<C>),
    /// Part of a snapshot.
    Chunk(Chunk),
    /// An index that reflects every acknowledged write (asked of the leader).
    ReadPoint,
}

/// Part of a snapshot.
#[derive(Serialize, Deserialize)]
pub struct Chunk {
    /// The leader's vote.
    pub vote: Vote,
    /// Which snapshot.
    pub meta: SnapshotMeta,
    /// Bytes before this part.
    pub offset: u64,
    /// Bytes of the whole snapshot.
    pub total: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// An answer. Variants are only ever appended.
#[derive(Serialize, Deserialize)]
pub enum Response {
    Append(AppendEntriesResponse<C>),
    Vote(VoteResponse<C>),
    TransferLeader(TransferLeaderResponse<C>),
    /// Part received; go on at this offset.
    ChunkNext(u64),
    /// The snapshot is installed, or the receiver knows a higher vote.
    Snapshot(SnapshotResponse<C>),
    /// The index.
    ReadPoint(u64),
    /// This server does not lead; perhaps that one does.
    NotLeader(Option<(ServerId, Peer)>),
    /// The request was meant for another server.
    WrongServer,
    /// It failed.
    Failed(String),
}
