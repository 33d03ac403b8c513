//! A closed-loop load: every connection has one request in flight; one thread, one epoll.

use crate::http::{Parsed, parse};
use anyhow::{Context, Result, bail};
use rustix::event::epoll;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// What a run measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Answers a second.
    pub rate: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
    /// Bytes of answers a second.
    pub bytes_per_s: f64,
    /// Answers in all.
    pub count: u64,
}

struct Conn {
    stream: TcpStream,
    buf: Vec<u8>,
    sent: Instant,
}

/// Latencies to figures.
pub fn measured(mut latencies_us: Vec<u32>, bytes: u64, took: Duration) -> Measured {
    latencies_us.sort_unstable();
    let at = |q: f64| latencies_us.get(((latencies_us.len() as f64) * q) as usize).copied().unwrap_or(0);
    Measured {
        rate: latencies_us.len() as f64 / took.as_secs_f64(),
        p50_us: f64::from(at(0.5)),
        p99_us: f64::from(at(0.99)),
        bytes_per_s: bytes as f64 / took.as_secs_f64(),
        count: latencies_us.len() as u64,
    }
}

/// Keeps `connections` busy for `length` (or until `total` answers); `next` makes the request with this number.
pub fn run(
    to: SocketAddr,
    connections: usize,
    length: Duration,
    total: u64,
    mut next: impl FnMut(u64) -> Vec<u8>,
) -> Result<Measured> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut conns = Vec::with_capacity(connections);
    let mut number = 0;
    for i in 0..connections {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
        conns.push(Conn { stream, buf: Vec::with_capacity(16 << 10), sent: Instant::now() });
    }
    let begin = Instant::now();
    let end = begin + length;
    for c in &mut conns {
        send(c, &next(number))?;
        number += 1;
    }
    let mut latencies = Vec::with_capacity(1 << 20);
    let (mut bytes, mut done) = (0_u64, 0_u64);
    let mut events = Vec::with_capacity(connections.max(64));
    let mut chunk = vec![0; 256 << 10];
    while Instant::now() < end && done < total {
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))?;
        for event in &events {
            let c = &mut conns[event.data.u64() as usize];
            let n = match c.stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e.into()),
            };
            bytes += n as u64;
            c.buf.extend_from_slice(&chunk[..n]);
            match parse(&c.buf) {
                Parsed::Partial => {}
                Parsed::Whole(status, start, stop) => {
                    if status != 200 {
                        bail!("status {status}: {}", String::from_utf8_lossy(&c.buf[start..stop]));
                    }
                    let now = Instant::now();
                    latencies.push(u32::try_from((now - c.sent).as_micros()).unwrap_or(u32::MAX));
                    done += 1;
                    c.buf.drain(..stop);
                    if done + connections as u64 <= total {
                        send(c, &next(number))?;
                        number += 1;
                    }
                }
                Parsed::Bad => bail!("not an HTTP answer"),
            }
        }
    }
    Ok(measured(latencies, bytes, begin.elapsed()))
}

fn send(c: &mut Conn, request: &[u8]) -> Result<()> {
    c.sent = Instant::now();
    // One request in flight fits into the socket's buffer.
    c.stream.write_all(request).context("send")
}
