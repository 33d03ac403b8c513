//! Ports that are free on several addresses at once.

use anyhow::{Result, bail};
use rand::Rng;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// HTTP, DNS, LAN gossip, RPC, WAN gossip.
pub type Ports = [u16; 5];

const TRIES: usize = 1000;

/// Ports that are free for TCP and UDP on all addresses. They lie below those that the system gives to outgoing
/// connections: an agent that is restarted must find its port free again.
///
/// # Errors
/// When there are none.
pub fn common(ips: &[Ipv4Addr]) -> Result<Ports> {
    let mut found = Vec::new();
    for _ in 0..TRIES {
        let port = rand::rng().random_range(12_000..32_000);
        let free =
            |ip: &Ipv4Addr| TcpListener::bind((*ip, port)).is_ok() && UdpSocket::bind((*ip, port)).is_ok();
        if !found.contains(&port) && ips.iter().all(free) {
            found.push(port);
        }
        if let Ok(ports) = found.as_slice().try_into() {
            return Ok(ports);
        }
    }
    bail!("no free ports");
}
