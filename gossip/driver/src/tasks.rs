//! The loops of a pool. Each ends with the shutdown signal.

use crate::{
    driver::{Driver, STREAM_LIMIT, STREAMS_IN_MAX},
    files::Snapshot,
};
use runtime::{Datagram, Listener};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};

/// Pause after an error of a socket, so that a broken one does not spin.
const PAUSE: Duration = Duration::from_millis(50);
/// Changes are gathered this long before the members are written down.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(1);

/// Packets in.
pub(crate) async fn receive(driver: Arc<Driver>, socket: Arc<dyn Datagram>) {
    let mut buf = vec![0; 2048];
    loop {
        // Both sides are cancel safe.
        let received = tokio::select! {
            biased;
            () = driver.shutdown().wait() => return,
            received = socket.recv_from(&mut buf) => received,
        };
        match received {
            Ok((n, from)) if driver.allows(from) => {
                driver.with_core(|core, now| core.handle_datagram(now, from, &buf[..n]));
            }
            Ok(_) => driver.with_core(|core, _| core.counters_mut().dropped_source += 1),
            Err(error) => {
                tracing::debug!(%error, "receiving failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Packets out.
pub(crate) async fn send(
    driver: Arc<Driver>,
    socket: Arc<dyn Datagram>,
    mut packets: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
) {
    loop {
        // Dropping the receive loses nothing: what is queued is not worth sending once we shut down.
        let packet = tokio::select! {
            biased;
            () = driver.shutdown().wait() => return,
            packet = packets.recv() => packet,
        };
        let Some((to, bytes)) = packet else { return };
        if let Err(error) = socket.send_to(&bytes, to).await {
            tracing::debug!(%to, %error, "sending failed");
        }
    }
}

/// Time.
pub(crate) async fn tick(driver: Arc<Driver>) {
    loop {
        let deadline = driver.next_deadline();
        let due = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // A dropped sleep is made anew from the deadline; a dropped notification keeps its permit.
        tokio::select! {
            biased;
            () = driver.shutdown().wait() => return,
            () = due => driver.with_core(|core, now| core.handle_timers(now)),
            () = driver.timers.notified() => {}
        }
    }
}

/// Streams in.
pub(crate) async fn accept(driver: Arc<Driver>, listener: Box<dyn Listener>) {
    let permits = Arc::new(Semaphore::new(STREAMS_IN_MAX));
    loop {
        // Accepting is cancel safe.
        let accepted = tokio::select! {
            biased;
            () = driver.shutdown().wait() => return,
            accepted = listener.accept() => accepted,
        };
        let (mut stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a gossip stream failed");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !driver.allows(from) {
            driver.with_core(|core, _| core.counters_mut().dropped_source += 1);
            continue;
        }
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            driver.with_core(|core, _| core.counters_mut().dropped_full += 1);
            continue;
        };
        let server = driver.clone();
        driver.tasks.spawn("gossip stream", async move {
            let _permit = permit;
            // Dropping a half served stream closes it.
            let served = tokio::select! {
                biased;
                () = server.shutdown().wait() => return,
                served = tokio::time::timeout(STREAM_LIMIT, server.serve(&mut *stream)) => served,
            };
            match served {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%from, %error, "gossip stream refused"),
                Err(_) => tracing::warn!(%from, "gossip stream took too long"),
            }
        });
    }
}

/// The members, written down for the next run. `written` is what the file holds.
pub(crate) async fn persist(driver: Arc<Driver>, path: PathBuf, mut written: Snapshot) {
    let mut changes = driver.changes();
    loop {
        let ending = tokio::select! {
            biased;
            () = driver.shutdown().wait() => true,
            changed = changes.changed() => changed.is_err(),
        };
        if !ending {
            tokio::select! {
                biased;
                () = driver.shutdown().wait() => {}
                () = tokio::time::sleep(SNAPSHOT_AFTER) => {}
            }
            changes.mark_unchanged();
        }
        let mut snapshot = driver.snapshot();
        if snapshot.members.is_empty() && !snapshot.left {
            // Whoever found nobody yet must not forget whom to look for.
            snapshot.members.clone_from(&written.members);
        }
        if snapshot != written {
            written = snapshot.clone();
            write(&path, snapshot).await;
        }
        if ending {
            return;
        }
    }
}

pub(crate) async fn write(path: &std::path::Path, snapshot: Snapshot) {
    let to = path.to_owned();
    let done = tokio::task::spawn_blocking(move || snapshot.save(&to)).await;
    if let Ok(Err(error)) = done {
        tracing::warn!(path = %path.display(), %error, "members cannot be written down");
    }
}

/// Finds the pool again that an earlier run was in.
pub(crate) async fn rejoin(driver: Arc<Driver>, former: Vec<SocketAddr>) {
    let pool = driver.pool().as_str();
    tracing::info!(pool, members = former.len(), "rejoining former members");
    let mut wait = Duration::from_millis(500);
    loop {
        for to in &former {
            if driver.shutdown().is_triggered() || driver.has_company() {
                return;
            }
            match driver.sync(*to, true).await {
                Ok(_) if driver.has_company() => {
                    tracing::info!(pool, %to, "rejoined");
                    return;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(pool, %to, %error, "former member cannot be reached"),
            }
        }
        tokio::select! {
            biased;
            () = driver.shutdown().wait() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(driver.config.timing.reconnect_interval);
    }
}
