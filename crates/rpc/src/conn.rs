//! One multiplexed connection, seen by its opener.

use crate::{
    message::{Answer, Frame, Kind, PREFACE, Request, put_frame, take_frame},
    tunnel::{Tunnel, taken},
};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use runtime::{Net, Shutdown, Stream, Tasks};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tls::{Refused, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
    time::Instant,
};
use types::{RequestError, Str, codec};

/// How many requests may wait for the writer of one connection.
const WRITE_QUEUE: usize = 1024;
/// How many bytes the writer gathers before it writes.
const WRITE_GATHER_BYTES: usize = 256 << 10;

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Bytes>>>>;

/// How long opening a connection may take, and the handshake after it.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// An open connection.
pub(crate) struct Conn {
    outbox: mpsc::Sender<(Kind, u64, Bytes)>,
    pending: Pending,
    next_id: AtomicU64,
    closed: Arc<AtomicBool>,
    /// When something was heard last, milliseconds after `opened`.
    heard: Arc<AtomicU64>,
    opened: Instant,
    /// Whether somebody finds out if it is still there.
    checked: AtomicBool,
    /// When to open another one instead.
    until: Option<Instant>,
    stop: Shutdown,
}

/// Forgets the pending entry, and tells the server, when a caller stops waiting.
struct Waiting<'a> {
    conn: &'a Conn,
    id: u64,
    done: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.done && self.conn.pending.lock().remove(&self.id).is_some() {
            // A full queue only means that the server finds out later, when it answers.
            let _ = self.conn.outbox.try_send((Kind::Cancel, self.id, Bytes::new()));
        }
    }
}

impl Conn {
    /// Connects to a server of `datacenter`.
    pub(crate) async fn connect(
        net: &dyn Net,
        tls: &Tls,
        local: Option<IpAddr>,
        to: SocketAddr,
        datacenter: Option<&str>,
    ) -> Result<Tunnel, Refused> {
        let stream = net.connect(local, to, CONNECT_LIMIT).await?;
        let secured = tokio::time::timeout(CONNECT_LIMIT, secure(stream, tls, datacenter)).await;
        Ok(Tunnel { stream: secured.map_err(std::io::Error::from)??, until: None, held: None })
    }

    /// Connects to a server of the own datacenter to ask it for a certificate, with none to show.
    pub(crate) async fn connect_to_enroll(
        net: &dyn Net,
        tls: &Tls,
        local: Option<IpAddr>,
        to: SocketAddr,
    ) -> Result<Tunnel, Refused> {
        let stream = net.connect(local, to, CONNECT_LIMIT).await?;
        let opened = async {
            let mut stream = tls.connect_enroll(stream).await?;
            taken(&mut stream).await.map(|()| stream)
        };
        let opened = tokio::time::timeout(CONNECT_LIMIT, opened).await;
        Ok(Tunnel { stream: opened.map_err(std::io::Error::from)??, until: None, held: None })
    }

    /// Speaks over a connection; `on_close` runs once when it ends, whoever ended it.
    pub(crate) async fn start(
        tunnel: Tunnel,
        tasks: &Tasks,
        on_close: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Self>, Refused> {
        let Tunnel { mut stream, until, held } = tunnel;
        stream.write_all(&PREFACE).await?;
        stream.flush().await?;
        let (outbox, inbox) = mpsc::channel(WRITE_QUEUE);
        let stop = tasks.shutdown().child();
        let conn = Arc::new(Self {
            outbox,
            pending: Arc::default(),
            next_id: AtomicU64::new(1),
            closed: Arc::default(),
            heard: Arc::default(),
            opened: Instant::now(),
            checked: AtomicBool::new(false),
            until,
            stop: stop.clone(),
        });
        let (pending, closed) = (conn.pending.clone(), conn.closed.clone());
        let (heard, opened) = (conn.heard.clone(), conn.opened);
        tasks.spawn("rpc connection", async move {
            let (read, write) = tokio::io::split(stream);
            tokio::select! {
                () = stop.wait() => {}
                _ = read_answers(read, &pending, || {
                    let ms = u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX);
                    heard.store(ms, Ordering::Relaxed);
                }) => {}
                _ = write_frames(write, inbox) => {}
            }
            closed.store(true, Ordering::Release);
            drop(held);
            // Dropping the senders wakes every caller.
            pending.lock().clear();
            on_close();
        });
        Ok(conn)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether new requests may use it.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.is_closed() && self.until.is_none_or(|until| Instant::now() < until)
    }

    /// Whether nothing was heard since `since`.
    pub(crate) fn is_silent_since(&self, since: Instant) -> bool {
        self.opened + Duration::from_millis(self.heard.load(Ordering::Relaxed)) < since
    }

    /// Whether nobody finds out yet if it is still there; then it is the caller's to do, and to end.
    pub(crate) fn begin_check(&self) -> bool {
        !self.checked.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_check(&self) {
        self.checked.store(false, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        self.stop.trigger();
    }

    async fn exchange(&self, kind: Kind, payload: Bytes) -> Result<Bytes, RequestError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (tx, rx) = oneshot::channel();
        self.pending.lock().insert(id, tx);
        let mut waiting = Waiting { conn: self, id, done: false };
        // Looked at after inserting: the closing side clears the map after it has set the flag.
        let gone = || RequestError::Transport { text: Str::new_static("connection closed"), sent: false };
        if self.is_closed() || self.outbox.send((kind, id, payload)).await.is_err() {
            return Err(gone());
        }
        let answer = rx.await;
        waiting.done = true;
        answer.map_err(|_closed| RequestError::Transport {
            text: Str::new_static("connection closed before the answer came"),
            sent: true,
        })
    }

    /// Sends a request and waits for the answer; dropping the future cancels it on the server.
    pub(crate) async fn call(&self, request: &Request) -> Answer {
        let bytes = codec::encode(request).map_err(|e| RequestError::Malformed(Str::from(e.to_string())))?;
        let answer = self.exchange(Kind::Request, bytes.into()).await?;
        codec::decode::<Answer>(&answer).map_err(|e| RequestError::Malformed(Str::from(e.to_string())))?
    }

    /// Sends an opaque raft request.
    pub(crate) async fn call_raft(&self, request: Bytes) -> Result<Bytes, RequestError> {
        self.exchange(Kind::RaftRequest, request).await
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.stop.trigger();
    }
}

/// The handshake, where there is one, up to the point where the server has taken our certificate.
async fn secure(
    stream: Box<dyn Stream>,
    tls: &Tls,
    datacenter: Option<&str>,
) -> Result<Box<dyn Stream>, Refused> {
    let (mut stream, secure) = tls.connect_rpc(stream, datacenter).await?;
    if secure {
        taken(&mut stream).await?;
    }
    Ok(stream)
}

async fn read_answers(
    mut read: tokio::io::ReadHalf<Box<dyn Stream>>,
    pending: &Pending,
    heard: impl Fn(),
) -> std::io::Result<()> {
    let mut buf = BytesMut::with_capacity(32 << 10);
    loop {
        while let Some(Frame { kind, id, payload }) = take_frame(&mut buf).map_err(std::io::Error::other)? {
            if matches!(kind, Kind::Response | Kind::RaftResponse)
                && let Some(tx) = pending.lock().remove(&id)
            {
                // The caller may have gone in this very moment.
                let _ = tx.send(payload);
            }
        }
        if read.read_buf(&mut buf).await? == 0 {
            return Ok(());
        }
        heard();
    }
}

/// Writes what is queued, gathering what has piled up into one write.
pub(crate) async fn write_frames(
    mut write: tokio::io::WriteHalf<Box<dyn Stream>>,
    mut inbox: mpsc::Receiver<(Kind, u64, Bytes)>,
) -> std::io::Result<()> {
    let mut buf = BytesMut::with_capacity(16 << 10);
    while let Some((kind, id, payload)) = inbox.recv().await {
        put_frame(&mut buf, kind, id, &payload);
        while buf.len() < WRITE_GATHER_BYTES
            && let Ok((kind, id, payload)) = inbox.try_recv()
        {
            put_frame(&mut buf, kind, id, &payload);
        }
        write.write_all(&buf).await?;
        // A session over TLS may hold back what the network did not take at once.
        write.flush().await?;
        buf.clear();
        if buf.capacity() > 4 * WRITE_GATHER_BYTES {
            buf = BytesMut::with_capacity(16 << 10);
        }
    }
    Ok(())
}
