//! What one or more commands touched.

use crate::topic::Topic;
use types::{Str, Tenancy};

/// How many of the last topics are compared before one is listed again.
const RECENT: usize = 12;

/// Topics and keys that commands touched. A topic may be listed more than once.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct ChangeSet {
    index: u64,
    topics: Vec<Topic>,
    kv_keys: Vec<(Tenancy, Str)>,
    /// The whole state was replaced: everyone must look again, and versions of before are gone.
    pub everything: bool,
}

impl ChangeSet {
    /// Nothing touched yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// The state was replaced by a snapshot taken at `index`.
    pub fn replaced(index: u64) -> Self {
        Self { index, everything: true, ..Self::default() }
    }
    /// Index of the last command that was applied into this set.
    pub fn index(&self) -> u64 {
        self.index
    }
    /// Whether nobody needs to be woken.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.topics.is_empty() && self.kv_keys.is_empty()
    }
    /// Topics touched, but for those of keys.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }
    /// Keys written or removed. They concern those who wait for [`Topic::Kv`] of exactly this key and for
    /// [`Topic::KvPrefix`] of any prefix of it, the empty one among them.
    pub fn kv_keys(&self) -> &[(Tenancy, Str)] {
        &self.kv_keys
    }
    /// Whether whoever waits for `topic` is concerned. Linear; for tests and small sets.
    pub fn touches(&self, topic: &Topic) -> bool {
        self.everything
            || match topic {
                Topic::Kv(tenancy, key) => self.kv_keys.iter().any(|(t, k)| t == tenancy && k == key),
                Topic::KvPrefix(tenancy, prefix) => {
                    self.kv_keys.iter().any(|(t, k)| t == tenancy && k.starts_with(prefix.as_str()))
                }
                other => self.topics.contains(other),
            }
    }
    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.index = 0;
        self.topics.clear();
        self.kv_keys.clear();
        self.everything = false;
    }

    /// Adds what another set of the same command touched.
    pub(crate) fn absorb(&mut self, other: Self) {
        for topic in other.topics {
            self.touch(topic);
        }
        self.kv_keys.extend(other.kv_keys);
    }
    pub(crate) fn applied(&mut self, index: u64) {
        self.index = index;
    }
    pub(crate) fn touch(&mut self, topic: Topic) {
        let from = self.topics.len().saturating_sub(RECENT);
        if !self.topics[from..].contains(&topic) {
            self.topics.push(topic);
        }
    }
    pub(crate) fn touch_key(&mut self, tenancy: &Tenancy, key: &Str) {
        self.kv_keys.push((tenancy.clone(), key.clone()));
    }
}
