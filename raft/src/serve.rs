//! Answers the requests of other servers.

use crate::{
    ServerId,
    handle::Shared,
    kinds::Vote,
    snapshot::Incoming,
    wire::{Chunk, Envelope, Request, Response},
};
use openraft::{
    async_runtime::watch::WatchReceiver, raft::SnapshotResponse, storage::Snapshot, vote::RaftVote,
};
use std::sync::Arc;

/// A snapshot that is being received. One at a time: a newer sender replaces an older one.
pub struct Receiving {
    from: ServerId,
    vote: Vote,
    index: u64,
    incoming: Incoming,
}

impl Shared {
    /// Answers one request.
    pub(crate) async fn serve(self: &Arc<Self>, envelope: Envelope) -> Response {
        if envelope.to != self.id {
            return Response::WrongServer;
        }
        let failed = |e: &dyn std::fmt::Display| Response::Failed(e.to_string());
        match envelope.request {
            Request::Append(rpc) => {
                let vote = rpc.vote;
                match self.raft.append_entries(rpc).await {
                    Ok(r) => {
                        if !matches!(r, openraft::raft::AppendEntriesResponse::HigherVote(_)) {
                            self.heard_from(vote.leader_id().voted_for);
                        }
                        Response::Append(r)
                    }
                    Err(e) => failed(&e),
                }
            }
            Request::Vote(rpc) => self.raft.vote(rpc).await.map_or_else(|e| failed(&e), Response::Vote),
            Request::PreVote(rpc) => {
                self.raft.pre_vote(rpc).await.map_or_else(|e| failed(&e), Response::Vote)
            }
            Request::TransferLeader(rpc) => self
                .raft
                .handle_transfer_leader(rpc)
                .await
                .map_or_else(|e| failed(&e), Response::TransferLeader),
            Request::Chunk(chunk) => self.chunk(envelope.from, chunk).await.unwrap_or_else(|e| failed(&e)),
            Request::ReadPoint => match self.confirm_leader().await {
                Ok(index) => Response::ReadPoint(index),
                Err(_) => Response::NotLeader(self.leader()),
            },
        }
    }

    async fn chunk(&self, from: ServerId, chunk: Chunk) -> std::io::Result<Response> {
        let mine = self.raft.metrics().borrow_watched().vote;
        if RaftVote::partial_cmp(&chunk.vote, &mine) == Some(std::cmp::Ordering::Less) {
            return Ok(Response::Snapshot(SnapshotResponse::new(mine)));
        }
        self.heard_from(from);
        let mut slot = self.receiving.lock().await;
        let index = crate::kinds::index(chunk.meta.last_log_id.as_ref());
        if !slot.as_ref().is_some_and(|r| r.from == from && r.vote == chunk.vote && r.index == index) {
            if let Some(old) = slot.take() {
                self.snapshots.discard(&old.incoming);
            }
            let incoming = self.snapshots.receive(&format!("{from}-{index:016x}"))?;
            *slot = Some(Receiving { from, vote: chunk.vote, index, incoming });
        }
        let Some(receiving) = slot.as_mut() else { return Ok(Response::Failed("no snapshot".into())) };
        if receiving.incoming.len() != chunk.offset {
            return Ok(Response::ChunkNext(receiving.incoming.len()));
        }
        if let Err(e) = receiving.incoming.push(&chunk.bytes) {
            if let Some(old) = slot.take() {
                self.snapshots.discard(&old.incoming);
            }
            return Err(e);
        }
        let have = receiving.incoming.len();
        if have < chunk.total {
            return Ok(Response::ChunkNext(have));
        }
        let Some(Receiving { incoming, .. }) = slot.take() else {
            return Ok(Response::Failed("no snapshot".into()));
        };
        let snapshots = self.snapshots.clone();
        let accept = move || snapshots.accept(incoming);
        let (meta, file) = if self.inline {
            accept()?
        } else {
            tokio::task::spawn_blocking(accept).await.map_err(std::io::Error::other)??
        };
        drop(slot);
        let snapshot = Snapshot { meta, snapshot: file };
        let response =
            self.raft.install_full_snapshot(chunk.vote, snapshot).await.map_err(std::io::Error::other)?;
        Ok(Response::Snapshot(response))
    }
}
