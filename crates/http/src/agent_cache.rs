//! The agent's own cache (`?cached`): answers that a background task keeps current with blocking queries.

use crate::{
    answers::{AnswerKey, Question},
    context::Ctx,
    error::HttpError,
    read::{CacheControl, Read},
    reply::Reply,
    server::Shared,
};
use ahash::RandomState;
use lru::LruCache;
use parking_lot::Mutex;
use rpc::Query;
use runtime::Shutdown;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use types::{
    RequestError,
    query::{QueryOptions, QueryResponse},
};

/// How long an answer that nobody asks for is kept current.
const UNUSED_MAX: Duration = Duration::from_secs(3 * 24 * 3600);
/// Pause after a failed refresh, doubled up to the second value.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Cached answers, the least recently used leave first.
pub(crate) struct AgentCache {
    state: RandomState,
    entries: Mutex<LruCache<u64, Arc<Entry>>>,
}

struct Entry {
    question: Question,
    current: watch::Sender<Filled>,
    used: Mutex<Instant>,
}

#[derive(Clone)]
struct Filled {
    response: Arc<QueryResponse>,
    /// Since when it may be out of date; `None` while the refresher is at work.
    lost: Option<Instant>,
}

impl Filled {
    fn age(&self) -> Duration {
        self.lost.map_or(Duration::ZERO, |t| t.elapsed())
    }
}

impl AgentCache {
    pub(crate) fn new(entries: usize) -> Self {
        let max = NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
        Self { state: RandomState::new(), entries: Mutex::new(LruCache::new(max)) }
    }

    /// Answers from the cache, or from the servers when the cache has nothing that fits.
    pub(crate) async fn answer(&self, server: &Arc<Shared>, read: &Read, control: CacheControl) -> Reply {
        let Some(entry) = self.find(&read.key()) else { return self.fill(server, read).await };
        *entry.used.lock() = Instant::now();
        let filled = entry.current.borrow().clone();
        let age = filled.age();
        if control.max_age.is_some_and(|max| max.is_zero() || age > max) {
            let fresh = server.query.query(read.query.clone(), once(&read.options)).await;
            return match fresh {
                Ok(response) => read.show(&response).with("x-cache", "MISS"),
                Err(_servers) if age <= control.stale_if_error => hit(read, &filled),
                Err(e) => read.fail(e),
            };
        }
        if read.options.min_index == 0 {
            return hit(read, &filled);
        }
        let mut updates = entry.current.subscribe();
        let newer = updates.wait_for(|f| f.response.meta.index > read.options.min_index);
        let limit = read.options.max_wait.unwrap_or(Duration::from_secs(300));
        // Nothing newer in time is an answer too: what there is.
        let _ = tokio::time::timeout(limit, newer).await;
        let filled = entry.current.borrow().clone();
        hit(read, &filled)
    }

    fn find(&self, key: &AnswerKey<'_>) -> Option<Arc<Entry>> {
        let hash = key.hash(&self.state);
        self.entries.lock().get(&hash).filter(|e| key.is(&e.question)).cloned()
    }

    /// The first answer to a question, which begins its upkeep.
    async fn fill(&self, server: &Arc<Shared>, read: &Read) -> Reply {
        let response = match server.query.query(read.query.clone(), once(&read.options)).await {
            Ok(r) => Arc::new(r),
            Err(e) => return read.fail(e),
        };
        let key = read.key();
        let filled = Filled { response: response.clone(), lost: None };
        let entry = Arc::new(Entry {
            question: key.keep(),
            current: watch::channel(filled).0,
            used: Mutex::new(Instant::now()),
        });
        self.entries.lock().push(key.hash(&self.state), entry.clone());
        let upkeep =
            keep_current(Arc::downgrade(&entry), server.query.clone(), server.tasks.shutdown().clone());
        server.tasks.spawn("agent cache", upkeep);
        read.show(&response).with("x-cache", "MISS")
    }
}

fn hit(read: &Read, filled: &Filled) -> Reply {
    read.show(&filled.response).with("x-cache", "HIT").with("age", &filled.age().as_secs().to_string())
}

/// The same options, to be answered at once.
fn once(options: &QueryOptions) -> QueryOptions {
    QueryOptions { min_index: 0, ..options.clone() }
}

/// Follows the answer of an entry until the entry is gone, unused, or the server ends.
async fn keep_current(entry: Weak<Entry>, query: Arc<dyn Query>, stop: Shutdown) {
    let mut pause = RETRY.0;
    loop {
        let (question, options) = {
            let Some(e) = entry.upgrade() else { return };
            if e.used.lock().elapsed() > UNUSED_MAX {
                return;
            }
            let min_index = e.current.borrow().response.meta.index.max(1);
            (
                e.question.query.clone(),
                QueryOptions { min_index, max_wait: None, ..e.question.options.clone() },
            )
        };
        let asked_from = options.min_index;
        let result: Result<QueryResponse, RequestError> = tokio::select! {
            () = stop.wait() => return,
            result = query.query(question, options) => result,
        };
        let Some(e) = entry.upgrade() else { return };
        match result {
            Ok(response) => {
                pause = RETRY.0;
                // A smaller index means that the servers' state was replaced, which is news as well.
                let news = response.meta.index != asked_from || e.current.borrow().lost.is_some();
                if news {
                    e.current.send_replace(Filled { response: Arc::new(response), lost: None });
                }
                drop(e);
            }
            Err(_servers) => {
                e.current.send_if_modified(|f| {
                    f.lost.get_or_insert_with(Instant::now);
                    false
                });
                drop(e);
                tokio::select! {
                    () = stop.wait() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

/// What a request says about cached answers; `None` when it does not want one.
pub(crate) fn cache_control(ctx: &Ctx<'_>) -> Result<Option<CacheControl>, HttpError> {
    if !ctx.config.use_cache || !ctx.params.has("cached") {
        return Ok(None);
    }
    parse(ctx.header("cache-control").unwrap_or("")).map(Some)
}

fn parse(header: &str) -> Result<CacheControl, HttpError> {
    let mut control = CacheControl::default();
    for part in header.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let seconds = || {
            let n = value.trim().parse::<u64>();
            n.map(Duration::from_secs).map_err(|_e| HttpError::bad_request("Invalid Cache-Control header."))
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => control.max_age = Some(seconds()?),
            "must-revalidate" => control.max_age = Some(Duration::ZERO),
            "stale-if-error" => control.stale_if_error = seconds()?,
            _ => {}
        }
    }
    Ok(control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_header() {
        let secs = Duration::from_secs;
        assert_eq!(parse(""), Ok(CacheControl::default()));
        assert_eq!(
            parse("Max-Age=10, stale-if-error=30, no-transform"),
            Ok(CacheControl { max_age: Some(secs(10)), stale_if_error: secs(30) })
        );
        assert_eq!(parse("must-revalidate").unwrap().max_age, Some(Duration::ZERO));
        assert_eq!(parse("max-age=x").unwrap_err().text, "Invalid Cache-Control header.");
    }
}
