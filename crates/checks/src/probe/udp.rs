//! A datagram that nobody refuses.

use super::{Outcome, dial};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{UdpSocket, lookup_host},
    time::timeout,
};
use types::definition::CheckDefinition;

/// Long enough for the refusal of a closed port to come back; silence afterwards is success.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
const MESSAGE: &[u8] = b"Consul UDP health check\n";

pub(super) async fn probe(c: &CheckDefinition, patience: Duration) -> Outcome {
    match exchange(&c.udp, patience.min(ANSWER_WAIT_MAX)).await {
        Ok(()) => Outcome::passing(format!("UDP connect {}: Success", c.udp)),
        Err(text) => Outcome::critical(text),
    }
}

async fn exchange(target: &str, patience: Duration) -> Result<(), String> {
    let failed = |what: String| format!("dial udp {target}: {what}");
    let (host, port) = dial::split(target).ok_or_else(|| failed("address must be host:port".into()))?;
    let host = if host.is_empty() { "localhost" } else { host };
    let address = timeout(patience, lookup_host((host, port)))
        .await
        .map_err(|_elapsed| failed("i/o timeout".into()))?
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("dial udp: lookup {host}: no such host"))?;
    let own: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let text = |verb: &str, e: &std::io::Error| format!("{verb} udp {address}: {}", dial::io_text(e));
    let socket = UdpSocket::bind(own).await.map_err(|e| text("bind", &e))?;
    socket.connect(address).await.map_err(|e| text("dial", &e))?;
    socket.send(MESSAGE).await.map_err(|e| text("write", &e))?;
    let mut buffer = [0; 64];
    match timeout(patience, socket.recv(&mut buffer)).await {
        Ok(Err(e)) => Err(text("read", &e)),
        // An answer, or none: UDP owes us nothing.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}
