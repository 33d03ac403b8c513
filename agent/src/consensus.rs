//! Consensus plugged into the rest: the `raft` handle behind the ports that `rpc` and `leader` define, and the
//! transport that carries raft's requests over the server port.

use crate::metering::LogMeter;
use bytes::Bytes;
use leader::MembershipError;
use parking_lot::Mutex;
use raft::{AdminError, RaftHandle, RaftStatus, ServerId, Transport, TransportError};
use rpc::{
    Consensus, Leadership, Pool, ViewHub,
    message::{RaftConfiguration, RaftServer},
};
use runtime::{BoxFuture, Tasks};
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use types::{
    RequestError, Str,
    command::{Command, CommandResponse},
};

/// How long a promise to bootstrap with one set of servers keeps this server from promising another.
const PROMISE_HOLDS: Duration = Duration::from_secs(30);

/// Where servers are now: gossip knows a new address before the Raft configuration does.
#[derive(Default)]
pub struct Addresses(Mutex<HashMap<u128, SocketAddr>>);

impl Addresses {
    /// Takes over what gossip says.
    pub fn set(&self, servers: impl IntoIterator<Item = (u128, SocketAddr)>) {
        let mut map = self.0.lock();
        map.clear();
        map.extend(servers);
    }

    fn of(&self, id: u128) -> Option<SocketAddr> {
        self.0.lock().get(&id).copied()
    }

    fn id_at(&self, addr: SocketAddr) -> Option<u128> {
        self.0.lock().iter().find(|(_, a)| **a == addr).map(|(id, _)| *id)
    }
}

/// Carries raft's requests through the connection pool.
pub struct PoolTransport {
    /// Connections.
    pub pool: Pool,
    /// Current addresses.
    pub addresses: Arc<Addresses>,
}

impl Transport for PoolTransport {
    fn call(
        &self,
        target: &raft::Peer,
        target_id: ServerId,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        let to = self.addresses.of(target_id.0).unwrap_or(target.addr);
        Box::pin(async move {
            match tokio::time::timeout(limit, self.pool.call_raft(to, request)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(e @ RequestError::Transport { sent: false, .. })) => {
                    Err(TransportError::Unreachable(e.to_string()))
                }
                Ok(Err(e)) => Err(TransportError::Failed(e.to_string())),
                Err(_elapsed) => Err(TransportError::Timeout),
            }
        })
    }
}

/// Publishes what raft applied.
pub struct HubObserver(pub Arc<ViewHub>);

impl raft::Observer for HubObserver {
    fn published(&self, store: Arc<catalog::Store>, changes: &catalog::ChangeSet) {
        self.0.publish(store, changes);
    }
    fn replaced(&self, store: Arc<catalog::Store>) {
        self.0.replace(store);
    }
}

/// The handle behind both ports.
pub struct RaftConsensus {
    raft: RaftHandle,
    own_id: u128,
    leadership: watch::Sender<Leadership>,
    addresses: Arc<Addresses>,
    meter: LogMeter,
    promise: Mutex<Option<(Vec<u128>, Instant)>>,
}

impl RaftConsensus {
    /// Wraps `raft` and follows its status; reports broken connections to the leader.
    pub fn start(
        raft: RaftHandle,
        own_id: u128,
        addresses: Arc<Addresses>,
        pool: &Pool,
        meter: LogMeter,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let status = raft.status();
        let (leadership, _) = watch::channel(read(&status.borrow(), &addresses));
        let this = Arc::new(Self {
            raft: raft.clone(),
            own_id,
            leadership,
            addresses: addresses.clone(),
            meter,
            promise: Mutex::new(None),
        });
        let follow = this.clone();
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("leadership", async move {
            let mut status = status;
            loop {
                let now = read(&status.borrow_and_update(), &follow.addresses);
                follow.leadership.send_if_modified(|old| {
                    let changed = *old != now;
                    if changed {
                        *old = now;
                    }
                    changed
                });
                tokio::select! {
                    () = shutdown.wait() => return,
                    changed = status.changed() => if changed.is_err() { return },
                }
            }
        });
        pool.on_disconnect(Arc::new(move |addr| {
            if let Some(id) = addresses.id_at(addr) {
                raft.hint_unreachable(ServerId(id));
            }
        }));
        this
    }

    /// The raft handle itself.
    pub fn raft(&self) -> &RaftHandle {
        &self.raft
    }

    /// `Some(term)` while this server leads.
    pub fn terms(&self, tasks: &Tasks) -> watch::Receiver<Option<u64>> {
        let mut from = self.leadership.subscribe();
        let (tx, rx) = watch::channel(None);
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("leader terms", async move {
            loop {
                let now = {
                    let l = from.borrow_and_update();
                    l.is_leader.then_some(l.term)
                };
                tx.send_if_modified(|old| std::mem::replace(old, now) != now);
                tokio::select! {
                    () = shutdown.wait() => return,
                    // Nobody listens any more.
                    () = tx.closed() => return,
                    changed = from.changed() => if changed.is_err() { return },
                }
            }
        });
        rx
    }
}

fn read(status: &RaftStatus, addresses: &Addresses) -> Leadership {
    Leadership {
        is_leader: status.is_leader(),
        leader: status.leader.as_ref().map(|(id, peer)| addresses.of(id.0).unwrap_or(peer.addr)),
        term: status.term,
    }
}

fn admin(e: AdminError) -> RequestError {
    match e {
        AdminError::NotLeader => RequestError::NotLeader,
        AdminError::Unknown(_) => RequestError::Unknown,
        AdminError::Stopped(_) => RequestError::ShuttingDown,
        AdminError::InProgress => RequestError::Overloaded,
        other @ (AdminError::UnknownServer(_)
        | AdminError::LastVoter
        | AdminError::NoTarget
        | AdminError::Refused(_)) => RequestError::Refused(Str::from(other.to_string())),
    }
}

impl Consensus for RaftConsensus {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>> {
        Box::pin(async move {
            let (begun, kind) = (Instant::now(), self.meter.kind(&command));
            let answer = self.raft.propose(command).await?;
            self.meter.committed(kind, begun.elapsed());
            Ok(answer)
        })
    }
    fn read_point_now(&self) -> Option<u64> {
        self.raft.read_point_now()
    }
    fn read_point(&self) -> BoxFuture<'_, Result<u64, RequestError>> {
        Box::pin(self.raft.read_point())
    }
    fn handle_raft(&self, request: Bytes) -> BoxFuture<'_, Bytes> {
        Box::pin(self.raft.handle(request))
    }
    fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }
    fn leadership_changes(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }
    fn last_contact(&self) -> Duration {
        let status = self.raft.status_now();
        if status.is_leader() {
            Duration::ZERO
        } else {
            status.last_contact.map_or(Duration::MAX, |at| at.elapsed())
        }
    }
    fn peers(&self) -> Vec<SocketAddr> {
        self.raft
            .membership()
            .servers
            .iter()
            .map(|s| self.addresses.of(s.id.0).unwrap_or(s.peer.addr))
            .collect()
    }
    fn configuration(&self) -> RaftConfiguration {
        let status = self.raft.status_now();
        let leader = status.leader.as_ref().map(|(id, _)| *id);
        RaftConfiguration {
            index: status.membership.index,
            servers: status
                .membership
                .servers
                .iter()
                .map(|s| RaftServer {
                    id: s.id.0,
                    name: s.peer.name.clone(),
                    address: self.addresses.of(s.id.0).unwrap_or(s.peer.addr),
                    leader: leader == Some(s.id),
                    voter: s.voter,
                    last_index: if s.id.0 == self.own_id {
                        status.last_log
                    } else {
                        status.progress.iter().find(|p| p.id == s.id).map_or(0, |p| p.matched)
                    },
                })
                .collect(),
        }
    }
    fn remove_server(&self, id: u128) -> BoxFuture<'_, Result<(), RequestError>> {
        Box::pin(async move { self.raft.remove(ServerId(id)).await.map_err(admin) })
    }
    fn promise_bootstrap(&self, servers: &[u128]) -> bool {
        if self.raft.is_initialized() {
            return false;
        }
        let mut promise = self.promise.lock();
        match &*promise {
            Some((set, at)) if set != servers && at.elapsed() < PROMISE_HOLDS => false,
            _ => {
                *promise = Some((servers.to_vec(), Instant::now()));
                true
            }
        }
    }
    fn transfer_leader(&self, to: Option<u128>) -> BoxFuture<'_, Result<(), RequestError>> {
        Box::pin(async move { self.raft.transfer_leader(to.map(ServerId)).await.map_err(admin) })
    }
}

fn membership_error(e: AdminError) -> MembershipError {
    match e {
        AdminError::NotLeader => MembershipError::NotLeader,
        AdminError::InProgress => MembershipError::Busy,
        other => MembershipError::Failed(other.to_string()),
    }
}

impl leader::Membership for RaftConsensus {
    fn own_id(&self) -> u128 {
        self.own_id
    }
    fn servers(&self) -> Vec<leader::RaftServer> {
        self.raft
            .membership()
            .servers
            .iter()
            .map(|s| leader::RaftServer { id: s.id.0, addr: s.peer.addr, voter: s.voter })
            .collect()
    }
    fn health(&self, id: u128) -> Option<leader::ServerHealth> {
        let status = self.raft.status_now();
        if id == self.own_id {
            return Some(leader::ServerHealth { last_contact: Duration::ZERO, lag: 0 });
        }
        let progress = status.progress.iter().find(|p| p.id.0 == id)?;
        Some(leader::ServerHealth {
            last_contact: progress.last_contact?.elapsed(),
            lag: status.last_log.saturating_sub(progress.matched),
        })
    }
    fn add_learner(&self, id: u128, addr: SocketAddr) -> BoxFuture<'_, Result<(), MembershipError>> {
        Box::pin(async move {
            let name =
                self.raft.membership().get(ServerId(id)).map_or_else(Str::default, |s| s.peer.name.clone());
            self.raft.add_learner(ServerId(id), raft::Peer { name, addr }).await.map_err(membership_error)
        })
    }
    fn promote(&self, id: u128) -> BoxFuture<'_, Result<(), MembershipError>> {
        Box::pin(async move { self.raft.promote(ServerId(id)).await.map_err(membership_error) })
    }
    fn demote(&self, id: u128) -> BoxFuture<'_, Result<(), MembershipError>> {
        Box::pin(async move { self.raft.demote(ServerId(id)).await.map_err(membership_error) })
    }
    fn remove(&self, id: u128) -> BoxFuture<'_, Result<(), MembershipError>> {
        Box::pin(async move { self.raft.remove(ServerId(id)).await.map_err(membership_error) })
    }
}
