//! What ends by itself: sessions that are not renewed, and keys with a time to live.

use crate::run::BATCH_MAX;
use rpc::{Query, Renewals, Submit};
use runtime::WallClock;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};
use types::{
    RequestError, SecretToken, Str, Tenancy,
    command::Command,
    query::{Consistency, Deadlines, Query as Read, QueryOptions, QueryResult},
};

/// Keys that are looked at ahead, the soonest first.
const KEYS_MAX: u32 = 4096;
/// A session ends when it was not renewed for so many times its time to live.
const GRACE: u32 = 2;
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Shortest time between two looks at the list, so that thousands of sessions that come and go are listed in lots.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// When sessions end, as far as is known.
#[derive(Default)]
pub(crate) struct Timers(BTreeMap<(Tenancy, Str), Timer>);

#[derive(Clone, Copy, PartialEq, Debug)]
struct Timer {
    /// Since when it counts.
    since: Instant,
    /// How long it lives from there.
    life: Duration,
}

impl Timers {
    /// Takes the list of sessions over: new ones count from `now`.
    pub fn take_over(&mut self, deadlines: &Deadlines, now: Instant) {
        let mut left: BTreeSet<(Tenancy, Str)> = self.0.keys().cloned().collect();
        for session in &deadlines.sessions {
            let key = (session.tenancy.clone(), session.id.clone());
            let life = Duration::from_nanos(session.ttl_ns).saturating_mul(GRACE);
            left.remove(&key);
            self.0.entry(key).or_insert(Timer { since: now, life });
        }
        for key in left {
            self.0.remove(&key);
        }
    }

    /// When the next one ends, unless it was renewed.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().map(|t| t.since + t.life).min()
    }

    /// Those that end now: their end is announced, so that it is too late to renew them.
    pub fn due(&mut self, now: Instant, renewals: &Renewals) -> Vec<(Tenancy, Str)> {
        let mut over = Vec::new();
        for ((tenancy, id), timer) in &mut self.0 {
            while timer.since + timer.life <= now {
                match renewals.end(tenancy, id, timer.since) {
                    Some(renewed) => timer.since = renewed,
                    None => {
                        over.push((tenancy.clone(), id.clone()));
                        break;
                    }
                }
            }
        }
        over
    }

    pub fn has(&self, tenancy: &Tenancy, id: &Str) -> bool {
        self.0.contains_key(&(tenancy.clone(), id.clone()))
    }
}

/// What the loop works with.
pub(crate) struct Expiry<'a> {
    pub submit: &'a dyn Submit,
    pub query: &'a dyn Query,
    pub renewals: &'a Renewals,
    pub clock: &'a dyn WallClock,
    pub token: &'a SecretToken,
}

impl Expiry<'_> {
    /// Ends what is over, as long as this server leads; the caller drops it with leadership.
    pub async fn run(&self) {
        self.renewals.clear();
        let mut timers = Timers::default();
        loop {
            if let Err(error) = self.follow(&mut timers).await {
                tracing::warn!(%error, "cannot end what is over, trying again");
                // Whatever could not be ended lives on, and may be renewed again.
                self.renewals.retain(|tenancy, id| timers.has(tenancy, id));
                sleep(RETRY).await;
            }
        }
    }

    async fn follow(&self, timers: &mut Timers) -> Result<(), RequestError> {
        let mut seen = 0;
        loop {
            let (deadlines, index) = self.list(0).await?;
            seen = index.max(seen);
            timers.take_over(&deadlines, Instant::now());
            self.renewals.retain(|tenancy, id| timers.has(tenancy, id));
            let looked = Instant::now();
            let changed = self.list(seen);
            tokio::pin!(changed);
            loop {
                let now_ms = self.clock.unix_ms();
                let key_at = deadlines
                    .keys
                    .first()
                    .map(|(_, _, at)| Instant::now() + Duration::from_millis(at.saturating_sub(now_ms)));
                let wake = [timers.next(), key_at].into_iter().flatten().min();
                tokio::select! {
                    biased;
                    changed = &mut changed => {
                        changed?;
                        break;
                    }
                    () = until(wake) => {}
                }
                if self.end_what_is_over(timers, &deadlines).await? {
                    break;
                }
            }
            sleep_until(looked + LOOK_AGAIN).await;
        }
    }

    /// Whether anything was written.
    async fn end_what_is_over(
        &self,
        timers: &mut Timers,
        deadlines: &Deadlines,
    ) -> Result<bool, RequestError> {
        let now_ms = self.clock.unix_ms();
        let keys: Vec<_> = deadlines.keys.iter().take_while(|(_, _, at)| *at <= now_ms).cloned().collect();
        let sessions = timers.due(Instant::now(), self.renewals);
        let wrote = !keys.is_empty() || !sessions.is_empty();
        for keys in keys.chunks(BATCH_MAX) {
            self.write(Command::ExpireKeys { keys: keys.to_vec() }).await?;
        }
        for lot in sessions.chunks(BATCH_MAX) {
            for (_, id) in lot {
                tracing::info!(session = %id, "session was not renewed in time");
            }
            let ends = lot
                .iter()
                .map(|(tenancy, id)| Command::SessionDestroy { tenancy: tenancy.clone(), id: id.clone() });
            self.write(Command::Batch(ends.collect())).await?;
        }
        Ok(wrote)
    }

    async fn write(&self, command: Command) -> Result<(), RequestError> {
        self.submit.submit(None, self.token, command).await.map(|_answer| ())
    }

    async fn list(&self, min_index: u64) -> Result<(Deadlines, u64), RequestError> {
        let options = QueryOptions {
            consistency: Consistency::Stale,
            token: self.token.clone(),
            min_index,
            ..QueryOptions::default()
        };
        let answer = self.query.query(Read::Deadlines { keys_max: KEYS_MAX }, options).await?;
        match answer.result {
            QueryResult::Deadlines(deadlines) => Ok((deadlines, answer.meta.index)),
            _ => Err(RequestError::Malformed("deadlines expected".into())),
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use types::record::Session;

    fn listed(ids: &[&str]) -> Deadlines {
        let session =
            |id: &&str| Arc::new(Session { id: (*id).into(), ttl_ns: 10_000_000_000, ..Session::default() });
        Deadlines { sessions: ids.iter().map(session).collect(), keys: Vec::new() }
    }

    #[test]
    fn a_session_ends_at_twice_its_time_after_the_last_renewal() {
        let (start, s) = (Instant::now(), Duration::from_secs(1));
        let (mut timers, renewals) = (Timers::default(), Renewals::default());
        timers.take_over(&listed(&["a", "b"]), start);
        assert_eq!(timers.next(), Some(start + 20 * s));
        assert!(renewals.renew(&Tenancy::default(), &"a".into(), start + 9 * s));
        assert!(timers.due(start + 19 * s, &renewals).is_empty());
        assert_eq!(timers.due(start + 20 * s, &renewals), [(Tenancy::default(), Str::new("b"))]);
        timers.take_over(&listed(&["a"]), start + 21 * s);
        assert_eq!(timers.next(), Some(start + 29 * s), "the renewal counts, not the look at the list");
        assert_eq!(timers.due(start + 29 * s, &renewals).len(), 1);
        assert!(!renewals.renew(&Tenancy::default(), &"a".into(), start + 29 * s));
    }
}
