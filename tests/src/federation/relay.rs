//! A relay that delays what it carries: a long line where the kernel has no `netem`.

use super::space::Space;
use anyhow::Result;
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::process::now;

/// Chunks on their way on one line.
const ON_THE_WAY: usize = 4096;

/// Carries connections from one address to another. Dropping it ends those that come later.
#[derive(Debug)]
pub struct Relay {
    delay_us: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    at: SocketAddr,
    space: Space,
}

impl Relay {
    /// Listens on `at` and connects to `to`, both in `space`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(space: &Space, at: SocketAddr, to: SocketAddr) -> Result<Self> {
        let (delay_us, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let listener = space.within(|| Ok(TcpListener::bind(at)?))?;
        let (delay, ended, of) = (delay_us.clone(), stop.clone(), space.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(client) = client else { continue };
                let connected = of.within(|| Ok(TcpStream::connect_timeout(&to, Duration::from_secs(5))?));
                let Ok(server) = connected else { continue };
                for (from, into) in [(&client, &server), (&server, &client)] {
                    // The machine may be out of descriptors: then the connection ends.
                    if let (Ok(from), Ok(into)) = (from.try_clone(), into.try_clone()) {
                        carry(from, into, delay.clone());
                    }
                }
            }
        });
        Ok(Self { delay_us, stop, at, space: space.clone() })
    }

    /// From now on each direction takes so long.
    pub fn delay(&self, each_way: Duration) {
        self.delay_us.store(u64::try_from(each_way.as_micros()).unwrap_or(u64::MAX), Ordering::Release);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A last connection, so that the listener looks.
        let at = self.at;
        let _ = self.space.within(|| Ok(TcpStream::connect_timeout(&at, Duration::from_secs(1))?));
    }
}

/// Two threads for one direction: one takes and notes the time, the other waits until it is due.
fn carry(mut from: TcpStream, mut into: TcpStream, delay: Arc<AtomicU64>) {
    // A delayed line is measured; gathering small writes would add to it.
    let _ = (from.set_nodelay(true), into.set_nodelay(true));
    let (tx, rx) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    thread::spawn(move || {
        let mut buf = vec![0; 64 << 10];
        loop {
            let n = from.read(&mut buf).unwrap_or(0);
            let due = now() + Duration::from_micros(delay.load(Ordering::Acquire));
            if tx.send((due, buf[..n].to_vec())).is_err() || n == 0 {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Ok((due, bytes)) = rx.recv() {
            thread::sleep(due.saturating_duration_since(now()));
            if bytes.is_empty() || into.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other side may have ended it already.
        let _ = into.shutdown(Shutdown::Both);
    });
}
