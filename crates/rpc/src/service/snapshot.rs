//! Archives of the whole state, made by one server and handed on in pieces.
//!
//! The receiver pulls: a piece is made when the one before is gone, so a slow reader costs a server a few buffers. A server holds
//! few archives open, each for a short time without a pull.

use super::{Service, unexpected};
use crate::{
    ServerSide,
    message::{Answer, Request, Response, SnapshotHead},
};
use archive::{Configuration, ConfigurationServer, Meta, SnapshotWriter};
use bytes::Bytes;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use types::{RequestError, SecretToken, Str};

/// Archives that a server makes or passes on at once.
const OPEN_MAX: usize = 8;
/// How long one stays open that nobody pulls from.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a piece.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that are made ahead.
const AHEAD: usize = 4;

/// Where pieces come from.
#[derive(Clone)]
enum Source {
    Here(Arc<tokio::sync::Mutex<mpsc::Receiver<io::Result<Bytes>>>>),
    There { server: SocketAddr, datacenter: Option<Str>, id: u64 },
}

struct Open {
    source: Source,
    used: Instant,
}

/// The archives that are being handed on.
#[derive(Default)]
pub(super) struct Snapshots {
    next: AtomicU64,
    open: parking_lot::Mutex<HashMap<u64, Open>>,
}

impl Snapshots {
    fn put(&self, source: Source) -> Result<u64, RequestError> {
        let mut open = self.open.lock();
        open.retain(|_, o| o.used.elapsed() < IDLE_MAX);
        if open.len() >= OPEN_MAX {
            return Err(RequestError::Overloaded);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(id, Open { source, used: Instant::now() });
        Ok(id)
    }
    fn source(&self, id: u64) -> Option<Source> {
        let mut open = self.open.lock();
        let open = open.get_mut(&id)?;
        open.used = Instant::now();
        Some(open.source.clone())
    }
    fn close(&self, id: u64) {
        self.open.lock().remove(&id);
    }
}

impl Service {
    /// Opens an archive of the state of `datacenter`; with `stale` any server makes it, otherwise it has every write that was
    /// acknowledged before. The pieces come from [`Service::snapshot_piece`].
    ///
    /// # Errors
    /// When no server, or no leader, answers, or too many are open.
    pub async fn open_snapshot(
        &self,
        datacenter: Option<Str>,
        stale: bool,
        token: SecretToken,
    ) -> Result<SnapshotHead, RequestError> {
        let hold = Instant::now() + self.config.hold;
        let request = Request::SnapshotOpen { datacenter: datacenter.clone(), stale, token };
        let Some(server) = &self.server else {
            let server = self.servers.pick().ok_or(RequestError::NoServers)?;
            let answer = self.call_within(server, &request, hold).await?;
            return self.pass_on(answer, server, None);
        };
        if let Some(remote) = self.place(datacenter.as_deref())? {
            let there = remote.servers.pick().ok_or(RequestError::NoPathToDatacenter)?;
            let name = Str::new(&*remote.name);
            let answer = self.call_there(there, Some(&remote.name), &request, hold).await?;
            return self.pass_on(answer, there, Some(name));
        }
        self.make_here(server, stale, hold).await
    }

    fn pass_on(
        &self,
        answer: Response,
        server: SocketAddr,
        datacenter: Option<Str>,
    ) -> Result<SnapshotHead, RequestError> {
        let Response::SnapshotOpened(head) = answer else { return Err(unexpected(&answer)) };
        let id = self.snapshots.put(Source::There { server, datacenter, id: head.id })?;
        Ok(SnapshotHead { id, ..head })
    }

    /// The next piece of an archive; `None` at its end.
    ///
    /// # Errors
    /// When it cannot be made, or nobody asked for so long that it was given up.
    pub async fn snapshot_piece(&self, id: u64) -> Result<Option<Bytes>, RequestError> {
        let source = self.snapshots.source(id).ok_or_else(|| {
            RequestError::Refused(Str::new_static("the snapshot is not being made any more; start again"))
        })?;
        let piece = match source {
            Source::Here(pieces) => {
                pieces.lock().await.recv().await.transpose().map_err(|e| failed(&e.to_string()))
            }
            Source::There { server, datacenter, id } => {
                let limit = Instant::now() + self.config.hold * 4;
                let request = Request::SnapshotNext { id };
                match self.call_there(server, datacenter.as_deref(), &request, limit).await {
                    Ok(Response::SnapshotPiece(piece)) => Ok(piece),
                    Ok(other) => Err(unexpected(&other)),
                    Err(e) => Err(e),
                }
            }
        };
        if !matches!(piece, Ok(Some(_))) {
            self.snapshots.close(id);
        }
        piece
    }

    pub(super) async fn handle_snapshot(&self, request: Request) -> Answer {
        match request {
            Request::SnapshotOpen { datacenter, stale, token } => {
                Box::pin(self.open_snapshot(datacenter, stale, token)).await.map(Response::SnapshotOpened)
            }
            Request::SnapshotNext { id } => {
                Box::pin(self.snapshot_piece(id)).await.map(Response::SnapshotPiece)
            }
            _ => Err(RequestError::Malformed("request of a snapshot expected".into())),
        }
    }

    async fn make_here(
        &self,
        server: &ServerSide,
        stale: bool,
        hold: Instant,
    ) -> Result<SnapshotHead, RequestError> {
        if !stale {
            self.reach_read_point(server, hold).await?;
        }
        let store = catalog::Store::clone(&server.hub.load());
        let (leadership, configuration) = (server.consensus.leadership(), server.consensus.configuration());
        let (made, pieces) = mpsc::channel(AHEAD);
        let id = self.snapshots.put(Source::Here(Arc::new(tokio::sync::Mutex::new(pieces))))?;
        let index = store.index();
        let head = SnapshotHead {
            id,
            index,
            known_leader: leadership.leader.is_some(),
            last_contact: server.consensus.last_contact(),
        };
        let now = server.clock.unix_ms();
        let servers = configuration.servers.iter().map(|s| ConfigurationServer {
            suffrage: u8::from(!s.voter),
            id: uuid::Uuid::from_u128(s.id).to_string(),
            address: s.address.to_string(),
        });
        let configuration =
            (Configuration { servers: Some(servers.collect()) }, configuration.index, leadership.term);
        // On a thread of its own: it is work for as long as the state is large. It ends when nobody takes its pieces any more.
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let to = To { pieces: &made, runtime };
            if let Err(e) = write(store, configuration, now, &to) {
                // Whoever would hear of it may be gone, too.
                let _ = to.pieces.try_send(Err(e));
            }
        });
        Ok(head)
    }
}

fn failed(why: &str) -> RequestError {
    RequestError::Refused(Str::from(format!("the snapshot could not be made: {why}")))
}

/// Makes the archive. The state is encoded twice, as its size stands in front of it; it does not change in between.
fn write(
    store: catalog::Store,
    (configuration, configuration_index, term): (Configuration, u64, u64),
    now_ms: u64,
    to: &To<'_>,
) -> io::Result<()> {
    let index = store.index();
    let state = || catalog::snapshot::Writer::of_state(store.clone());
    let mut counting = state();
    let size: u64 = counting.by_ref().map(|chunk| chunk.len() as u64).sum();
    if counting.failed() {
        return Err(io::Error::other("a row cannot be encoded"));
    }
    let meta = Meta { configuration, configuration_index, ..Meta::new(index, term, size, now_ms) };
    let out = Pieces { to, full: Vec::with_capacity(PIECE_BYTES) };
    let mut archive = SnapshotWriter::begin(out, &meta, now_ms / 1000).map_err(io::Error::other)?;
    for chunk in state() {
        archive.put(&chunk).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?.hand_on()
}

/// Who takes the pieces.
struct To<'a> {
    pieces: &'a mpsc::Sender<io::Result<Bytes>>,
    runtime: tokio::runtime::Handle,
}

/// Collects bytes to pieces, and waits while nobody takes them, but not for ever: it holds a version of the state.
struct Pieces<'a> {
    to: &'a To<'a>,
    full: Vec<u8>,
}

impl Pieces<'_> {
    fn hand_on(&mut self) -> io::Result<()> {
        if self.full.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.full, Vec::with_capacity(PIECE_BYTES));
        let taken = async { tokio::time::timeout(IDLE_MAX, self.to.pieces.send(Ok(piece.into()))).await };
        match self.to.runtime.block_on(taken) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl io::Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full.extend_from_slice(bytes);
        if self.full.len() >= PIECE_BYTES {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
