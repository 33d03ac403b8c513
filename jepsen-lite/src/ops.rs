//! The operations of all workloads, and the objects that they should look like.

use crate::check::Model;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// What a read demands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing said, or `consistent`: linearizable.
    Linear,
    /// `stale`: any server's own state.
    Stale,
}

/// One operation with its answer. Values are unique in a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "f")]
pub enum Op {
    /// Read a value.
    Read {
        /// The value; `None` if there is nothing.
        value: Option<u64>,
        /// Index of the version (`ModifyIndex`); 0 if there is nothing.
        version: u64,
        /// Index of the answer (`X-Consul-Index`).
        index: u64,
        /// What it demanded.
        mode: Mode,
        /// Which run of the server answered; `None` if the server ended or began meanwhile.
        epoch: Option<u32>,
    },
    /// Read a value and its copy in one transaction.
    Pair {
        /// The value.
        value: Option<u64>,
        /// The copy.
        copy: Option<u64>,
    },
    /// Write a value.
    Write {
        /// The value.
        value: u64,
    },
    /// Write if the value is still the one that was read.
    Cas {
        /// What was read.
        old: Option<u64>,
        /// What is to be written.
        new: u64,
        /// Whether it was.
        done: bool,
    },
    /// Remove the value.
    Delete,
    /// Take a lock.
    Acquire {
        /// For whom.
        session: u64,
        /// Whether it was given.
        done: bool,
    },
    /// Give a lock back.
    Release {
        /// Whose.
        session: u64,
        /// Whether it was held.
        done: bool,
    },
    /// End a session.
    Destroy {
        /// Which.
        session: u64,
    },
    /// A session may run out from now on.
    Expire {
        /// Which.
        session: u64,
    },
    /// Write something that only the holder of the lock may write.
    Guarded {
        /// On whose behalf.
        session: u64,
        /// Whether it was let.
        done: bool,
    },
    /// Read who holds a lock.
    Holder {
        /// Who.
        session: Option<u64>,
        /// How often the lock has been given (`LockIndex`).
        token: u64,
    },
    /// Put an element into a set.
    Add {
        /// The element.
        element: u64,
    },
    /// Read a whole set.
    All {
        /// Its elements.
        elements: BTreeSet<u64>,
    },
    /// Read everything under a prefix.
    List {
        /// Key and version of each entry.
        entries: Vec<(u64, u64)>,
        /// Index of the answer.
        index: u64,
        /// The index that the answer should differ from; 0 for an answer at once.
        after: u64,
        /// Which run of the server answered.
        epoch: Option<u32>,
    },
}

fn shown(value: &Option<u64>) -> String {
    value.map_or("nothing".into(), |v| v.to_string())
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |done: &bool| if *done { "yes" } else { "no" };
        match self {
            Self::Read { value, version, mode, .. } => {
                let how = if *mode == Mode::Stale { "stale read" } else { "read" };
                write!(f, "{how} -> {}", shown(value))?;
                if *version > 0 { write!(f, " (version {version})") } else { Ok(()) }
            }
            Self::Pair { value, copy } => {
                write!(f, "read both -> {} and {}", shown(value), shown(copy))
            }
            Self::Write { value } => write!(f, "write {value}"),
            Self::Cas { old, new, done } => {
                write!(f, "replace {} by {new} -> {}", shown(old), said(done))
            }
            Self::Delete => f.write_str("delete"),
            Self::Acquire { session, done } => write!(f, "acquire for session {session} -> {}", said(done)),
            Self::Release { session, done } => write!(f, "release by session {session} -> {}", said(done)),
            Self::Destroy { session } => write!(f, "destroy session {session}"),
            Self::Expire { session } => write!(f, "session {session} may run out"),
            Self::Guarded { session, done } => {
                write!(f, "guarded write of session {session} -> {}", said(done))
            }
            Self::Holder { session, token } => write!(f, "holder -> {}, token {token}", shown(session)),
            Self::Add { element } => write!(f, "add {element}"),
            Self::All { elements } => write!(f, "read {} elements", elements.len()),
            Self::List { entries, index, after, .. } => {
                write!(f, "list after {after} -> {} entries, index {index}", entries.len())
            }
        }
    }
}

/// A value that is read, written, replaced and removed.
#[derive(Clone, Copy, Debug)]
pub struct Register;

impl Model for Register {
    type Op = Op;
    type State = Option<u64>;

    fn init(&self) -> Option<u64> {
        None
    }

    fn step(&self, state: &Option<u64>, op: &Op) -> Option<Option<u64>> {
        match op {
            Op::Read { value, .. } => (value == state).then_some(*state),
            Op::Pair { value, copy } => (value == state && copy == state).then_some(*state),
            Op::Write { value } => Some(Some(*value)),
            Op::Cas { old, new, done: true } => (old == state).then_some(Some(*new)),
            Op::Cas { old, done: false, .. } => (old != state).then_some(*state),
            Op::Delete => Some(None),
            _ => None,
        }
    }

    fn is_read(&self, op: &Op) -> bool {
        matches!(op, Op::Read { .. } | Op::Pair { .. } | Op::Cas { done: false, .. })
    }

    fn subjects(&self, op: &Op) -> Vec<u64> {
        match op {
            Op::Read { value, .. } => vec![subject(*value)],
            Op::Pair { value, copy } => vec![subject(*value), subject(*copy)],
            Op::Write { value } => vec![*value],
            Op::Cas { old, new, .. } => vec![subject(*old), *new],
            Op::Delete => vec![NOTHING],
            _ => Vec::new(),
        }
    }

    /// Values are written once each, so a read of a kept value still follows its write with no other in between; what was
    /// replaced may be gone, and then a replacement is a write. Nothing is a value as others, but that more than one call
    /// writes it.
    fn about(&self, op: &Op, kept: &BTreeSet<u64>) -> Option<Op> {
        let keeps = |value: Option<u64>| kept.contains(&subject(value));
        match op {
            Op::Read { value, .. } => keeps(*value).then(|| op.clone()),
            Op::Pair { value, copy } => (keeps(*value) || keeps(*copy)).then(|| op.clone()),
            Op::Write { value } => keeps(Some(*value)).then(|| op.clone()),
            Op::Cas { done: false, .. } => None,
            Op::Cas { old, new, .. } if keeps(Some(*new)) => {
                Some(if keeps(*old) { op.clone() } else { Op::Write { value: *new } })
            }
            // It has removed a value that is kept; what came instead is not.
            Op::Cas { .. } => None,
            Op::Delete => keeps(None).then_some(Op::Delete),
            _ => None,
        }
    }
}

/// The absence of a value, as a subject.
const NOTHING: u64 = 0;

fn subject(value: Option<u64>) -> u64 {
    value.unwrap_or(NOTHING)
}

/// A lock with fencing tokens, and the sessions that ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Lock;

/// State of a lock.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct LockState {
    holder: Option<u64>,
    token: u64,
    ended: Vec<u64>,
}

impl Model for Lock {
    type Op = Op;
    type State = LockState;

    fn init(&self) -> LockState {
        LockState::default()
    }

    fn step(&self, state: &LockState, op: &Op) -> Option<LockState> {
        let same = |possible: bool| possible.then(|| state.clone());
        match op {
            Op::Acquire { session, done: true } => {
                if state.ended.contains(session) {
                    return None;
                }
                match state.holder {
                    Some(holder) => same(holder == *session),
                    None => Some(LockState {
                        holder: Some(*session),
                        token: state.token + 1,
                        ended: state.ended.clone(),
                    }),
                }
            }
            // Refused because somebody holds it, or because the session has ended.
            Op::Acquire { session, done: false } => {
                same(state.holder.is_some_and(|h| h != *session) || state.ended.contains(session))
            }
            Op::Release { session, done: true } => {
                (state.holder == Some(*session)).then(|| LockState { holder: None, ..state.clone() })
            }
            Op::Release { session, done: false } | Op::Guarded { session, done: false } => {
                same(state.holder != Some(*session))
            }
            Op::Guarded { session, done: true } => same(state.holder == Some(*session)),
            Op::Destroy { session } | Op::Expire { session } => {
                let mut after = state.clone();
                if after.holder == Some(*session) {
                    after.holder = None;
                }
                if !after.ended.contains(session) {
                    after.ended.push(*session);
                    after.ended.sort_unstable();
                }
                Some(after)
            }
            Op::Holder { session, token } => same(state.holder == *session && state.token == *token),
            _ => None,
        }
    }

    fn is_read(&self, op: &Op) -> bool {
        matches!(
            op,
            Op::Holder { .. }
                | Op::Guarded { .. }
                | Op::Acquire { done: false, .. }
                | Op::Release { done: false, .. }
        )
    }
}
