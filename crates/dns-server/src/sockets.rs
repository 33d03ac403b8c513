//! Binding of the DNS sockets, early enough that a port in use fails the start.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

/// Bound, non-blocking sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// One loop each; several of them may share an address.
    pub udp: Vec<UdpSocket>,
    /// One for each address.
    pub tcp: Vec<TcpListener>,
    /// The addresses, with the ports that the system gave.
    pub addrs: Vec<SocketAddr>,
}

/// Binds TCP and UDP on every address, with `loops` UDP sockets each. Port 0 lets the system choose, the same for both.
///
/// # Errors
/// What the system says, such as a port that is in use; nothing stays bound then.
pub fn bind(addrs: &[SocketAddr], loops: usize) -> io::Result<Sockets> {
    let mut out = Sockets::default();
    for &addr in addrs {
        // The TCP socket does not share its port, so that it also guards the UDP sockets, which do.
        let tcp = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        if addr.is_ipv6() {
            tcp.set_only_v6(true)?;
        }
        tcp.set_reuse_address(true)?;
        tcp.bind(&addr.into())?;
        tcp.listen(1024)?;
        tcp.set_nonblocking(true)?;
        let tcp: TcpListener = tcp.into();
        let addr = tcp.local_addr()?;
        // Sharing hides a foreign owner of the UDP port; binding once without it does not.
        drop(udp(addr, false)?);
        for _ in 0..loops.max(1) {
            out.udp.push(udp(addr, true)?);
        }
        out.tcp.push(tcp);
        out.addrs.push(addr);
    }
    Ok(out)
}

fn udp(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let s = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        s.set_only_v6(true)?;
    }
    if shared {
        s.set_reuse_port(true)?;
    }
    s.set_nonblocking(true)?;
    s.bind(&addr.into())?;
    Ok(s.into())
}
