//! Carries bytes both ways between two sockets, ends of one direction among them.

use crate::pipes::{Lent, Pipes};
use rustix::{
    buffer::spare_capacity,
    net::{Shutdown, shutdown},
};
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{io::Interest, net::TcpStream};

/// Size of the buffer where bytes are copied.
const COPY_BYTES: usize = 32 << 10;
/// What is copied in one go: a full TLS record and its head.
const LITTLE_BYTES: usize = 20 << 10;
/// A burst of so many bytes is likely to be followed by another.
const BULK_BYTES: usize = 64 << 10;
/// After so many moves without a pause other tasks have their turn.
const TURN: u32 = 16;

/// Carries until both directions have ended, or one fails. Dropping it leaves bytes on their way behind.
///
/// # Errors
/// Of either socket.
pub(crate) async fn carry(
    client: &TcpStream,
    backend: &TcpStream,
    bytes_in: &AtomicU64,
    bytes_out: &AtomicU64,
    pipes: &Pipes,
) -> io::Result<()> {
    let there = one_way(client, backend, bytes_in, pipes);
    let back = one_way(backend, client, bytes_out, pipes);
    tokio::try_join!(there, back).map(drop)
}

/// A little is copied: that is one call for each side. What does not fit the buffer goes through a pipe.
async fn one_way(from: &TcpStream, to: &TcpStream, bytes: &AtomicU64, pipes: &Pipes) -> io::Result<()> {
    let mut bulk = false;
    loop {
        from.readable().await?;
        if !bulk {
            let mut buffer = Vec::with_capacity(LITTLE_BYTES);
            match read_little(from, &mut buffer) {
                Ok(0) => return end(to),
                Ok(n) => {
                    write_all(to, &buffer).await?;
                    bytes.fetch_add(n as u64, Relaxed);
                    if n < LITTLE_BYTES {
                        continue;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e),
            }
        }
        let Some(pipe) = pipes.take() else { return copy(from, to, bytes).await };
        match through(pipe, from, to, bytes).await? {
            Burst::Idle(moved) => bulk = moved >= BULK_BYTES,
            Burst::End => return end(to),
            Burst::NoSplice => return copy(from, to, bytes).await,
        }
    }
}

/// Reads once. Less than the buffer holds means that there is no more for now, so that the next wait need not ask: then what the
/// runtime knows of the socket is cleared within the same call, which keeps what arrives meanwhile.
fn read_little(from: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut got = 0;
    let whole = from.try_io(Interest::READABLE, || {
        got = rustix::io::read(from, spare_capacity(buffer))?;
        if (1..LITTLE_BYTES).contains(&got) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match whole {
        Err(e) if got == 0 => Err(e),
        _ => Ok(got),
    }
}

/// How a burst of bytes ended.
enum Burst {
    /// There are no more for now; so many were moved.
    Idle(usize),
    /// There are no more at all.
    End,
    /// This kernel does not do it; nothing was lost.
    NoSplice,
}

/// Moves bytes for as long as there are more; the pipe goes back when there are not.
async fn through(
    mut pipe: Lent<'_>,
    from: &TcpStream,
    to: &TcpStream,
    bytes: &AtomicU64,
) -> io::Result<Burst> {
    let (mut turn, mut moved) = (0_u32, 0);
    loop {
        match from.try_io(Interest::READABLE, || pipe.fill(from)) {
            Ok(0) => return Ok(Burst::End),
            Ok(n) => {
                empty(&mut pipe, to).await?;
                bytes.fetch_add(n as u64, Relaxed);
                moved += n;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Burst::Idle(moved)),
            Err(e) if cannot_splice(&e) => return Ok(Burst::NoSplice),
            Err(e) => return Err(e),
        }
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
}

async fn empty(pipe: &mut Lent<'_>, to: &TcpStream) -> io::Result<()> {
    while pipe.filled > 0 {
        match to.try_io(Interest::WRITABLE, || pipe.empty(to)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Kernels and sandboxes without `splice` for sockets say so at the first call, when no byte has been taken.
fn cannot_splice(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

/// The same by way of a buffer.
async fn copy(from: &TcpStream, to: &TcpStream, bytes: &AtomicU64) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut turn = 0_u32;
    loop {
        from.readable().await?;
        buffer.resize(COPY_BYTES, 0);
        match from.try_read(&mut buffer) {
            Ok(0) => return end(to),
            Ok(n) => {
                write_all(to, &buffer[..n]).await?;
                bytes.fetch_add(n as u64, Relaxed);
            }
            // Idle: give the memory back.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => buffer = Vec::new(),
            Err(e) => return Err(e),
        }
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
}

/// Writes all of `data`.
pub(crate) async fn write_all(to: &TcpStream, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match to.try_write(data) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => data = data.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Tells the other side that no more bytes come this way. A side that is gone already needs no telling.
fn end(to: &TcpStream) -> io::Result<()> {
    match shutdown(to, Shutdown::Write) {
        Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
