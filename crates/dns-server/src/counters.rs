//! What the DNS interface counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Running totals, shared by all loops.
#[derive(Default, Debug)]
pub struct DnsCounters {
    pub(crate) udp_queries: AtomicU64,
    pub(crate) tcp_queries: AtomicU64,
    pub(crate) ptr_queries: AtomicU64,
    pub(crate) recursed: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) refused_overload: AtomicU64,
    pub(crate) cache_hits: AtomicU64,
    pub(crate) deferred: AtomicU64,
    pub(crate) tcp_rejected: AtomicU64,
}

/// A reading of [`DnsCounters`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct DnsCounts {
    /// Questions over UDP.
    pub udp_queries: u64,
    /// Questions over TCP.
    pub tcp_queries: u64,
    /// Reverse questions among them (`dns.ptr_query`).
    pub ptr_queries: u64,
    /// Questions passed to recursors.
    pub recursed: u64,
    /// Packets that were no question.
    pub malformed: u64,
    /// Questions answered `SERVFAIL` because too many were waiting.
    pub refused_overload: u64,
    /// Answers made from a record set that was still valid.
    pub cache_hits: u64,
    /// Questions that had to wait for another server or a recursor.
    pub deferred: u64,
    /// TCP connections closed because too many were open.
    pub tcp_rejected: u64,
}

impl DnsCounters {
    /// Totals now.
    pub fn read(&self) -> DnsCounts {
        DnsCounts {
            udp_queries: self.udp_queries.load(Relaxed),
            tcp_queries: self.tcp_queries.load(Relaxed),
            ptr_queries: self.ptr_queries.load(Relaxed),
            recursed: self.recursed.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            refused_overload: self.refused_overload.load(Relaxed),
            cache_hits: self.cache_hits.load(Relaxed),
            deferred: self.deferred.load(Relaxed),
            tcp_rejected: self.tcp_rejected.load(Relaxed),
        }
    }
}
