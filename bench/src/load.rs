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
    /// 99.9th percentile, microseconds.
    pub p999_us: f64,
    /// The longest, microseconds.
    pub max_us: f64,
    /// Answers in each whole second.
    pub per_second: Vec<u64>,
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

impl Measured {
    /// Answers in the slowest whole second over those in the median one.
    pub fn slowest_second(&self) -> f64 {
        let mut sorted = self.per_second.clone();
        sorted.sort_unstable();
        match (sorted.first(), sorted.get(sorted.len() / 2)) {
            (Some(least), Some(median)) if *median > 0 => *least as f64 / *median as f64,
            _ => f64::NAN,
        }
    }
}

/// Latencies to figures.
pub fn measured(mut latencies_us: Vec<u32>, bytes: u64, took: Duration) -> Measured {
    latencies_us.sort_unstable();
    let at = |q: f64| latencies_us.get(((latencies_us.len() as f64) * q) as usize).copied().unwrap_or(0);
    Measured {
        rate: latencies_us.len() as f64 / took.as_secs_f64(),
        p50_us: f64::from(at(0.5)),
        p99_us: f64::from(at(0.99)),
        p999_us: f64::from(at(0.999)),
        max_us: f64::from(latencies_us.last().copied().unwrap_or(0)),
        per_second: vec![],
        bytes_per_s: bytes as f64 / took.as_secs_f64(),
        count: latencies_us.len() as u64,
    }
}

/// How a load runs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Connections, each with at most one request in flight.
    pub connections: usize,
    /// It ends after this time,
    pub length: Duration,
    /// or after so many answers.
    pub total: u64,
    /// Requests a second at most; 0 = as fast as answers come.
    pub rate: f64,
}

/// Keeps `connections` busy for `length` (or until `total` answers); `next` makes the request with this number.
pub fn run(
    to: SocketAddr,
    connections: usize,
    length: Duration,
    total: u64,
    next: impl FnMut(u64) -> Vec<u8>,
) -> Result<Measured> {
    shaped(to, Shape { connections, length, total, rate: 0.0 }, next, || true)
}

/// As [`run`], for as long as `go_on` says too (asked about twenty times a second or more often).
pub fn shaped(
    to: SocketAddr,
    shape: Shape,
    mut next: impl FnMut(u64) -> Vec<u8>,
    mut go_on: impl FnMut() -> bool,
) -> Result<Measured> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut conns = Vec::with_capacity(shape.connections);
    for i in 0..shape.connections {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        epoll::add(&poll, &stream, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
        conns.push(Conn { stream, buf: Vec::with_capacity(16 << 10), sent: Instant::now() });
    }
    let begin = Instant::now();
    let end = begin + shape.length;
    let mut free: Vec<usize> = (0..shape.connections).rev().collect();
    let mut latencies = Vec::with_capacity(1 << 20);
    let mut per_second: Vec<u64> = vec![];
    let (mut bytes, mut done, mut number) = (0_u64, 0_u64, 0_u64);
    let mut events = Vec::with_capacity(shape.connections.max(64));
    let mut chunk = vec![0; 256 << 10];
    while Instant::now() < end && done < shape.total && go_on() {
        let allowed =
            if shape.rate > 0.0 { (begin.elapsed().as_secs_f64() * shape.rate) as u64 } else { u64::MAX };
        while number < allowed.min(shape.total) {
            let Some(i) = free.pop() else { break };
            send(&mut conns[i], &next(number))?;
            number += 1;
        }
        let nanos = if shape.rate > 0.0 { 500_000 } else { 50_000_000 };
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: nanos };
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))?;
        for event in &events {
            let i = event.data.u64() as usize;
            let c = &mut conns[i];
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
                    let second = (now - begin).as_secs() as usize;
                    per_second.resize(per_second.len().max(second + 1), 0);
                    per_second[second] += 1;
                    done += 1;
                    c.buf.drain(..stop);
                    free.push(i);
                }
                Parsed::Bad => bail!("not an HTTP answer"),
            }
        }
    }
    // The last second is not whole.
    per_second.pop();
    Ok(Measured { per_second, ..measured(latencies, bytes, begin.elapsed()) })
}

fn send(c: &mut Conn, request: &[u8]) -> Result<()> {
    c.sent = Instant::now();
    // Blocking: with one request in flight only a large one can wait, for its own server.
    c.stream.write_all(request).context("send")
}
