//! Ports that nothing uses.

use anyhow::Result;
use std::{
    collections::BTreeSet,
    net::{TcpListener, UdpSocket},
    sync::Mutex,
};

/// Handed out before in this process, so that tests in threads do not share one.
static USED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `n` ports of 127.0.0.1 that are free for TCP and UDP.
///
/// # Errors
/// When the system gives no ports.
pub fn free_ports(n: usize) -> Result<Vec<u16>> {
    let mut held = Vec::new();
    let mut out = Vec::new();
    while out.len() < n {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let port = tcp.local_addr()?.port();
        // Kept until all are found, or the system would offer them again.
        let udp = UdpSocket::bind(("127.0.0.1", port));
        let fresh = USED.lock().is_ok_and(|mut used| used.insert(port));
        if udp.is_ok() && fresh {
            out.push(port);
        }
        held.push((tcp, udp));
    }
    Ok(out)
}
