//! The traits that HTTP, DNS, anti-entropy and leader duties use.

use crate::message::{DeskAnswer, DeskRequest};
use runtime::BoxFuture;
use types::{
    RequestError, SecretToken,
    ca::{CaAnswer, CaRequest},
    command::{Command, CommandResponse},
    query::{Query as QueryRequest, QueryOptions, QueryResponse},
};

/// Writes.
pub trait Submit: Send + Sync + 'static {
    /// Proposes `command` in `datacenter` (`None` = the agent's own) and answers once it is applied, with the log index.
    /// [`CommandResponse::Refused`] is turned into [`RequestError::Refused`]. Once started it runs to the end: dropping the
    /// future does not take the write back.
    fn submit(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        command: Command,
    ) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>>;
}

/// The certificate authority.
pub trait Authority: Send + Sync + 'static {
    /// Has the leader of `datacenter` (`None` = the agent's own) do what only it can. Asking again for the same is harmless.
    fn authority(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        request: CaRequest,
    ) -> BoxFuture<'_, Result<CaAnswer, RequestError>>;
}

/// What a server does for others beside the replicated state: its gossip pools, what it gathers before writing.
pub trait Desk: Send + Sync + 'static {
    /// Does it, without waiting.
    ///
    /// # Errors
    /// The text for the caller; nothing was done then.
    fn handle(&self, request: DeskRequest) -> Result<DeskAnswer, RequestError>;
}

/// Reads.
pub trait Query: Send + Sync + 'static {
    /// Answers `query`, blocking as `options` say. Cancel safe: dropping the future ends the wait everywhere.
    fn query(
        &self,
        query: QueryRequest,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>>;

    /// Answers at once if that needs no waiting and no network (a local read on a server with `min_index` 0 that is stale, or
    /// whose read point needs no confirmation); `None` means "use [`Query::query`]".
    fn query_now(
        &self,
        query: &QueryRequest,
        options: &QueryOptions,
    ) -> Option<Result<QueryResponse, RequestError>>;

    /// For caches of encoded answers at the edge: a number that moves whenever the answer of `query` may have changed, valid
    /// under the freshness that `options` ask for, at once and without network; `None` when it cannot be told here.
    fn version_now(&self, query: &QueryRequest, options: &QueryOptions) -> Option<u64>;
}
