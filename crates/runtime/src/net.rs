//! Sockets as arguments, so that a whole cluster can run on a simulated network.

use crate::BoxFuture;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Address of the other side.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// Accepts streams.
pub trait Listener: Send + Sync {
    /// Next connection. Cancel safe.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>>;
    /// Address it listens on.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A UDP socket.
pub trait Datagram: Send + Sync {
    /// Sends one packet.
    fn send_to<'a>(&'a self, packet: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>>;
    /// Receives one packet. Cancel safe.
    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;
    /// Address it is bound to.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Maker of sockets.
pub trait Net: Send + Sync + 'static {
    /// Listens for streams.
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>>;
    /// Connects, from `local` if given, within `limit`.
    fn connect(
        &self,
        local: Option<IpAddr>,
        to: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
    /// Binds a UDP socket.
    fn bind_udp(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagram>>>;
}

/// The real network.
#[derive(Clone, Copy, Default, Debug)]
pub struct TokioNet;

impl Stream for tokio::net::TcpStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Self::peer_addr(self)
    }
}

impl Listener for tokio::net::TcpListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (s, a) = Self::accept(self).await?;
            s.set_nodelay(true)?;
            Ok((Box::new(s) as Box<dyn Stream>, a))
        })
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

impl Datagram for tokio::net::UdpSocket {
    fn send_to<'a>(&'a self, packet: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(Self::send_to(self, packet, to))
    }
    fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(Self::recv_from(self, buf))
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}

impl Net for TokioNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(Box::new(tokio::net::TcpListener::bind(addr).await?) as Box<dyn Listener>) })
    }
    fn connect(
        &self,
        local: Option<IpAddr>,
        to: SocketAddr,
        limit: Duration,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let socket = if to.is_ipv4() {
                tokio::net::TcpSocket::new_v4()?
            } else {
                tokio::net::TcpSocket::new_v6()?
            };
            if let Some(ip) = local.filter(|ip| !ip.is_unspecified() && ip.is_ipv4() == to.is_ipv4()) {
                socket.bind(SocketAddr::new(ip, 0))?;
            }
            let s = tokio::time::timeout(limit, socket.connect(to))
                .await
                .map_err(|e| io::Error::new(io::ErrorKind::TimedOut, e))??;
            s.set_nodelay(true)?;
            Ok(Box::new(s) as Box<dyn Stream>)
        })
    }
    fn bind_udp(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagram>>> {
        Box::pin(async move { Ok(Box::new(tokio::net::UdpSocket::bind(addr).await?) as Box<dyn Datagram>) })
    }
}
