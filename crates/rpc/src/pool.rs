//! Connections to other servers, opened when needed.

use crate::{
    conn::Conn,
    message::{Answer, Enrolled, Request, Response},
    tunnel::Tunnels,
};
use bytes::Bytes;
use runtime::{Net, Tasks};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tls::{Refusals, Refused, Tls};
use tokio::{sync::Mutex, time::Instant};
use types::{RequestError, Str};

/// How many servers one agent keeps connections to.
const PEERS_MAX: usize = 256;
/// How long a server may take for an answer that needs nothing but itself.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// Raft traffic has its own connection, so that a large answer never delays a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Lane {
    Requests,
    Raft,
}

type Slot = Arc<Mutex<Option<Arc<Conn>>>>;

/// Told when a raft connection to a server ends.
pub type OnDisconnect = Arc<dyn Fn(SocketAddr) + Send + Sync>;

/// The connections of one agent. Cloning shares them.
#[derive(Clone)]
pub struct Pool {
    net: Arc<dyn Net>,
    tls: Arc<Tls>,
    local: Option<IpAddr>,
    tasks: Tasks,
    refusals: Arc<Refusals<SocketAddr>>,
    slots: Arc<parking_lot::Mutex<HashMap<(SocketAddr, Lane), Slot>>>,
    on_disconnect: Arc<parking_lot::RwLock<Option<OnDisconnect>>>,
    tunnels: Option<Arc<dyn Tunnels>>,
}

impl Pool {
    /// A pool that connects from `local` when it is a concrete address, with TLS when that asks for it.
    pub fn new(net: Arc<dyn Net>, tls: Arc<Tls>, local: Option<IpAddr>, tasks: Tasks) -> Self {
        Self {
            net,
            tls,
            local,
            tasks,
            refusals: Arc::default(),
            slots: Arc::default(),
            on_disconnect: Arc::default(),
            tunnels: None,
        }
    }

    /// The same pool with ways to servers that cannot be connected to.
    pub fn with_tunnels(self, tunnels: Arc<dyn Tunnels>) -> Self {
        Self { tunnels: Some(tunnels), ..self }
    }

    /// Sets who is told when a raft connection ends.
    pub fn on_disconnect(&self, f: OnDisconnect) {
        *self.on_disconnect.write() = Some(f);
    }

    async fn conn(
        &self,
        to: SocketAddr,
        datacenter: Option<&str>,
        lane: Lane,
    ) -> Result<Arc<Conn>, RequestError> {
        let slot = {
            let mut slots = self.slots.lock();
            if slots.len() >= PEERS_MAX && !slots.contains_key(&(to, lane)) {
                // Servers come and go; drop what nobody holds open.
                slots.retain(|_, s| s.try_lock().is_ok_and(|c| c.as_ref().is_some_and(|c| !c.is_closed())));
                if slots.len() >= PEERS_MAX {
                    return Err(RequestError::Overloaded);
                }
            }
            slots.entry((to, lane)).or_default().clone()
        };
        let mut slot = slot.lock().await;
        if let Some(c) = slot.as_ref().filter(|c| c.is_fresh()) {
            return Ok(c.clone());
        }
        let told = self.on_disconnect.clone();
        let on_close = move || {
            if lane == Lane::Raft
                && let Some(f) = told.read().clone()
            {
                f(to);
            }
        };
        let tunnel = match self.tunnels.as_ref().filter(|t| t.leads_to(to)) {
            Some(tunnels) => tunnels.open(to).await,
            None => Conn::connect(&*self.net, &self.tls, self.local, to, datacenter).await,
        };
        let started = match tunnel {
            Ok(tunnel) => Conn::start(tunnel, &self.tasks, on_close).await,
            Err(e) => Err(e),
        };
        let conn = started.map_err(|e| {
            if let Refused::Tls(why) = &e
                && self.refusals.is_news(to, why)
            {
                tracing::warn!("no rpc connection to {to}: {why}");
            }
            RequestError::Transport {
                text: Str::from(format!("failed to connect to {to}: {e}")),
                sent: false,
            }
        })?;
        self.refusals.forget(&to);
        *slot = Some(conn.clone());
        Ok(conn)
    }

    /// Asks the server at `to`, of `datacenter` (`None` = the own one). The caller sets the deadline; dropping the future cancels the request there.
    ///
    /// # Errors
    /// Those of the server, or [`RequestError::Transport`].
    pub async fn call(&self, to: SocketAddr, datacenter: Option<&str>, request: &Request) -> Answer {
        self.conn(to, datacenter, Lane::Requests).await?.call(request).await
    }

    /// What clients that ask this agent for a certificate are told; `None` where they must not ask.
    pub(crate) fn enrollment(&self) -> Option<tls::Enrollment> {
        self.tls.enrollment()
    }

    /// Asks the server at `to` for a certificate, over a connection of its own that shows none. The caller sets the deadline.
    ///
    /// # Errors
    /// Those of the server, or [`RequestError::Transport`].
    pub async fn enroll(&self, to: SocketAddr, csr: Str) -> Result<Enrolled, RequestError> {
        let opened = match Conn::connect_to_enroll(&*self.net, &self.tls, self.local, to).await {
            Ok(tunnel) => Conn::start(tunnel, &self.tasks, || {}).await,
            Err(e) => Err(e),
        };
        let conn = opened.map_err(|e| RequestError::Transport {
            text: Str::from(format!("failed to connect to {to}: {e}")),
            sent: false,
        })?;
        match conn.call(&Request::Enroll { csr }).await? {
            Response::Enrolled(enrolled) => Ok(enrolled),
            _ => Err(RequestError::Malformed("certificate expected".into())),
        }
    }

    /// Sends an opaque raft request.
    ///
    /// # Errors
    /// [`RequestError::Transport`].
    pub async fn call_raft(&self, to: SocketAddr, request: Bytes) -> Result<Bytes, RequestError> {
        self.conn(to, None, Lane::Raft).await?.call_raft(request).await
    }

    /// A request to `to` that began at `since` was not answered in time. If nothing else was heard on its connection, a question
    /// that is answered at once tells whether what carries it is gone without a word; then the connection is closed. A server
    /// that only takes its time keeps it.
    pub fn stalled(&self, to: SocketAddr, since: Instant) {
        let Some(slot) = self.slots.lock().get(&(to, Lane::Requests)).cloned() else { return };
        let Some(conn) = slot.try_lock().ok().and_then(|slot| slot.clone()) else { return };
        if !conn.is_silent_since(since) || !conn.begin_check() {
            return;
        }
        let tunnels = self.tunnels.clone().filter(|t| t.leads_to(to));
        self.tasks.spawn("rpc check", async move {
            let answer = tokio::time::timeout(CHECK_LIMIT, conn.call(&Request::Datacenters)).await;
            conn.end_check();
            if answer.is_err() && conn.is_silent_since(since) {
                conn.close();
                if let Some(tunnels) = tunnels {
                    tunnels.stalled(to);
                }
            }
        });
    }

    /// Closes the connections to a server that is gone.
    pub fn forget(&self, to: SocketAddr) {
        for lane in [Lane::Requests, Lane::Raft] {
            if let Some(slot) = self.slots.lock().remove(&(to, lane))
                && let Ok(slot) = slot.try_lock()
                && let Some(conn) = slot.as_ref()
            {
                conn.close();
            }
        }
    }
}
