//! Checks whose application speaks by itself, until it falls silent.

use super::Run;
use local::ttl_expired_output;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use types::record::status::CRITICAL;

pub(super) async fn run(run: Run, mut deadline: watch::Receiver<Instant>) {
    loop {
        let at = *deadline.borrow_and_update();
        tokio::select! {
            () = run.stop.wait() => return,
            changed = deadline.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
            () = sleep_until(at) => {}
        }
        expire(&run);
        // Silent from here on: nothing to say until the application speaks again.
        tokio::select! {
            () = run.stop.wait() => return,
            changed = deadline.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn expire(run: &Run) {
    let last = run.inner.registry.lock().check(&run.key).map(|c| c.row.output.clone());
    if let Some(last) = last {
        tracing::warn!(check = %run.key.id, "TTL of a check has run out");
        run.inner.set_status(&run.key, CRITICAL, &ttl_expired_output(&last));
    }
}
