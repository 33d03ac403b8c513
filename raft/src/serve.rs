//! Answers the requests of other servers.

use crate::{
    ServerId,
    handle::Shared,
    kinds::{C, Vote},
    snapshot::Incoming,
    wire::{Chunk, Envelope, Request, Response},
};
use openraft::{
    async_runtime::watch::WatchReceiver, raft::SnapshotResponse, storage::Snapshot, vote::RaftVote,
};
use std::{io, sync::Arc};

/// A snapshot that is being received or installed. One at a time: a newer sender replaces an older one.
pub struct Receiving {
    from: ServerId,
    vote: Vote,
    index: u64,
    stage: Stage,
}

enum Stage {
    Incoming(Incoming),
    /// All bytes are here; the sender asks again until it is done.
    Installing,
    Done(SnapshotResponse<C>),
}

impl Receiving {
    fn is(&self, from: ServerId, vote: &Vote, index: u64) -> bool {
        self.from == from && self.vote == *vote && self.index == index
    }
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

    async fn chunk(self: &Arc<Self>, from: ServerId, chunk: Chunk) -> io::Result<Response> {
        let mine = self.raft.metrics().borrow_watched().vote;
        if RaftVote::partial_cmp(&chunk.vote, &mine) == Some(std::cmp::Ordering::Less) {
            return Ok(Response::Snapshot(SnapshotResponse::new(mine)));
        }
        self.heard_from(from);
        let mut slot = self.receiving.lock().await;
        let index = crate::kinds::index(chunk.meta.last_log_id.as_ref());
        let mut receiving = match slot.take() {
            Some(same) if same.is(from, &chunk.vote, index) => same,
            other => {
                if let Some(Receiving { stage: Stage::Incoming(old), .. }) = other {
                    self.snapshots.discard(&old);
                }
                let incoming = self.snapshots.receive(&format!("{from}-{index:016x}"))?;
                Receiving { from, vote: chunk.vote, index, stage: Stage::Incoming(incoming) }
            }
        };
        let (stage, response) = match receiving.stage {
            Stage::Incoming(mut incoming) => {
                if incoming.len() == chunk.offset
                    && let Err(e) = incoming.push(&chunk.bytes)
                {
                    self.snapshots.discard(&incoming);
                    return Err(e);
                }
                let have = incoming.len();
                if have < chunk.total {
                    (Stage::Incoming(incoming), Response::ChunkNext(have))
                } else {
                    // In a task: that an answer is lost must not make the leader wait for as long as this may take.
                    let owner = self.clone();
                    let vote = chunk.vote;
                    self.tasks.spawn("raft-install", async move {
                        owner.install(from, vote, index, incoming).await;
                    });
                    (Stage::Installing, Response::ChunkNext(chunk.total))
                }
            }
            Stage::Installing => (Stage::Installing, Response::ChunkNext(chunk.total)),
            Stage::Done(response) => (Stage::Done(response.clone()), Response::Snapshot(response)),
        };
        receiving.stage = stage;
        *slot = Some(receiving);
        Ok(response)
    }

    async fn install(&self, from: ServerId, vote: Vote, index: u64, incoming: Incoming) {
        let result = async {
            let snapshots = self.snapshots.clone();
            let accept = move || snapshots.accept(incoming);
            let (meta, file) = if self.inline {
                accept()?
            } else {
                tokio::task::spawn_blocking(accept).await.map_err(io::Error::other)??
            };
            let snapshot = Snapshot { meta, snapshot: file };
            self.raft.install_full_snapshot(vote, snapshot).await.map_err(io::Error::other)
        };
        let result = result.await;
        let mut slot = self.receiving.lock().await;
        if slot.as_ref().is_some_and(|r| r.is(from, &vote, index)) {
            *slot = match result {
                Ok(response) => Some(Receiving { from, vote, index, stage: Stage::Done(response) }),
                Err(e) => {
                    tracing::error!(error = %e, "a snapshot from the leader could not be installed");
                    None
                }
            };
        }
    }
}
