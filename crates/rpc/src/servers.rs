//! The servers of the own datacenter, as a client agent sees them.

use parking_lot::Mutex;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use runtime::RngSeed;
use std::net::SocketAddr;

/// Servers in the order in which they are tried. The first is used until it fails; then it goes to the end.
pub struct ServerList {
    inner: Mutex<Inner>,
}

struct Inner {
    order: Vec<SocketAddr>,
    rng: ChaCha8Rng,
    /// Whether membership has been told at least once.
    told: bool,
}

impl ServerList {
    /// An empty list.
    pub fn new(seed: RngSeed) -> Self {
        Self { inner: Mutex::new(Inner { order: vec![], rng: seed.fork("server list"), told: false }) }
    }

    /// Takes over the servers that are alive now; a new one gets a random place, so that load spreads.
    pub fn set(&self, alive: &[SocketAddr]) {
        let mut inner = self.inner.lock();
        inner.told = true;
        inner.order.retain(|s| alive.contains(s));
        for server in alive {
            if !inner.order.contains(server) {
                let len = inner.order.len();
                let at = inner.rng.random_range(0..=len);
                inner.order.insert(at, *server);
            }
        }
    }

    /// The server to ask.
    pub fn pick(&self) -> Option<SocketAddr> {
        self.inner.lock().order.first().copied()
    }

    /// Moves a server that failed to the end.
    pub fn failed(&self, server: SocketAddr) {
        let mut inner = self.inner.lock();
        if inner.order.first() == Some(&server) {
            inner.order.rotate_left(1);
        }
    }

    /// Moves on to another server from time to time, so that connections spread again after servers joined.
    pub fn rebalance(&self) {
        let mut inner = self.inner.lock();
        if inner.order.len() > 1 {
            let len = inner.order.len();
            let by = inner.rng.random_range(0..len);
            inner.order.rotate_left(by);
        }
    }

    /// Whether membership is known and holds no server: waiting longer is of little use.
    pub fn is_settled_empty(&self) -> bool {
        let inner = self.inner.lock();
        inner.told && inner.order.is_empty()
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<SocketAddr> {
        self.inner.lock().order.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_server_goes_last_and_gone_ones_leave() {
        let a: Vec<SocketAddr> = (1..4).map(|n| SocketAddr::from(([127, 0, 0, n], 8300))).collect();
        let list = ServerList::new(RngSeed::fixed(1));
        assert!(!list.is_settled_empty());
        list.set(&a);
        let first = list.pick().unwrap();
        list.failed(first);
        assert_ne!(list.pick(), Some(first));
        assert_eq!(list.all().last(), Some(&first));
        list.set(&a[..1]);
        assert_eq!(list.all(), &a[..1]);
        list.set(&[]);
        assert!(list.is_settled_empty());
    }
}
