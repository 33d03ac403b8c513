//! A switch between the cards: it forwards, loses, delays and repeats packets as it is told.
//!
//! This takes the place of `tc netem`, which many kernels do not have, and of packet filters.

use parking_lot::{Condvar, Mutex, RwLock};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, VecDeque},
    fs::File,
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Larger than any packet of these cards.
const PACKET_MAX: usize = 2048;
/// Packets that wait at once; more are lost, as in any switch.
const WAITING_MAX: usize = 20_000;
/// Packets kept to be repeated.
const KEPT_MAX: usize = 512;
const UDP: u8 = 17;
const LAN_GOSSIP: u16 = 8301;

/// What happens to packets between places. Places are numbers of cards.
#[derive(Clone, Default, Debug)]
pub struct Rules {
    /// From and to: all packets are lost.
    pub cut: BTreeSet<(usize, usize)>,
    /// Share of packets between servers that is lost, 0 to 1.
    pub loss: f64,
    /// Time that packets between servers take at least.
    pub delay: Duration,
    /// Time that some take longer, at random; they arrive in another order then.
    pub jitter: Duration,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    at: Instant,
    number: u64,
    to: usize,
    bytes: Vec<u8>,
}

struct Inner {
    cards: Vec<Arc<File>>,
    /// Cards before this one are servers'; rules hold between them.
    servers: usize,
    prefix: [u8; 3],
    rules: RwLock<Rules>,
    rng: Mutex<SmallRng>,
    late: Mutex<BinaryHeap<Reverse<Late>>>,
    wake: Condvar,
    stop: AtomicBool,
    number: AtomicU64,
    /// Gossip packets between servers, by receiver.
    kept: Mutex<VecDeque<(usize, Vec<u8>)>>,
    repeated: AtomicU64,
}

/// A running switch. Dropping it ends it, once its cards are gone.
pub struct Switch(Arc<Inner>);

impl Drop for Switch {
    fn drop(&mut self) {
        // Under the lock, or it falls between the look at `stop` and the wait, and nobody wakes the thread any more.
        let _late = self.0.late.lock();
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.wake.notify_all();
    }
}

impl Switch {
    /// Starts it: card `n` has the address `prefix`.`n + 1`, the first `servers` cards are those of servers.
    pub fn start(cards: Vec<File>, servers: usize, prefix: [u8; 3], seed: u64) -> Self {
        let inner = Arc::new(Inner {
            cards: cards.into_iter().map(Arc::new).collect(),
            servers,
            prefix,
            rules: RwLock::default(),
            rng: Mutex::new(SmallRng::seed_from_u64(seed)),
            late: Mutex::default(),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
            number: AtomicU64::new(0),
            kept: Mutex::default(),
            repeated: AtomicU64::new(0),
        });
        for from in 0..inner.cards.len() {
            let inner = inner.clone();
            // Ends when its card is removed, which fails the read.
            thread::spawn(move || inner.forward(from));
        }
        let late = inner.clone();
        thread::spawn(move || late.deliver_late());
        Self(inner)
    }

    /// Changes what happens to packets.
    pub fn set(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.0.rules.write());
    }

    /// Everything arrives again.
    pub fn heal(&self) {
        *self.0.rules.write() = Rules::default();
    }

    /// Delivers gossip packets of the past once more; how many.
    pub fn repeat(&self, most: usize) -> u64 {
        let packets: Vec<_> = self.0.kept.lock().iter().take(most).cloned().collect();
        let n = packets.len() as u64;
        for (to, bytes) in packets {
            self.0.put(to, &bytes);
        }
        self.0.repeated.fetch_add(n, Ordering::Relaxed);
        n
    }

    /// Packets that were repeated so far.
    pub fn repeated(&self) -> u64 {
        self.0.repeated.load(Ordering::Relaxed)
    }
}

impl Inner {
    fn forward(&self, from: usize) {
        let mut buf = [0; PACKET_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(n) = (&*self.cards[from]).read(&mut buf) else { return };
            let packet = &buf[..n];
            let Some(to) = self.target(packet) else { continue };
            let between = from < self.servers && to < self.servers;
            let rules = self.rules.read();
            if rules.cut.contains(&(from, to)) {
                continue;
            }
            if between {
                self.keep(to, packet);
                if rules.loss > 0.0 && self.rng.lock().random_bool(rules.loss) {
                    continue;
                }
                if !rules.delay.is_zero() || !rules.jitter.is_zero() {
                    let jitter = u64::try_from(rules.jitter.as_micros()).unwrap_or(0);
                    let more = Duration::from_micros(self.rng.lock().random_range(0..=jitter));
                    self.later(Instant::now() + rules.delay + more, to, packet);
                    continue;
                }
            }
            drop(rules);
            self.put(to, packet);
        }
    }

    /// The card whose address an IPv4 packet is for.
    fn target(&self, packet: &[u8]) -> Option<usize> {
        let address = packet.get(16..20).filter(|_| packet[0] >> 4 == 4)?;
        let n = usize::from(address[3]).checked_sub(1)?;
        (address[..3] == self.prefix && n < self.cards.len()).then_some(n)
    }

    fn keep(&self, to: usize, packet: &[u8]) {
        let header = usize::from(packet[0] & 15) * 4;
        let port = packet.get(header + 2..header + 4).map(|p| u16::from_be_bytes([p[0], p[1]]));
        if packet.get(9) == Some(&UDP) && port == Some(LAN_GOSSIP) {
            let mut kept = self.kept.lock();
            if kept.len() == KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back((to, packet.to_vec()));
        }
    }

    fn put(&self, to: usize, packet: &[u8]) {
        // A card that takes nothing any more loses packets, as a cable would.
        let _ = (&*self.cards[to]).write(packet);
    }

    fn later(&self, at: Instant, to: usize, packet: &[u8]) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut late = self.late.lock();
        if late.len() < WAITING_MAX {
            late.push(Reverse(Late { at, number, to, bytes: packet.to_vec() }));
            self.wake.notify_one();
        }
    }

    fn deliver_late(&self) {
        let mut late = self.late.lock();
        while !self.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            match late.peek() {
                Some(Reverse(first)) if first.at <= now => {
                    if let Some(Reverse(first)) = late.pop() {
                        parking_lot::MutexGuard::unlocked(&mut late, || self.put(first.to, &first.bytes));
                    }
                }
                Some(Reverse(first)) => {
                    let at = first.at;
                    self.wake.wait_until(&mut late, at);
                }
                None => self.wake.wait(&mut late),
            }
        }
    }
}
