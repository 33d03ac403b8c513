//! Archives of the replicated state.

use crate::Agent;
use http_api::port::{ArchivePieces, PortFuture, SnapshotPort};
use rpc::message::SnapshotHead;
use std::io;
use tokio::sync::mpsc;
use types::{SecretToken, Str};

/// Pieces that wait for a slow client.
const AHEAD: usize = 2;

impl SnapshotPort for Agent {
    fn snapshot(
        &self,
        datacenter: Option<&str>,
        stale: bool,
        token: SecretToken,
    ) -> PortFuture<'_, (SnapshotHead, ArchivePieces)> {
        let datacenter = datacenter.map(Str::new);
        Box::pin(async move {
            let head = self.service.open_snapshot(datacenter, stale, token).await?;
            let (pieces, to_client) = mpsc::channel(AHEAD);
            let (service, id) = (self.service.clone(), head.id);
            self.tasks.spawn("snapshot for a client", async move {
                loop {
                    let piece = match service.snapshot_piece(id).await {
                        Ok(Some(piece)) => Ok(piece),
                        Ok(None) => return,
                        Err(e) => Err(io::Error::other(e.to_string())),
                    };
                    let broken = piece.is_err();
                    if pieces.send(piece).await.is_err() || broken {
                        return;
                    }
                }
            });
            Ok((head, to_client))
        })
    }
}
