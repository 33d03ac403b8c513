//! A lock: a key that one session holds.

use super::claim::{Kv, LockError, RETRY, WAIT, left};
use tokio::time::Instant;

/// Marks keys of locks; every client writes the same number.
pub(super) const FLAGS: u64 = 0x2ddc_cbc0_58a5_0c18;

pub(super) async fn acquire(kv: &Kv<'_>, key: &str, until: Option<Instant>) -> Result<(), LockError> {
    let mut after = None;
    loop {
        let (pairs, index) = kv.read(key, false, after, left(until, WAIT)?, false).await?;
        let holder = pairs.first();
        if holder.is_some_and(|p| p.flags != FLAGS) {
            return Err(LockError::NotALock);
        }
        match holder.map(|p| p.session.as_str()).filter(|s| !s.is_empty()) {
            Some(session) if session == kv.session => return Ok(()),
            Some(_) => {
                after = Some(index);
                continue;
            }
            None => {}
        }
        if kv.put(key, FLAGS, ("acquire", kv.session.clone()), "").await? {
            return Ok(());
        }
        // Somebody was faster, which the next look shows, or its last holder died and the servers wait (lock delay).
        let (pairs, index) = kv.read(key, false, None, WAIT, false).await?;
        after = pairs.first().is_some_and(|p| !p.session.is_empty()).then_some(index);
        if after.is_none() {
            tokio::time::sleep(left(until, RETRY)?).await;
        }
    }
}

pub(super) async fn release(kv: &Kv<'_>, key: &str) -> Result<(), LockError> {
    kv.put(key, FLAGS, ("release", kv.session.clone()), "").await?;
    Ok(())
}

pub(super) async fn clean_up(kv: &Kv<'_>, key: &str) -> Result<bool, LockError> {
    let (pairs, _) = kv.read(key, false, None, WAIT, false).await?;
    let Some(pair) = pairs.first() else { return Ok(true) };
    if pair.flags != FLAGS {
        return Err(LockError::NotALock);
    }
    if !pair.session.is_empty() {
        return Ok(false);
    }
    Ok(kv.delete(key, Some(pair.modify_index)).await?)
}
