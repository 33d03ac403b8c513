//! Servers, clients and what happens to them.

use crate::{
    check::{Done, Ear, Event, Journal, REGISTER, get},
    net::{Card, Net},
};
use parking_lot::Mutex;
use raft::{
    Peer, RaftConfig, RaftHandle, ServerId,
    storage::{Driver, MemFiles, Storage},
};
use rand::{Rng, RngCore};
use runtime::{RngSeed, Shutdown, Tasks, TestClock};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use types::{
    RequestError, Str, Tenancy,
    command::{Command, KvOp},
};

struct Server {
    id: ServerId,
    files: MemFiles,
    /// `None` while it has no power.
    handle: Option<RaftHandle>,
    tasks: Tasks,
}

struct World {
    seed: u64,
    net: Arc<Net>,
    journal: Arc<Journal>,
    clock: Arc<TestClock>,
    servers: Mutex<Vec<Server>>,
    epochs: Mutex<u64>,
}

fn peer(id: ServerId) -> Peer {
    Peer { name: format!("s{}", id.0).into(), addr: ([127, 0, 0, id.0 as u8], 8300).into() }
}

fn set(key: &str, value: &str) -> Command {
    let op = KvOp::Set { key: Str::new(key), value: value.to_owned().into(), flags: 0 };
    Command::Kv { tenancy: Tenancy::default(), op }
}

impl World {
    async fn start(&self, at: usize) {
        let (id, files) = {
            let servers = self.servers.lock();
            (servers[at].id, servers[at].files.clone())
        };
        let epoch = {
            let mut epochs = self.epochs.lock();
            *epochs += 1;
            *epochs
        };
        let mut config = RaftConfig::new(id, peer(id), None);
        config.multiplier = 1;
        config.snapshot_threshold = 40;
        config.snapshot_interval = Duration::from_millis(200);
        config.trailing_logs = 16;
        config.segment_bytes = 64 << 10;
        config.cache_bytes = 2 << 10;
        config.propose_limit = Duration::from_secs(2);
        config.read_limit = Duration::from_secs(2);
        let delay = Duration::from_micros(100 + (epoch * 37) % 900);
        let storage =
            Storage { files: Arc::new(files), dir: "/raft".into(), driver: Driver::Simulated { delay } };
        let tasks = Tasks::new(Shutdown::new());
        let card = Arc::new(Card { net: self.net.clone(), me: id, epoch });
        let ear = Arc::new(Ear { journal: self.journal.clone(), id, last: Mutex::new(0) });
        let seed = RngSeed::fixed(self.seed.wrapping_mul(1000) + epoch);
        match RaftHandle::start_on(config, storage, card, ear, self.clock.clone(), seed, tasks.clone()).await
        {
            Ok(handle) => {
                self.net.plug(id, epoch, handle.clone(), tasks.clone());
                let (journal, mut status) = (self.journal.clone(), handle.status());
                tasks.spawn("watch", async move {
                    loop {
                        journal.status(id, &status.borrow_and_update().clone());
                        if status.changed().await.is_err() {
                            return;
                        }
                    }
                });
                let mut servers = self.servers.lock();
                servers[at].handle = Some(handle);
                servers[at].tasks = tasks;
            }
            Err(e) => self.journal.fail(format!("{id} does not start: {e}")),
        }
    }

    fn crash(&self, at: usize, rng: &mut impl Rng) {
        let mut servers = self.servers.lock();
        let server = &mut servers[at];
        if let Some(handle) = server.handle.take() {
            self.net.unplug(server.id);
            server.files = server.files.crash(rng);
            // What is left of the process ends; nothing of it can reach disk or network any more.
            server.tasks.spawn("end", async move { handle.shutdown().await });
        }
    }

    fn handle(&self, at: usize) -> Option<RaftHandle> {
        self.servers.lock()[at].handle.clone()
    }
    fn up(&self) -> Vec<RaftHandle> {
        self.servers.lock().iter().filter_map(|s| s.handle.clone()).collect()
    }
    fn ids(&self) -> Vec<ServerId> {
        self.servers.lock().iter().map(|s| s.id).collect()
    }
    fn leader(&self) -> Option<RaftHandle> {
        self.up().into_iter().filter(|h| h.status_now().is_leader()).max_by_key(|h| h.status_now().term)
    }
}

async fn client(world: Arc<World>, number: usize, mut rng: impl RngCore, until: Instant) {
    let mut seq = 0;
    while Instant::now() < until {
        sleep(Duration::from_millis(rng.random_range(5..60))).await;
        let n = world.ids().len();
        let at = rng.random_range(0..n);
        let start = Instant::now();
        if rng.random_bool(0.6) {
            // Mostly to the leader, so that there is something to lose.
            let handle = if rng.random_bool(0.8) { world.leader() } else { world.handle(at) };
            let Some(handle) = handle else { continue };
            seq += 1;
            let name = format!("w/{number}/{seq}");
            let command = Command::Batch(vec![set(&name, "x"), set(REGISTER, &name)]);
            let index = match handle.propose(command).await {
                Ok((index, _)) => Some(index),
                Err(RequestError::Unknown) => None,
                Err(_) => continue,
            };
            world.journal.event(Event { start, end: Instant::now(), done: Done::Write { name, index } });
        } else if let Some(handle) = world.handle(at)
            && let Ok(index) = handle.read_point().await
        {
            let state = handle.state();
            if state.index() > index + 1_000_000 {
                world.journal.fail("nonsense".into());
            }
            if let Some((_, index, value)) = get(&state, REGISTER) {
                world.journal.event(Event { start, end: Instant::now(), done: Done::Read { index, value } });
            }
        }
    }
}

async fn trouble(world: &Arc<World>, rng: &mut impl Rng) {
    let n = world.ids().len();
    let at = rng.random_range(0..n);
    match rng.random_range(0..12) {
        0..=2 => {
            world.crash(at, rng);
            sleep(Duration::from_millis(rng.random_range(1..900))).await;
            world.start(at).await;
        }
        3 => {
            // All at once.
            (0..n).for_each(|at| world.crash(at, rng));
            for at in 0..n {
                world.start(at).await;
            }
        }
        4 | 5 => {
            let ids = world.ids();
            for other in ids.iter().filter(|o| **o != ids[at]) {
                world.net.cut(ids[at], *other);
                if rng.random_bool(0.8) {
                    world.net.cut(*other, ids[at]);
                }
            }
            if let Some(h) = world.up().first() {
                h.hint_unreachable(ids[at]);
            }
            sleep(Duration::from_millis(rng.random_range(100..1500))).await;
            world.net.heal();
        }
        6 => {
            world.net.weather(rng.random_range(0.02..0.25), rng.random_range(3..60));
            sleep(Duration::from_millis(rng.random_range(100..1500))).await;
            world.net.heal();
        }
        7 => {
            if let Some(h) = world.leader() {
                let _ = h.transfer_leader(None).await;
            }
        }
        8 => {
            if let Some(h) = world.handle(at) {
                let _ = timeout(Duration::from_secs(1), h.trigger_snapshot()).await;
            }
        }
        9 => {
            // A server leaves and comes back without its vote first.
            if let Some(h) = world.leader() {
                let id = world.ids()[at];
                if h.remove(id).await == Err(raft::AdminError::NotLeader)
                    && let Some(next) = world.leader()
                {
                    let _ = next.remove(id).await;
                }
                sleep(Duration::from_millis(rng.random_range(10..500))).await;
                if let Some(h) = world.leader() {
                    let _ = h.add_learner(id, peer(id)).await;
                    let _ = h.promote(id).await;
                }
            }
        }
        10 => {
            if let Some(h) = world.leader() {
                let id = h.id();
                for h in world.up() {
                    h.hint_unreachable(id);
                }
            }
        }
        _ => sleep(Duration::from_millis(rng.random_range(50..400))).await,
    }
}

/// After all faults have ended, a write must succeed and every server must get it.
async fn recover(world: &Arc<World>) {
    world.net.heal();
    let n = world.ids().len();
    for at in 0..n {
        if world.handle(at).is_none() {
            world.start(at).await;
        }
    }
    let healed = timeout(Duration::from_secs(20), async {
        loop {
            if let Some(h) = world.leader() {
                for id in world.ids() {
                    // A removed server is a member again at the end.
                    if !h.membership().get(id).is_some_and(|s| s.voter) {
                        let _ = h.add_learner(id, peer(id)).await;
                        let _ = h.promote(id).await;
                    }
                }
                if let Ok((index, _)) = h.propose(set("end", "x")).await {
                    for h in world.up() {
                        h.wait_applied(index).await;
                    }
                    if world.up().iter().all(|h| h.membership().voters().count() == n) {
                        return;
                    }
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    if healed.await.is_err() {
        let states: Vec<String> = world.up().iter().map(|h| format!("{:?}", h.status_now())).collect();
        world.journal.fail(format!("did not heal: {}", states.join("\n    ")));
    }
}

/// Runs the history of `seed` and answers what went wrong.
pub async fn history(seed: u64) -> Vec<String> {
    let root = RngSeed::fixed(seed);
    let mut rng = root.fork("events");
    let n = if rng.random_bool(0.25) { 5 } else { 3 };
    let servers = (1..=n)
        .map(|i| Server {
            id: ServerId(i),
            files: MemFiles::new(),
            handle: None,
            tasks: Tasks::new(Shutdown::new()),
        })
        .collect();
    let world = Arc::new(World {
        seed,
        net: Net::new(root.fork("net")),
        journal: Arc::default(),
        clock: Arc::new(TestClock::at(1_700_000_000_000)),
        servers: Mutex::new(servers),
        epochs: Mutex::new(0),
    });
    let everyone: BTreeMap<ServerId, Peer> = world.ids().into_iter().map(|id| (id, peer(id))).collect();
    for at in 0..n as usize {
        world.start(at).await;
    }
    // Each may bootstrap with the same set; one that has heard of the cluster refuses.
    for at in 0..rng.random_range(1..=n as usize) {
        if let Some(h) = world.handle(at) {
            let _ = h.bootstrap(everyone.clone()).await;
        }
    }
    let clients = Tasks::new(Shutdown::new());
    let until = Instant::now() + Duration::from_secs(8);
    for number in 0..4 {
        let rng = root.fork(&format!("client {number}"));
        clients.spawn("client", client(world.clone(), number, rng, until));
    }
    sleep(Duration::from_secs(1)).await;
    while Instant::now() < until {
        trouble(&world, &mut rng).await;
        sleep(Duration::from_millis(rng.random_range(0..500))).await;
    }
    recover(&world).await;
    clients.join(Duration::from_secs(10)).await;
    match world.leader() {
        Some(h) => world.journal.verify(&h.state()),
        None => world.journal.fail("no leader at the end".into()),
    }
    if world.journal.count() < 50 {
        world.journal.fail(format!("only {} operations succeeded", world.journal.count()));
    }
    for h in world.up() {
        if h.bootstrap(everyone.clone()).await.is_ok() {
            world.journal.fail("a member bootstrapped a second cluster".into());
        }
        h.shutdown().await;
    }
    world.journal.failures()
}
