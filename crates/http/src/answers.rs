//! Encoded answers, kept while the state they were made from is current.

use crate::{read::Shape, respond::compress};
use ahash::RandomState;
use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use std::{
    hash::{BuildHasher as _, Hash, Hasher},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;
use types::query::{Consistency, Query, QueryMeta, QueryOptions};

/// How long an answer serves those who waited for the same index.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// What an entry costs beside its bodies.
const ENTRY_OVERHEAD: usize = 512;

/// A question.
#[derive(Clone, Copy)]
pub(crate) struct AnswerKey<'a> {
    pub(crate) query: &'a Query,
    pub(crate) options: &'a QueryOptions,
    pub(crate) shape: Shape,
}

/// A question, kept. How long to wait and from which index is not part of it.
pub(crate) struct Question {
    pub(crate) query: Query,
    pub(crate) options: QueryOptions,
    shape: Shape,
}

impl AnswerKey<'_> {
    pub(crate) fn hash(&self, state: &RandomState) -> u64 {
        let o = self.options;
        let mut h = state.build_hasher();
        self.query.hash(&mut h);
        self.shape.hash(&mut h);
        (o.consistency == Consistency::Stale, &o.datacenter, &o.token, &o.filter, &o.node_meta, &o.near)
            .hash(&mut h);
        h.finish()
    }

    /// The question, to be kept.
    pub(crate) fn keep(&self) -> Question {
        Question { query: self.query.clone(), options: self.options.clone(), shape: self.shape }
    }

    pub(crate) fn is(&self, q: &Question) -> bool {
        let (a, b) = (self.options, &q.options);
        self.shape == q.shape
            && *self.query == q.query
            && (a.consistency == Consistency::Stale) == (b.consistency == Consistency::Stale)
            && a.datacenter == b.datacenter
            && a.token == b.token
            && a.filter == b.filter
            && a.node_meta == b.node_meta
            && a.near == b.near
    }
}

/// An encoded answer.
pub(crate) struct Answer {
    question: Question,
    /// Version of the state it is valid for, where that can be told.
    version: Option<u64>,
    pub(crate) meta: QueryMeta,
    pub(crate) body: Bytes,
    gzip: OnceLock<Bytes>,
    pub(crate) made: Instant,
}

impl Answer {
    /// The gzip form, made once.
    pub(crate) fn gzip(&self) -> Option<Bytes> {
        Some(self.gzip.get_or_init(|| compress(&self.body)).clone())
    }
    fn cost(&self) -> usize {
        // The gzip form may come later; JSON of rows shrinks to a tenth, so this leaves room for it.
        self.body.len() + self.body.len() / 8 + ENTRY_OVERHEAD
    }
}

/// Encoded answers, bounded by bytes, the least recently used leave first.
pub(crate) struct Answers {
    state: RandomState,
    inner: Mutex<Inner>,
}

struct Inner {
    map: LruCache<u64, Arc<Answer>>,
    bytes: usize,
    bytes_max: usize,
}

impl Answers {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let inner = Inner { map: LruCache::unbounded(), bytes: 0, bytes_max };
        Self { state: RandomState::new(), inner: Mutex::new(inner) }
    }

    /// The answer for exactly this version of the state.
    pub(crate) fn get(&self, key: &AnswerKey<'_>, version: u64) -> Option<Arc<Answer>> {
        self.find(key).filter(|a| a.version == Some(version))
    }

    /// A recent answer with this index.
    pub(crate) fn get_index(&self, key: &AnswerKey<'_>, index: u64) -> Option<Arc<Answer>> {
        self.find(key).filter(|a| a.meta.index == index && a.made.elapsed() < SHARED_FOR)
    }

    fn find(&self, key: &AnswerKey<'_>) -> Option<Arc<Answer>> {
        let hash = key.hash(&self.state);
        self.inner.lock().map.get(&hash).filter(|a| key.is(&a.question)).cloned()
    }

    /// Keeps an answer, unless it alone is beyond an eighth of the bound.
    pub(crate) fn put(
        &self,
        key: &AnswerKey<'_>,
        version: Option<u64>,
        meta: QueryMeta,
        body: Bytes,
    ) -> Arc<Answer> {
        let answer = Arc::new(Answer {
            question: key.keep(),
            version,
            meta,
            body,
            gzip: OnceLock::new(),
            made: Instant::now(),
        });
        let hash = key.hash(&self.state);
        let mut inner = self.inner.lock();
        if answer.cost() <= inner.bytes_max / 8 {
            inner.bytes += answer.cost();
            if let Some((_, old)) = inner.map.push(hash, answer.clone()) {
                inner.bytes -= old.cost();
            }
            while inner.bytes > inner.bytes_max {
                let Some((_, old)) = inner.map.pop_lru() else { break };
                inner.bytes -= old.cost();
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{PeerName, Tenancy};

    fn nodes() -> Query {
        Query::Nodes { tenancy: Tenancy::default(), peer: PeerName::default() }
    }

    #[test]
    fn answers_belong_to_a_question_and_a_version() {
        let a = Answers::new(1 << 20);
        let (q, o) = (nodes(), QueryOptions::default());
        let key = AnswerKey { query: &q, options: &o, shape: Shape::Plain };
        let meta = QueryMeta { index: 7, ..Default::default() };
        a.put(&key, Some(3), meta, Bytes::from_static(b"[]"));
        assert!(a.get(&key, 3).is_some());
        assert!(a.get(&key, 4).is_none());
        assert!(a.get_index(&key, 7).is_some());
        assert!(a.get_index(&key, 8).is_none());
        for other in [
            QueryOptions { near: "n".into(), ..Default::default() },
            QueryOptions { filter: Some("x".into()), ..Default::default() },
            QueryOptions { token: types::SecretToken::new("t"), ..Default::default() },
            QueryOptions { datacenter: Some("dc2".into()), ..Default::default() },
            QueryOptions { consistency: Consistency::Stale, ..Default::default() },
        ] {
            assert!(a.get(&AnswerKey { options: &other, ..key }, 3).is_none());
        }
        let waiting = QueryOptions { min_index: 5, max_wait: Some(SHARED_FOR), ..Default::default() };
        assert!(a.get(&AnswerKey { options: &waiting, ..key }, 3).is_some());
    }

    #[test]
    fn bytes_are_bounded() {
        let a = Answers::new(80_000);
        let (q, body) = (nodes(), Bytes::from(vec![b'x'; 4_000]));
        for n in 0..100u32 {
            let o = QueryOptions { near: n.to_string().into(), ..Default::default() };
            let key = AnswerKey { query: &q, options: &o, shape: Shape::Plain };
            a.put(&key, Some(1), QueryMeta::default(), body.clone());
        }
        let inner = a.inner.lock();
        assert!(inner.bytes <= 80_000 && !inner.map.is_empty());
        assert_eq!(inner.bytes, inner.map.iter().map(|(_, v)| v.cost()).sum::<usize>());
        drop(inner);
        let o = QueryOptions::default();
        let key = AnswerKey { query: &q, options: &o, shape: Shape::Plain };
        a.put(&key, Some(1), QueryMeta::default(), Bytes::from(vec![0; 20_000]));
        assert!(a.get(&key, 1).is_none());
    }
}
