//! A semaphore: a key that lists its holders, and an entry of each contender that goes with its session.

use super::claim::{Kv, LockError, Pair, WAIT, left};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Marks keys of semaphores; every client writes the same number.
const FLAGS: u64 = 0xe0f6_9a2b_aa41_4de0;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Holders {
    limit: u32,
    holders: BTreeMap<String, bool>,
}

/// What to do about the places.
#[derive(PartialEq, Eq, Debug)]
enum Place {
    /// It is ours already.
    Ours,
    /// Write this, if the key still has that index (0: there is none).
    Write(Holders, u64),
    /// Wait for one to become free.
    Full,
}

/// Decides from all keys below the prefix. Holders whose session is gone are dropped.
fn decide(pairs: &[Pair], lock: &str, own: &str, limit: u32) -> Result<Place, LockError> {
    let pair = pairs.iter().find(|p| p.key == lock);
    if pair.is_some_and(|p| p.flags != FLAGS) {
        return Err(LockError::NotASemaphore);
    }
    let stored = pair.and_then(|p| serde_json::from_slice::<Holders>(&p.bytes()).ok());
    if let Some(stored) = stored.as_ref().filter(|s| s.limit != limit) {
        return Err(LockError::Limit { theirs: stored.limit, ours: limit });
    }
    let mut holders = stored.map(|s| s.holders).unwrap_or_default();
    let alive = |id: &str| pairs.iter().any(|p| p.key != lock && p.session == id);
    holders.retain(|id, _| alive(id));
    if holders.contains_key(own) {
        return Ok(Place::Ours);
    }
    if holders.len() >= limit as usize {
        return Ok(Place::Full);
    }
    holders.insert(own.to_owned(), true);
    Ok(Place::Write(Holders { limit, holders }, pair.map_or(0, |p| p.modify_index)))
}

fn lock_key(prefix: &str) -> String {
    format!("{prefix}/.lock")
}

async fn store(kv: &Kv<'_>, key: &str, holders: &Holders, index: u64) -> Result<bool, LockError> {
    let body = serde_json::to_vec(holders).unwrap_or_default();
    Ok(kv.put(key, FLAGS, ("cas", index.to_string()), body).await?)
}

pub(super) async fn acquire(
    kv: &Kv<'_>,
    prefix: &str,
    limit: u32,
    until: Option<Instant>,
) -> Result<(), LockError> {
    let lock = lock_key(prefix);
    kv.put(&format!("{prefix}/{}", kv.session), FLAGS, ("acquire", kv.session.clone()), "").await?;
    let mut after = None;
    loop {
        let (pairs, index) =
            kv.read(&format!("{prefix}/"), true, after, left(until, WAIT)?, after.is_none()).await?;
        match decide(&pairs, &lock, &kv.session, limit)? {
            Place::Ours => return Ok(()),
            Place::Full => after = Some(index),
            Place::Write(holders, index) => {
                if store(kv, &lock, &holders, index).await? {
                    return Ok(());
                }
                after = None;
            }
        }
    }
}

pub(super) async fn release(kv: &Kv<'_>, prefix: &str) -> Result<(), LockError> {
    let lock = lock_key(prefix);
    loop {
        let (pairs, _) = kv.read(&lock, false, None, WAIT, false).await?;
        let Some(pair) = pairs.first() else { break };
        let Ok(mut stored) = serde_json::from_slice::<Holders>(&pair.bytes()) else { break };
        if stored.holders.remove(&kv.session).is_none()
            || store(kv, &lock, &stored, pair.modify_index).await?
        {
            break;
        }
    }
    kv.delete(&format!("{prefix}/{}", kv.session), None).await?;
    Ok(())
}

pub(super) async fn clean_up(kv: &Kv<'_>, prefix: &str) -> Result<bool, LockError> {
    let lock = lock_key(prefix);
    let (pairs, _) = kv.read(&format!("{prefix}/"), true, None, WAIT, false).await?;
    let Some(pair) = pairs.iter().find(|p| p.key == lock) else { return Ok(true) };
    if pair.flags != FLAGS {
        return Err(LockError::NotASemaphore);
    }
    let stored = serde_json::from_slice::<Holders>(&pair.bytes());
    let in_use = stored.is_ok_and(|s| s.holders.keys().any(|id| pairs.iter().any(|p| p.session == *id)));
    if in_use {
        return Ok(false);
    }
    Ok(kv.delete(&lock, Some(pair.modify_index)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::json;

    fn pair(key: &str, session: &str, value: &str) -> Pair {
        let value = STANDARD.encode(value);
        serde_json::from_value(
            json!({"Key": key, "ModifyIndex": 7, "Flags": FLAGS, "Session": session, "Value": value}),
        )
        .unwrap()
    }

    #[test]
    fn places_are_given_up_to_the_limit_and_dead_holders_make_room() {
        let lock = pair("p/.lock", "", r#"{"Limit":2,"Holders":{"a":true,"b":true}}"#);
        let (a, b, c) = (pair("p/a", "a", ""), pair("p/b", "b", ""), pair("p/c", "c", ""));
        let of = |pairs: &[&Pair], own: &str| {
            let pairs: Vec<Pair> = pairs.iter().map(|p| (*p).clone()).collect();
            decide(&pairs, "p/.lock", own, 2)
        };
        assert_eq!(of(&[&lock, &a, &b, &c], "c").unwrap(), Place::Full);
        assert_eq!(of(&[&lock, &a, &b], "b").unwrap(), Place::Ours);
        let Place::Write(holders, 7) = of(&[&lock, &a, &c], "c").unwrap() else { panic!("a place is free") };
        assert_eq!(holders.holders.keys().collect::<Vec<_>>(), ["a", "c"]);
        let Place::Write(first, 0) = of(&[&c], "c").unwrap() else { panic!("nobody holds it") };
        assert_eq!(serde_json::to_string(&first).unwrap(), r#"{"Limit":2,"Holders":{"c":true}}"#);
        let other = decide(&[lock.clone(), c.clone()], "p/.lock", "c", 3).unwrap_err();
        assert_eq!(other.to_string(), "semaphore limit conflict (lock: 2, local: 3)");
        let foreign = Pair { flags: 1, ..lock };
        assert!(matches!(decide(&[foreign], "p/.lock", "c", 2), Err(LockError::NotASemaphore)));
    }
}
