//! One UDP socket's loop: takes what has arrived, answers what can be answered at once, hands on the rest.

use crate::{
    batch::{self, BATCH, Batch, Peer},
    hot::{Done, Hot},
    resolve,
    server::Shared,
};
use dns::Transport;
use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tokio::{io::Interest, net::UdpSocket};

/// Batches between two turns of other tasks.
const BATCHES_PER_TURN: usize = 8;

pub(crate) async fn run(socket: Arc<UdpSocket>, mut hot: Hot, shared: Arc<Shared>) {
    let shutdown = shared.tasks.shutdown().clone();
    let stop = shutdown.wait();
    tokio::pin!(stop);
    let mut batch = Batch::new();
    let mut outs: Vec<Vec<u8>> = (0..BATCH).map(|_| Vec::with_capacity(1024)).collect();
    loop {
        // Both branches only wait; dropping either loses nothing.
        tokio::select! {
            biased;
            () = &mut stop => return,
            ready = socket.readable() => if let Err(error) = ready {
                tracing::error!(%error, "DNS socket failed");
                return;
            },
        }
        for _ in 0..BATCHES_PER_TURN {
            let n = match socket.try_io(Interest::READABLE, || batch.receive(socket.as_fd())) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier answer could not be delivered; the socket goes on.
                Err(error) => {
                    tracing::debug!(%error, "DNS receive failed");
                    continue;
                }
            };
            hot.refresh();
            let now = shared.now();
            let mut answered: smallvec::SmallVec<[(Peer, usize); BATCH]> = smallvec::SmallVec::new();
            for (i, out) in outs.iter_mut().enumerate().take(n) {
                let (packet, peer) = (batch.packet(i), batch.peer(i));
                let mut done = hot.handle(packet, Transport::Udp, now, out);
                if done == Done::Wait {
                    done = wait(packet, peer, &socket, &mut hot, &shared, out);
                }
                if done == Done::Answered {
                    answered.push((peer, i));
                }
            }
            hot.flush_counts(Transport::Udp);
            let answers: smallvec::SmallVec<[(Peer, &[u8]); BATCH]> =
                answered.iter().map(|&(peer, i)| (peer, outs[i].as_slice())).collect();
            send_all(&socket, &answers).await;
            if n < BATCH {
                break;
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn send_all(socket: &UdpSocket, mut answers: &[(Peer, &[u8])]) {
    while !answers.is_empty() {
        let sent = socket.async_io(Interest::WRITABLE, || batch::send(socket.as_fd(), answers)).await;
        // An error concerns the first answer (its client is gone, or it is too long): go on with the next.
        let n = sent.unwrap_or(1).max(1);
        answers = answers.get(n..).unwrap_or_default();
    }
}

/// Starts a task for the question, if there is room for one.
fn wait(
    packet: &[u8],
    peer: Peer,
    socket: &Arc<UdpSocket>,
    hot: &mut Hot,
    shared: &Arc<Shared>,
    out: &mut Vec<u8>,
) -> Done {
    let Ok(permit) = Arc::clone(&shared.waiting).try_acquire_owned() else {
        return hot.overloaded(packet, Transport::Udp, out);
    };
    shared.counters.deferred.fetch_add(1, Relaxed);
    let (packet, seed) = (packet.to_vec(), hot.seed());
    let (owner, shared, socket) = (shared.tasks.clone(), Arc::clone(shared), Arc::clone(socket));
    owner.spawn("dns-question", async move {
        let _permit = permit;
        let stop = shared.tasks.shutdown().clone();
        tokio::select! {
            biased;
            () = stop.wait() => {}
            answer = resolve::resolve(&shared, &packet, Transport::Udp, seed) => {
                if let Some(bytes) = answer {
                    send_all(&socket, &[(peer, &bytes)]).await;
                }
            }
        }
    });
    Done::Dropped
}
