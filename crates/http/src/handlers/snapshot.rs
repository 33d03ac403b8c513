//! `/v1/snapshot`

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    reply::{Content, MetaHeaders, Reply, ReplyBody},
};
use archive::Limits;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use runtime::BoxFuture;
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    time::Duration,
};
use tokio::sync::mpsc;
use types::{
    RequestError,
    command::Command,
    query::{Consistency, QueryMeta},
};

/// Bytes of the state that go into one entry of the log.
const PIECE_BYTES: usize = 512 << 10;
/// Bytes of a state that the servers take.
const STATE_BYTES_MAX: u64 = 16 << 30;
/// How long a client may be silent while it sends an archive.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Pieces of a body that wait to be looked at.
const AHEAD: usize = 8;

pub(crate) fn save<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let options = query_options(ctx, Family::Other)?;
        let stale = options.consistency == Consistency::Stale;
        let (head, pieces) =
            ctx.agent().snapshot(options.datacenter.as_deref(), stale, options.token).await?;
        let mut reply = Reply::new(http::StatusCode::OK, Content::Other("application/x-gzip"), Bytes::new());
        reply.body = ReplyBody::Whole(pieces);
        reply.meta = Some(MetaHeaders {
            meta: QueryMeta {
                index: head.index,
                known_leader: head.known_leader,
                last_contact: head.last_contact,
                ..QueryMeta::default()
            },
            effective: false,
            filtered: false,
        });
        Ok(reply)
    })
}

/// Replaces the state of a datacenter by an archive. All of it is received and verified before anything is sent on, and the
/// servers replace their state when the last piece has come, so a broken archive changes nothing.
pub(crate) fn restore<'a>(ctx: &'a Ctx<'a>, body: Incoming) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        if ctx.params.has("stale") {
            return Err(HttpError::internal("stale not allowed for restore"));
        }
        let mut state = receive(body).await?;
        let id = ctx.agent().fresh_id();
        let (dc, token) = (ctx.datacenter(), ctx.token());
        let send =
            async |command: Command| match ctx.server.submit.submit(dc.as_deref(), &token, command).await {
                Ok(_) => Ok(()),
                Err(RequestError::Refused(why)) => {
                    Err(HttpError::internal(format!("failed to restore the snapshot: {why}")))
                }
                Err(other) => Err(HttpError::from(other)),
            };
        let mut chunks = 0u32;
        loop {
            let (file, piece) = blocking(move || {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                Read::by_ref(&mut state).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
                Ok((state, piece))
            })
            .await?;
            state = file;
            if piece.is_empty() {
                break;
            }
            send(Command::RestoreChunk { id: id.clone(), at: chunks, data: piece.into() }).await?;
            chunks += 1;
        }
        send(Command::RestoreCommit { id, chunks }).await?;
        tracing::info!(chunks, "the state was replaced by a snapshot");
        Ok(Reply::new(http::StatusCode::OK, Content::Other("application/octet-stream"), Bytes::new()))
    })
}

/// The state of a verified archive, as a file without a name.
async fn receive(mut body: Incoming) -> Result<File, HttpError> {
    let (pieces, arrived) = mpsc::channel(AHEAD);
    let verified = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::tempfile()?;
        let mut writer = io::BufWriter::new(&mut file);
        let meta = archive::read(
            Arrived { pieces: arrived, now: Bytes::new() },
            Limits { state_bytes_max: STATE_BYTES_MAX },
            &mut writer,
        );
        writer.flush()?;
        drop(writer);
        file.rewind()?;
        Ok::<_, io::Error>(meta.map(|_meta| file))
    });
    loop {
        let frame = match tokio::time::timeout(SILENCE_MAX, body.frame()).await {
            Err(_elapsed) => {
                let text = "Request body did not arrive in time";
                return Err(HttpError::new(http::StatusCode::REQUEST_TIMEOUT, text));
            }
            Ok(None) => break,
            Ok(Some(Err(e))) => {
                return Err(HttpError::bad_request(format!("Request body cannot be read: {e}")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Once it is known to be broken nobody takes more of it; the rest is read so that the client sees why.
        if let Ok(data) = frame.into_data() {
            let _broken = pieces.send(data).await;
        }
    }
    drop(pieces);
    let told = |e: &dyn std::fmt::Display| HttpError::internal(format!("failed to read snapshot file: {e}"));
    match verified.await {
        Ok(Ok(Ok(file))) => Ok(file),
        Ok(Ok(Err(e))) => Err(told(&e)),
        Ok(Err(e)) => Err(told(&e)),
        Err(e) => Err(told(&e)),
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, HttpError> {
    let done = tokio::task::spawn_blocking(f).await.map_err(io::Error::other).and_then(|r| r);
    done.map_err(|e| HttpError::internal(format!("failed to restore the snapshot: {e}")))
}

/// What has arrived of a body, for a thread that reads.
struct Arrived {
    pieces: mpsc::Receiver<Bytes>,
    now: Bytes,
}

impl Read for Arrived {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !self.now.has_remaining() {
            match self.pieces.blocking_recv() {
                Some(next) => self.now = next,
                None => return Ok(0),
            }
        }
        let n = self.now.remaining().min(to.len());
        self.now.copy_to_slice(&mut to[..n]);
        Ok(n)
    }
}
