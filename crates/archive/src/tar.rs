//! Tar, as far as archives need it: plain files in the POSIX `ustar` form, sizes above 8 GiB in the GNU way.

use crate::ArchiveError;
use std::io::{self, Read, Write};

/// Everything in a tar comes in pieces of this size.
const BLOCK: usize = 512;
/// Longest name that fits the plain form.
const NAME_MAX: usize = 100;
/// Mode of every file: archives hold secrets.
const MODE: u64 = 0o600;

/// Writes files one after the other.
pub struct TarWriter<W: Write> {
    out: W,
    /// Bytes of the current file that are still to come.
    open: u64,
    /// Zeros that follow it.
    padding: usize,
    seconds: u64,
}

impl<W: Write> std::fmt::Debug for TarWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TarWriter").field("open", &self.open).finish_non_exhaustive()
    }
}

impl<W: Write> TarWriter<W> {
    /// Files get the time `seconds` (since 1970).
    pub fn new(out: W, seconds: u64) -> Self {
        Self { out, open: 0, padding: 0, seconds }
    }

    /// Begins a file of exactly `size` bytes, which [`TarWriter::put`] brings.
    ///
    /// # Errors
    /// The file before is not complete, the name does not fit, or the output fails.
    pub fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        self.complete()?;
        if name.is_empty() || name.len() > NAME_MAX {
            let text = format!("a file name of {} bytes does not fit an archive", name.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.out.write_all(&header(name, size, self.seconds))?;
        self.open = size;
        self.padding = usize::try_from(size % BLOCK as u64).map_or(0, |over| (BLOCK - over) % BLOCK);
        Ok(())
    }

    /// Adds bytes to the file.
    ///
    /// # Errors
    /// More than announced, or the output fails.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open = self.open.checked_sub(bytes.len() as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a file of the archive is longer than announced")
        })?;
        self.out.write_all(bytes)
    }

    /// A whole file.
    ///
    /// # Errors
    /// As [`TarWriter::begin`].
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(name, bytes.len() as u64)?;
        self.put(bytes)
    }

    fn complete(&mut self) -> io::Result<()> {
        if self.open > 0 {
            let text = format!("a file of the archive lacks {} bytes", self.open);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.out.write_all(&[0; BLOCK][..std::mem::take(&mut self.padding)])
    }

    /// Ends the tar; the output comes back.
    ///
    /// # Errors
    /// The last file is not complete, or the output fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.complete()?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

fn header(name: &str, size: u64, seconds: u64) -> [u8; BLOCK] {
    let mut h = [0; BLOCK];
    h[..name.len()].copy_from_slice(name.as_bytes());
    octal(&mut h[100..108], MODE);
    octal(&mut h[108..116], 0);
    octal(&mut h[116..124], 0);
    if size < 1 << 33 {
        octal(&mut h[124..136], size);
    } else {
        h[124] = 0x80;
        h[128..136].copy_from_slice(&size.to_be_bytes());
    }
    octal(&mut h[136..148], seconds);
    h[156] = b'0';
    h[257..265].copy_from_slice(b"ustar\x0000");
    let sum = checksum(&h);
    octal(&mut h[148..155], sum);
    h[155] = b' ';
    h
}

/// Fills a field with octal digits and a final NUL.
fn octal(field: &mut [u8], mut value: u64) {
    let Some((last, digits)) = field.split_last_mut() else { return };
    *last = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

/// Sum of all bytes, those of the checksum itself counted as blanks.
fn checksum(header: &[u8; BLOCK]) -> u64 {
    let byte = |(i, b): (usize, &u8)| if (148..156).contains(&i) { 32 } else { u64::from(*b) };
    header.iter().enumerate().map(byte).sum()
}

/// A file of a tar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
}

/// Reads files one after the other.
#[derive(Debug)]
pub struct TarReader<R: Read> {
    input: R,
    /// Bytes of the current file that were not read yet.
    open: u64,
    padding: u64,
}

impl<R: Read> TarReader<R> {
    /// Begins with the first file.
    pub fn new(input: R) -> Self {
        Self { input, open: 0, padding: 0 }
    }

    /// The next file; what is left of the one before is skipped. `None` at the end.
    ///
    /// # Errors
    /// The input ends early or is no tar.
    pub fn next_file(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let skip = self.open + self.padding;
        self.open = 0;
        let skipped = io::copy(&mut self.input.by_ref().take(skip), &mut io::sink());
        if skipped.map_err(|e| ArchiveError::of_read(e, "within a file"))? != skip {
            return Err(ArchiveError::Truncated("within a file"));
        }
        let mut head = [0; BLOCK];
        self.fill(&mut head)?;
        if head == [0; BLOCK] {
            self.fill(&mut head)?;
            return Ok(None);
        }
        if number(&head[148..156]) != Some(checksum(&head)) {
            return Err(ArchiveError::Tar("a file header has a wrong checksum".to_owned()));
        }
        let end = head[..NAME_MAX].iter().position(|b| *b == 0).unwrap_or(NAME_MAX);
        let name = String::from_utf8_lossy(&head[..end]).into_owned();
        if !matches!(head[156], b'0' | 0) {
            return Err(ArchiveError::Tar(format!("{name:?} is not a plain file")));
        }
        let size = number(&head[124..136])
            .filter(|n| *n < 1 << 60)
            .ok_or_else(|| ArchiveError::Tar(format!("the size of {name:?} cannot be read")))?;
        self.open = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(Some(Entry { name, size }))
    }

    fn fill(&mut self, block: &mut [u8; BLOCK]) -> Result<(), ArchiveError> {
        self.input.read_exact(block).map_err(|e| ArchiveError::of_read(e, "between two files"))
    }

    /// What is behind the end.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }
}

impl<R: Read> Read for TarReader<R> {
    /// Bytes of the current file.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.open).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let got = self.input.read(&mut buffer[..want])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.open -= got as u64;
        Ok(got)
    }
}

/// Octal digits between blanks or NULs, or GNU's binary form.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
        return high.iter().all(|b| *b == 0).then(|| low.iter().fold(0, |n, b| n << 8 | u64::from(*b)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
impl<W: Write> TarWriter<W> {
    /// The output as it is, complete or not.
    pub(crate) fn into_output(self) -> W {
        self.out
    }
}
