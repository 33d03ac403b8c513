//! The machines, what runs on them, and what happens to them.

use crate::{
    check::{Done, Event, Journal, REGISTER},
    net::{Life, Net},
};
use catalog::run_query;
use config::{
    Built, Env, Sources,
    build::{NoDisk, SourceText},
    text::Format,
};
use parking_lot::Mutex;
use praetor::{Agent, RaftStorage, World as Outside};
use raft::{
    RaftHandle, ServerId,
    storage::{Driver, MemFiles, Storage},
};
use rand::{Rng, RngCore};
use rpc::{Query as _, Submit as _};
use runtime::{RngSeed, Shutdown, Tasks, WallClock};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use telemetry::{Level, LogConfig, Logs};
use tokio::time::{Instant, sleep, timeout};
use tracing_subscriber::layer::SubscriberExt;
use types::{
    Outcome, PeerName, SecretToken, Str, Tenancy,
    command::{Command, CommandResponse, KvOp, Register},
    definition::ServiceDefinition,
    member::MemberStatus,
    query::{Consistency, Query, QueryOptions, QueryResult},
    record::Session,
    txn::{KvVerb, TxnOp},
};

const SERVERS: usize = 3;
const HOSTS: usize = 5;
/// How long applications run, simulated.
const BUSY: Duration = Duration::from_secs(25);
/// How long everything may take to be whole again, simulated.
const HEALING: Duration = Duration::from_secs(90);

/// Wall time that goes with tokio's.
struct SimClock(Instant);

impl WallClock for SimClock {
    fn unix_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.elapsed().as_millis() as u64
    }
}

struct Host {
    files: MemFiles,
    /// `None` while it has no power.
    agent: Option<Arc<Agent>>,
    /// Ends what watches this start of it.
    watchers: Tasks,
}

struct World {
    seed: u64,
    net: Arc<Net>,
    journal: Arc<Journal>,
    clock: Arc<SimClock>,
    logs: Logs,
    hosts: Mutex<Vec<Host>>,
    starts: Mutex<u64>,
    since: Instant,
}

fn ip(at: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, at as u8 + 1).into()
}

fn name(at: usize) -> String {
    if at < SERVERS { format!("s{}", at + 1) } else { format!("c{}", at + 1 - SERVERS) }
}

fn node_id(at: usize) -> ServerId {
    ServerId(at as u128 + 1)
}

/// What an operator would write for this host.
fn hcl(at: usize) -> String {
    let server = if at < SERVERS {
        "server = true\nbootstrap_expect = 3\nraft_snapshot_threshold = 60\nraft_snapshot_interval = \"1s\"\nraft_trailing_logs = 20\n"
    } else {
        ""
    };
    format!(
        r#"
        node_name = "{}"
        node_id = "00000000-0000-0000-0000-{:012x}"
        data_dir = "/nowhere"
        bind_addr = "{}"
        encrypt = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="
        retry_join = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        retry_interval = "1s"
        ports {{ http = -1  dns = -1  grpc = -1  grpc_tls = -1  serf_wan = -1 }}
        performance {{ raft_multiplier = 1 }}
        service {{ name = "file-{}"  port = 80 }}
        {server}"#,
        name(at),
        at + 1,
        ip(at),
        name(at),
    )
}

fn configuration(at: usize) -> config::RuntimeConfig {
    let sources = Sources {
        files: vec![SourceText { name: "host.hcl".into(), text: hcl(at), format: Format::Hcl }],
        flags: config::flags::parse(&[] as &[&str]).expect("no flags"),
        warnings: Vec::new(),
    };
    let env = Env {
        host_name: name(at),
        interfaces: Vec::new(),
        intro_token: None,
        open_files: None,
        disk: &NoDisk,
    };
    let Built { mut config, .. } = config::build(&sources, &env).unwrap_or_else(|e| panic!("{e}"));
    // Its files are simulated, and only Raft needs any.
    config.data_dir = None;
    config
}

fn set(key: &str, value: &str) -> Command {
    let op = KvOp::Set { key: Str::new(key), value: value.to_owned().into(), flags: 0 };
    Command::Kv { tenancy: Tenancy::default(), op }
}

impl World {
    fn note(&self, text: &str) {
        self.journal.note(&format!("{:>8} ms {text}", self.since.elapsed().as_millis()));
        tracing::info!("==> {text}");
    }

    async fn start(&self, at: usize) {
        let start = {
            let mut starts = self.starts.lock();
            *starts += 1;
            *starts
        };
        let files = self.hosts.lock()[at].files.clone();
        let card = self.net.plug(ip(at), start);
        let delay = Duration::from_micros(100 + (start * 37) % 900);
        let storage =
            Storage { files: Arc::new(files), dir: "/raft".into(), driver: Driver::Simulated { delay } };
        let outside = Outside {
            net: Arc::new(card),
            clock: self.clock.clone(),
            seed: RngSeed::fixed(self.seed.wrapping_mul(1000) + start),
            logs: self.logs.clone(),
            raft_storage: Some(RaftStorage { storage, segment_bytes: 64 << 10 }),
        };
        self.note(&format!("start {} ({start})", name(at)));
        let reload = Box::new(|| Err("no files here".to_owned()));
        match Agent::start(configuration(at), outside, Shutdown::new(), reload).await {
            Ok(agent) => {
                let watchers = Tasks::new(Shutdown::new());
                if let Some(raft) = agent.raft() {
                    self.watch(at, raft.clone(), &watchers);
                }
                let mut hosts = self.hosts.lock();
                hosts[at].agent = Some(agent);
                hosts[at].watchers = watchers;
            }
            Err(e) => self.journal.fail(format!("{} does not start: {e}", name(at))),
        }
    }

    fn watch(&self, at: usize, raft: RaftHandle, watchers: &Tasks) {
        let (journal, end) = (self.journal.clone(), watchers.shutdown().clone());
        watchers.spawn("watch", async move {
            let (mut status, mut last) = (raft.status(), 0);
            loop {
                journal.status(node_id(at), &status.borrow_and_update().clone());
                let state = raft.state();
                if state.index() != last {
                    journal.look(node_id(at), &mut last, &state);
                }
                tokio::select! {
                    biased;
                    () = end.wait() => return,
                    changed = status.changed() => if changed.is_err() { return },
                }
            }
        });
    }

    /// Ends a host at once. What was not synced is lost, or torn.
    fn crash(&self, at: usize, how: Life, rng: &mut impl Rng) {
        let mut hosts = self.hosts.lock();
        let host = &mut hosts[at];
        if let Some(agent) = host.agent.take() {
            self.note(&format!("crash {}{}", name(at), if how == Life::Silent { " silently" } else { "" }));
            self.net.unplug(ip(at), how);
            host.files = host.files.crash(rng);
            host.watchers.shutdown().trigger();
            // What is left of the process ends; nothing of it can reach disk or network any more.
            host.watchers.spawn("end", async move { agent.stop().await });
        }
    }

    /// A host leaves as an operator tells it to.
    async fn leave(&self, at: usize) {
        let Some(agent) = self.hosts.lock()[at].agent.take() else { return };
        self.note(&format!("leave {}", name(at)));
        agent.leave_gracefully().await;
        agent.stop().await;
        let hosts = self.hosts.lock();
        hosts[at].watchers.shutdown().trigger();
        self.net.unplug(ip(at), Life::Gone);
    }

    fn agent(&self, at: usize) -> Option<Arc<Agent>> {
        self.hosts.lock()[at].agent.clone()
    }
    fn up(&self) -> Vec<Arc<Agent>> {
        self.hosts.lock().iter().filter_map(|h| h.agent.clone()).collect()
    }
    fn servers(&self) -> Vec<RaftHandle> {
        self.up().iter().filter_map(|a| a.raft().cloned()).collect()
    }
    fn leader(&self) -> Option<RaftHandle> {
        self.servers().into_iter().filter(|h| h.status_now().is_leader()).max_by_key(|h| h.status_now().term)
    }
}

fn txn_set(key: &str, value: &str) -> TxnOp {
    TxnOp::Kv {
        tenancy: Tenancy::default(),
        verb: KvVerb::Set,
        key: key.into(),
        value: value.to_owned().into(),
        flags: 0,
        index: 0,
        session: Str::default(),
    }
}

/// Takes the one lock with a session of its own, if it is free, and ends the session.
async fn hold_a_lock(world: &World, agent: &Agent, id: String, until: Instant) {
    let token = SecretToken::default();
    let id = Str::from(id);
    let submit = |command| agent.service().submit(None, &token, command);
    // A node that nobody takes away, so that sessions end by their own hand alone.
    let node = Register { node: "locks".into(), address: "10.9.9.9".into(), ..Register::default() };
    let session = Session { id: id.clone(), node: "locks".into(), ..Session::default() };
    let made =
        Command::Batch(vec![Command::Register(Box::new(node)), Command::SessionCreate(Box::new(session))]);
    if submit(made).await.is_err() {
        return;
    }
    let start = Instant::now();
    let op = KvOp::Lock { key: "lock".into(), value: id.to_string().into(), flags: 0, session: id.clone() };
    let taken = submit(Command::Kv { tenancy: Tenancy::default(), op }).await;
    if let Ok((index, CommandResponse::Bool(true))) = taken {
        let done = Done::Locked { session: id.clone(), index };
        world.journal.event(Event { start, end: Instant::now(), done });
        sleep(Duration::from_millis(20)).await;
    }
    // Whatever became of the lock, from here on another may have it.
    let done = Done::Released { session: id.clone() };
    world.journal.event(Event { start: Instant::now(), end: Instant::now(), done });
    // Its own agent may be gone for good; then another one does it.
    while Instant::now() < until {
        let Some(agent) = world.up().into_iter().next() else { return };
        let end = Command::SessionDestroy { tenancy: Tenancy::default(), id: id.clone() };
        if agent.service().submit(None, &token, end).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// One application: talks to agents, mostly to its own.
async fn application(world: Arc<World>, number: usize, mut rng: impl RngCore, until: Instant) {
    let (mut seq, mut seen) = (0, 0);
    let token = SecretToken::default();
    while Instant::now() < until {
        sleep(Duration::from_millis(rng.random_range(10..120))).await;
        let at = if rng.random_bool(0.7) { number % HOSTS } else { rng.random_range(0..HOSTS) };
        let Some(agent) = world.agent(at) else { continue };
        let start = Instant::now();
        match rng.random_range(0..10) {
            0..=3 => {
                seq += 1;
                let name = format!("w/{number}/{seq}");
                let command = if rng.random_bool(0.5) {
                    Command::Batch(vec![set(&name, "x"), set(REGISTER, &name)])
                } else {
                    let ops = vec![txn_set(&name, "x"), txn_set(REGISTER, &name)];
                    Command::Txn { datacenter: "dc1".into(), ops }
                };
                let done = match agent.service().submit(None, &token, command).await {
                    Ok((index, answer)) => {
                        if let CommandResponse::Txn(answer) = answer
                            && !answer.errors.is_empty()
                        {
                            world
                                .journal
                                .fail(format!("a transaction that cannot fail did: {:?}", answer.errors));
                        }
                        Done::Write { name, index: Some(index) }
                    }
                    Err(e) if e.outcome() == Outcome::NotApplied => Done::Refused { name },
                    Err(_) => Done::Write { name, index: None },
                };
                world.journal.event(Event { start, end: Instant::now(), done });
            }
            4..=7 => {
                let consistency =
                    if rng.random_bool(0.5) { Consistency::Default } else { Consistency::Consistent };
                let blocking = rng.random_bool(0.3);
                let options = QueryOptions {
                    consistency,
                    min_index: if blocking { seen } else { 0 },
                    max_wait: blocking.then(|| Duration::from_millis(300)),
                    ..QueryOptions::default()
                };
                let query = Query::KvGet { tenancy: Tenancy::default(), key: Str::new(REGISTER) };
                let Ok(answer) = agent.service().query(query, options).await else { continue };
                if answer.meta.index < seen {
                    world.journal.fail(format!(
                        "application {number} saw index {} after {seen}, at {}",
                        answer.meta.index,
                        name(at)
                    ));
                }
                seen = answer.meta.index;
                if let QueryResult::Kv(Some(e)) = answer.result {
                    let value = String::from_utf8_lossy(&e.value).into_owned();
                    let done = Done::Read { index: e.index.modify, value };
                    world.journal.event(Event { start, end: Instant::now(), done });
                }
            }
            8 if rng.random_bool(0.5) => {
                seq += 1;
                hold_a_lock(&world, &agent, format!("s/{number}/{seq}"), until).await;
            }
            8 => {
                let id = format!("api-{}", rng.random_range(0..4));
                let definition = ServiceDefinition {
                    name: Str::from(id.clone()),
                    port: rng.random_range(1..60_000),
                    ..ServiceDefinition::default()
                };
                // A bad answer is no matter: the agent knows it, and the catalog follows.
                let _ = agent
                    .local()
                    .register_service(definition, checks::Source::Api, true, SecretToken::default())
                    .await;
            }
            _ => {
                let id = format!("api-{}", rng.random_range(0..4));
                let _ = agent.local().deregister_service(id.as_str()).await;
            }
        }
    }
}

async fn trouble(world: &Arc<World>, rng: &mut impl Rng) {
    let at = rng.random_range(0..HOSTS);
    let how = if rng.random_bool(0.5) { Life::Silent } else { Life::Gone };
    match rng.random_range(0..13) {
        0..=2 => {
            world.crash(at, how, rng);
            sleep(Duration::from_millis(rng.random_range(1..4000))).await;
            world.start(at).await;
        }
        3 => {
            // All servers at once.
            (0..SERVERS).for_each(|at| world.crash(at, how, rng));
            for at in 0..SERVERS {
                sleep(Duration::from_millis(rng.random_range(0..300))).await;
                world.start(at).await;
            }
        }
        4 => {
            if let Some(leader) = world.leader() {
                let at = (leader.id().0 - 1) as usize;
                world.crash(at, how, rng);
                sleep(Duration::from_millis(rng.random_range(1..4000))).await;
                world.start(at).await;
            }
        }
        5 | 6 => {
            // One host cannot reach the others, they perhaps can reach it.
            let deaf = rng.random_bool(0.8);
            world.note(&format!("cut {}{}", name(at), if deaf { "" } else { " one way" }));
            for other in (0..HOSTS).filter(|o| *o != at) {
                world.net.cut(ip(at), ip(other));
                if deaf {
                    world.net.cut(ip(other), ip(at));
                }
            }
            sleep(Duration::from_millis(rng.random_range(200..6000))).await;
            world.note("heal");
            world.net.heal();
        }
        7 => {
            // Two halves.
            let side: Vec<bool> = (0..HOSTS).map(|_| rng.random_bool(0.5)).collect();
            world.note(&format!("split {side:?}"));
            for a in 0..HOSTS {
                for b in (0..HOSTS).filter(|b| side[a] != side[*b]) {
                    world.net.cut(ip(a), ip(b));
                }
            }
            sleep(Duration::from_millis(rng.random_range(200..6000))).await;
            world.note("heal");
            world.net.heal();
        }
        8 => {
            // One pair of servers, which is not enough to stop anything.
            let (a, b) = (at % SERVERS, (at + 1) % SERVERS);
            world.note(&format!("cut {} from {}", name(a), name(b)));
            world.net.cut(ip(a), ip(b));
            world.net.cut(ip(b), ip(a));
            sleep(Duration::from_millis(rng.random_range(200..4000))).await;
            world.note("heal");
            world.net.heal();
        }
        9 => {
            let (loss, delay) = (rng.random_range(0.02..0.25), rng.random_range(3..60));
            world.note(&format!("weather {loss:.2} {delay} ms"));
            world.net.weather(loss, delay);
            sleep(Duration::from_millis(rng.random_range(200..5000))).await;
            world.note("heal");
            world.net.heal();
        }
        10 => {
            if let Some(h) = world.leader() {
                world.note("transfer leadership");
                let _ = h.transfer_leader(None).await;
            }
        }
        11 => {
            world.leave(at).await;
            sleep(Duration::from_millis(rng.random_range(1..3000))).await;
            world.start(at).await;
        }
        _ => sleep(Duration::from_millis(rng.random_range(50..800))).await,
    }
}

/// What is not whole yet, seen from outside.
async fn missing(world: &World) -> Option<String> {
    let up = world.up();
    if up.len() < HOSTS {
        return Some("a host is down".into());
    }
    for agent in &up {
        let alive = agent.gossip().members().iter().filter(|m| m.status == MemberStatus::Alive).count();
        if alive != HOSTS {
            return Some(format!("{} sees {alive} members alive", agent.gossip().local_member().name));
        }
    }
    let Some(leader) = world.leader() else { return Some("no leader".into()) };
    let voters: BTreeSet<_> = leader.membership().voters().map(|s| s.id).collect();
    if voters != (0..SERVERS).map(node_id).collect() {
        return Some(format!("voters are {voters:?}"));
    }
    let token = SecretToken::default();
    for agent in &up {
        let who = agent.gossip().local_member().name;
        let written = agent.service().submit(None, &token, set(&format!("end/{who}"), "x")).await;
        match written {
            Err(e) => return Some(format!("a write through {who}: {e}")),
            Ok((index, _)) => {
                for server in world.servers() {
                    if timeout(Duration::from_secs(5), server.wait_applied(index)).await != Ok(true) {
                        return Some(format!("{} has not applied {index}", server.id()));
                    }
                }
            }
        }
    }
    let state = world.leader()?.state();
    (0..HOSTS).find_map(|at| unlike(&state, &up[at], at))
}

/// How the catalog's rows of a host differ from what its agent has.
fn unlike(state: &catalog::Store, agent: &Agent, at: usize) -> Option<String> {
    let query = Query::NodeState { tenancy: Tenancy::default(), node: Str::from(name(at)).into() };
    let QueryResult::NodeState(rows) = run_query(state, &query, &[]).0 else { return Some("no rows".into()) };
    if rows.node.is_none() {
        return Some(format!("{} is not in the catalog", name(at)));
    }
    if health(state, at).as_deref() != Some("passing") {
        return Some(format!("serfHealth of {} is {:?}", name(at), health(state, at)));
    }
    let rows: BTreeMap<String, i64> =
        rows.services.iter().map(|s| (s.id.to_string(), s.port)).filter(|(id, _)| id != "consul").collect();
    let own: BTreeMap<String, i64> = agent
        .local()
        .services()
        .values()
        .map(|s| (s.id.to_string(), s.port))
        .filter(|(id, _)| id != "consul")
        .collect();
    (rows != own).then(|| format!("{} has services {own:?}, the catalog {rows:?}", name(at)))
}

/// Status of a host's `serfHealth`.
fn health(state: &catalog::Store, at: usize) -> Option<String> {
    let query = Query::NodeChecks {
        tenancy: Tenancy::default(),
        peer: PeerName::default(),
        node: Str::from(name(at)).into(),
    };
    match run_query(state, &query, &[]).0 {
        QueryResult::Checks(checks) => {
            checks.iter().find(|c| &*c.check_id.0 == "serfHealth").map(|c| c.status.to_string())
        }
        _ => None,
    }
}

/// After all faults have ended, everything becomes whole.
async fn recover(world: &Arc<World>) {
    world.note("all faults end");
    world.net.heal();
    for at in 0..HOSTS {
        if world.agent(at).is_none() {
            world.start(at).await;
        }
    }
    let mut last = None;
    let healed = timeout(HEALING, async {
        loop {
            last = missing(world).await;
            if last.is_none() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    if healed.await.is_err() {
        let states: Vec<String> = world.servers().iter().map(|h| format!("{:?}", h.status_now())).collect();
        world.journal.fail(format!(
            "did not heal: {}\n    {}",
            last.unwrap_or_default(),
            states.join("\n    ")
        ));
    }
    world.note("healed");
}

/// A client agent dies without a word: the catalog says so of it, and of nobody else.
async fn bury(world: &Arc<World>, rng: &mut impl Rng) {
    let at = rng.random_range(SERVERS..HOSTS);
    world.crash(at, Life::Silent, rng);
    let seen = timeout(Duration::from_secs(60), async {
        loop {
            if let Some(leader) = world.leader() {
                let state = leader.state();
                if let Some(other) =
                    (0..HOSTS).find(|o| *o != at && health(&state, *o).as_deref() != Some("passing"))
                {
                    return Err(format!("serfHealth of {} failed with {}", name(other), name(at)));
                }
                if health(&state, at).as_deref() == Some("critical") {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    match seen.await {
        Ok(Ok(())) => {}
        Ok(Err(text)) => world.journal.fail(text),
        Err(_) => {
            let text = format!("serfHealth of {} is not critical a minute after its end", name(at));
            world.journal.fail(text);
        }
    }
}

/// What one seed leads to.
#[derive(PartialEq, Debug)]
pub struct History {
    /// What went wrong.
    pub failures: Vec<String>,
    /// What happened to the machines.
    pub trace: Vec<String>,
    /// What the applications did.
    pub operations: Vec<String>,
}

/// Runs the history of `seed`.
pub async fn history(seed: u64) -> History {
    let root = RngSeed::fixed(seed);
    let mut rng = root.fork("events");
    let clock = Arc::new(SimClock(Instant::now()));
    let show = std::env::var_os("PRAETOR_SIM_LOG").is_some();
    let config = LogConfig { level: Level::Info, json: false, stdout: show, file: None, syslog: None };
    let (logs, layer) = Logs::build(&config, clock.clone()).expect("logs");
    let _logging = show.then(|| tracing::subscriber::set_default(tracing_subscriber::registry().with(layer)));
    let host = || Host { files: MemFiles::new(), agent: None, watchers: Tasks::new(Shutdown::new()) };
    let world = Arc::new(World {
        seed,
        net: Net::new(root.fork("net")),
        journal: Arc::default(),
        clock,
        logs,
        hosts: Mutex::new((0..HOSTS).map(|_| host()).collect()),
        starts: Mutex::new(0),
        since: Instant::now(),
    });
    let mut order: Vec<usize> = (0..HOSTS).collect();
    for i in (1..HOSTS).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    for at in order {
        world.start(at).await;
        sleep(Duration::from_millis(rng.random_range(0..1500))).await;
    }
    let applications = Tasks::new(Shutdown::new());
    let until = Instant::now() + BUSY;
    for number in 0..HOSTS {
        let rng = root.fork(&format!("application {number}"));
        applications.spawn("application", application(world.clone(), number, rng, until));
    }
    // Sometimes trouble begins while the cluster is still forming.
    sleep(Duration::from_millis(rng.random_range(0..8000))).await;
    while Instant::now() < until {
        trouble(&world, &mut rng).await;
        sleep(Duration::from_millis(rng.random_range(0..1500))).await;
    }
    recover(&world).await;
    if !applications.join(Duration::from_secs(60)).await {
        world.journal.fail("an application still waits for an answer".into());
    }
    match world.leader() {
        Some(h) => world.journal.verify(&h.state()),
        None => world.journal.fail("no leader at the end".into()),
    }
    let (writes, reads) = world.journal.counts();
    if writes < 20 || reads < 20 {
        world.journal.fail(format!("only {writes} writes and {reads} reads succeeded"));
    }
    world.note(&format!("{writes} writes, {reads} reads"));
    if rng.random_bool(0.3) {
        bury(&world, &mut rng).await;
    }
    for agent in world.up() {
        agent.stop().await;
    }
    world.logs.flush();
    let journal = &world.journal;
    History {
        failures: journal.failures(),
        trace: journal.trace(),
        operations: journal.operations(world.since),
    }
}
