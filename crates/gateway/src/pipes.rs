//! Pipes through which the kernel moves bytes from socket to socket.
//!
//! A tunnel holds one only while bytes are on their way in that direction, so idle tunnels cost none.

use crate::Limits;
use parking_lot::Mutex;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Empty pipes that are kept for the next.
const KEPT_MAX: usize = 32;

/// A bounded set of pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    kept: Mutex<Vec<Pipe>>,
    /// Pipes there are, kept ones among them.
    made: AtomicUsize,
    max: usize,
}

/// Both ends.
#[derive(Debug)]
pub(crate) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// A pipe in use. Put back when it is empty, closed otherwise.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    pipe: Option<Pipe>,
    pipes: &'a Pipes,
    /// Bytes in it.
    pub(crate) filled: usize,
}

impl Pipes {
    pub(crate) fn new(max: usize) -> Self {
        Self { kept: Mutex::default(), made: AtomicUsize::new(0), max }
    }

    /// An empty pipe; `None` when there are too many, or the kernel gives none.
    pub(crate) fn take(&self) -> Option<Lent<'_>> {
        if let Some(pipe) = self.kept.lock().pop() {
            return Some(Lent { pipe: Some(pipe), pipes: self, filled: 0 });
        }
        if self.made.fetch_add(1, Relaxed) >= self.max {
            self.made.fetch_sub(1, Relaxed);
            return None;
        }
        // From here on its drop counts it back.
        let mut lent = Lent { pipe: None, pipes: self, filled: 0 };
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // The kernel may allow this user no more than the default; that is slower and else the same.
        let _ = fcntl_setpipe_size(&write, Limits::PIPE_BYTES);
        lent.pipe = Some(Pipe { read, write });
        Some(lent)
    }

    /// Pipes in use.
    pub(crate) fn in_use(&self) -> usize {
        self.made.load(Relaxed).saturating_sub(self.kept.lock().len())
    }
}

impl Lent<'_> {
    /// Moves what `from` has into the pipe, which must be empty. 0 = `from` ended.
    pub(crate) fn fill(&mut self, from: impl AsFd) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return Err(io::ErrorKind::NotConnected.into()) };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        self.filled = splice(from, None, &pipe.write, None, Limits::PIPE_BYTES, flags)?;
        Ok(self.filled)
    }

    /// Moves what is in the pipe to `to`, or some of it.
    pub(crate) fn empty(&mut self, to: impl AsFd) -> io::Result<usize> {
        let Some(pipe) = &self.pipe else { return Err(io::ErrorKind::NotConnected.into()) };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let moved = splice(&pipe.read, None, to, None, self.filled, flags)?;
        self.filled = self.filled.saturating_sub(moved);
        Ok(moved)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut kept = self.pipes.kept.lock();
        match self.pipe.take() {
            Some(pipe) if self.filled == 0 && kept.len() < KEPT_MAX => kept.push(pipe),
            _ => {
                self.pipes.made.fetch_sub(1, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    #[test]
    fn bytes_pass_and_the_pipe_comes_back() {
        let pipes = Pipes::new(1);
        let ((mut a, b), (c, mut d)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        a.write_all(b"hello").unwrap();
        {
            let mut pipe = pipes.take().unwrap();
            assert!(pipes.take().is_none(), "one is the bound");
            assert_eq!((pipe.fill(&b).unwrap(), pipe.empty(&c).unwrap()), (5, 5));
        }
        let mut got = [0; 5];
        d.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        assert_eq!(pipes.in_use(), 0);
        assert_eq!(pipes.kept.lock().len(), 1);
    }

    #[test]
    fn a_pipe_with_bytes_is_not_used_again() {
        let pipes = Pipes::new(1);
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(b"x").unwrap();
        pipes.take().unwrap().fill(&b).unwrap();
        assert_eq!((pipes.in_use(), pipes.kept.lock().len()), (0, 0));
        assert!(pipes.take().is_some());
    }
}
