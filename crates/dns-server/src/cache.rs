//! Digested record sets by name, valid as long as the catalog says that the rows have not changed. One for each loop, so
//! that no lock is needed.

use dns::{Lookup, Request, View, rtype};
use lru::LruCache;
use std::num::NonZeroUsize;

/// Names.
const ENTRIES_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// Rows in all views together; about 200 bytes each.
const ROWS_MAX: usize = 100_000;
const KEY_INLINE_BYTES: usize = 64;

/// Lower-cased name and the group of types that are looked up alike.
pub(crate) type Key = smallvec::SmallVec<[u8; KEY_INLINE_BYTES]>;

pub(crate) fn key(request: &Request<'_>) -> Key {
    let mut key = Key::from_slice(request.name_wire());
    key.make_ascii_lowercase();
    key.push(match request.qtype() {
        rtype::A | rtype::AAAA | rtype::ANY | rtype::TXT => 0,
        rtype::SRV => 1,
        rtype::SOA | rtype::NS => 2,
        rtype::AXFR => 3,
        _ => 4,
    });
    key
}

pub(crate) struct Entry {
    pub lookup: Lookup,
    pub version: u64,
    pub view: View,
}

pub(crate) struct Cache {
    entries: LruCache<Key, Entry, ahash::RandomState>,
    rows: usize,
}

impl Cache {
    pub fn new() -> Self {
        Self { entries: LruCache::with_hasher(ENTRIES_MAX, ahash::RandomState::new()), rows: 0 }
    }

    pub fn get(&mut self, key: &Key) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    pub fn insert(&mut self, key: Key, entry: Entry) {
        self.rows += entry.view.weight();
        if let Some((_, old)) = self.entries.push(key, entry) {
            self.rows -= old.view.weight();
        }
        while self.rows > ROWS_MAX && self.entries.len() > 1 {
            let Some((_, old)) = self.entries.pop_lru() else { break };
            self.rows -= old.view.weight();
        }
    }

    /// Renews the view of an entry.
    pub fn renew(&mut self, key: &Key, version: u64, view: View) {
        if let Some(entry) = self.entries.peek_mut(key) {
            self.rows = self.rows - entry.view.weight() + view.weight();
            entry.version = version;
            entry.view = view;
        }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.rows = 0;
    }
}
