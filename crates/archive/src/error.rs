//! What can be wrong with an archive.

use std::io;

/// Why an archive could not be written or read. Reading changed nothing but the sink it was given.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The input could not be read, or the output not written. May be tried again.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The input is not compressed as an archive is: it was never one, or its beginning is damaged.
    #[error("failed to decompress snapshot: gzip: invalid header")]
    NotGzip,
    /// The compressed data is damaged.
    #[error("failed to decompress snapshot: the compressed data is damaged ({0})")]
    Damaged(String),
    /// The input ends before the archive does.
    #[error("the archive is truncated: it ends {0}")]
    Truncated(&'static str),
    /// The tar inside is no tar, or not one of ours.
    #[error("the archive is damaged: {0}")]
    Tar(String),
    /// A file is not there.
    #[error("the archive has no {0}")]
    Missing(&'static str),
    /// A file that does not belong there.
    #[error("unexpected file \"{0}\" in snapshot")]
    Unexpected(String),
    /// A file is there twice.
    #[error("the archive has {0} twice")]
    Twice(&'static str),
    /// A file is larger than we read.
    #[error("{name} in the archive is too large: {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its name.
        name: &'static str,
        /// Bytes it has.
        size: u64,
        /// Most bytes that are read.
        limit: u64,
    },
    /// The facts cannot be read.
    #[error("failed to decode snapshot metadata: {0}")]
    Meta(String),
    /// The facts are of a version that we do not know.
    #[error("snapshot metadata of unknown version {0}; this program reads version 1")]
    Version(i64),
    /// A file is not what its checksum says.
    #[error("checksum verification failed: hash check failed for \"{0}\"")]
    Checksum(&'static str),
    /// The list of checksums cannot be read or lacks a file.
    #[error("checksum verification failed: {0}")]
    Sums(String),
    /// The state has another size than was announced.
    #[error("the state has {got} bytes where {announced} were announced")]
    Size {
        /// As announced.
        announced: u64,
        /// As found.
        got: u64,
    },
}

impl ArchiveError {
    /// Tells what a failed read of compressed data means.
    pub(crate) fn of_read(error: io::Error, place: &'static str) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated(place),
            io::ErrorKind::InvalidInput if error.to_string().contains("gzip header") => Self::NotGzip,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
