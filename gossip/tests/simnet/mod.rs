//! A network and a clock made of one event queue: many cores, one thread, one seed.

use gossip::{Core, CoreConfig, Keyring, MemberEvent, NameConflict, Output, Timing};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    net::SocketAddr,
    time::Duration,
};
use types::{Str, member::MemberStatus};

/// What travels or rings.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Wake(usize),
    Packet { from: usize, to: usize, bytes: Vec<u8> },
    Request { from: usize, to: usize, body: Vec<u8>, join: bool },
    Answer { from: usize, to: usize, body: Vec<u8>, join: bool },
}

pub struct Sim {
    pub now: Duration,
    pub cores: Vec<Core>,
    pub crashed: Vec<bool>,
    /// Side of the split that each node is on; nodes of different sides do not hear each other.
    pub side: Vec<u8>,
    /// Share of datagrams that are lost.
    pub loss: f64,
    /// Failures that were reported, by (who says so, of whom).
    pub failures: Vec<(Duration, usize, Str)>,
    /// Name conflicts that were reported, and by whom.
    pub conflicts: Vec<(usize, NameConflict)>,
    /// User events that were told, and to whom.
    pub events: Vec<(usize, Str)>,
    /// Hash over everything that was delivered, in order.
    pub trace: u64,
    pub packets: u64,
    /// Sites that the members are spread over.
    pub sites: usize,
    queue: BinaryHeap<Reverse<(Duration, u64, Happening)>>,
    sequence: u64,
    wake: Vec<Duration>,
    by_addr: HashMap<SocketAddr, usize>,
    rng: ChaCha8Rng,
    timing: Timing,
    keyring: Option<Keyring>,
}

impl Sim {
    pub fn new(seed: u64, timing: Timing, keyring: Option<Keyring>) -> Self {
        Self {
            now: Duration::ZERO,
            cores: Vec::new(),
            crashed: Vec::new(),
            side: Vec::new(),
            loss: 0.0,
            failures: Vec::new(),
            conflicts: Vec::new(),
            events: Vec::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            packets: 0,
            sites: 1,
            queue: BinaryHeap::new(),
            sequence: 0,
            wake: Vec::new(),
            by_addr: HashMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            timing,
            keyring,
        }
    }

    pub fn addr(i: usize) -> SocketAddr {
        SocketAddr::from(([10, (i >> 16) as u8, (i >> 8) as u8, i as u8], 8301))
    }

    pub fn name(i: usize) -> String {
        format!("node-{i:05}")
    }

    /// Starts a node at address `i` under `name`; answers its index.
    pub fn start_as(&mut self, name: &str, addr: SocketAddr, bump: u64) -> usize {
        let i = self.cores.len();
        let tags = BTreeMap::from([
            (Str::new("role"), Str::new("node")),
            (Str::new("dc"), Str::new("dc1")),
            (Str::new("id"), Str::from(format!("a0000000-0000-4000-8000-{i:012x}"))),
            (Str::new("vsn"), Str::new("2")),
            (Str::new("vsn_min"), Str::new("2")),
            (Str::new("vsn_max"), Str::new("3")),
            (Str::new("build"), Str::new("1.21.4")),
        ]);
        let config = CoreConfig {
            name: Str::new(name),
            addr,
            bump,
            label: Str::new("lan:dc1"),
            tags,
            timing: self.timing.clone(),
            keyring: self.keyring.clone(),
            verify_incoming: true,
            verify_outgoing: true,
            reconnect_timeout: Duration::from_secs(72 * 3600),
            tombstone_timeout: Duration::from_secs(24 * 3600),
            coordinates: true,
        };
        let rng = ChaCha8Rng::from_seed(self.rng.random());
        self.cores.push(Core::new(config, self.now, rng).expect("a small member"));
        self.crashed.push(false);
        self.side.push(0);
        self.wake.push(Duration::MAX);
        self.by_addr.insert(addr, i);
        self.drain(i);
        i
    }

    pub fn start(&mut self) -> usize {
        let i = self.cores.len();
        self.start_as(&Self::name(i), Self::addr(i), 1000)
    }

    /// Opens a stream from one node to another and joins over it.
    pub fn join(&mut self, from: usize, to: usize) {
        let body = self.cores[from].sync_request(self.now, true);
        self.stream(from, to, body, true);
    }

    fn stream(&mut self, from: usize, to: usize, body: Vec<u8>, join: bool) {
        let delay = self.latency() * 3;
        self.push(self.now + delay, Happening::Request { from, to, body, join });
    }

    pub fn crash(&mut self, i: usize) {
        self.crashed[i] = true;
        self.by_addr.remove(&self.cores[i].id().addr());
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(self.rng.random_range(200..1200))
    }

    /// Time of a datagram: members of different sites are farther apart.
    fn latency_between(&mut self, a: usize, b: usize) -> Duration {
        let far = if a % self.sites == b % self.sites { Duration::ZERO } else { Duration::from_millis(20) };
        self.latency() + far
    }

    /// Tells the pool of an event.
    pub fn fire(&mut self, i: usize, name: &str) {
        self.cores[i].fire_event(Str::new(name), b"x".as_slice().into()).expect("a small event");
        self.drain(i);
    }

    /// How many members were told of an event, and how often in all.
    pub fn told(&self, name: &str) -> (usize, usize) {
        let all: Vec<usize> = self.events.iter().filter(|(_, n)| *n == name).map(|(i, _)| *i).collect();
        (all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len())
    }

    fn push(&mut self, at: Duration, what: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, what)));
    }

    fn connected(&self, a: usize, b: usize) -> bool {
        !self.crashed[a] && !self.crashed[b] && self.side[a] == self.side[b]
    }

    pub fn drain(&mut self, i: usize) {
        while let Some(output) = self.cores[i].poll_output() {
            match output {
                Output::Send { to, packet } => {
                    self.packets += 1;
                    let Some(&to) = self.by_addr.get(&to) else { continue };
                    if self.connected(i, to) && !self.rng.random_bool(self.loss) {
                        let at = self.now + self.latency_between(i, to);
                        self.push(at, Happening::Packet { from: i, to, bytes: packet });
                    }
                }
                Output::Event(MemberEvent::Failed(m)) => self.failures.push((self.now, i, m.name)),
                Output::Conflict(c) => self.conflicts.push((i, c)),
                Output::User(e) => self.events.push((i, e.name)),
                Output::Event(_) | Output::Left => {}
                Output::Sync { to } => {
                    if let Some(&to) = self.by_addr.get(&to)
                        && self.connected(i, to)
                    {
                        let body = self.cores[i].sync_request(self.now, false);
                        self.stream(i, to, body, false);
                    }
                }
                // Streams get through lost datagrams; leaving them out makes the test harder.
                Output::Ping { .. } => {}
            }
        }
        if let Some(at) = self.cores[i].next_deadline()
            && at < self.wake[i]
        {
            self.wake[i] = at;
            self.push(at, Happening::Wake(i));
        }
    }

    fn mix(&mut self, n: u64) {
        self.trace = (self.trace ^ n).wrapping_mul(0x0100_0000_01b3);
    }

    /// Lets one thing happen; answers whether there was one before `until`.
    pub fn step(&mut self, until: Duration) -> bool {
        if self.queue.peek().is_none_or(|Reverse((at, ..))| *at > until) {
            self.now = until;
            return false;
        }
        let Some(Reverse((at, _, what))) = self.queue.pop() else { return false };
        self.now = at;
        match what {
            Happening::Wake(i) => {
                if self.wake[i] == at {
                    self.wake[i] = Duration::MAX;
                    if !self.crashed[i] {
                        self.cores[i].handle_timers(at);
                        self.drain(i);
                    }
                }
            }
            Happening::Packet { from, to, bytes } => {
                if self.connected(from, to) {
                    self.mix(at.as_nanos() as u64 ^ ((to as u64) << 40) ^ bytes.len() as u64);
                    let from = self.cores[from].id().addr();
                    self.cores[to].handle_datagram(at, from, &bytes);
                    self.drain(to);
                }
            }
            Happening::Request { from, to, body, join } => {
                if self.connected(from, to)
                    && let Ok(answer) = self.cores[to].handle_request(at, &body)
                {
                    let delay = self.latency();
                    self.push(at + delay, Happening::Answer { from: to, to: from, body: answer.body, join });
                    self.drain(to);
                }
            }
            Happening::Answer { from, to, body, join } => {
                if self.connected(from, to) {
                    let core = &mut self.cores[to];
                    let taken =
                        if join { core.join_answered(at, &body) } else { core.sync_answered(at, &body) };
                    taken.expect("a full state");
                    self.drain(to);
                }
            }
        }
        true
    }

    /// Runs until `done` holds, asked every 50 ms of simulated time; `None` when it does not within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> Option<Duration> {
        let (start, end) = (self.now, self.now + limit);
        while self.now < end {
            let until = (self.now + Duration::from_millis(50)).min(end);
            while self.step(until) {}
            if done(self) {
                return Some(self.now - start);
            }
        }
        None
    }

    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
    }

    /// Whether every running node counts exactly `alive` members alive.
    pub fn all_see(&self, alive: usize) -> bool {
        (0..self.cores.len())
            .filter(|i| !self.crashed[*i])
            .all(|i| self.cores[i].count(MemberStatus::Alive) == alive)
    }

    pub fn bytes_sent(&self) -> u64 {
        self.cores.iter().map(|c| c.counters().bytes_out).sum()
    }
}

/// Nodes join the first one in the course of a second. Answers the seconds until all see all.
pub fn form(sim: &mut Sim, nodes: usize, limit: Duration) -> Option<Duration> {
    let start = sim.now;
    let gap = Duration::from_secs(1) / nodes as u32;
    for _ in 0..nodes {
        let i = sim.start();
        if i > 0 {
            let seed = i.min(3);
            sim.join(i, if i <= 3 { 0 } else { i % seed });
        }
        sim.run(gap);
    }
    sim.run_until(limit, |s| s.all_see(nodes))?;
    Some(sim.now - start)
}
