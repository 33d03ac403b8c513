//! Replacing the whole state by a snapshot that comes through the log, so that every server does it at the same point.
//!
//! The pieces are part of the state until then: a server that begins with a snapshot of it in between has them, too.

use crate::{apply::ApplyCtx, changes::ChangeSet, snapshot, store::Lineage, store::Store};
use bytes::{Buf, Bytes};
use imbl::Vector;
use std::io::{self, Read};
use types::Str;

/// Bytes of all pieces together.
const BYTES_MAX: u64 = 16 << 30;

/// Pieces of a snapshot that have come so far.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Staging {
    pub id: Str,
    pub chunks: Vector<Bytes>,
    pub bytes: u64,
}

impl Staging {
    pub fn push(&mut self, data: Bytes) {
        self.bytes += data.len() as u64;
        self.chunks.push_back(data);
    }
}

struct Pieces<'a> {
    rest: imbl::vector::Iter<'a, Bytes, imbl::shared_ptr::DefaultSharedPtr>,
    now: Bytes,
}

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !self.now.has_remaining() {
            match self.rest.next() {
                Some(next) => self.now = next.clone(),
                None => return Ok(0),
            }
        }
        let n = self.now.remaining().min(to.len());
        self.now.copy_to_slice(&mut to[..n]);
        Ok(n)
    }
}

const INTERRUPTED: &str = "the restore was interrupted, nothing was changed; start it again";

impl Store {
    /// Takes a piece.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn stage(&mut self, id: &Str, at: u32, data: &Bytes) -> Result<(), Str> {
        if at == 0 {
            self.staging = Some(Staging { id: id.clone(), ..Staging::default() });
        }
        let staging = self.staging.as_mut().filter(|s| s.id == *id && s.chunks.len() == at as usize);
        let staging = staging.ok_or(Str::new_static(INTERRUPTED))?;
        if staging.bytes + data.len() as u64 > BYTES_MAX {
            self.staging = None;
            return Err(Str::from(format!("the snapshot is larger than {BYTES_MAX} bytes")));
        }
        staging.push(data.clone());
        Ok(())
    }

    /// Replaces the state; when the pieces are no snapshot, it stays as it was.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn commit_restore(
        &mut self,
        ctx: &ApplyCtx,
        id: &Str,
        chunks: u32,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        let staging = self.staging.take_if(|s| s.id == *id).filter(|s| s.chunks.len() == chunks as usize);
        let staging = staging.ok_or(Str::new_static(INTERRUPTED))?;
        let pieces = Pieces { rest: staging.chunks.iter(), now: Bytes::new() };
        let restored = snapshot::restore(pieces).map_err(|e| Str::from(e.to_string()))?;
        let log = self.index();
        // Above every index that a client has seen here, and above those of the rows that come.
        let floor = ctx.index.max(restored.row_index()).max(restored.lineage.floor) + 1;
        *self = restored;
        self.staging = None;
        self.lineage = Lineage { offset: floor - log, floor };
        self.applied(log);
        changes.everything = true;
        Ok(())
    }
}
