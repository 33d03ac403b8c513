//! Gossip as the leader's duties see it.

use std::sync::Arc;
use types::member::Member;

/// The LAN pool's members, all states.
pub trait Members: Send + Sync + 'static {
    /// A snapshot of the pool.
    fn members(&self) -> Arc<Vec<Member>>;
}

impl<F: Fn() -> Arc<Vec<Member>> + Send + Sync + 'static> Members for F {
    fn members(&self) -> Arc<Vec<Member>> {
        self()
    }
}

/// A hint that something changed in the pool. Losing one is harmless: the periodic pass finds what was missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MemberEvent {
    /// A member appeared, changed its state or its tags.
    Changed(Member),
    /// A member that had failed or left was forgotten.
    Reaped(Member),
    /// Events were dropped: compare everything.
    Resync,
}
