//! openraft's network over [`Transport`].

use crate::{
    Peer, ServerId, Transport, TransportError,
    kinds::{C, Vote},
    snapshot::SnapshotFile,
    wire::{Chunk, Envelope, Request, Response},
};
use bytes::Bytes;
use faults::Fault;
use openraft::{
    RPCTypes, RaftNetworkFactory, RaftNetworkV2,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use parking_lot::Mutex;
use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

/// Bytes of a snapshot in one request.
const CHUNK_BYTES: usize = 512 << 10;
/// Limit for a part of a snapshot.
const CHUNK_LIMIT: Duration = Duration::from_secs(5);
/// How often the receiver is asked whether it has installed what it got.
const INSTALL_POLL: Duration = Duration::from_millis(100);
/// Limit for entries: the receiver's disk may be slow, and giving up means sending them again.
const APPEND_LIMIT: Duration = Duration::from_secs(2);

/// Makes a client for each member.
pub struct Network {
    me: ServerId,
    transport: Arc<dyn Transport>,
    silent: Arc<Silent>,
}

impl Network {
    pub(crate) fn new(me: ServerId, transport: Arc<dyn Transport>) -> Self {
        Self { me, transport, silent: Arc::default() }
    }
}

/// Members that did not answer the last time, so that each is logged once when it falls silent and once when it is back.
#[derive(Default)]
struct Silent(Mutex<BTreeSet<ServerId>>);

impl Silent {
    /// The fault `quorum-off-by-one`: whether this member's silence is to be taken for a yes. That of the first is.
    fn counts_as_yes(&self, target: ServerId) -> bool {
        faults::on(Fault::QuorumOffByOne) && self.0.lock().first() == Some(&target)
    }
}

impl Silent {
    fn note(&self, target: ServerId, peer: &Peer, error: Option<&TransportError>) {
        let mut silent = self.0.lock();
        match error {
            Some(error) if silent.insert(target) => {
                tracing::warn!(server = %target, addr = %peer.addr, %error, "server does not answer");
            }
            None if silent.remove(&target) => {
                tracing::info!(server = %target, addr = %peer.addr, "server answers again");
            }
            _ => {}
        }
    }
}

/// The way to one member.
pub struct Client {
    me: ServerId,
    target: ServerId,
    peer: Peer,
    transport: Arc<dyn Transport>,
    silent: Arc<Silent>,
}

impl RaftNetworkFactory<C> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: ServerId, peer: &Peer) -> Client {
        let (transport, silent) = (self.transport.clone(), self.silent.clone());
        Client { me: self.me, target, peer: peer.clone(), transport, silent }
    }
}

/// Sends one request and decodes the answer.
///
/// # Errors
/// [`TransportError`]; `Failed` also for an answer that makes no sense.
pub(crate) async fn call(
    transport: &dyn Transport,
    me: ServerId,
    target: ServerId,
    peer: &Peer,
    request: Request,
    limit: Duration,
) -> Result<Response, TransportError> {
    let failed = |e: types::codec::CodecError| TransportError::Failed(e.to_string());
    let bytes =
        Bytes::from(types::codec::encode(&Envelope { from: me, to: target, request }).map_err(failed)?);
    let answer = tokio::time::timeout(limit, transport.call(peer, target, bytes, limit))
        .await
        .unwrap_or(Err(TransportError::Timeout))?;
    match types::codec::decode(&answer).map_err(failed)? {
        Response::WrongServer => {
            Err(TransportError::Unreachable(format!("{} is not server {target} any more", peer.addr)))
        }
        Response::Failed(text) => Err(TransportError::Failed(text)),
        response => Ok(response),
    }
}

impl Client {
    async fn call(
        &self,
        action: RPCTypes,
        request: Request,
        limit: Duration,
    ) -> Result<Response, RPCError<C>> {
        let answer = call(&*self.transport, self.me, self.target, &self.peer, request, limit).await;
        self.silent.note(self.target, &self.peer, answer.as_ref().err());
        answer.map_err(|e| match e {
            TransportError::Unreachable(_) => RPCError::Unreachable(Unreachable::from_string(e)),
            TransportError::Timeout => {
                RPCError::Timeout(Timeout { action, id: self.me, target: self.target, timeout: limit })
            }
            TransportError::Failed(_) => RPCError::Network(NetworkError::from_string(e)),
        })
    }
}

fn unexpected() -> RPCError<C> {
    RPCError::Network(NetworkError::from_string("an answer to another question"))
}

impl RaftNetworkV2<C> for Client {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<C>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<C>, RPCError<C>> {
        let limit =
            if rpc.entries.is_empty() { option.hard_ttl() } else { option.hard_ttl().max(APPEND_LIMIT) };
        match self.call(RPCTypes::AppendEntries, Request::Append(rpc), limit).await {
            Ok(Response::Append(r)) => Ok(r),
            Ok(_) => Err(unexpected()),
            Err(_) if self.silent.counts_as_yes(self.target) => Ok(AppendEntriesResponse::Success),
            Err(e) => Err(e),
        }
    }

    async fn vote(&mut self, rpc: VoteRequest<C>, option: RPCOption) -> Result<VoteResponse<C>, RPCError<C>> {
        let yes = VoteResponse::new(rpc.vote, rpc.last_log_id, true);
        match self.call(RPCTypes::Vote, Request::Vote(rpc), option.hard_ttl()).await {
            Ok(Response::Vote(r)) => Ok(r),
            Ok(_) => Err(unexpected()),
            Err(_) if self.silent.counts_as_yes(self.target) => Ok(yes),
            Err(e) => Err(e),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<C>,
        option: RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let yes = VoteResponse::new(rpc.vote, rpc.last_log_id, true);
        match self.call(RPCTypes::Vote, Request::PreVote(rpc), option.hard_ttl()).await {
            Ok(Response::Vote(r)) => Ok(r),
            Ok(_) => Err(unexpected()),
            Err(_) if self.silent.counts_as_yes(self.target) => Ok(yes),
            Err(e) => Err(e),
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<C>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<C>, RPCError<C>> {
        match self.call(RPCTypes::TransferLeader, Request::TransferLeader(rpc), option.hard_ttl()).await? {
            Response::TransferLeader(r) => Ok(r),
            _ => Err(unexpected()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<C, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<C>, StreamingError<C>> {
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            result = self.send_snapshot(vote, snapshot) => result,
        }
    }
}

impl Client {
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<C, SnapshotFile>,
    ) -> Result<SnapshotResponse<C>, StreamingError<C>> {
        let file = &snapshot.snapshot;
        let mut offset = 0;
        loop {
            let bytes = file.bytes_at(offset, CHUNK_BYTES).map_err(|e| NetworkError::<C>::new(&e))?;
            let chunk = Chunk {
                vote,
                meta: snapshot.meta.clone(),
                offset,
                total: file.len,
                bytes: Bytes::from(bytes),
            };
            match self.call(RPCTypes::InstallSnapshot, Request::Chunk(chunk), CHUNK_LIMIT).await? {
                Response::Snapshot(r) => return Ok(r),
                // The receiver says where to go on: at the next part, or from the start if it lost what it had.
                Response::ChunkNext(next) if next < file.len => offset = next,
                // It has everything and is busy installing.
                Response::ChunkNext(next) if next == file.len => {
                    offset = next;
                    tokio::time::sleep(INSTALL_POLL).await;
                }
                _ => return Err(unexpected().into()),
            }
        }
    }
}
