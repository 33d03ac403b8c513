//! Gossip packets to other datacenters: one connection for each server, opened with the first packet and closed when none comes
//! any more. As on any network packets may get lost: when they come faster than they leave, and while no gateway leads on.

use crate::{
    dial::{Dialer, Opened, Target},
    packets::{self, ARE_YOU_THERE},
};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use runtime::Tasks;
use std::{collections::HashMap, future::pending, io, sync::Arc, time::Duration};
use tls::Lane;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

/// Packets that wait for one connection.
const QUEUE: usize = 256;
/// Bytes gathered into one write.
const GATHER_BYTES: usize = 32 << 10;
/// A connection without packets is closed after this.
const IDLE_LIMIT: Duration = Duration::from_secs(120);
/// How often the other side is asked whether it is there; an answer that is missing by the next time means it is not.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long a write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// Pause after all gateways failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The connections.
pub(crate) struct Lanes {
    dialer: Arc<Dialer>,
    tasks: Tasks,
    open: Mutex<HashMap<Target, mpsc::Sender<Bytes>>>,
}

/// Why a connection is not used any more.
#[derive(Debug, thiserror::Error)]
enum End {
    /// No packets for a long time.
    #[error("no packets for a long time")]
    Idle,
    /// There may be a better way by now.
    #[error("there may be a better way by now")]
    SecondBest,
    /// It was closed, or broke.
    #[error("it was closed: {0}")]
    Closed(io::Error),
    /// Nothing comes back.
    #[error("nothing comes back")]
    Silent,
}

impl Lanes {
    pub(crate) fn new(dialer: Arc<Dialer>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self { dialer, tasks, open: Mutex::default() })
    }

    /// Sends a packet, or loses it.
    pub(crate) fn send(self: &Arc<Self>, target: Target, packet: &[u8]) {
        let mut open = self.open.lock();
        let mut packet = Bytes::copy_from_slice(packet);
        if let Some(lane) = open.get(&target) {
            match lane.try_send(packet) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(back)) => packet = back,
            }
        }
        let (tx, rx) = mpsc::channel(QUEUE);
        // A new queue has room.
        let _sent = tx.try_send(packet);
        open.insert(target.clone(), tx);
        let (this, shutdown) = (self.clone(), self.tasks.shutdown().clone());
        self.tasks.spawn("gossip tunnel", async move {
            // Packets that are lost midway are lost as on any network.
            tokio::select! {
                () = shutdown.wait() => {}
                () = this.run(&target, rx) => {}
            }
        });
    }

    async fn run(&self, target: &Target, mut queue: mpsc::Receiver<Bytes>) {
        loop {
            let end = match self.dialer.open(target, Lane::Packets).await {
                Ok(mut opened) => {
                    let end = carry(&mut opened, &mut queue).await;
                    if matches!(end, End::Silent) {
                        self.dialer.silent(target, Lane::Packets);
                    }
                    end
                }
                Err(error) => {
                    tracing::debug!(?target, %error, "gossip packets are lost");
                    tokio::time::sleep(PAUSE).await;
                    // By now they are old.
                    while queue.try_recv().is_ok() {}
                    End::Idle
                }
            };
            tracing::debug!(?target, why = %end, "a connection for gossip packets ends");
            // Under the lock nobody can put a packet in between.
            let mut open = self.open.lock();
            if queue.is_empty() {
                open.remove(target);
                return;
            }
        }
    }
}

async fn carry(opened: &mut Opened, queue: &mut mpsc::Receiver<Bytes>) -> End {
    let until = opened.until;
    let (mut read, mut write) = tokio::io::split(&mut opened.stream);
    let mut buf = BytesMut::with_capacity(4 << 10);
    let mut heard = [0; 64];
    let (mut ask_at, mut asked) = (Instant::now() + ASK_EVERY, false);
    let mut idle_at = Instant::now() + IDLE_LIMIT;
    loop {
        let better = async {
            match until {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        // Each branch can be dropped: a packet leaves the queue only when its branch is taken, and what is heard means nothing
        // but that somebody is there.
        tokio::select! {
            packet = queue.recv() => match packet {
                Some(packet) => {
                    packets::put(&mut buf, &packet);
                    while buf.len() < GATHER_BYTES && let Ok(packet) = queue.try_recv() {
                        packets::put(&mut buf, &packet);
                    }
                    idle_at = Instant::now() + IDLE_LIMIT;
                }
                None => return End::Idle,
            },
            n = read.read(&mut heard) => match n {
                Ok(0) => return End::Closed(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => asked = false,
                Err(e) => return End::Closed(e),
            },
            () = sleep_until(ask_at) => {
                if asked {
                    return End::Silent;
                }
                buf.extend_from_slice(&ARE_YOU_THERE);
                (ask_at, asked) = (Instant::now() + ASK_EVERY, true);
            }
            () = sleep_until(idle_at) => return End::Idle,
            () = better => return End::SecondBest,
        }
        let written = async {
            write.write_all(&buf).await?;
            write.flush().await
        };
        match timeout(WRITE_LIMIT, written).await {
            Ok(Ok(())) => buf.clear(),
            Ok(Err(e)) => return End::Closed(e),
            Err(_elapsed) => return End::Silent,
        }
    }
}
