//! Many blocked queries at once: one connection each, one thread, one epoll.

use crate::{
    cluster::Agent,
    cpu,
    http::{self, Parsed, parse},
};
use anyhow::{Result, bail, ensure};
use rustix::event::epoll;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// Blocked queries that wait for an answer.
pub struct Watchers {
    poll: OwnedFd,
    conns: Vec<(TcpStream, Vec<u8>)>,
}

impl Watchers {
    /// Opens `n` connections that ask for `path(i)` and waits until the agent has taken all of them in, which is when it
    /// uses no processor time any more.
    pub fn open(agent: &Agent, n: usize, mut path: impl FnMut(usize) -> String) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut conns = Vec::with_capacity(n);
        for i in 0..n {
            let mut stream = TcpStream::connect(agent.http)?;
            stream.write_all(&http::request("GET", &path(i), b""))?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
            conns.push((stream, vec![]));
        }
        settle(agent)?;
        let mut this = Self { poll, conns };
        ensure!(this.take(Duration::ZERO)? == 0, "a query that should wait was answered at once");
        Ok(this)
    }

    /// Waits until `wanted` of them are answered or the time is over; the number of answers.
    pub fn answered(&mut self, wanted: usize, limit: Duration) -> Result<usize> {
        let end = Instant::now() + limit;
        let mut done = 0;
        while done < wanted {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            done += self.take(left.min(Duration::from_millis(100)))?;
        }
        Ok(done)
    }

    /// Whole answers that came within `limit`.
    pub fn take(&mut self, limit: Duration) -> Result<usize> {
        let timeout = rustix::event::Timespec {
            tv_sec: limit.as_secs() as i64,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let mut events = Vec::with_capacity(1024);
        epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))?;
        let mut chunk = [0; 64 << 10];
        let mut done = 0;
        for event in &events {
            let (stream, buf) = &mut self.conns[event.data.u64() as usize];
            match stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed a blocked query"),
                Ok(n) => buf.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e.into()),
            }
            match parse(buf) {
                Parsed::Partial => {}
                // A key that does not exist is an answer, too.
                Parsed::Whole(200 | 404, _, stop) => {
                    buf.drain(..stop);
                    done += 1;
                }
                Parsed::Whole(status, ..) => bail!("a blocked query was answered {status}"),
                Parsed::Bad => bail!("not an HTTP answer"),
            }
        }
        Ok(done)
    }
}

/// Waits until an agent uses less than a twentieth of a core.
pub fn settle(agent: &Agent) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let before = cpu::cpu_time(agent.pid())?;
        std::thread::sleep(Duration::from_millis(400));
        if cpu::cpu_time(agent.pid())? - before <= Duration::from_millis(20) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the agent does not come to rest");
    }
}
