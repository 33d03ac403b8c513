//! The time while the lock is held.

use super::{Claim, GRACE, Kv, Running, Session, Signals, Stdin, Wanted};

/// Runs the child to its end, or ends it when the lock is lost or we are told to end; answers whether it did well.
pub(super) async fn hold(
    session: &mut Session<'_, '_>,
    kv: &Kv<'_>,
    claim: &Claim,
    wanted: &Wanted,
    signals: &mut Signals,
) -> bool {
    let say = |session: &mut Session<'_, '_>, text: &str| {
        if wanted.verbose {
            session.io.say(text);
        }
    };
    let stdin = if wanted.stdin { Stdin::Ours } else { Stdin::Null };
    let held = [("CONSUL_LOCK_HELD", "true")];
    let mut child = match Running::start(&wanted.child, wanted.shell, session.env, &held, stdin).await {
        Ok(child) => child,
        Err(e) => {
            session.io.warn(e);
            return false;
        }
    };
    let (ended, why) = tokio::select! {
        ended = child.wait() => (Some(ended), "Child terminated, releasing lock"),
        () = lost(kv, claim, wanted.retries) => (None, "Lock lost, killing child"),
        _ = signals.next() => (None, "Shutdown triggered, killing child"),
    };
    say(session, why);
    let ended = match ended {
        Some(ended) => ended,
        None => {
            say(session, &format!("Terminating child pid {}", child.id()));
            let ended = child.end(GRACE).await;
            say(session, "Child terminated");
            ended
        }
    };
    if let Err(e) = &ended {
        session.io.warn(format!("Error running handler: {e}"));
    }
    ended.is_ok()
}

/// Answers when the lock is not ours any more, or its session cannot be kept.
async fn lost(kv: &Kv<'_>, claim: &Claim, retries: u32) {
    tokio::select! {
        () = claim.watch(kv, retries) => {}
        _broken = kv.keep_alive() => {}
    }
}
