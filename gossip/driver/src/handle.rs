//! The handle that the agent holds.

use crate::{
    DriverConfig, ForceLeaveError, JoinError, KeyringError, KeyringOp, KeyringResponse, RetryJoin,
    RetryJoinError, SetTagsError, StartError,
    driver::{Driver, PACKETS_MAX},
    files::{self, Snapshot},
    keyring, retry, tasks,
};
use bytes::Bytes;
use gossip::{Core, CoreConfig, Counters, MemberEvent, UserEvent};
use parking_lot::Mutex;
use runtime::{Datagram, Listener, Net, RngSeed, Tasks, WallClock};
use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use types::{Str, coordinate::Coordinate, member::Member};

/// How often a free TCP port may turn out to be taken for UDP.
const PORT_TRIES: u32 = 16;
/// User events that wait for the agent.
const USER_EVENTS_MAX: usize = 1024;

/// A running pool. Cloning shares it; it ends with the shutdown signal of the tasks it was started with.
#[derive(Clone)]
pub struct GossipHandle {
    driver: Arc<Driver>,
    former: Arc<[(Str, SocketAddr)]>,
    user_events: Arc<Mutex<Option<mpsc::Receiver<UserEvent>>>>,
}

impl std::fmt::Debug for GossipHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GossipHandle").field("local_addr", &self.driver.local_addr).finish_non_exhaustive()
    }
}

impl GossipHandle {
    /// Binds UDP and TCP at once, loads keys and former members, and starts to gossip.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(
        mut config: DriverConfig,
        net: Arc<dyn Net>,
        clock: Arc<dyn WallClock>,
        seed: RngSeed,
        tasks: Tasks,
    ) -> Result<(Self, mpsc::Receiver<MemberEvent>), StartError> {
        load_keys(&mut config)?;
        let (listener, socket, local_addr) = bind(&*net, config.bind).await?;
        let advertise = SocketAddr::new(
            if config.advertise.ip().is_unspecified() { local_addr.ip() } else { config.advertise.ip() },
            if config.advertise.port() == 0 { local_addr.port() } else { config.advertise.port() },
        );
        let former = config.snapshot_file.as_deref().map(Snapshot::load).unwrap_or_default();
        let mut rng = seed.fork(&format!("gossip {} {}", config.pool.as_str(), config.name));
        let core_config = CoreConfig {
            name: config.name.clone(),
            addr: advertise,
            bump: clock.unix_ms().max(former.bump + 1),
            label: Str::new(format!("{}:{}", config.pool.as_str(), config.label)),
            tags: config.tags.clone(),
            timing: config.timing.clone(),
            keyring: config.keyring.take(),
            verify_incoming: config.verify_incoming,
            verify_outgoing: config.verify_outgoing,
            reconnect_timeout: config.reconnect_timeout,
            tombstone_timeout: config.tombstone_timeout,
            coordinates: config.coordinates,
        };
        let origin = Instant::now();
        let known: Arc<[(Str, SocketAddr)]> =
            former.members.iter().map(|m| (m.name.clone(), m.addr)).collect();
        let mut rejoin: Vec<SocketAddr> = if former.left && !config.rejoin_after_leave {
            Vec::new()
        } else {
            former.members.iter().map(|m| m.addr).collect()
        };
        // Everybody restarts with the same list; a random order spreads them over it.
        for i in (1..rejoin.len()).rev() {
            rejoin.swap(i, rand::Rng::random_range(&mut rng, 0..=i));
        }
        let core = Core::new(core_config, Duration::ZERO, rng).map_err(StartError::Member)?;
        let (events, events_rx) = mpsc::channel(config.events_max.max(1));
        let (user_events, user_events_rx) = mpsc::channel(USER_EVENTS_MAX);
        let (packets, packets_rx) = mpsc::channel(PACKETS_MAX);
        let snapshot_file = config.snapshot_file.clone();
        let driver =
            Driver::new(config, local_addr, net, tasks.clone(), core, origin, events, user_events, packets);
        let mut first = Snapshot::default();
        if let Some(path) = &snapshot_file {
            // The bump must be on disk before anybody hears of it; whom we knew stays known until we know better.
            first = driver.snapshot();
            if !rejoin.is_empty() {
                first.members = former.members;
            }
            first.save(path).map_err(|source| StartError::Write { path: path.clone(), source })?;
        }
        tasks.spawn_critical("gossip receive", tasks::receive(driver.clone(), socket.clone()));
        tasks.spawn_critical("gossip send", tasks::send(driver.clone(), socket, packets_rx));
        tasks.spawn_critical("gossip timers", tasks::tick(driver.clone()));
        tasks.spawn_critical("gossip accept", tasks::accept(driver.clone(), listener));
        if let Some(path) = snapshot_file {
            tasks.spawn("gossip snapshot", tasks::persist(driver.clone(), path, first));
        }
        if !rejoin.is_empty() {
            tasks.spawn("gossip rejoin", tasks::rejoin(driver.clone(), rejoin));
        }
        let user_events = Arc::new(Mutex::new(Some(user_events_rx)));
        Ok((Self { driver, former: known, user_events }, events_rx))
    }

    /// All members, self, failed and left ones included, sorted by name. Takes no lock.
    pub fn members(&self) -> Arc<Vec<Member>> {
        self.driver.members()
    }
    /// Names and addresses of the members that an earlier run of this one knew.
    pub fn former(&self) -> &[(Str, SocketAddr)] {
        &self.former
    }
    /// This member.
    pub fn local_member(&self) -> Member {
        self.driver.local_member()
    }
    /// Where UDP and TCP listen.
    pub fn local_addr(&self) -> SocketAddr {
        self.driver.local_addr
    }
    /// A number that grows with each change of [`Self::members`].
    pub fn member_changes(&self) -> watch::Receiver<u64> {
        self.driver.changes()
    }
    /// Whether events were dropped since this was last asked: then compare the member list with what you know.
    pub fn take_resync(&self) -> bool {
        self.driver.take_resync()
    }
    /// Joins through each target (`host`, `host:port`, `ip`, `[v6]:port`); answers how many worked. Joining oneself
    /// counts. Cancel safe: what was joined stays joined.
    ///
    /// # Errors
    /// [`JoinError`] when none did, with the reason of each.
    pub async fn join(&self, targets: &[String]) -> Result<usize, JoinError> {
        retry::join(&self.driver, targets).await
    }
    /// Joins and tries again until one target works. Cancel safe.
    ///
    /// # Errors
    /// [`RetryJoinError`] after the last attempt that was allowed.
    pub async fn retry_join(&self, plan: RetryJoin) -> Result<usize, RetryJoinError> {
        retry::retry_join(&self.driver, &plan).await
    }
    /// Leaves gracefully: announces it, waits (bounded) until it has spread. Later calls return at once.
    pub async fn leave(&self) {
        let mut left = self.driver.left();
        self.driver.with_core(|core, now| core.leave(now));
        let timing = &self.driver.config.timing;
        let limit = timing.leave_propagate + timing.gossip_interval * 8 + Duration::from_secs(1);
        if !matches!(tokio::time::timeout(limit, left.wait_for(|left| *left)).await, Ok(Ok(_))) {
            tracing::warn!(
                pool = self.driver.pool().as_str(),
                "leaving took too long, others may see a failure"
            );
        }
        if let Some(path) = &self.driver.config.snapshot_file {
            tasks::write(path, self.driver.snapshot()).await;
        }
    }
    /// Turns a failed member into one that left; with `prune` it is forgotten at once. A living member refutes it.
    ///
    /// # Errors
    /// [`ForceLeaveError`].
    pub async fn force_leave(&self, name: &str, prune: bool) -> Result<(), ForceLeaveError> {
        if self.driver.shutdown().is_triggered() {
            return Err(ForceLeaveError::Shutdown);
        }
        if self.driver.with_core(|core, now| core.force_leave(now, name, prune)) {
            Ok(())
        } else {
            Err(ForceLeaveError::UnknownMember(Str::new(name)))
        }
    }
    /// Replaces the tags of this member.
    ///
    /// # Errors
    /// [`SetTagsError`]; the old tags stay then.
    pub async fn set_tags(&self, tags: BTreeMap<Str, Str>) -> Result<(), SetTagsError> {
        if self.driver.shutdown().is_triggered() {
            return Err(SetTagsError::Shutdown);
        }
        self.driver.with_core(|core, _| core.set_tags(tags)).map_err(SetTagsError::TooLarge)
    }
    /// Asks every living member to do `op` with its keyring. `local_only` asks this one alone.
    ///
    /// # Errors
    /// [`KeyringError`] when nobody was asked; what members refuse is in the response.
    pub async fn keyring(&self, op: KeyringOp, local_only: bool) -> Result<KeyringResponse, KeyringError> {
        keyring::run(&self.driver, &op, local_only).await
    }
    /// Whether packets are encrypted.
    pub fn encrypted(&self) -> bool {
        self.driver.with_core(|core, _| core.encrypts())
    }
    /// Tells all members, this one included; answers the Lamport time of the event.
    ///
    /// # Errors
    /// What is too large, in words.
    pub fn fire(&self, name: Str, payload: Bytes) -> Result<u64, String> {
        self.driver.with_core(|core, _| core.fire_event(name, payload))
    }
    /// The user events of this pool, for the first who asks.
    pub fn user_events(&self) -> Option<mpsc::Receiver<UserEvent>> {
        self.user_events.lock().take()
    }
    /// Where this member is in the network; `None` when coordinates are off.
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.driver.with_core(|core, _| core.coordinate().copied())
    }
    /// The places of the living members that are known, by name.
    pub fn coordinates(&self) -> Vec<(Str, Coordinate)> {
        let members = self.driver.members();
        self.driver.with_core(|core, _| {
            let alive = members.iter().filter(|m| m.status == types::member::MemberStatus::Alive);
            alive.filter_map(|m| Some((m.name.clone(), *core.coordinate_of(m.addr)?))).collect()
        })
    }
    /// What `agent/self` shows under `serf_lan` or `serf_wan`.
    pub fn stats(&self) -> Vec<(&'static str, String)> {
        self.driver.stats()
    }
    /// Counts since start, for telemetry.
    pub fn counters(&self) -> Counters {
        self.driver.counters()
    }
}

/// The key file wins over the configured key; without one the configured key makes it.
fn load_keys(config: &mut DriverConfig) -> Result<(), StartError> {
    let Some(path) = config.keyring_file.clone() else { return Ok(()) };
    match files::load_keyring(&path) {
        Ok(Some(ring)) => {
            if config.keyring.as_ref().is_some_and(|given| !ring.keys().contains(given.primary())) {
                tracing::warn!(
                    keyring = config.pool.as_str(),
                    "keyring doesn't include key provided with -encrypt, using keyring"
                );
            }
            config.keyring = Some(ring);
            Ok(())
        }
        Ok(None) => match &config.keyring {
            Some(ring) => {
                files::save_keyring(&path, ring).map_err(|source| StartError::Write { path, source })
            }
            None => Ok(()),
        },
        Err(reason) => Err(StartError::Keyring { path, reason }),
    }
}

/// UDP and TCP on one port.
async fn bind(
    net: &dyn Net,
    addr: SocketAddr,
) -> Result<(Box<dyn Listener>, Arc<dyn Datagram>, SocketAddr), StartError> {
    let failed = |proto: &'static str, addr: SocketAddr| {
        move |source: io::Error| StartError::Bind { proto, addr, source }
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let listener = net.listen(addr).await.map_err(failed("TCP", addr))?;
        let bound = listener.local_addr().map_err(failed("TCP", addr))?;
        match net.bind_udp(bound).await {
            Ok(socket) => return Ok((listener, Arc::from(socket), bound)),
            // The system gave a port that is free for TCP only.
            Err(e) if addr.port() == 0 && tries < PORT_TRIES && e.kind() == io::ErrorKind::AddrInUse => {}
            Err(e) => return Err(failed("UDP", bound)(e)),
        }
    }
}
