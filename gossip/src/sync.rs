//! The full state that two members exchange over a stream, and the other messages of streams.

use crate::{
    NodeId,
    wire::{Reader, WireError, put_node},
};
use foca::Incarnation;
use types::Str;
use zeroize::Zeroizing;

/// What one side knows of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SyncState {
    Alive,
    Suspect,
    Failed,
    Left,
}

/// One member in a full state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SyncEntry<'a> {
    pub(crate) id: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) state: SyncState,
    /// Seconds since it failed or left.
    pub(crate) ago_s: u32,
    /// Its record, empty when it is not known.
    pub(crate) record: &'a [u8],
}

/// A user event in a full state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SyncEvent<'a> {
    pub(crate) ltime: u64,
    pub(crate) name: Str,
    pub(crate) payload: &'a [u8],
}

/// What a keyring request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyringAction {
    /// List the keys.
    List,
    /// Add a key.
    Install,
    /// Make a key primary.
    Use,
    /// Remove a key.
    Remove,
}

/// A message on a stream.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StreamMessage<'a> {
    /// Full state; the first entry is the sender. `join`: the sender is new here. `clock` and `events`: Lamport time of the
    /// sender's next user event, and those that it remembers.
    Sync { join: bool, clock: u64, events: Vec<SyncEvent<'a>>, entries: Vec<SyncEntry<'a>> },
    /// Are you there?
    Ping { dst: NodeId },
    /// I am.
    Pong { src: NodeId, incarnation: Incarnation },
    /// Do something with your keys.
    Keyring { action: KeyringAction, key: Zeroizing<String> },
    /// Keys (primary first), or what went wrong.
    Keys { error: String, keys: Vec<Zeroizing<String>> },
    /// The request was understood but refused.
    Refused { why: String },
}

impl<'a> StreamMessage<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match self {
            Self::Sync { join, clock, events, entries } => {
                out.extend([0, u8::from(*join)]);
                out.extend(clock.to_be_bytes());
                out.extend((events.len() as u16).to_be_bytes());
                for e in events {
                    out.extend(e.ltime.to_be_bytes());
                    out.push(e.name.len() as u8);
                    out.extend_from_slice(e.name.as_bytes());
                    out.extend((e.payload.len() as u16).to_be_bytes());
                    out.extend_from_slice(e.payload);
                }
                for e in entries {
                    put_node(&mut out, &e.id);
                    out.extend(e.incarnation.to_be_bytes());
                    out.push(e.state as u8);
                    out.extend(e.ago_s.to_be_bytes());
                    out.extend((e.record.len() as u16).to_be_bytes());
                    out.extend_from_slice(e.record);
                }
            }
            Self::Ping { dst } => {
                out.push(1);
                put_node(&mut out, dst);
            }
            Self::Pong { src, incarnation } => {
                out.push(2);
                put_node(&mut out, src);
                out.extend(incarnation.to_be_bytes());
            }
            Self::Keyring { action, key } => {
                out.extend([3, *action as u8]);
                put_text(&mut out, key);
            }
            Self::Keys { error, keys } => {
                out.push(4);
                put_text(&mut out, error);
                for key in keys {
                    put_text(&mut out, key);
                }
            }
            Self::Refused { why } => {
                out.push(5);
                put_text(&mut out, why);
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            0 => {
                let join = r.u8()? == 1;
                let clock = r.u64()?;
                let mut events = Vec::new();
                for _ in 0..r.u16()? {
                    let (ltime, name) = (r.u64()?, r.text()?);
                    let n = usize::from(r.u16()?);
                    events.push(SyncEvent { ltime, name, payload: r.bytes(n)? });
                }
                let mut entries = Vec::new();
                while !r.is_empty() {
                    let id = r.node()?;
                    let incarnation = r.u16()?;
                    let state = match r.u8()? {
                        0 => SyncState::Alive,
                        1 => SyncState::Suspect,
                        2 => SyncState::Failed,
                        3 => SyncState::Left,
                        _ => return Err(WireError::Malformed("member state")),
                    };
                    let ago_s = r.u32()?;
                    let n = usize::from(r.u16()?);
                    entries.push(SyncEntry { id, incarnation, state, ago_s, record: r.bytes(n)? });
                }
                Self::Sync { join, clock, events, entries }
            }
            1 => Self::Ping { dst: r.node()? },
            2 => Self::Pong { src: r.node()?, incarnation: r.u16()? },
            3 => {
                let action = match r.u8()? {
                    0 => KeyringAction::List,
                    1 => KeyringAction::Install,
                    2 => KeyringAction::Use,
                    3 => KeyringAction::Remove,
                    _ => return Err(WireError::Malformed("keyring action")),
                };
                Self::Keyring { action, key: Zeroizing::new(text(&mut r)?) }
            }
            4 => {
                let error = text(&mut r)?;
                let mut keys = Vec::new();
                while !r.is_empty() {
                    keys.push(Zeroizing::new(text(&mut r)?));
                }
                Self::Keys { error, keys }
            }
            5 => Self::Refused { why: text(&mut r)? },
            _ => return Err(WireError::Malformed("stream message kind")),
        };
        r.end()?;
        Ok(message)
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn text(r: &mut Reader<'_>) -> Result<String, WireError> {
    let n = usize::from(r.u16()?);
    Ok(r.text_of(n)?.to_string())
}
