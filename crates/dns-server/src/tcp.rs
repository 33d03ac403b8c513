//! DNS over TCP: length-prefixed messages, any number on a connection, answered in order.

use crate::{hot::Done, resolve, server::Shared};
use dns::Transport;
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A connection on which nothing arrives for this long is closed.
const IDLE: Duration = Duration::from_secs(10);
/// A message must have arrived, or an answer been taken, within this time.
const TRANSFER: Duration = Duration::from_secs(5);
/// Pause after a failed accept (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Answers are gathered up to this size before they are written.
const GATHER_BYTES: usize = 32 << 10;

pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.tasks.shutdown().clone();
    loop {
        // Accepting is cancel safe, and so is the wait for the end.
        let accepted = tokio::select! {
            biased;
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "DNS accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
            shared.counters.tcp_rejected.fetch_add(1, Relaxed);
            continue;
        };
        let (owner, shared, stop) = (shared.tasks.clone(), Arc::clone(&shared), stop.clone());
        owner.spawn("dns-connection", async move {
            let _permit = permit;
            // At the end of the agent the connection is simply dropped.
            tokio::select! {
                biased;
                () = stop.wait() => {}
                ended = serve(stream, &shared) => if let Err(error) = ended {
                    tracing::debug!(%error, "DNS connection ended");
                },
            }
        });
    }
}

async fn serve(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::with_capacity(4096, read);
    let mut packet = Vec::new();
    let mut out = Vec::with_capacity(1024);
    let mut gathered = Vec::new();
    loop {
        let Ok(len) = timeout(IDLE, read.read_u16()).await else { return Ok(()) };
        let len = match len {
            Ok(len) => usize::from(len),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        packet.resize(len, 0);
        timeout(TRANSFER, read.read_exact(&mut packet)).await??;
        let now = shared.now();
        let done = shared.with_hot(|hot| {
            let done = hot.handle(&packet, Transport::Tcp, now, &mut out);
            hot.flush_counts(Transport::Tcp);
            done
        });
        match done {
            Done::Answered => gather(&mut gathered, &out),
            // Not a question: there is no sense in reading on.
            Done::Dropped => return Ok(()),
            Done::Wait => {
                shared.counters.deferred.fetch_add(1, Relaxed);
                match resolve::resolve(shared, &packet, Transport::Tcp, shared.seed()).await {
                    Some(bytes) => gather(&mut gathered, &bytes),
                    None => return Ok(()),
                }
            }
        }
        // Further questions that are here already are answered in the same write.
        if !holds_message(read.buffer()) || gathered.len() > GATHER_BYTES {
            timeout(TRANSFER, write.write_all(&gathered)).await??;
            gathered.clear();
        }
    }
}

/// Whether a whole message has arrived.
fn holds_message(buffer: &[u8]) -> bool {
    let Some((len, rest)) = buffer.split_first_chunk::<2>() else { return false };
    rest.len() >= usize::from(u16::from_be_bytes(*len))
}

fn gather(out: &mut Vec<u8>, message: &[u8]) {
    if let Ok(len) = u16::try_from(message.len()) {
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(message);
    }
}
