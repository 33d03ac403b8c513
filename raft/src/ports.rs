//! What the composition gives to consensus: a way to other servers, and an ear for new state.

use crate::{Peer, ServerId, TransportError};
use bytes::Bytes;
use catalog::{ChangeSet, Store};
use runtime::BoxFuture;
use std::{sync::Arc, time::Duration};

/// Carries opaque requests to other servers.
pub trait Transport: Send + Sync + 'static {
    /// Delivers `request` to `target`'s [`RaftHandle::handle`](crate::RaftHandle::handle) and answers what that answered,
    /// within `limit`. `target_id` lets the receiver refuse a request that was meant for an earlier owner of the address.
    fn call(
        &self,
        target: &Peer,
        target_id: ServerId,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Bytes, TransportError>>;
}

/// Hears of every new version of the state.
pub trait Observer: Send + Sync + 'static {
    /// Called after each applied batch, in log order, before the proposers of the batch are answered: a proposer that
    /// reads after its answer sees its own write. Must be quick and must not block.
    fn published(&self, store: Arc<Store>, changes: &ChangeSet);
    /// The state was replaced as a whole (restored at start, or a snapshot from the leader): every watch must look again.
    fn replaced(&self, store: Arc<Store>);
}
