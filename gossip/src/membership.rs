//! The protocol as a value: datagrams, stream messages, commands and time go in; sends, probes and events come out.
//!
//! # How Lifeguard is laid around foca
//! foca is the SWIM engine: it alone decides who is probed, which update is newer, and what is passed on. Three of its
//! seams carry what it lacks:
//! - *Timers are ours.* foca says "after" and takes the timer back whenever it fires. Probe timers are stretched by the
//!   local health factor. The timer that turns a suspect into a dead member is never armed at all: it starts a
//!   suspicion of ours, and foca is handed a timer of the same content when that has run out. foca checks the
//!   incarnation then, so a suspect that refuted in time stays alive whatever we believed.
//! - *Packets pass through us.* Each is parsed before foca sees it, so every member that hears of a suspicion starts
//!   its own clock, as in the paper, and not just the one whose probe failed.
//! - *Broadcasts are ours.* Who suspects whom independently travels beside foca's updates, which do not say.
//!   A few members chosen by lot ask the suspect at once, which tells it, and confirm only if it does not answer.

mod commands;
mod datagram;
mod probe;
mod stream;
mod tick;
mod user;

use crate::{
    Keyring, MemberEvent, NameConflict, NodeId, Timing,
    awareness::Awareness,
    codec::{WireCodec, is_ack},
    counters::Counters,
    meta::Meta,
    packet::{COORDINATE_BYTES, Item, Items, Packet},
    rng::FocaRng,
    roster::{Roster, Told},
    seal::{OVERHEAD, Seal},
    sink::{Note, Sink},
    suspicion::Suspicion,
    user::{UserEvent, UserEvents},
    vivaldi::Vivaldi,
};
use foca::{Foca, PeriodicParams, Timer, TimerToken};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};
use types::{
    Str,
    member::{Member, MemberStatus},
};

pub use stream::{KeysAnswer, StreamAnswer, StreamError};

/// Largest datagram that is sent or accepted.
pub const PACKET_BYTES_MAX: usize = 1400;
/// Room for the content of a packet.
const CONTENT_BYTES_MAX: usize = PACKET_BYTES_MAX - OVERHEAD;
/// Outputs that wait to be fetched; beyond it packets are dropped, which gossip survives.
const OUTPUTS_MAX: usize = 16_384;
/// Broadcasts of ours that wait in foca.
const BROADCASTS_MAX: usize = 8_192;

/// What a core is made from.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Name of this member.
    pub name: Str,
    /// Address that others reach it at.
    pub addr: SocketAddr,
    /// Higher than in any earlier run; see [`NodeId::new`].
    pub bump: u64,
    /// What both sides of every message must share: pool and datacenter. At most 255 bytes count.
    pub label: Str,
    /// Tags.
    pub tags: BTreeMap<Str, Str>,
    /// Intervals.
    pub timing: Timing,
    /// Keys.
    pub keyring: Option<Keyring>,
    /// Refuse plain messages when there are keys.
    pub verify_incoming: bool,
    /// Seal what is sent when there are keys.
    pub verify_outgoing: bool,
    /// How long a failed member is remembered.
    pub reconnect_timeout: Duration,
    /// How long a member that left is remembered.
    pub tombstone_timeout: Duration,
    /// Keep a network coordinate, and tell it to those who probe.
    pub coordinates: bool,
}

/// Something for the shell to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Sealed bytes.
        packet: Vec<u8>,
    },
    /// Tell the agent.
    Event(MemberEvent),
    /// A user event that was not seen before, those of our own included.
    User(UserEvent),
    /// Warn the operator.
    Conflict(NameConflict),
    /// Exchange the full state with this address over a stream ([`Core::sync_request`]).
    Sync {
        /// Where to.
        to: SocketAddr,
    },
    /// A probe by datagram got no answer: try a stream ([`Core::ping_request`], [`Core::ping_answered`]).
    Ping {
        /// Who.
        id: NodeId,
        /// Which probe.
        number: u8,
    },
    /// The leave has spread; nothing more will be sent.
    Left,
}

#[derive(Clone, Debug)]
enum Due {
    Foca(Timer<NodeId>),
    Tick,
    Sync,
    Reconnect,
}

/// A member whose record is still to be fetched.
#[derive(Clone, Copy, Debug)]
struct Want {
    informant: Option<NodeId>,
    tries: u32,
    next: Duration,
}

/// The probe that foca is at.
#[derive(Clone, Copy, Default, Debug)]
struct Probe {
    number: u8,
    /// Whom it asks, since when.
    sent: Option<(NodeId, Duration)>,
    answered: bool,
    asked: u32,
    nacks: u32,
}

/// A probe that we make for another.
#[derive(Clone, Copy, Debug)]
struct Relay {
    origin: NodeId,
    target: NodeId,
    due: Duration,
}

/// Finding members whose view differs from ours although nothing has moved for a while: gossip passed one of us by,
/// which a full exchange mends now and not when the next one is due anyway.
#[derive(Clone, Copy, Debug)]
struct Repair {
    digest: u64,
    since: Duration,
    next: Duration,
    tries: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leave {
    No,
    Announcing { until: Duration },
    Spreading { rounds: u32 },
    Done,
}

/// One member of one pool.
pub struct Core {
    foca: Foca<NodeId, WireCodec, FocaRng, Items>,
    sink: Sink,
    token: Option<TimerToken>,
    timing: Timing,
    reconnect_timeout: Duration,
    tombstone_timeout: Duration,
    transmissions: u8,
    seal: Seal,
    roster: Roster,
    meta: Meta,
    tags: BTreeMap<Str, Str>,
    suspicions: BTreeMap<NodeId, Suspicion>,
    awareness: Awareness,
    probe: Probe,
    relays: Vec<Relay>,
    wants: BTreeMap<NodeId, Want>,
    /// Forgotten on an operator's word: not taken back from others' memory.
    pruned: BTreeMap<NodeId, Duration>,
    leave: Leave,
    informant: Option<NodeId>,
    /// Highest bump that anybody ascribes to our address.
    rumoured_bump: u64,
    next_reap: Duration,
    repair: Repair,
    timers: BTreeMap<(Duration, u64), Due>,
    timer_count: u64,
    outputs: VecDeque<Output>,
    counters: Counters,
    user: UserEvents,
    vivaldi: Option<Vivaldi>,
    rng: ChaCha8Rng,
}

impl Core {
    /// A member that knows nobody yet. `now` is any monotonic time; all later ones count from the same origin.
    ///
    /// # Errors
    /// What is too large about name or tags, in words for the operator.
    pub fn new(config: CoreConfig, now: Duration, mut rng: ChaCha8Rng) -> Result<Self, String> {
        let mut fork = || ChaCha8Rng::from_seed(rng.random());
        let (foca_rng, seal_rng, own_rng) = (fork(), fork(), fork());
        let id = NodeId::new(config.addr, &config.name, config.bump);
        if config.addr.port() == 0 || config.addr.ip().is_unspecified() {
            return Err(format!("others cannot reach the address {}", config.addr));
        }
        let meta = Meta::new(id, 1, false, config.name.clone(), &config.tags)?;
        let transmissions = config.timing.transmissions(1);
        let mut label = config.label;
        if label.len() > 255 {
            label = Str::new(format!("{:016x}", crate::seal::fnv64(&[label.as_bytes()])));
        }
        let longest_memory = config.reconnect_timeout.max(config.tombstone_timeout);
        let foca = Foca::with_custom_broadcast(
            id,
            foca_config(&config.timing, transmissions, longest_memory),
            FocaRng(foca_rng),
            WireCodec,
            Items,
        );
        let mut core = Self {
            foca,
            sink: Sink::default(),
            token: None,
            awareness: Awareness::new(config.timing.health_max),
            timing: config.timing,
            reconnect_timeout: config.reconnect_timeout,
            tombstone_timeout: config.tombstone_timeout,
            transmissions,
            seal: Seal::new(label, config.keyring, config.verify_incoming, config.verify_outgoing, seal_rng),
            roster: Roster::new(config.name),
            meta,
            tags: config.tags,
            suspicions: BTreeMap::new(),
            probe: Probe::default(),
            relays: Vec::new(),
            wants: BTreeMap::new(),
            pruned: BTreeMap::new(),
            leave: Leave::No,
            informant: None,
            rumoured_bump: 0,
            next_reap: now,
            repair: Repair { digest: 0, since: now, next: now, tries: 0 },
            timers: BTreeMap::new(),
            timer_count: 0,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            user: UserEvents::default(),
            vivaldi: config.coordinates.then(Vivaldi::default),
            rng: own_rng,
        };
        core.roster.up(id, now);
        core.roster.learn(core.meta.clone());
        core.arm(now + core.timing.gossip_interval, Due::Tick);
        let first_sync = core.jitter(core.timing.push_pull_interval);
        core.arm(now + first_sync, Due::Sync);
        let first_reconnect = core.jitter(core.timing.reconnect_interval);
        core.arm(now + first_reconnect, Due::Reconnect);
        core.tell();
        Ok(core)
    }

    /// Identity of this run.
    pub fn id(&self) -> NodeId {
        *self.foca.identity()
    }
    /// All members, sorted by name: self, failed and left ones included.
    pub fn members(&self) -> Vec<Member> {
        self.roster.records().map(crate::roster::Record::member).collect()
    }
    /// Grows with each change of [`Self::members`].
    pub fn version(&self) -> u64 {
        self.roster.version()
    }
    /// This member.
    pub fn local_member(&self) -> Member {
        Member {
            name: self.meta.name.clone(),
            addr: self.id().addr(),
            tags: self.tags.clone(),
            status: match self.leave {
                Leave::No => MemberStatus::Alive,
                Leave::Announcing { .. } | Leave::Spreading { .. } => MemberStatus::Leaving,
                Leave::Done => MemberStatus::Left,
            },
        }
    }
    /// Members in a state.
    pub fn count(&self, status: MemberStatus) -> usize {
        self.roster.count(status)
    }
    /// Local health: 0 is healthy.
    pub fn health_score(&self) -> u32 {
        self.awareness.score()
    }
    /// Broadcasts and updates that wait to be sent on.
    pub fn backlog(&self) -> (usize, usize) {
        (self.foca.custom_broadcast_backlog(), self.foca.updates_backlog())
    }
    /// Counts since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
    /// Counts since start, for what the shell sees first.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }
    /// The keys.
    pub fn keyring(&self) -> Option<&Keyring> {
        self.seal.keyring()
    }
    /// Whether what is sent is sealed.
    pub fn encrypts(&self) -> bool {
        self.seal.encrypts()
    }
    /// Whether a leave was asked for.
    pub fn is_leaving(&self) -> bool {
        self.leave != Leave::No
    }
    /// Version of this member's record: a Lamport clock of its own changes.
    pub fn record_version(&self) -> u32 {
        self.meta.version
    }

    /// When [`Self::handle_timers`] wants to be called next.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }
    /// The next thing to do. Fetch until empty after each call that takes `now`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn members_alive(&self) -> usize {
        self.foca.num_members() + 1
    }

    fn jitter(&mut self, of: Duration) -> Duration {
        of.mul_f64(self.rng.random_range(0.0..1.0))
    }

    fn arm(&mut self, at: Duration, due: Due) {
        self.timer_count += 1;
        self.timers.insert((at, self.timer_count), due);
    }

    fn output(&mut self, output: Output) {
        if self.outputs.len() < OUTPUTS_MAX {
            self.outputs.push_back(output);
        } else {
            self.counters.dropped_full += 1;
        }
    }

    fn send(&mut self, to: SocketAddr, packet: &Packet<'_>) {
        let mut content = Vec::with_capacity(CONTENT_BYTES_MAX);
        packet.encode(&mut content);
        let packet = self.seal.seal_packet(&content);
        self.counters.packets_out += 1;
        self.counters.bytes_out += packet.len() as u64;
        self.output(Output::Send { to, packet });
    }

    fn broadcast(&mut self, item: &Item<'_>) {
        if self.foca.custom_broadcast_backlog() < BROADCASTS_MAX {
            // An item of ours always decodes, and always fits: records are bounded below the size of a packet.
            if let Err(error) = self.foca.add_broadcast(&item.encode()) {
                tracing::debug!(%error, "broadcast refused");
            }
        } else {
            self.counters.dropped_full += 1;
        }
    }

    /// Runs foca and does what it asks for.
    fn with_foca(
        &mut self,
        now: Duration,
        call: impl FnOnce(&mut Foca<NodeId, WireCodec, FocaRng, Items>, &mut Sink) -> Result<(), foca::Error>,
    ) {
        let mut sink = std::mem::take(&mut self.sink);
        if let Err(error) = call(&mut self.foca, &mut sink) {
            tracing::debug!(%error, "message not handled");
        }
        let sends = std::mem::take(&mut sink.sends);
        let timers = std::mem::take(&mut sink.timers);
        let notes = std::mem::take(&mut sink.notes);
        self.sink = sink;
        for note in notes {
            self.note(now, note);
        }
        for (timer, after) in timers {
            self.schedule(now, timer, after);
        }
        for (to, bytes) in sends {
            let digest = self.roster.digest();
            // A coordinate rides along where there is room; under churn the updates come first.
            let room = bytes.len() + COORDINATE_BYTES + 9 <= CONTENT_BYTES_MAX;
            match self.vivaldi.as_ref().filter(|_| room && is_ack(&bytes)) {
                Some(v) => {
                    let coordinate = *v.own();
                    self.send(to.addr(), &Packet::Placed { digest, coordinate, bytes: &bytes });
                }
                None => self.send(to.addr(), &Packet::Swim { digest, bytes: &bytes }),
            }
        }
    }

    fn note(&mut self, now: Duration, note: Note) {
        match note {
            Note::Up(id) => {
                self.roster.up(id, now);
                self.want(now, id);
            }
            Note::Down(id) => {
                self.displaced(&id);
                self.suspicions.remove(&id);
                self.wants.remove(&id);
                if self.roster.down(&id, now) && self.roster.run(&id).is_some_and(|n| !n.left) {
                    self.counters.members_failed += 1;
                }
            }
            Note::Renamed(old, new) => {
                self.displaced(&old);
                self.suspicions.remove(&old);
                self.wants.remove(&old);
                self.roster.renamed(new, now);
                self.want(now, new);
            }
            Note::Rejoined => self.rejoined(now),
            other => self.note_probe(now, other),
        }
    }

    fn want(&mut self, now: Duration, id: NodeId) {
        if self.roster.wants(&id) {
            self.wants.insert(id, Want { informant: self.informant, tries: 0, next: now });
        }
    }

    fn tell(&mut self) {
        for told in std::mem::take(&mut self.roster.told) {
            self.output(match told {
                Told::Event(e) => Output::Event(e),
                Told::Conflict(c) => Output::Conflict(c),
            });
        }
    }

    /// Our identity is a new one: mirror it, and publish our record under it.
    fn rejoined(&mut self, now: Duration) {
        let id = self.id();
        self.sink.incarnation = 0;
        self.roster.renamed(id, now);
        self.roster.up(id, now);
        // The tags fitted before, and an identity of the same address has the same size.
        let _ = self.publish(self.tags.clone(), self.leave != Leave::No);
    }

    /// Makes a new version of our record known. Nothing changes when the tags do not fit.
    fn publish(&mut self, tags: BTreeMap<Str, Str>, leaving: bool) -> Result<(), String> {
        let meta = Meta::new(self.id(), self.meta.version + 1, leaving, self.meta.name.clone(), &tags)?;
        self.meta = meta.clone();
        self.tags = tags;
        self.broadcast(&Item::Meta(meta.encoded()));
        self.roster.learn(meta);
        self.tell();
        Ok(())
    }
}

fn foca_config(timing: &Timing, transmissions: u8, longest_memory: Duration) -> foca::Config {
    let at_least_one = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
    foca::Config {
        probe_period: timing.probe_interval,
        probe_rtt: timing.probe_timeout,
        num_indirect_probes: at_least_one(timing.indirect_checks),
        max_transmissions: NonZeroU8::new(transmissions).unwrap_or(NonZeroU8::MIN),
        // Never armed as such: see the head of this file.
        suspect_to_down_after: timing.probe_interval,
        remove_down_after: Some(longest_memory),
        max_packet_size: at_least_one(CONTENT_BYTES_MAX - 9),
        notify_down_members: true,
        periodic_announce: None,
        periodic_announce_to_down_members: Some(PeriodicParams {
            frequency: timing.reconnect_interval,
            num_members: NonZeroUsize::MIN,
        }),
        periodic_gossip: Some(PeriodicParams {
            frequency: timing.gossip_interval,
            num_members: at_least_one(timing.gossip_nodes),
        }),
    }
}

#[cfg(test)]
impl Core {
    /// A packet with any content, sealed as this member would.
    pub(crate) fn seal_for_tests(&mut self, content: &[u8]) -> Vec<u8> {
        self.seal.seal_packet(content)
    }
}
