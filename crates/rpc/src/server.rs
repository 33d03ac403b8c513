//! The server port: accepts connections and answers requests.

use crate::{
    conn::write_frames,
    message::{Answer, Frame, Kind, PREFACE, Request, take_frame},
    tunnel::TunnelSink,
};
use bytes::{Bytes, BytesMut};
use runtime::{BoxFuture, Listener, Stream, Tasks};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tls::{Lane, Peer, Refusals, Refused, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
};
use types::{RequestError, Str, ca::CaRequest, codec, command::Command};

/// Connections at once.
const CONNECTIONS_MAX: usize = 4096;
/// Requests in flight on one connection (blocking queries of a busy client agent among them).
const IN_FLIGHT_MAX: usize = 16_384;
/// Answers that wait for the writer of one connection.
const ANSWER_QUEUE: usize = 1024;

/// Answers requests that arrive on the server port.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Writes run to the end even if the future is dropped; reads end with it.
    fn handle(&self, request: Request) -> BoxFuture<'_, Answer>;
    /// Answers one raft request.
    fn handle_raft(&self, request: Bytes) -> BoxFuture<'_, Bytes>;
}

/// Who is let in.
struct Door {
    tls: Arc<Tls>,
    /// How long a fresh connection may take to say what it is, with its handshake.
    limit: Duration,
    /// Who takes gossip that comes through mesh gateways.
    sink: Option<Arc<dyn TunnelSink>>,
    refusals: Refusals<IpAddr>,
}

impl Door {
    fn refuse(&self, from: SocketAddr, why: &str) {
        if self.refusals.is_news(from.ip(), why) {
            tracing::warn!("refused an rpc connection from {from}: {why}");
        } else {
            tracing::debug!(%from, %why, "refused an rpc connection again");
        }
    }

    /// The handshake, up to the point where requests come.
    async fn admit(&self, mut stream: Box<dyn Stream>) -> Result<(Box<dyn Stream>, Peer), Refused> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await?;
        let (mut stream, peer) = self.tls.accept_rpc(stream, preface.to_vec()).await?;
        if peer.lane != Lane::Requests && self.sink.is_none() {
            let why = "it brings gossip of another datacenter through a mesh gateway, but connect.enable_mesh_gateway_wan_federation is not set here";
            return Err(Refused::Tls(why.to_owned()));
        }
        if peer.secure {
            // The other side learns by this that its certificate was taken: its own part of the handshake ends earlier.
            stream.write_all(&PREFACE).await?;
            stream.flush().await?;
        }
        if peer.lane != Lane::Requests {
            return Ok((stream, peer));
        }
        stream.read_exact(&mut preface).await?;
        if preface != PREFACE {
            return Err(std::io::Error::other("not a connection of this protocol").into());
        }
        Ok((stream, peer))
    }
}

/// Whether only servers ask this.
fn is_for_servers(request: &Request) -> bool {
    match request {
        Request::PromiseBootstrap { .. } | Request::ReadPoint | Request::Submit { hops: 1.., .. } => true,
        Request::Submit { command, .. } => is_duty(command),
        _ => false,
    }
}

/// Whether only a leader writes this, each for itself: nobody sends it to another agent.
fn is_duty(command: &Command) -> bool {
    match command {
        Command::CaSet { .. }
        | Command::CaSerial
        | Command::ReapTombstones { .. }
        | Command::ReplicateConfigEntries { .. }
        | Command::ReplicateFederationStates { .. }
        | Command::ExpireKeys { .. }
        | Command::RestoreAbort => true,
        Command::Batch(commands) => commands.iter().any(is_duty),
        _ => false,
    }
}

/// Whether only servers ask this, those of any datacenter.
fn is_for_any_server(request: &Request) -> bool {
    match request {
        Request::Authority { request: CaRequest::SignIntermediate { .. }, .. } => true,
        // The leader of a datacenter tells the primary one about its gateways.
        Request::Submit { command, .. } => tells_gateways(command),
        _ => false,
    }
}

fn tells_gateways(command: &Command) -> bool {
    match command {
        Command::FederationStateSet { .. } | Command::FederationStateDelete { .. } => true,
        Command::Batch(commands) => commands.iter().any(tells_gateways),
        _ => false,
    }
}

/// Serves `listener` until shutdown. Each connection must say within `limit` what it is.
pub fn serve(
    listener: Box<dyn Listener>,
    tls: Arc<Tls>,
    limit: Duration,
    handler: Arc<dyn Handler>,
    sink: Option<Arc<dyn TunnelSink>>,
    tasks: &Tasks,
) {
    let shutdown = tasks.shutdown().clone();
    let door = Arc::new(Door { tls, limit, sink, refusals: Refusals::default() });
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tasks.spawn_critical("rpc listener", async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                // A finished connection; nothing is lost if this branch is dropped.
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => match slots.clone().try_acquire_owned() {
                        Ok(slot) => {
                            let (handler, door) = (handler.clone(), door.clone());
                            connections.spawn(async move {
                                if let Err(error) = serve_connection(stream, from, &door, handler).await {
                                    tracing::debug!(%from, %error, "rpc connection ended");
                                }
                                drop(slot);
                            });
                        }
                        Err(_full) => tracing::warn!(%from, max = CONNECTIONS_MAX, "too many rpc connections, refusing one"),
                    },
                    Err(error) => {
                        // Out of file descriptors, most likely: let others finish before trying again.
                        tracing::error!(%error, "failed to accept rpc connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
    });
}

async fn serve_connection(
    stream: Box<dyn Stream>,
    from: SocketAddr,
    door: &Door,
    handler: Arc<dyn Handler>,
) -> std::io::Result<()> {
    let (stream, peer) = match tokio::time::timeout(door.limit, door.admit(stream)).await? {
        Ok(admitted) => admitted,
        Err(Refused::Tls(why)) => {
            door.refuse(from, &why);
            return Ok(());
        }
        Err(Refused::Io(e)) => return Err(e),
    };
    if peer.lane != Lane::Requests {
        if let Some(sink) = &door.sink {
            sink.serve(peer.lane, stream, from).await;
        }
        return Ok(());
    }
    if peer.not_server.is_none() {
        door.refusals.forget(&from.ip());
    }
    let refuse = |what: &str, why: &str| {
        door.refuse(from, &format!("it asks for what only servers do ({what}), but {why}"));
        std::io::Error::other("not a server")
    };
    let (read, write) = tokio::io::split(stream);
    let (answers, outbox) = mpsc::channel(ANSWER_QUEUE);
    tokio::select! {
        r = read_requests(read, answers, handler, &peer, refuse) => r,
        r = write_frames(write, outbox) => r,
    }
}

async fn read_requests(
    mut read: tokio::io::ReadHalf<Box<dyn Stream>>,
    answers: mpsc::Sender<(Kind, u64, Bytes)>,
    handler: Arc<dyn Handler>,
    peer: &Peer,
    refuse: impl Fn(&str, &str) -> std::io::Error,
) -> std::io::Result<()> {
    let mut buf = BytesMut::with_capacity(32 << 10);
    // Dropped with the connection, which ends what its caller can no longer hear.
    let mut running: JoinSet<u64> = JoinSet::new();
    let mut cancel: HashMap<u64, AbortHandle> = HashMap::new();
    loop {
        while let Some(Frame { kind, id, payload }) = take_frame(&mut buf).map_err(std::io::Error::other)? {
            let (handler, answers) = (handler.clone(), answers.clone());
            match kind {
                Kind::Request if running.len() >= IN_FLIGHT_MAX => {
                    let refusal = encode_answer(&Err(RequestError::Overloaded));
                    answers.send((Kind::Response, id, refusal)).await.map_err(std::io::Error::other)?;
                }
                Kind::Request => {
                    let request = codec::decode::<Request>(&payload);
                    if let (Some(why), Ok(request)) = (&peer.not_server, &request)
                        && is_for_servers(request)
                    {
                        return Err(refuse("a request between servers", why));
                    }
                    if peer.enrolls && !matches!(request, Ok(Request::Enroll { .. })) {
                        return Err(refuse("more than a certificate", "it shows none"));
                    }
                    if let (Some(why), Ok(request)) = (&peer.no_server, &request)
                        && is_for_any_server(request)
                    {
                        return Err(refuse("a request between servers of any datacenter", why));
                    }
                    let task = running.spawn(async move {
                        let answer = match request {
                            Ok(request) => handler.handle(request).await,
                            Err(e) => Err(RequestError::Malformed(Str::from(e.to_string()))),
                        };
                        // A closed channel means that the connection is gone.
                        let _ = answers.send((Kind::Response, id, encode_answer(&answer))).await;
                        id
                    });
                    cancel.insert(id, task);
                }
                Kind::RaftRequest => {
                    // Who has no certificate is no server either.
                    if let Some(why) = &peer.not_server {
                        return Err(refuse("Raft", why));
                    }
                    running.spawn(async move {
                        let answer = handler.handle_raft(payload).await;
                        let _ = answers.send((Kind::RaftResponse, id, answer)).await;
                        id
                    });
                }
                Kind::Cancel => {
                    if let Some(task) = cancel.remove(&id) {
                        task.abort();
                    }
                }
                Kind::Response | Kind::RaftResponse => {
                    return Err(std::io::Error::other("unexpected answer"));
                }
            }
        }
        tokio::select! {
            n = read.read_buf(&mut buf) => if n? == 0 { return Ok(()) },
            // Collecting a finished request can be repeated at any time.
            Some(done) = running.join_next() => if let Ok(id) = done { cancel.remove(&id); },
        }
    }
}

fn encode_answer(answer: &Answer) -> Bytes {
    match codec::encode(answer) {
        Ok(b) if b.len() < crate::message::FRAME_BYTES_MAX - 16 => b.into(),
        Ok(_) => encode_answer(&Err(RequestError::Refused(Str::new_static("answer is too large")))),
        Err(e) => codec::encode(&Answer::Err(RequestError::Malformed(Str::from(e.to_string()))))
            .unwrap_or_default()
            .into(),
    }
}
