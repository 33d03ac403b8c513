//! One client and the record that it keeps.

use crate::{
    client::{Client, Done, Reply},
    cluster::Cluster,
    history::{Call, Outcome},
    ops::Op,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// After this long a call counts as unanswered.
const LIMIT: Duration = Duration::from_millis(2500);

/// What all clients of a run share.
pub struct Shared<'a> {
    /// The servers.
    pub cluster: &'a Cluster,
    /// When the run began.
    pub begin: Instant,
    /// Set when clients should stop.
    pub stop: AtomicBool,
    /// The last value that was given out; each is written once.
    pub values: AtomicU64,
    /// Calls begun; keys change with it.
    pub calls: AtomicU64,
    /// Ids of sessions and the numbers that stand for them.
    pub sessions: Mutex<HashMap<String, u64>>,
    /// Query parameter of linearizable reads: empty, or `consistent`.
    pub linear: &'static str,
    /// Before all keys, so that runs on one cluster do not meet.
    pub prefix: String,
}

impl<'a> Shared<'a> {
    /// A run that begins now.
    pub fn new(cluster: &'a Cluster, prefix: String, linear: &'static str) -> Self {
        Self {
            cluster,
            begin: Instant::now(),
            stop: AtomicBool::new(false),
            values: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            sessions: Mutex::default(),
            linear,
            prefix,
        }
    }

    /// Time since the begin, µs.
    pub fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// One client.
pub struct Worker<'a> {
    /// What all share.
    pub shared: &'a Shared<'a>,
    /// Which one it is.
    pub id: usize,
    /// The server that it asks.
    pub server: usize,
    /// Random choices.
    pub rng: SmallRng,
    client: Client,
    /// Set for reads after the attack: when it is so, it asks no more; until then it asks twice for an answer.
    pub over: Option<&'a dyn Fn() -> bool>,
    /// What it has done so far.
    pub calls: Vec<Call<Op>>,
}

/// What a call has to say for the record: nothing if it did not happen, and whether it certainly did.
pub type Said = (Op, Outcome, String);

impl<'a> Worker<'a> {
    /// A client of `server`.
    pub fn new(shared: &'a Shared<'a>, id: usize, server: usize, seed: u64) -> Self {
        let client = Client::new(shared.cluster.servers[server].http(), LIMIT);
        let rng = SmallRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(id as u64));
        Self { shared, id, server, rng, client, over: None, calls: Vec::new() }
    }

    /// Goes to another server.
    pub fn ask(&mut self, server: usize) {
        self.server = server;
        self.client = Client::new(self.shared.cluster.servers[server].http(), LIMIT);
    }

    /// Whether it should stop.
    pub fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// A value that nobody has written.
    pub fn value(&self) -> u64 {
        self.shared.values.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One of the keys that are in use now: `width` of them, new ones every `every` calls.
    pub fn key(&mut self, kind: &str, width: u64, every: u64) -> String {
        let n = self.shared.calls.fetch_add(1, Ordering::Relaxed) / every;
        let which = self.rng.random_range(0..width);
        format!("{}{kind}/{n}-{which}", self.shared.prefix)
    }

    /// A moment of rest, so that this machine does other things, too.
    pub fn rest(&mut self) {
        std::thread::sleep(Duration::from_millis(self.rng.random_range(2..25)));
    }

    /// Sends a request without keeping anything of it.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Reply {
        self.client.send(method, path, body)
    }

    /// Sends a request and keeps what `said` makes of the answer.
    pub fn call(&mut self, key: &str, request: (&str, &str, &str), said: impl FnOnce(Reply) -> Said) -> Said {
        self.call_for(key, request, Duration::ZERO, |reply, _epoch| said(reply))
    }

    /// The same for a request that is kept waiting; `said` also gets the run of the server that answered.
    pub fn call_for(
        &mut self,
        key: &str,
        (method, path, body): (&str, &str, &str),
        wait: Duration,
        said: impl FnOnce(Reply, Option<u32>) -> Said,
    ) -> Said {
        let epoch = || self.shared.cluster.servers[self.server].epoch();
        let (before, start) = (epoch(), self.shared.now());
        let mut send = || match self.over {
            Some(over) if over() => Reply::NotSent("out of time".into()),
            _ => self.client.send_for(method, path, body, wait),
        };
        let mut reply = send();
        if self.over.is_some() && !matches!(reply, Reply::Answer { status: 200 | 404, .. }) {
            // A leader may just have changed.
            reply = send();
        }
        let (after, end) = (self.shared.cluster.servers[self.server].epoch(), self.shared.now());
        let (op, outcome, note) = said(reply, before.filter(|b| after == Some(*b)));
        let (client, server, key) = (self.id, self.server, key.to_owned());
        self.calls.push(Call {
            client,
            key,
            op: op.clone(),
            outcome,
            start,
            end,
            server,
            note: note.clone(),
        });
        (op, outcome, note)
    }

    /// Keeps an operation that nobody sent.
    pub fn note(&mut self, key: &str, op: Op, start: u64) {
        let (client, server) = (self.id, self.server);
        let (key, outcome, note) = (key.to_owned(), Outcome::Info, String::new());
        self.calls.push(Call { client, key, op, outcome, start, end: start, server, note });
    }

    /// Sends a write whose answer is `true` or `false` and keeps it.
    pub fn write(&mut self, key: &str, request: (&str, &str, &str), op: impl FnOnce(bool) -> Op) -> Said {
        self.call(key, request, |reply| match reply.done() {
            Done::Yes(text) => (op(text != "false"), Outcome::Ok, String::new()),
            Done::No(status, text) => (op(true), Outcome::Fail, format!("{status}: {text}")),
            Done::Unknown(text) => (op(true), Outcome::Info, text),
        })
    }
}

/// Base64, as values travel in transactions.
pub fn encode(value: u64) -> String {
    STANDARD.encode(value.to_string())
}

/// The number in the value of an entry.
pub fn number(entry: &Value) -> Option<u64> {
    let bytes = STANDARD.decode(entry["Value"].as_str()?).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}
