//! A network in memory, on tokio's clock: delay, loss, partitions that stall streams, hosts that die with or without a word.

use parking_lot::Mutex;
use rand::{Rng, RngCore};
use runtime::{BoxFuture, Datagram, Listener, Stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Bytes that one direction of a stream holds before its writer waits.
const WINDOW: usize = 64 << 10;
/// What a lost segment of a stream costs.
const RETRANSMIT: Duration = Duration::from_millis(200);

type Packet = (Vec<u8>, SocketAddr);

/// How a host is doing, as the streams that end in it see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Up,
    /// Its power failed: nothing comes, and nobody is told.
    Silent,
    /// Its kernel tells that the process is gone.
    Gone,
}

struct Host {
    epoch: u64,
    life: watch::Sender<Life>,
    udp: BTreeMap<SocketAddr, mpsc::Sender<Packet>>,
    tcp: BTreeMap<SocketAddr, mpsc::Sender<(SimStream, SocketAddr)>>,
}

struct State {
    rng: Box<dyn RngCore + Send>,
    hosts: BTreeMap<IpAddr, Host>,
    cut: BTreeSet<(IpAddr, IpAddr)>,
    loss: f64,
    delay_max_ms: u64,
    next_port: u16,
    tasks: JoinSet<()>,
}

/// The wire between all hosts.
pub struct Net {
    state: Mutex<State>,
    /// Moves when a way may be free again.
    healed: watch::Sender<u64>,
}

impl Net {
    pub fn new(rng: impl RngCore + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                rng: Box::new(rng),
                hosts: BTreeMap::new(),
                cut: BTreeSet::new(),
                loss: 0.0,
                delay_max_ms: 3,
                next_port: 40_000,
                tasks: JoinSet::new(),
            }),
            healed: watch::channel(0).0,
        })
    }

    /// Connects a host; `epoch` tells this start of it from earlier ones.
    pub fn plug(self: &Arc<Self>, ip: IpAddr, epoch: u64) -> Card {
        let host =
            Host { epoch, life: watch::channel(Life::Up).0, udp: BTreeMap::new(), tcp: BTreeMap::new() };
        if let Some(old) = self.state.lock().hosts.insert(ip, host) {
            // The first packet of an old stream that reaches the new start is answered with a reset.
            old.life.send_replace(Life::Gone);
        }
        Card { net: self.clone(), ip, epoch }
    }

    /// Takes a host off.
    pub fn unplug(&self, ip: IpAddr, how: Life) {
        let mut s = self.state.lock();
        if let Some(host) = s.hosts.get_mut(&ip) {
            host.life.send_replace(how);
            host.udp.clear();
            host.tcp.clear();
        }
    }

    pub fn weather(&self, loss: f64, delay_max_ms: u64) {
        let mut s = self.state.lock();
        s.loss = loss;
        s.delay_max_ms = delay_max_ms;
    }

    /// Nothing that `from` sends reaches `to`.
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.state.lock().cut.insert((from, to));
    }

    /// Undoes every cut and the weather.
    pub fn heal(&self) {
        {
            let mut s = self.state.lock();
            s.cut.clear();
            s.loss = 0.0;
            s.delay_max_ms = 3;
        }
        self.healed.send_modify(|n| *n += 1);
    }

    /// The time that one packet takes, and whether it is lost.
    fn travel(&self) -> (Duration, bool) {
        let mut s = self.state.lock();
        let (loss, max) = (s.loss, s.delay_max_ms);
        let delay = Duration::from_micros(s.rng.random_range(100..=max * 1000));
        (delay, s.rng.random_bool(loss))
    }

    fn is_up(&self, ip: IpAddr, epoch: u64) -> bool {
        let s = self.state.lock();
        s.hosts.get(&ip).is_some_and(|h| h.epoch == epoch && *h.life.borrow() == Life::Up)
    }

    /// A stream needs both directions: data one way, acknowledgements the other.
    fn is_open(&self, a: IpAddr, b: IpAddr) -> bool {
        let s = self.state.lock();
        !s.cut.contains(&(a, b)) && !s.cut.contains(&(b, a))
    }

    async fn until_open(&self, a: IpAddr, b: IpAddr) {
        let mut healed = self.healed.subscribe();
        while !self.is_open(a, b) {
            if healed.changed().await.is_err() {
                return;
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut s = self.state.lock();
        while s.tasks.try_join_next().is_some() {}
        s.tasks.spawn(task);
    }

    fn life(&self, ip: IpAddr) -> Option<watch::Receiver<Life>> {
        self.state.lock().hosts.get(&ip).map(|h| h.life.subscribe())
    }

    /// Carries one direction of a stream until it ends or a host is gone.
    async fn pump(
        self: Arc<Self>,
        from: IpAddr,
        to: IpAddr,
        mut read: ReadHalf<DuplexStream>,
        mut write: WriteHalf<DuplexStream>,
    ) {
        let (Some(a), Some(b)) = (self.life(from), self.life(to)) else { return };
        let (ends, silence) = ([a.clone(), b.clone()], std::future::pending::<()>);
        let copy = async {
            let mut buf = vec![0; 16 << 10];
            loop {
                let n = match read.read(&mut buf).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => n,
                };
                let (delay, lost) = self.travel();
                sleep(if lost { delay + RETRANSMIT } else { delay }).await;
                self.until_open(from, to).await;
                if ends.iter().any(|end| *end.borrow() != Life::Up) {
                    silence().await;
                }
                if write.write_all(&buf[..n]).await.is_err() {
                    break;
                }
            }
            // The other side sees the end; that it is gone already is no matter.
            let _ = write.shutdown().await;
        };
        tokio::select! {
            biased;
            () = gone(a) => {}
            () = gone(b) => {}
            () = copy => {}
        }
    }
}

/// Resolves when whoever is connected to the host learns that it is gone.
async fn gone(mut life: watch::Receiver<Life>) {
    // An error: the host was replaced and its sender dropped.
    let _ = life.wait_for(|l| *l == Life::Gone).await;
}

/// One start of one host: of no use to what is left of it after its power failed.
#[derive(Clone)]
pub struct Card {
    net: Arc<Net>,
    ip: IpAddr,
    epoch: u64,
}

impl Card {
    fn alive(&self) -> bool {
        self.net.is_up(self.ip, self.epoch)
    }
}

async fn nothing<T>(limit: Duration) -> io::Result<T> {
    sleep(limit).await;
    Err(io::ErrorKind::TimedOut.into())
}

impl runtime::Net for Card {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let (tx, rx) = mpsc::channel(128);
            let mut s = self.net.state.lock();
            let host = s.hosts.get_mut(&self.ip).ok_or(io::ErrorKind::NetworkDown)?;
            if host.tcp.insert(addr, tx).is_some() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            Ok(Box::new(SimListener { addr, incoming: tokio::sync::Mutex::new(rx) }) as Box<dyn Listener>)
        })
    }

    fn connect(
        &self,
        _local: Option<IpAddr>,
        to: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (delay, lost) = self.net.travel();
            if !self.alive() {
                return nothing(limit).await;
            }
            sleep(if lost { delay + Duration::from_secs(1) } else { delay }.min(limit)).await;
            if timeout(limit, self.net.until_open(self.ip, to.ip())).await.is_err() || !self.alive() {
                return nothing(limit).await;
            }
            let found = {
                let mut s = self.net.state.lock();
                let port = s.next_port;
                s.next_port = port.checked_add(1).unwrap_or(40_000);
                let from = SocketAddr::new(self.ip, port);
                match s.hosts.get(&to.ip()) {
                    None => None,
                    Some(host) if *host.life.borrow() == Life::Silent => None,
                    Some(host) => Some((host.tcp.get(&to).cloned(), from)),
                }
            };
            let Some((listener, from)) = found else { return nothing(limit).await };
            let Some(listener) = listener else { return Err(io::ErrorKind::ConnectionRefused.into()) };
            let (mine, my_wire) = tokio::io::duplex(WINDOW);
            let (theirs, their_wire) = tokio::io::duplex(WINDOW);
            let ((my_read, my_write), (their_read, their_write)) =
                (tokio::io::split(my_wire), tokio::io::split(their_wire));
            self.net.spawn(self.net.clone().pump(self.ip, to.ip(), my_read, their_write));
            self.net.spawn(self.net.clone().pump(to.ip(), self.ip, their_read, my_write));
            if listener.try_send((SimStream { io: theirs, peer: from }, from)).is_err() {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Ok(Box::new(SimStream { io: mine, peer: to }) as Box<dyn Stream>)
        })
    }

    fn bind_udp(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagram>>> {
        Box::pin(async move {
            let (tx, rx) = mpsc::channel(1024);
            let mut s = self.net.state.lock();
            let host = s.hosts.get_mut(&self.ip).ok_or(io::ErrorKind::NetworkDown)?;
            if host.udp.insert(addr, tx).is_some() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let card = self.clone();
            Ok(Box::new(SimSocket { card, addr, incoming: tokio::sync::Mutex::new(rx) }) as Box<dyn Datagram>)
        })
    }
}

struct SimListener {
    addr: SocketAddr,
    incoming: tokio::sync::Mutex<mpsc::Receiver<(SimStream, SocketAddr)>>,
}

impl Listener for SimListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            match self.incoming.lock().await.recv().await {
                Some((stream, from)) => Ok((Box::new(stream) as Box<dyn Stream>, from)),
                // Its host is off; what waits here is ended by its owner.
                None => std::future::pending().await,
            }
        })
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

struct SimSocket {
    card: Card,
    addr: SocketAddr,
    incoming: tokio::sync::Mutex<mpsc::Receiver<Packet>>,
}

impl Datagram for SimSocket {
    fn send_to<'a>(&'a self, packet: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        let size = packet.len();
        let net = &self.card.net;
        let (delay, lost) = net.travel();
        if !lost && self.card.alive() {
            let (wire, packet, from) = (net.clone(), packet.to_vec(), self.addr);
            net.spawn(async move {
                sleep(delay).await;
                let s = wire.state.lock();
                if s.cut.contains(&(from.ip(), to.ip())) {
                    return;
                }
                if let Some(socket) = s.hosts.get(&to.ip()).and_then(|h| h.udp.get(&to)) {
                    // A full buffer drops it, as a kernel does.
                    let _ = socket.try_send((packet, from));
                }
            });
        }
        Box::pin(async move { Ok(size) })
    }
    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(async move {
            match self.incoming.lock().await.recv().await {
                Some((packet, from)) => {
                    let n = packet.len().min(buf.len());
                    buf[..n].copy_from_slice(&packet[..n]);
                    Ok((n, from))
                }
                None => std::future::pending().await,
            }
        })
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}

struct SimStream {
    io: DuplexStream,
    peer: SocketAddr,
}

impl Stream for SimStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
