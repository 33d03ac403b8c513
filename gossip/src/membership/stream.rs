//! Messages on streams: the full state exchange, probes, and the keyring.

use super::{Core, Leave};
use crate::{
    Key, KeyError, NodeId,
    packet::Packet,
    seal::{OpenError, StreamBinding, StreamReader},
    sync::{KeyringAction, StreamMessage, SyncEntry, SyncEvent, SyncState},
    wire::WireError,
};
use foca::{Member, State};
use std::time::Duration;
use zeroize::Zeroizing;

/// Why a message on a stream was refused. Nothing was changed; close the stream.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message of another kind was expected here.
    #[error("unexpected message")]
    Unexpected,
    /// The other side refused.
    #[error("{0}")]
    Refused(String),
    /// This member has left.
    #[error("member has left")]
    Left,
}

/// What became of an incoming request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamAnswer {
    /// The answer to seal and send.
    pub body: Vec<u8>,
    /// Whether the keys changed and are to be written down.
    pub keys_changed: bool,
}

/// Keys of a member, or what it complained of.
#[derive(Clone, PartialEq, Eq)]
pub struct KeysAnswer {
    /// Empty when all went well.
    pub error: String,
    /// Base64, primary first.
    pub keys: Vec<Zeroizing<String>>,
}

impl std::fmt::Debug for KeysAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeysAnswer").field("error", &self.error).field("keys", &self.keys.len()).finish()
    }
}

impl Core {
    /// Seals a message for a stream. Also answers what the reply must be bound to.
    pub fn seal_stream(&mut self, body: &[u8], bound_to: StreamBinding) -> (Vec<u8>, StreamBinding) {
        self.seal.seal_stream(body, bound_to)
    }

    /// Opens one record of a stream; answers whether the message is complete.
    ///
    /// # Errors
    /// [`OpenError`]; close the stream then.
    pub fn open_record(
        &mut self,
        reader: &mut StreamReader,
        header: [u8; 4],
        record: &[u8],
    ) -> Result<bool, OpenError> {
        let opened = self.seal.open_record(reader, header, record);
        if let Err(e) = opened {
            self.counters.count_drop(e);
        }
        opened
    }

    /// Our full state, to be sent first on a stream.
    pub fn sync_request(&self, now: Duration, join: bool) -> Vec<u8> {
        self.full_state(now, join)
    }

    fn full_state(&self, now: Duration, join: bool) -> Vec<u8> {
        let own = self.id();
        let state = if self.leave == Leave::No { SyncState::Alive } else { SyncState::Left };
        let mut entries = vec![SyncEntry {
            id: own,
            incarnation: self.sink.incarnation,
            state,
            ago_s: 0,
            record: self.meta.encoded(),
        }];
        for node in self.roster.nodes().filter(|n| n.id != own) {
            let state = match (node.active, node.left) {
                (true, _) if self.suspicions.contains_key(&node.id) => SyncState::Suspect,
                (true, _) => SyncState::Alive,
                (false, true) => SyncState::Left,
                (false, false) => SyncState::Failed,
            };
            let record = node.meta.as_ref().map_or(&[][..], |m| m.encoded());
            if !node.active && record.is_empty() {
                continue;
            }
            let ago = if node.active { Duration::ZERO } else { now.saturating_sub(node.since) };
            entries.push(SyncEntry {
                id: node.id,
                incarnation: node.incarnation,
                state,
                ago_s: u32::try_from(ago.as_secs()).unwrap_or(u32::MAX),
                record,
            });
        }
        let events = self.user.recent();
        let events = events.map(|(ltime, name, payload)| SyncEvent { ltime, name: name.clone(), payload });
        StreamMessage::Sync { join, clock: self.user.clock(), events: events.collect(), entries }.encode()
    }

    /// Another member opened a stream with this request.
    ///
    /// # Errors
    /// [`StreamError`]; close the stream then.
    pub fn handle_request(&mut self, now: Duration, body: &[u8]) -> Result<StreamAnswer, StreamError> {
        if self.leave == Leave::Done {
            return Err(StreamError::Left);
        }
        let mut keys_changed = false;
        let body = match StreamMessage::decode(body)? {
            StreamMessage::Sync { clock, events, entries, .. } => {
                // The answer is made first: it need not repeat what the other side just said.
                let answer = self.full_state(now, false);
                self.merge(now, &entries, true);
                self.catch_up(clock, &events, false);
                answer
            }
            StreamMessage::Ping { dst } if dst == self.id() => {
                StreamMessage::Pong { src: dst, incarnation: self.sink.incarnation }.encode()
            }
            StreamMessage::Ping { .. } => {
                StreamMessage::Refused { why: "another member lives here".to_owned() }.encode()
            }
            StreamMessage::Keyring { action, key } => {
                let (answer, changed) = self.keyring_action(action, &key);
                keys_changed = changed;
                StreamMessage::Keys { error: answer.error, keys: answer.keys }.encode()
            }
            StreamMessage::Pong { .. } | StreamMessage::Keys { .. } | StreamMessage::Refused { .. } => {
                return Err(StreamError::Unexpected);
            }
        };
        Ok(StreamAnswer { body, keys_changed })
    }

    /// The answer to [`Self::sync_request`]. Answers who it was.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn sync_answered(&mut self, now: Duration, body: &[u8]) -> Result<NodeId, StreamError> {
        self.answered(now, body, false)
    }

    /// As [`Self::sync_answered`], for a request that joins the pool: user events that were fired before are not for us.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn join_answered(&mut self, now: Duration, body: &[u8]) -> Result<NodeId, StreamError> {
        self.answered(now, body, true)
    }

    fn answered(&mut self, now: Duration, body: &[u8], joining: bool) -> Result<NodeId, StreamError> {
        match StreamMessage::decode(body)? {
            StreamMessage::Sync { clock, events, entries, .. } => {
                let first = entries.first().ok_or(StreamError::Unexpected)?.id;
                // Whoever comes alone tells the pool nothing new about the pool.
                let spread = self.foca.num_members() > 0;
                self.merge(now, &entries, spread);
                self.catch_up(clock, &events, joining);
                Ok(first)
            }
            StreamMessage::Refused { why } => Err(StreamError::Refused(why)),
            _ => Err(StreamError::Unexpected),
        }
    }

    /// The answer to [`Self::ping_request`] of the probe `number`.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn ping_answered(&mut self, now: Duration, number: u8, body: &[u8]) -> Result<(), StreamError> {
        match StreamMessage::decode(body)? {
            StreamMessage::Pong { src, incarnation } => {
                self.pong(now, src, incarnation, number);
                Ok(())
            }
            StreamMessage::Refused { why } => Err(StreamError::Refused(why)),
            _ => Err(StreamError::Unexpected),
        }
    }

    fn merge(&mut self, now: Duration, entries: &[SyncEntry<'_>], spread: bool) {
        self.counters.syncs += 1;
        let own = self.id();
        self.informant = entries.first().map(|e| e.id);
        let (mut updates, mut quiet, mut dead, mut unknown) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut buried = false;
        for e in entries {
            if e.id.addr() == own.addr() {
                self.rumoured_bump = self.rumoured_bump.max(e.id.bump());
                buried |= e.id == own && matches!(e.state, SyncState::Failed | SyncState::Left);
                if e.id == own && e.state == SyncState::Suspect {
                    updates.push(Member::new(e.id, e.incarnation, State::Suspect));
                }
                continue;
            }
            let (known, active, here) = self
                .roster
                .node(&e.id.key())
                .map_or((None, false, 0), |n| (Some(n.id), n.active, n.incarnation));
            let same = known == Some(e.id);
            match e.state {
                // Dead to us, alive to them: only a new run of it can settle that, so it has to hear of it.
                SyncState::Alive | SyncState::Suspect if same && !active => dead.push(e.id),
                SyncState::Alive => updates.push(Member::new(e.id, e.incarnation, State::Alive)),
                SyncState::Suspect => updates.push(Member::new(e.id, e.incarnation, State::Suspect)),
                SyncState::Left if same && active => {
                    self.roster.force(&e.id, u32::MAX);
                    updates.push(Member::new(e.id, e.incarnation, State::Down));
                }
                SyncState::Left if same => self.roster.mark_left(&e.id),
                // One side's word is a suspicion, not a death.
                SyncState::Failed if same && active => {
                    updates.push(Member::new(e.id, e.incarnation.max(here), State::Suspect));
                }
                SyncState::Failed | SyncState::Left => match known {
                    None if !self.pruned.contains_key(&e.id) => {
                        quiet.push(Member::new(e.id, e.incarnation, State::Down));
                        unknown.push(e);
                    }
                    Some(other) if e.id.bump() > other.bump() => {
                        quiet.push(Member::new(e.id, e.incarnation, State::Down));
                    }
                    _ => {}
                },
            }
        }
        self.apply(now, updates, spread);
        self.apply(now, quiet, false);
        for e in unknown {
            let since = now.saturating_sub(Duration::from_secs(u64::from(e.ago_s)));
            self.roster.gone(e.id, e.state == SyncState::Left, since);
        }
        for e in entries.iter().filter(|e| !e.record.is_empty()) {
            self.learn(e.record);
        }
        for id in dead {
            self.send(id.addr(), &Packet::Dead { dst: id });
        }
        if buried && self.leave == Leave::No {
            self.declared_dead(now);
        }
        self.informant = None;
        self.outrun_rumours(now);
        self.ask(now);
        self.tell();
    }

    /// A request to do something with the keys of another member.
    pub fn keyring_request(&self, action: KeyringAction, key: &str) -> Vec<u8> {
        StreamMessage::Keyring { action, key: Zeroizing::new(key.to_owned()) }.encode()
    }

    /// The answer to [`Self::keyring_request`].
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn keyring_answered(&self, body: &[u8]) -> Result<KeysAnswer, StreamError> {
        match StreamMessage::decode(body)? {
            StreamMessage::Keys { error, keys } => Ok(KeysAnswer { error, keys }),
            StreamMessage::Refused { why } => Err(StreamError::Refused(why)),
            _ => Err(StreamError::Unexpected),
        }
    }

    /// Does something with our own keys. Also answers whether they changed.
    pub fn keyring_action(&mut self, action: KeyringAction, key: &str) -> (KeysAnswer, bool) {
        let Some(ring) = self.seal.keyring_mut() else {
            let error = match action {
                KeyringAction::List => "Keyring is empty (encryption not enabled)",
                _ => "No keyring to modify (encryption not enabled)",
            };
            return (KeysAnswer { error: error.to_owned(), keys: Vec::new() }, false);
        };
        let before = ring.clone();
        let done: Result<(), KeyError> = match action {
            KeyringAction::List => Ok(()),
            KeyringAction::Install => Key::from_base64(key).and_then(|k| ring.install(k)),
            KeyringAction::Use => Key::from_base64(key).and_then(|k| ring.use_key(&k)),
            KeyringAction::Remove => Key::from_base64(key).and_then(|k| ring.remove(&k)),
        };
        let changed = *ring != before;
        let keys = match action {
            KeyringAction::List => ring.keys().iter().map(|k| Zeroizing::new(k.to_base64())).collect(),
            _ => Vec::new(),
        };
        let error = done.err().map(|e| e.to_string()).unwrap_or_default();
        (KeysAnswer { error, keys }, changed)
    }

    /// The answer to a keyring request that could not be carried out.
    pub fn keys_refused(&self, why: &str) -> Vec<u8> {
        StreamMessage::Keys { error: why.to_owned(), keys: Vec::new() }.encode()
    }

    /// Puts the keys back after they could not be written down.
    pub fn restore_keyring(&mut self, ring: crate::Keyring) {
        if let Some(current) = self.seal.keyring_mut() {
            *current = ring;
        }
    }
}
