//! One version of the state.

use crate::topic::Topic;

/// One version of the state.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Store {
    index: u64,
}

impl Store {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }
    /// Index of the last command applied.
    pub fn index(&self) -> u64 {
        self.index
    }
    /// Index at which a topic last changed; never decreases but by a restore.
    pub fn topic_index(&self, topic: &Topic) -> u64 {
        let _ = topic;
        self.index
    }
    pub(crate) fn applied(&mut self, index: u64) {
        self.index = index;
    }
}
