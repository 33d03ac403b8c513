//! What the tasks of a pool share.

use crate::{
    DriverConfig, Pool,
    files::{self, Former, Snapshot},
    net_error, stream,
};
use arc_swap::ArcSwap;
use gossip::{Core, KeyringAction, KeysAnswer, MemberEvent, NodeId, Output, StreamBinding, UserEvent};
use parking_lot::Mutex;
use runtime::{Net, Shutdown, Stream, Tasks};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::Instant,
};
use types::member::{Member, MemberStatus};

/// Limit of one exchange on a stream.
pub(crate) const STREAM_LIMIT: Duration = Duration::from_secs(10);
/// Streams that are served at a time.
pub(crate) const STREAMS_IN_MAX: usize = 64;
/// Exchanges and probes of our own at a time; joins and keyring requests are bounded where they are made.
const STREAMS_OUT_MAX: usize = 8;
/// Packets that wait for the socket.
pub(crate) const PACKETS_MAX: usize = 4096;
/// Up to this many members each change is published at once; in larger pools changes are gathered for a moment.
const PUBLISH_AT_ONCE_MAX: usize = 128;
const PUBLISH_AFTER: Duration = Duration::from_millis(50);

/// The core and what waits to be told of it.
struct State {
    core: Core,
    published: u64,
    publish_at: Option<Instant>,
    events: VecDeque<MemberEvent>,
}

/// A running pool.
pub(crate) struct Driver {
    pub(crate) config: DriverConfig,
    pub(crate) local_addr: SocketAddr,
    pub(crate) net: Arc<dyn Net>,
    pub(crate) tasks: Tasks,
    state: Mutex<State>,
    origin: Instant,
    members: ArcSwap<Vec<Member>>,
    changes: watch::Sender<u64>,
    left: watch::Sender<bool>,
    events: mpsc::Sender<MemberEvent>,
    user_events: mpsc::Sender<UserEvent>,
    resync: AtomicBool,
    packets: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    streams_out: Semaphore,
    keyring_writer: tokio::sync::Mutex<()>,
    /// Rung when the next deadline may have moved.
    pub(crate) timers: Notify,
    this: std::sync::Weak<Self>,
}

impl Driver {
    #[expect(clippy::too_many_arguments, reason = "called once, from the start")]
    pub(crate) fn new(
        config: DriverConfig,
        local_addr: SocketAddr,
        net: Arc<dyn Net>,
        tasks: Tasks,
        core: Core,
        origin: Instant,
        events: mpsc::Sender<MemberEvent>,
        user_events: mpsc::Sender<UserEvent>,
        packets: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    ) -> Arc<Self> {
        let driver = Arc::new_cyclic(|this| Self {
            config,
            local_addr,
            net,
            tasks,
            state: Mutex::new(State { core, published: 0, publish_at: None, events: VecDeque::new() }),
            origin,
            members: ArcSwap::default(),
            changes: watch::Sender::new(0),
            left: watch::Sender::new(false),
            events,
            user_events,
            resync: AtomicBool::new(false),
            packets,
            streams_out: Semaphore::new(STREAMS_OUT_MAX),
            keyring_writer: tokio::sync::Mutex::new(()),
            timers: Notify::new(),
            this: this.clone(),
        });
        driver.with_core(|_, _| ());
        driver
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        self.tasks.shutdown()
    }
    pub(crate) fn members(&self) -> Arc<Vec<Member>> {
        self.members.load_full()
    }
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
    pub(crate) fn left(&self) -> watch::Receiver<bool> {
        self.left.subscribe()
    }
    pub(crate) fn take_resync(&self) -> bool {
        self.resync.swap(false, Ordering::AcqRel)
    }
    pub(crate) fn local_member(&self) -> Member {
        self.state.lock().core.local_member()
    }

    /// Lets the core do something, and does what it asks for. Never waits: packets and events go to bounded queues.
    pub(crate) fn with_core<R>(&self, f: impl FnOnce(&mut Core, Duration) -> R) -> R {
        let mut state = self.state.lock();
        let deadline = state.core.next_deadline();
        let result = f(&mut state.core, self.now());
        while let Some(output) = state.core.poll_output() {
            match output {
                Output::Send { to, packet } => {
                    if self.packets.try_send((to, packet)).is_err() {
                        state.core.counters_mut().dropped_full += 1;
                    }
                }
                Output::Event(event) => {
                    let m = event.member();
                    tracing::info!(pool = self.config.pool.as_str(), event = event.as_str(), name = %m.name, addr = %m.addr, "member changed");
                    state.events.push_back(event);
                    if state.events.len() > self.config.events_max {
                        state.events.pop_front();
                        self.resync.store(true, Ordering::Release);
                    }
                }
                Output::User(event) => {
                    // Events promise nothing: who reads too slowly misses some.
                    if self.user_events.try_send(event).is_err() {
                        state.core.counters_mut().dropped_full += 1;
                    }
                }
                Output::Conflict(c) => {
                    let pool = self.config.pool.as_str();
                    if c.ours {
                        tracing::error!(pool, name = %c.name, mine = %c.holder, theirs = %c.other, "another member claims the name of this one; give one of them another node_name");
                    } else {
                        tracing::warn!(pool, name = %c.name, holder = %c.holder, other = %c.other, "two living members claim one name");
                    }
                }
                Output::Sync { to } => self.spawn_sync(to),
                Output::Ping { id, number } => self.spawn_ping(id, number),
                Output::Left => {
                    self.left.send_replace(true);
                }
            }
        }
        self.publish(&mut state);
        // A deadline that moved away needs no bell: the old one rings for nothing, once.
        let sooner = state.core.next_deadline().is_some_and(|at| deadline.is_none_or(|old| at < old));
        if sooner || state.publish_at.is_some() {
            self.timers.notify_one();
        }
        result
    }

    /// Shows changes to readers, and only then tells of them.
    fn publish(&self, state: &mut State) {
        let version = state.core.version();
        if version != state.published {
            let now = Instant::now();
            if self.members.load().len() > PUBLISH_AT_ONCE_MAX {
                let at = *state.publish_at.get_or_insert(now + PUBLISH_AFTER);
                if at > now {
                    return;
                }
            }
            state.publish_at = None;
            state.published = version;
            self.members.store(Arc::new(state.core.members()));
            self.changes.send_replace(version);
        }
        while let Some(event) = state.events.pop_front() {
            if self.events.try_send(event).is_err() {
                // The receiver is slow or gone; it compares lists when it comes back.
                self.resync.store(true, Ordering::Release);
            }
        }
    }

    /// When the timers are due next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let core = state.core.next_deadline().map(|at| self.origin + at);
        match (core, state.publish_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) async fn dial(&self, to: SocketAddr, limit: Duration) -> Result<Box<dyn Stream>, String> {
        let local = Some(self.local_addr.ip()).filter(|ip| !ip.is_unspecified());
        self.net.connect(local, to, limit).await.map_err(|e| net_error::dial(to, &e))
    }

    /// One request and its answer.
    async fn exchange(&self, to: SocketAddr, body: &[u8], limit: Duration) -> Result<Vec<u8>, String> {
        let work = async {
            let mut stream = self.dial(to, limit).await?;
            let binding = stream::write(self, &mut *stream, body, StreamBinding::REQUEST).await?;
            Ok(stream::read(self, &mut *stream, binding).await?.0)
        };
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(format!("dial tcp {to}: i/o timeout")))
    }

    /// Exchanges the full state with `to`.
    pub(crate) async fn sync(&self, to: SocketAddr, join: bool) -> Result<NodeId, String> {
        let body = self.with_core(|core, now| core.sync_request(now, join));
        let answer = self.exchange(to, &body, STREAM_LIMIT).await?;
        self.with_core(|core, now| match join {
            true => core.join_answered(now, &answer),
            false => core.sync_answered(now, &answer),
        })
        .map_err(|e| e.to_string())
    }

    fn spawn_sync(&self, to: SocketAddr) {
        self.spawn_stream(move |driver| async move {
            if let Err(error) = driver.sync(to, false).await {
                driver.with_core(|core, _| core.counters_mut().streams_failed += 1);
                tracing::debug!(%to, %error, "full state exchange failed");
            }
        });
    }

    fn spawn_ping(&self, id: NodeId, number: u8) {
        self.spawn_stream(move |driver| async move {
            let body = driver.with_core(|core, _| core.ping_request(id));
            let limit = driver.config.timing.probe_interval;
            match driver.exchange(id.addr(), &body, limit).await {
                Ok(answer) => {
                    if let Err(error) = driver.with_core(|core, now| core.ping_answered(now, number, &answer))
                    {
                        tracing::debug!(to = %id.addr(), %error, "probe over a stream failed");
                    }
                }
                Err(error) => {
                    driver.with_core(|core, _| core.counters_mut().streams_failed += 1);
                    tracing::debug!(to = %id.addr(), %error, "probe over a stream failed");
                }
            }
        });
    }

    /// Runs work on a stream of ours, unless too many are running: both kinds are made again later.
    fn spawn_stream<F>(&self, work: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Some(driver) = self.this.upgrade() else { return };
        self.tasks.spawn("gossip stream", async move {
            let Ok(_permit) = driver.streams_out.try_acquire() else { return };
            let shutdown = driver.shutdown().clone();
            // Dropping the work midway closes the stream, which the other side takes for a failed exchange.
            tokio::select! {
                biased;
                () = shutdown.wait() => {}
                () = work(driver.clone()) => {}
            }
        });
    }

    /// Serves one stream of another member.
    pub(crate) async fn serve(&self, stream: &mut dyn Stream) -> Result<(), String> {
        let (body, binding) = stream::read(self, stream, StreamBinding::REQUEST).await?;
        let one_at_a_time = self.keyring_writer.lock().await;
        let (answer, before) = self.with_core(|core, now| {
            let before = core.keyring().cloned();
            (core.handle_request(now, &body), before)
        });
        let mut answer = answer.map_err(|e| e.to_string())?;
        if answer.keys_changed
            && let Err(why) = self.write_keys().await
        {
            answer.body = self.with_core(|core, _| {
                if let Some(ring) = before {
                    core.restore_keyring(ring);
                }
                core.keys_refused(&why)
            });
        }
        drop(one_at_a_time);
        stream::write(self, stream, &answer.body, binding).await.map(drop)
    }

    /// Does something with our own keys.
    pub(crate) async fn keyring_locally(&self, action: KeyringAction, key: &str) -> KeysAnswer {
        let _one_at_a_time = self.keyring_writer.lock().await;
        let ((mut answer, changed), before) = self.with_core(|core, _| {
            let before = core.keyring().cloned();
            (core.keyring_action(action, key), before)
        });
        if changed && let Err(why) = self.write_keys().await {
            self.with_core(|core, _| {
                if let Some(ring) = before {
                    core.restore_keyring(ring);
                }
            });
            answer.error = why;
        }
        answer
    }

    pub(crate) async fn ask_keyring(
        &self,
        to: SocketAddr,
        action: KeyringAction,
        key: &str,
    ) -> Result<KeysAnswer, String> {
        let body = self.with_core(|core, _| core.keyring_request(action, key));
        let answer = self.exchange(to, &body, STREAM_LIMIT).await?;
        self.with_core(|core, _| core.keyring_answered(&answer)).map_err(|e| e.to_string())
    }

    async fn write_keys(&self) -> Result<(), String> {
        let Some(path) = self.config.keyring_file.clone() else { return Ok(()) };
        let Some(ring) = self.with_core(|core, _| core.keyring().cloned()) else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || files::save_keyring(&path, &ring)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(format!("keyring file cannot be written: {e}")),
            Err(_) => Err("keyring file cannot be written: agent is shutting down".to_owned()),
        }
    }

    /// Whom to write down for the next run.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let members = self.members();
        self.with_core(|core, _| {
            let own = core.id();
            let others = members
                .iter()
                .filter(|m| {
                    m.addr != own.addr() && matches!(m.status, MemberStatus::Alive | MemberStatus::Failed)
                })
                .map(|m| Former { name: m.name.clone(), addr: m.addr });
            Snapshot::new(own.bump(), core.is_leaving(), others.collect())
        })
    }

    pub(crate) fn stats(&self) -> Vec<(&'static str, String)> {
        let members = self.members();
        let count = |s: MemberStatus| members.iter().filter(|m| m.status == s).count().to_string();
        let state = self.state.lock();
        let (broadcasts, updates) = state.core.backlog();
        vec![
            ("coordinate_resets", state.core.coordinate_resets().to_string()),
            ("encrypted", state.core.encrypts().to_string()),
            ("event_queue", broadcasts.to_string()),
            ("event_time", state.core.event_time().to_string()),
            ("failed", count(MemberStatus::Failed)),
            ("health_score", state.core.health_score().to_string()),
            ("intent_queue", updates.to_string()),
            ("left", count(MemberStatus::Left)),
            ("member_time", state.core.version().to_string()),
            ("members", members.len().to_string()),
            ("query_queue", "0".to_owned()),
            ("query_time", "1".to_owned()),
        ]
    }

    pub(crate) fn counters(&self) -> gossip::Counters {
        *self.state.lock().core.counters()
    }

    pub(crate) fn allows(&self, from: SocketAddr) -> bool {
        let cidrs = &self.config.allowed_cidrs;
        cidrs.is_empty() || cidrs.iter().any(|c| c.contains(from.ip()))
    }

    /// Whether another member is alive.
    pub(crate) fn has_company(&self) -> bool {
        self.state.lock().core.count(MemberStatus::Alive) > 1
    }

    pub(crate) fn pool(&self) -> Pool {
        self.config.pool
    }
}
