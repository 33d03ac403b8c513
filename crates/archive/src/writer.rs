//! Writing a snapshot archive.

use crate::{ArchiveError, META, Meta, STATE, SUMS, tar::TarWriter};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};

/// Bytes that are handed on at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Writes an archive while its state is being made. The size of the state must be known before: it stands in front of it.
pub struct SnapshotWriter<W: Write> {
    tar: TarWriter<GzEncoder<W>>,
    announced: u64,
    got: u64,
    meta_sum: String,
    state: Sha256,
}

impl<W: Write> std::fmt::Debug for SnapshotWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotWriter").field("got", &self.got).finish_non_exhaustive()
    }
}

impl<W: Write> SnapshotWriter<W> {
    /// Writes the facts; `meta.size` bytes of state must follow. Files get the time `seconds` (since 1970).
    ///
    /// # Errors
    /// The output fails.
    pub fn begin(out: W, meta: &Meta, seconds: u64) -> Result<Self, ArchiveError> {
        // Time counts more than size: a state is mostly text and shrinks well at any level.
        let mut tar = TarWriter::new(GzEncoder::new(out, Compression::fast()), seconds);
        let json = meta.encode()?;
        tar.file(META, &json).map_err(ArchiveError::Io)?;
        tar.begin(STATE, meta.size).map_err(ArchiveError::Io)?;
        let meta_sum = hex(&Sha256::digest(&json));
        Ok(Self { tar, announced: meta.size, got: 0, meta_sum, state: Sha256::new() })
    }

    /// Adds a piece of the state.
    ///
    /// # Errors
    /// More state than announced, or the output fails.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.got += bytes.len() as u64;
        if self.got > self.announced {
            return Err(ArchiveError::Size { announced: self.announced, got: self.got });
        }
        self.state.update(bytes);
        self.tar.put(bytes).map_err(ArchiveError::Io)
    }

    /// Writes the checksums and the end; the output comes back.
    ///
    /// # Errors
    /// Less state than announced, or the output fails.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        if self.got != self.announced {
            return Err(ArchiveError::Size { announced: self.announced, got: self.got });
        }
        let sums = format!("{}  {META}\n{}  {STATE}\n", self.meta_sum, hex(&self.state.finalize()));
        self.tar.file(SUMS, sums.as_bytes()).map_err(ArchiveError::Io)?;
        self.tar.finish().and_then(GzEncoder::finish).map_err(ArchiveError::Io)
    }
}

/// Writes a whole archive; `state` must have exactly `meta.size` bytes.
///
/// # Errors
/// It has more or less, or input or output fail.
pub fn write<W: Write>(out: W, meta: &Meta, seconds: u64, mut state: impl Read) -> Result<W, ArchiveError> {
    let mut writer = SnapshotWriter::begin(out, meta, seconds)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match state.read(&mut buffer) {
            Ok(0) => return writer.finish(),
            Ok(n) => writer.put(&buffer[..n])?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(ArchiveError::Io(e)),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
