//! DNS load over UDP: eight sockets, 25 questions outstanding on each.

use crate::load::{Measured, measured};
use anyhow::{Result, bail};
use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

const SOCKETS: usize = 8;
const OUTSTANDING: usize = 25;
/// A question without an answer for so long counts as lost and is asked again.
const PATIENCE: Duration = Duration::from_millis(500);

fn question(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&qtype.to_be_bytes());
    out.extend_from_slice(&1_u16.to_be_bytes());
    out
}

/// Asks for `length`; every answer must have response code `rcode`.
pub fn run(to: SocketAddr, name: &str, qtype: u16, rcode: u8, length: Duration) -> Result<Measured> {
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let s = UdpSocket::bind("127.0.0.1:0")?;
        s.connect(to)?;
        s.set_nonblocking(true)?;
        sockets.push(s);
    }
    let begin = Instant::now();
    let mut sent = vec![begin; SOCKETS * OUTSTANDING];
    let packets: Vec<Vec<u8>> = (0..SOCKETS * OUTSTANDING).map(|i| question(i as u16, name, qtype)).collect();
    for (i, p) in packets.iter().enumerate() {
        sockets[i / OUTSTANDING].send(p)?;
    }
    let mut latencies = Vec::with_capacity(1 << 21);
    let mut bytes = 0;
    let mut buf = [0; 4096];
    let mut next_check = begin + PATIENCE;
    while begin.elapsed() < length {
        for s in &sockets {
            // A bounded turn for each socket, so that none starves.
            for _ in 0..OUTSTANDING {
                let n = match s.recv(&mut buf) {
                    Ok(n) => n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e.into()),
                };
                let id = usize::from(u16::from_be_bytes([buf[0], buf[1]]));
                if n < 12 || id >= packets.len() || buf[3] & 0x0f != rcode {
                    bail!("unexpected answer to {name}: {:?}", &buf[..n.min(12)]);
                }
                let now = Instant::now();
                latencies.push(u32::try_from((now - sent[id]).as_micros()).unwrap_or(u32::MAX));
                bytes += n as u64;
                sent[id] = now;
                s.send(&packets[id])?;
            }
        }
        let now = Instant::now();
        if now > next_check {
            next_check = now + PATIENCE;
            for (i, at) in sent.iter_mut().enumerate() {
                if now - *at > PATIENCE {
                    *at = now;
                    sockets[i / OUTSTANDING].send(&packets[i])?;
                }
            }
        }
    }
    Ok(measured(latencies, bytes, begin.elapsed()))
}
