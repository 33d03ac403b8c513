//! What a lock and a semaphore have in common: a session, and keys below a prefix.

use super::{mutex, semaphore};
use crate::client::{AgentLink, ClientError, LinkAnswer};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Time to live of the session; a dead holder is free of its lock after at most twice that, and the lock delay.
const TTL: Duration = Duration::from_secs(15);
/// Longest wait for news of a lock in one request.
pub(super) const WAIT: Duration = Duration::from_secs(15);
/// Wait between attempts while the servers hold a lock back (lock delay).
pub(super) const RETRY: Duration = Duration::from_secs(5);
/// Patience with a request that does not wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// A signal, or no time left.
    #[error("Shutdown triggered or timeout during lock acquisition")]
    Stopped,
    /// The agent refused or did not answer.
    #[error("{0}")]
    Request(#[from] ClientError),
    /// The key belongs to somebody else's scheme.
    #[error("existing key does not match lock use")]
    NotALock,
    /// The key belongs to somebody else's scheme.
    #[error("existing key does not match semaphore use")]
    NotASemaphore,
    /// Others give another number of holders.
    #[error("semaphore limit conflict (lock: {theirs}, local: {ours})")]
    Limit { theirs: u32, ours: u32 },
    /// The session cannot be renewed.
    #[error("the session is gone: {0}")]
    Session(String),
}

/// A stored pair.
#[derive(Clone, Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) modify_index: u64,
    #[serde(default)]
    pub(super) flags: u64,
    #[serde(default)]
    pub(super) session: String,
    pub(super) value: Option<String>,
}

impl Pair {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.value.as_deref().and_then(|v| STANDARD.decode(v).ok()).unwrap_or_default()
    }
}

/// The store, and our session in it.
pub(super) struct Kv<'a> {
    link: &'a AgentLink,
    pub(super) session: String,
}

impl<'a> Kv<'a> {
    /// Makes a session. `delete`: its keys go with it.
    pub(super) async fn create(link: &'a AgentLink, name: &str, delete: bool) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "ID")]
            id: String,
        }
        let mut body = json!({ "Name": name, "TTL": format!("{}s", TTL.as_secs()) });
        if delete {
            body["Behavior"] = "delete".into();
        }
        let query: Vec<_> = link.scope().into_iter().filter(|(n, _)| *n != "stale").collect();
        let answer = link
            .call(Method::PUT, "/v1/session/create", &query, body.to_string(), ANSWER_LIMIT)
            .await
            .and_then(LinkAnswer::ok)
            .map_err(|e| e.to_string())?;
        let created: Created = serde_json::from_slice(&answer).map_err(|e| e.to_string())?;
        Ok(Self { link, session: created.id })
    }

    fn query(&self, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let scope = self.link.scope().into_iter().filter(|(n, _)| *n != "stale");
        scope.chain(more.iter().cloned()).collect()
    }

    /// Renews the session for as long as this is polled; answers only when that is not possible any more.
    pub(super) async fn keep_alive(&self) -> LockError {
        let path = format!("/v1/session/renew/{}", self.session);
        let mut renewed = Instant::now();
        loop {
            let failing = renewed.elapsed() > TTL / 2;
            tokio::time::sleep(if failing { Duration::from_secs(1) } else { TTL / 2 }).await;
            let answer = self.link.call(Method::PUT, &path, &self.query(&[]), "", TTL / 2).await;
            match answer {
                Ok(answer) if answer.status == 200 => renewed = Instant::now(),
                Ok(answer) if answer.status == 404 => {
                    return LockError::Session("it was invalidated".to_owned());
                }
                Ok(_) | Err(_) if renewed.elapsed() < TTL => {}
                Ok(answer) => {
                    return LockError::Session(format!("renewing it failed with status {}", answer.status));
                }
                Err(e) => return LockError::Session(e.to_string()),
            }
        }
    }

    /// Gives the session up. One that cannot be reached ends by its time to live.
    pub(super) async fn destroy(&self) {
        let path = format!("/v1/session/destroy/{}", self.session);
        if let Err(error) = self.link.call(Method::PUT, &path, &self.query(&[]), "", ANSWER_LIMIT).await {
            tracing::debug!(%error, "failed to destroy the session");
        }
    }

    /// The pairs at or below a key, and the index to wait after. With an index, waits for a change, at most `wait`.
    pub(super) async fn read(
        &self,
        key: &str,
        recurse: bool,
        after: Option<u64>,
        wait: Duration,
        consistent: bool,
    ) -> Result<(Vec<Pair>, u64), ClientError> {
        let mut more = Vec::new();
        if recurse {
            more.push(("recurse", String::new()));
        }
        if consistent {
            more.push(("consistent", String::new()));
        }
        if let Some(index) = after {
            more.extend([("index", index.to_string()), ("wait", format!("{}ms", wait.as_millis()))]);
        }
        let answer = self
            .link
            .call(Method::GET, &format!("/v1/kv/{key}"), &self.query(&more), "", wait * 2 + ANSWER_LIMIT)
            .await?;
        let index = answer.index;
        if answer.status == 404 {
            return Ok((Vec::new(), index));
        }
        let body = answer.ok()?;
        let pairs = serde_json::from_slice(&body)
            .map_err(|e| ClientError::Decode { url: format!("/v1/kv/{key}"), reason: e.to_string() })?;
        Ok((pairs, index))
    }

    /// A write under a condition; answers whether it was met.
    pub(super) async fn put(
        &self,
        key: &str,
        flags: u64,
        condition: (&'static str, String),
        body: impl Into<Bytes>,
    ) -> Result<bool, ClientError> {
        let query = self.query(&[condition, ("flags", flags.to_string())]);
        let answer =
            self.link.call(Method::PUT, &format!("/v1/kv/{key}"), &query, body, ANSWER_LIMIT).await?.ok()?;
        Ok(answer.trim_ascii() == b"true")
    }

    /// A deletion, under a condition if there is an index; answers whether it was met.
    pub(super) async fn delete(&self, key: &str, index: Option<u64>) -> Result<bool, ClientError> {
        let more: Vec<_> = index.map(|i| ("cas", i.to_string())).into_iter().collect();
        let query = self.query(&more);
        let answer =
            self.link.call(Method::DELETE, &format!("/v1/kv/{key}"), &query, "", ANSWER_LIMIT).await?.ok()?;
        Ok(answer.trim_ascii() == b"true")
    }
}

/// One of both.
#[derive(Debug)]
pub(super) enum Claim {
    Mutex { key: String },
    Semaphore { prefix: String, limit: u32 },
}

impl Claim {
    pub(super) fn mutex(prefix: &str) -> Self {
        Self::Mutex { key: format!("{}/.lock", prefix.trim_end_matches('/')) }
    }
    pub(super) fn semaphore(prefix: &str, limit: u32) -> Self {
        Self::Semaphore { prefix: prefix.trim_end_matches('/').to_owned(), limit }
    }

    /// The key that all agree on.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Mutex { key } => key.clone(),
            Self::Semaphore { prefix, .. } => format!("{prefix}/.lock"),
        }
    }

    /// Waits until it is ours.
    pub(super) async fn acquire(&self, kv: &Kv<'_>, until: Option<Instant>) -> Result<(), LockError> {
        match self {
            Self::Mutex { key } => mutex::acquire(kv, key, until).await,
            Self::Semaphore { prefix, limit } => semaphore::acquire(kv, prefix, *limit, until).await,
        }
    }

    /// Answers when it is not ours any more. Failures of the servers are ridden out up to `retries` times in a row.
    pub(super) async fn watch(&self, kv: &Kv<'_>, retries: u32) {
        let key = match self {
            Self::Mutex { key } => key.clone(),
            // Our own entry goes when the session does.
            Self::Semaphore { prefix, .. } => format!("{prefix}/{}", kv.session),
        };
        let (mut after, mut failures) = (None, 0);
        loop {
            match kv.read(&key, false, after, WAIT, true).await {
                Ok((pairs, index)) => {
                    if pairs.first().is_none_or(|p| p.session != kv.session) {
                        return;
                    }
                    (after, failures) = (Some(index), 0);
                }
                Err(_) if failures < retries => {
                    failures += 1;
                    after = None;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(_) => return,
            }
        }
    }

    /// Gives it back.
    pub(super) async fn release(&self, kv: &Kv<'_>) -> Result<(), LockError> {
        match self {
            Self::Mutex { key } => mutex::release(kv, key).await,
            Self::Semaphore { prefix, .. } => semaphore::release(kv, prefix).await,
        }
    }

    /// Takes back what was prepared for an acquisition that did not come about.
    pub(super) async fn abandon(&self, kv: &Kv<'_>) {
        if let Err(error) = self.release(kv).await {
            tracing::debug!(%error, "failed to give up the lock; it goes with the session");
        }
    }

    /// Removes the key unless somebody uses it; answers whether it is gone.
    pub(super) async fn clean_up(&self, kv: &Kv<'_>) -> Result<bool, LockError> {
        match self {
            Self::Mutex { key } => mutex::clean_up(kv, key).await,
            Self::Semaphore { prefix, .. } => semaphore::clean_up(kv, prefix).await,
        }
    }
}

/// What is left until `until`, at most `most`.
pub(super) fn left(until: Option<Instant>, most: Duration) -> Result<Duration, LockError> {
    let Some(until) = until else { return Ok(most) };
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(LockError::Stopped),
        left => Ok(left.min(most)),
    }
}
