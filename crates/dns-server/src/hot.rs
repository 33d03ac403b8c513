//! The synchronous path: a packet in, an answer out, without waiting for anything.

use crate::{
    cache::{Cache, Entry, key},
    server::Shared,
};
use dns::{
    Compressor, Context, DnsConfig, LookupKind, Outcome, Parsed, Plan, Request, Source, Transport, View,
    answer, parse, plan,
};
use rand::{RngCore, SeedableRng, rngs::SmallRng};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    /// The answer is in the buffer.
    Answered,
    /// Nothing to say.
    Dropped,
    /// Someone else has to be asked first.
    Wait,
}

/// What one loop owns.
pub(crate) struct Hot {
    shared: Arc<Shared>,
    config: Arc<DnsConfig>,
    cache: Cache,
    names: Compressor,
    rng: SmallRng,
    pub counts: Counts,
}

/// Counted here, added to the shared totals once a batch.
#[derive(Default)]
pub(crate) struct Counts {
    queries: u64,
    ptr: u64,
    malformed: u64,
    hits: u64,
}

impl Hot {
    pub fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let config = shared.config.load_full();
        Self {
            shared,
            config,
            cache: Cache::new(),
            names: Compressor::default(),
            rng: SmallRng::seed_from_u64(seed),
            counts: Counts::default(),
        }
    }

    /// To be called before a batch: takes up new settings, which may change every view.
    pub fn refresh(&mut self) {
        let current = self.shared.config.load();
        if !Arc::ptr_eq(&current, &self.config) {
            self.config = Arc::clone(&current);
            self.cache.clear();
        }
    }

    /// Adds what was counted to the totals.
    pub fn flush_counts(&mut self, transport: Transport) {
        let n = std::mem::take(&mut self.counts);
        let c = &self.shared.counters;
        let queries = if transport == Transport::Udp { &c.udp_queries } else { &c.tcp_queries };
        for (total, n) in [
            (queries, n.queries),
            (&c.ptr_queries, n.ptr),
            (&c.malformed, n.malformed),
            (&c.cache_hits, n.hits),
        ] {
            if n > 0 {
                total.fetch_add(n, Relaxed);
            }
        }
    }

    /// Handles one packet; `now` in Unix seconds.
    pub fn handle(&mut self, packet: &[u8], transport: Transport, now: u32, out: &mut Vec<u8>) -> Done {
        let request = match parse(packet, transport) {
            Parsed::Question(request) => request,
            Parsed::Reject(header) => {
                self.counts.malformed += 1;
                out.clear();
                out.extend_from_slice(&header);
                return Done::Answered;
            }
            Parsed::Drop => {
                self.counts.malformed += 1;
                return Done::Dropped;
            }
        };
        self.counts.queries += 1;
        let key = key(&request);
        let seed = self.rng.next_u64();
        if let Some(entry) = self.cache.get(&key) {
            self.counts.ptr += u64::from(entry.lookup.kind == LookupKind::Reverse);
            let version = self.shared.query.version_now(&entry.lookup.query, &entry.lookup.options);
            if version == Some(entry.version) {
                self.counts.hits += 1;
                let ctx = context(&self.shared, &self.config, now, seed);
                return finish(&request, &entry.view, &ctx, &mut self.names, out);
            }
            let Some(result) = self.shared.query.query_now(&entry.lookup.query, &entry.lookup.options) else {
                return Done::Wait;
            };
            let view = View::new(&entry.lookup, result.map(|r| r.result), &self.shared.zone, &self.config);
            let done = self.write(&request, &view, now, seed, out);
            if let Some(version) = version.filter(|_| !matches!(view, View::Failed)) {
                self.cache.renew(&key, version, view);
            }
            return done;
        }
        match plan(&request, &self.shared.zone, &self.config) {
            Plan::Forward => Done::Wait,
            Plan::Lookup(lookup) => {
                self.counts.ptr += u64::from(lookup.kind == LookupKind::Reverse);
                // Read before the rows: if they change in between, the view is only renewed once too often.
                let version = self.shared.query.version_now(&lookup.query, &lookup.options);
                let Some(result) = self.shared.query.query_now(&lookup.query, &lookup.options) else {
                    return Done::Wait;
                };
                let view = View::new(&lookup, result.map(|r| r.result), &self.shared.zone, &self.config);
                let done = self.write(&request, &view, now, seed, out);
                if let Some(version) = version.filter(|_| !matches!(view, View::Failed)) {
                    self.cache.insert(key, Entry { lookup: *lookup, version, view });
                }
                done
            }
            fixed => {
                let ctx = context(&self.shared, &self.config, now, seed);
                answer(&request, Source::Plan(&fixed), &ctx, &mut self.names, out);
                Done::Answered
            }
        }
    }

    fn write(&mut self, request: &Request<'_>, view: &View, now: u32, seed: u64, out: &mut Vec<u8>) -> Done {
        let ctx = context(&self.shared, &self.config, now, seed);
        finish(request, view, &ctx, &mut self.names, out)
    }

    /// Writes `SERVFAIL`, for a question that cannot even wait.
    pub fn overloaded(&mut self, packet: &[u8], transport: Transport, out: &mut Vec<u8>) -> Done {
        self.shared.counters.refused_overload.fetch_add(1, Relaxed);
        let Parsed::Question(request) = parse(packet, transport) else { return Done::Dropped };
        let ctx = context(&self.shared, &self.config, 0, 0);
        answer(&request, Source::Failure, &ctx, &mut self.names, out);
        Done::Answered
    }

    /// A seed for a question that has to wait.
    pub fn seed(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

fn context<'a>(shared: &'a Shared, config: &'a DnsConfig, now: u32, seed: u64) -> Context<'a> {
    Context { zone: &shared.zone, config, now, seed, chased: None }
}

fn finish(
    request: &Request<'_>,
    view: &View,
    ctx: &Context<'_>,
    names: &mut Compressor,
    out: &mut Vec<u8>,
) -> Done {
    if matches!(view, View::Reverse(None)) && !ctx.config.recursors.is_empty() {
        return Done::Wait;
    }
    match answer(request, Source::View(view), ctx, names, out) {
        Outcome::Written => Done::Answered,
        Outcome::Chase(_) => Done::Wait,
    }
}
