//! The hash that lets a client wait for a change of one service.

use crate::registry::ServiceEntry;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use types::{Str, codec};

/// Sixteen hex digits over everything a definition decides; health and raft indexes are not part of it.
pub fn content_hash(entry: &ServiceEntry) -> Str {
    let bytes = codec::encode(entry.row.as_ref()).unwrap_or_default();
    let digest = Sha256::digest(&bytes);
    let mut out = String::with_capacity(16);
    for b in &digest[..8] {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
    }
    Str::from(out)
}
