//! Reading and verifying a snapshot archive.

use crate::{ArchiveError, META, Meta, STATE, SUMS, tar::TarReader, writer::hex};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Most bytes of the facts; a thousand servers fit.
const META_BYTES_MAX: u64 = 1 << 20;
/// Most bytes of the list of checksums.
const SUMS_BYTES_MAX: u64 = 64 << 10;
/// Bytes that are handed on at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// What a reader takes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the state, uncompressed.
    pub state_bytes_max: u64,
}

impl Default for Limits {
    /// 64 GiB of state.
    fn default() -> Self {
        Self { state_bytes_max: 64 << 30 }
    }
}

/// Reads an archive to its end, hands the state to `state` piece by piece, and verifies all checksums. What `state` was given is
/// good only if this returns the facts.
///
/// # Errors
/// The archive is truncated, damaged, too large or not one; or `state` fails.
pub fn read(input: impl Read, limits: Limits, mut state: impl Write) -> Result<Meta, ArchiveError> {
    let mut tar = TarReader::new(decompress(input)?);
    let (mut meta, mut state_sum, mut sums) = (None, None, None);
    while let Some(entry) = tar.next_file()? {
        let (name, limit) = known(&entry.name)?;
        let limit = if name == STATE { limits.state_bytes_max } else { limit };
        if entry.size > limit {
            return Err(ArchiveError::TooLarge { name, size: entry.size, limit });
        }
        let twice = match name {
            META => meta.replace(whole(&mut tar)?).is_some(),
            STATE => state_sum.replace((copy(&mut tar, &mut state)?, entry.size)).is_some(),
            _ => sums.replace(whole(&mut tar)?).is_some(),
        };
        if twice {
            return Err(ArchiveError::Twice(name));
        }
    }
    // The compressed stream has a checksum of its own, behind the last file.
    io::copy(&mut tar.into_inner(), &mut io::sink())
        .map_err(|e| ArchiveError::of_read(e, "after its files"))?;
    let meta_json = meta.ok_or(ArchiveError::Missing(META))?;
    let (state_sum, size) = state_sum.ok_or(ArchiveError::Missing(STATE))?;
    let sums = sums.ok_or(ArchiveError::Missing(SUMS))?;
    verify(&sums, &[(META, hex(&Sha256::digest(&meta_json))), (STATE, state_sum)])?;
    let meta = Meta::decode(&meta_json)?;
    if meta.size != size {
        return Err(ArchiveError::Size { announced: meta.size, got: size });
    }
    state.flush().map_err(ArchiveError::Io)?;
    Ok(meta)
}

/// The facts alone, unverified, without reading the state.
///
/// # Errors
/// The archive is damaged before its facts, or has none in front.
pub fn read_meta(input: impl Read) -> Result<Meta, ArchiveError> {
    let mut tar = TarReader::new(decompress(input)?);
    let entry = tar.next_file()?.ok_or(ArchiveError::Missing(META))?;
    match known(&entry.name)? {
        (META, limit) if entry.size <= limit => Meta::decode(&whole(&mut tar)?),
        (META, limit) => Err(ArchiveError::TooLarge { name: META, size: entry.size, limit }),
        _ => Err(ArchiveError::Missing(META)),
    }
}

/// Looks at the first bytes, so that what was never an archive is told from one that is cut.
fn decompress<R: Read>(mut input: R) -> Result<GzDecoder<impl Read + use<R>>, ArchiveError> {
    let mut magic = [0; 2];
    input.read_exact(&mut magic).map_err(|e| ArchiveError::of_read(e, "before it begins"))?;
    if magic != [0x1f, 0x8b] {
        return Err(ArchiveError::NotGzip);
    }
    Ok(GzDecoder::new(io::Cursor::new(magic).chain(input)))
}

fn known(name: &str) -> Result<(&'static str, u64), ArchiveError> {
    match name {
        META => Ok((META, META_BYTES_MAX)),
        STATE => Ok((STATE, 0)),
        SUMS => Ok((SUMS, SUMS_BYTES_MAX)),
        other => Err(ArchiveError::Unexpected(other.chars().take(64).collect())),
    }
}

/// A small file.
fn whole(file: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut out = Vec::new();
    file.read_to_end(&mut out).map_err(|e| ArchiveError::of_read(e, "within a file"))?;
    Ok(out)
}

/// Hands a file on; its checksum.
fn copy(file: &mut impl Read, to: &mut impl Write) -> Result<String, ArchiveError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut sum = Sha256::new();
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&sum.finalize())),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(ArchiveError::of_read(e, "within the state")),
        };
        sum.update(&buffer[..n]);
        to.write_all(&buffer[..n]).map_err(ArchiveError::Io)?;
    }
}

fn verify(list: &[u8], files: &[(&'static str, String)]) -> Result<(), ArchiveError> {
    let text =
        std::str::from_utf8(list).map_err(|e| ArchiveError::Sums(format!("{SUMS} is no text: {e}")))?;
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once("  ")).collect();
    if let Some((_, name)) = lines.iter().find(|(_, n)| !files.iter().any(|(f, _)| f == n)) {
        return Err(ArchiveError::Sums(format!("list missing hash for {name:?}")));
    }
    for (name, sum) in files {
        match lines.iter().find(|(_, n)| n == name) {
            None => return Err(ArchiveError::Sums(format!("{SUMS} does not list {name}"))),
            Some((listed, _)) if !listed.eq_ignore_ascii_case(sum) => {
                return Err(ArchiveError::Checksum(name));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
