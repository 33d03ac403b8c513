//! The simulated network.

use bytes::Bytes;
use parking_lot::Mutex;
use raft::{Peer, RaftHandle, ServerId, Transport, TransportError};
use rand::{Rng, RngCore};
use runtime::{BoxFuture, Tasks};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::sleep};

pub struct Net(Mutex<State>);

struct State {
    rng: Box<dyn RngCore + Send>,
    up: BTreeMap<ServerId, (u64, RaftHandle, Tasks)>,
    cut: BTreeSet<(ServerId, ServerId)>,
    loss: f64,
    delay_max_ms: u64,
}

impl Net {
    pub fn new(rng: impl RngCore + Send + 'static) -> Arc<Self> {
        let state = State {
            rng: Box::new(rng),
            up: BTreeMap::new(),
            cut: BTreeSet::new(),
            loss: 0.0,
            delay_max_ms: 3,
        };
        Arc::new(Self(Mutex::new(state)))
    }
    pub fn plug(&self, id: ServerId, epoch: u64, handle: RaftHandle, tasks: Tasks) {
        self.0.lock().up.insert(id, (epoch, handle, tasks));
    }
    pub fn unplug(&self, id: ServerId) {
        self.0.lock().up.remove(&id);
    }
    pub fn weather(&self, loss: f64, delay_max_ms: u64) {
        let mut s = self.0.lock();
        s.loss = loss;
        s.delay_max_ms = delay_max_ms;
    }
    pub fn cut(&self, a: ServerId, b: ServerId) {
        self.0.lock().cut.insert((a, b));
    }
    pub fn heal(&self) {
        let mut s = self.0.lock();
        s.cut.clear();
        s.loss = 0.0;
        s.delay_max_ms = 3;
    }
    /// Delay of one message, or `None` if it is lost.
    fn travel(&self) -> Option<Duration> {
        let mut s = self.0.lock();
        let (loss, max) = (s.loss, s.delay_max_ms);
        let delay = Duration::from_micros(s.rng.random_range(100..=max * 1000));
        (!s.rng.random_bool(loss)).then_some(delay)
    }
    fn reach(&self, from: ServerId, to: ServerId) -> Option<(u64, RaftHandle, Tasks)> {
        let s = self.0.lock();
        if s.cut.contains(&(from, to)) { None } else { s.up.get(&to).cloned() }
    }
    fn is_up(&self, id: ServerId, epoch: u64) -> bool {
        self.0.lock().up.get(&id).is_some_and(|(e, ..)| *e == epoch)
    }
}

/// One server's network card; of no use to it after its power failed.
pub struct Card {
    pub net: Arc<Net>,
    pub me: ServerId,
    pub epoch: u64,
}

impl Transport for Card {
    fn call(
        &self,
        _: &Peer,
        to: ServerId,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let lost = async || {
                sleep(limit).await;
                Err(TransportError::Timeout)
            };
            let Some(there) = self.net.travel() else { return lost().await };
            sleep(there).await;
            if !self.net.is_up(self.me, self.epoch) {
                return lost().await;
            }
            let Some((epoch, handle, tasks)) = self.net.reach(self.me, to) else {
                return Err(TransportError::Unreachable("no route".into()));
            };
            let (tx, rx) = oneshot::channel();
            // In a task of the receiver: that the sender stops waiting does not stop it.
            tasks.spawn("serve", async move { drop(tx.send(handle.handle(request).await)) });
            let Ok(answer) = rx.await else { return lost().await };
            let Some(back) = self.net.travel() else { return lost().await };
            sleep(back).await;
            if !self.net.is_up(to, epoch) || self.net.reach(to, self.me).is_none() {
                return lost().await;
            }
            Ok(answer)
        })
    }
}
