//! What a pool has done, in numbers.

use crate::seal::OpenError;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts since start.
        #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)* }
        impl Counters {
            /// Name and value of each, for telemetry.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Packets received.
    packets_in,
    /// Packets sent.
    packets_out,
    /// Bytes received in packets.
    bytes_in,
    /// Bytes sent in packets.
    bytes_out,
    /// Packets dropped: not of this protocol, damaged, truncated, of another pool.
    dropped_malformed,
    /// Packets dropped: no installed key opens them.
    dropped_no_key,
    /// Packets dropped: plain where only sealed ones are accepted, or sealed where there is no key.
    dropped_mode,
    /// Packets dropped: seen before.
    dropped_replayed,
    /// Packets dropped: from a source that is not allowed.
    dropped_source,
    /// Packets or events dropped because a queue was full.
    dropped_full,
    /// Probes that failed.
    probes_failed,
    /// Suspicions that this member raised or confirmed.
    suspicions_raised,
    /// Suspicions about this member that it refuted.
    suspicions_refuted,
    /// Members declared failed here.
    members_failed,
    /// User events that were news.
    user_events,
    /// Full state exchanges.
    syncs,
    /// Full state exchanges or probes over a stream that failed.
    streams_failed,
}

impl Counters {
    pub(crate) fn count_drop(&mut self, e: OpenError) {
        match e {
            OpenError::Malformed | OpenError::TooLarge => self.dropped_malformed += 1,
            OpenError::NoKey => self.dropped_no_key += 1,
            OpenError::Unexpected | OpenError::Plain => self.dropped_mode += 1,
            OpenError::Replayed => self.dropped_replayed += 1,
        }
    }
}
