//! One connection from its first byte to its end.

use crate::{
    balance::{Active, choose},
    hello::{HelloError, Peek, fatal_alert},
    metrics::Refusal,
    pump,
    route::{Kind, Place},
    serve::Shared,
};
use socket2::{SockRef, TcpKeepalive};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// After so long without a byte the kernel asks whether the other side is still there, and gives up a minute later.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);
/// Most bytes that wait in a socket beyond what the network carries, so that a peer that does not read holds little memory.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 512 << 10;
/// RFC 8446 section 6.2.
const INTERNAL_ERROR: u8 = 80;
const UNRECOGNIZED_NAME: u8 = 112;
/// Bytes that are read at a time until the hello is complete.
const READ_BYTES: usize = 4 << 10;

/// Why there is no tunnel, and what to add in the log.
struct Refused(Refusal, String);

/// Serves one connection to its end.
pub(crate) async fn serve(shared: &Shared, client: TcpStream, peer: SocketAddr) {
    tune(&client);
    match open(shared, &client, peer).await {
        Ok(open) => open.carry(shared, &client, peer).await,
        Err(Refused(why, detail)) => {
            shared.metrics.refused(why);
            shared.log.tell(shared.now(), why, peer, &detail);
            let alert = match why {
                Refusal::UnknownName | Refusal::NoName => Some(UNRECOGNIZED_NAME),
                Refusal::NoBackend | Refusal::ConnectFailed => Some(INTERNAL_ERROR),
                _ => None,
            };
            if let Some(alert) = alert {
                // A courtesy that fits any socket's buffer; a client that is gone does without.
                let _ = client.try_write(&fatal_alert(alert));
            }
        }
    }
}

/// Small writes go out at once, and a side that vanished is found out.
fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    // Failures only cost speed, or patience with a dead peer.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&KEEPALIVE);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// A tunnel that is about to carry.
struct Open {
    backend: TcpStream,
    kind: Kind,
    name: String,
    place: Place,
    hello: Vec<u8>,
    _active: Active,
}

async fn open(shared: &Shared, client: &TcpStream, peer: SocketAddr) -> Result<Open, Refused> {
    let limit = shared.limits.preface;
    let (name, hello) = tokio::time::timeout(limit, preface(client)).await.unwrap_or_else(|_elapsed| {
        Err(Refused(Refusal::PrefaceTimeout, format!("no complete TLS hello within {limit:?}")))
    })?;
    if shared.draining() {
        return Err(Refused(Refusal::Draining, "the gateway is about to end".to_owned()));
    }
    let routes = shared.routes.load_full();
    let Some(route) = routes.table.find(&name) else {
        return Err(Refused(
            Refusal::UnknownName,
            format!(
                "no route for {name:?}; names that are routed: {}, see /routes of -admin-bind",
                routes.table.len()
            ),
        ));
    };
    if route.backends.is_empty() {
        return Err(Refused(Refusal::NoBackend, format!("nobody healthy serves {name:?}")));
    }
    let backends: Vec<_> = route.backends.iter().map(|p| routes.backends.get(p)).collect();
    let (mut tried, mut failures) = (Vec::new(), Vec::new());
    while tried.len() < shared.limits.attempts_max {
        let Some(i) = choose(&backends, &tried, shared.now(), &mut *shared.rng.lock()) else { break };
        let (place, backend) = (&route.backends[i], &backends[i]);
        let active = backend.enter();
        let started = Instant::now();
        match connect(place, shared.limits.connect).await {
            Ok(stream) => {
                shared.metrics.connected(started.elapsed());
                backend.succeeded();
                tracing::debug!(%peer, name, %place, route = route.kind.label(), "tunnel opens");
                let (kind, place) = (route.kind, place.clone());
                return Ok(Open { backend: stream, kind, name, place, hello, _active: active });
            }
            Err(e) => {
                shared.metrics.connect_failed();
                let left_out = backend.failed(shared.now());
                tracing::debug!(%peer, name, %place, error = %e, ?left_out, "a backend does not take the connection");
                failures.push(format!("{place}: {e}"));
                tried.push(i);
            }
        }
    }
    Err(Refused(Refusal::ConnectFailed, format!("no backend of {name:?} takes it: {}", failures.join("; "))))
}

/// The server's name and all bytes that came with it.
async fn preface(client: &TcpStream) -> Result<(String, Vec<u8>), Refused> {
    let mut peek = Peek::new();
    let mut buffer = [0; READ_BYTES];
    loop {
        let gone = |e: io::Error| Refused(Refusal::PrefaceClosed, e.to_string());
        client.readable().await.map_err(gone)?;
        let room = peek.room().min(READ_BYTES);
        let n = match client.try_read(&mut buffer[..room]) {
            Ok(0) => return Err(gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(gone(e)),
        };
        match peek.push(&buffer[..n]) {
            Ok(None) => {}
            Ok(Some(hello)) => {
                let why = "the client names no server (SNI), so it cannot be told where to go";
                let name = hello.server_name.ok_or_else(|| Refused(Refusal::NoName, why.to_owned()))?;
                return Ok((name, peek.into_wire()));
            }
            Err(e) => {
                let why = if e == HelloError::NotTls { Refusal::NotTls } else { Refusal::Malformed };
                return Err(Refused(why, e.to_string()));
            }
        }
    }
}

async fn connect(place: &Place, limit: Duration) -> io::Result<TcpStream> {
    let connecting = async {
        match place.host.parse::<IpAddr>() {
            Ok(ip) => TcpStream::connect((ip, place.port)).await,
            Err(_name) => TcpStream::connect((place.host.as_str(), place.port)).await,
        }
    };
    let stream = tokio::time::timeout(limit, connecting).await.map_err(|_elapsed| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))
    })??;
    tune(&stream);
    Ok(stream)
}

impl Open {
    async fn carry(self, shared: &Shared, client: &TcpStream, peer: SocketAddr) {
        let counts = shared.metrics.kind(self.kind);
        counts.opened.fetch_add(1, Relaxed);
        counts.active.fetch_add(1, Relaxed);
        let carrying = async {
            pump::write_all(&self.backend, &self.hello).await?;
            counts.bytes_in.fetch_add(self.hello.len() as u64, Relaxed);
            pump::carry(client, &self.backend, &counts.bytes_in, &counts.bytes_out, &shared.pipes).await
        };
        // What is on its way is given up when the gateway ends.
        let ended = tokio::select! {
            () = shared.closing.wait() => Ok(()),
            ended = carrying => ended,
        };
        counts.active.fetch_sub(1, Relaxed);
        let error = ended.err().map(|e| e.to_string());
        tracing::debug!(%peer, name = self.name, place = %self.place, error, "tunnel ended");
    }
}
