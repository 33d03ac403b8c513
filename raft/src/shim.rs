//! Stands in for the catalog until that crate has its store: keys and values only.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};
use types::command::{Command, CommandResponse, KvOp};

/// Context of one apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyCtx {
    /// Log index.
    pub index: u64,
    /// Wall time of the proposer.
    pub proposed_at_ms: u64,
}

/// What changed.
#[derive(Clone, Default, Debug)]
pub struct ChangeSet {
    /// Number of changes.
    pub changes: usize,
}

/// State.
#[derive(Clone, Default, Debug)]
pub struct Store {
    index: u64,
    keys: BTreeMap<String, bytes::Bytes>,
}

impl Store {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }
    /// Last index.
    pub fn index(&self) -> u64 {
        self.index
    }
    /// Value of a key.
    pub fn get(&self, key: &str) -> Option<&bytes::Bytes> {
        self.keys.get(key)
    }
    /// Applies.
    pub fn apply(&mut self, ctx: &ApplyCtx, command: &Command, changes: &mut ChangeSet) -> CommandResponse {
        self.index = ctx.index;
        changes.changes += 1;
        match command {
            Command::Kv { op: KvOp::Set { key, value, .. }, .. } => {
                self.keys.insert(key.to_string(), value.clone());
                CommandResponse::Ok
            }
            Command::Batch(all) => {
                CommandResponse::Batch(all.iter().map(|c| self.apply(ctx, c, changes)).collect())
            }
            _ => CommandResponse::Ok,
        }
    }
}

/// Snapshot codec.
pub mod snapshot {
    use super::*;
    /// All of it as chunks.
    pub fn chunks(store: &Store) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        let r = types::codec::encode(&(store.index, &store.keys)).map_err(io::Error::other);
        std::iter::once(r)
    }
    /// Reads it back.
    pub fn restore(mut from: impl Read) -> io::Result<Store> {
        let mut all = Vec::new();
        from.read_to_end(&mut all)?;
        let (index, keys) = types::codec::decode(&all).map_err(io::Error::other)?;
        Ok(Store { index, keys })
    }
}
