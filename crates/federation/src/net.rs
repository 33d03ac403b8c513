//! The WAN pool's network: members of the own datacenter by their sockets, all others through mesh gateways. Gossip sees neither.

use crate::{
    dial::{Dialer, Target},
    lanes::Lanes,
    names::Route,
    sink::Inbound,
};
use runtime::{BoxFuture, Datagram, Listener, Net, Stream, Tasks};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tls::Lane;
use tokio::time::timeout;

/// Sockets of the WAN pool.
pub struct WanNet {
    inner: Arc<dyn Net>,
    dialer: Arc<Dialer>,
    lanes: Arc<Lanes>,
    inbound: Arc<Inbound>,
}

impl WanNet {
    /// Sockets over `inner` and the tunnels of `dialer`; what others send through gateways comes from `inbound`.
    pub fn new(inner: Arc<dyn Net>, dialer: Arc<Dialer>, inbound: Arc<Inbound>, tasks: Tasks) -> Arc<Self> {
        let lanes = Lanes::new(dialer.clone(), tasks);
        Arc::new(Self { inner, dialer, lanes, inbound })
    }

    async fn exchange(&self, target: &Target, limit: Duration) -> io::Result<Box<dyn Stream>> {
        let opened = timeout(limit, self.dialer.open(target, Lane::Exchange)).await;
        match opened.map_err(io::Error::from)? {
            // One exchange and its end: nobody needs to know what carries it.
            Ok(opened) => Ok(opened.stream),
            Err(e) => Err(io::Error::other(e.to_string())),
        }
    }
}

impl Net for WanNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let inner = self.inner.listen(addr).await?;
            Ok(Box::new(Streams { inner, inbound: self.inbound.clone() }) as Box<dyn Listener>)
        })
    }

    fn connect(
        &self,
        local: Option<IpAddr>,
        to: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            match self.dialer.routes.find(to) {
                Some(Route::Direct(to)) => self.inner.connect(local, to, limit).await,
                Some(Route::Tunnel(target)) => self.exchange(&target, limit).await,
                None => Err(io::Error::other("this server is not known yet")),
            }
        })
    }

    fn bind_udp(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagram>>> {
        Box::pin(async move {
            let inner = self.inner.bind_udp(addr).await?;
            let packets = Packets {
                inner,
                inbound: self.inbound.clone(),
                dialer: self.dialer.clone(),
                lanes: self.lanes.clone(),
            };
            Ok(Box::new(packets) as Box<dyn Datagram>)
        })
    }
}

struct Streams {
    inner: Box<dyn Listener>,
    inbound: Arc<Inbound>,
}

impl Listener for Streams {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            // Both are cancel safe.
            tokio::select! {
                accepted = self.inner.accept() => accepted,
                stream = self.inbound.stream() => Ok(stream),
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

struct Packets {
    inner: Box<dyn Datagram>,
    inbound: Arc<Inbound>,
    dialer: Arc<Dialer>,
    lanes: Arc<Lanes>,
}

impl Datagram for Packets {
    fn send_to<'a>(&'a self, packet: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(async move {
            match self.dialer.routes.find(to) {
                Some(Route::Direct(to)) => self.inner.send_to(packet, to).await,
                Some(Route::Tunnel(target)) => {
                    self.lanes.send(target, packet);
                    Ok(packet.len())
                }
                // As on any network, a packet to nowhere is lost.
                None => Ok(packet.len()),
            }
        })
    }

    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(async move {
            // Both are cancel safe.
            let (packet, from) = tokio::select! {
                received = self.inner.recv_from(buf) => return received,
                packet = self.inbound.packet() => packet,
            };
            // What does not fit is cut, as on a socket; nothing that gossip sends is that long.
            let n = packet.len().min(buf.len());
            buf[..n].copy_from_slice(&packet[..n]);
            Ok((n, from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}
