//! Linearizable read points: many callers share one confirmation of leadership.

use crate::{
    handle::Shared,
    network::call,
    wire::{Request, Response},
};
use faults::Fault;
use openraft::{LinearizerOption, ServerState, async_runtime::watch::WatchReceiver};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use types::RequestError;

/// A caller that waits for a read point.
pub type Waiter = oneshot::Sender<Result<u64, RequestError>>;
/// Callers taken into one round.
const ROUND_MAX: usize = 4096;

impl Shared {
    /// The read point of a server that needs nobody's confirmation: the leader that is the only voter.
    ///
    /// Whatever was acknowledged was applied and published here before it was acknowledged; and having applied an entry
    /// of its own term, it has applied all that earlier terms left.
    pub(crate) fn read_point_now(&self) -> Option<u64> {
        let metrics = self.server_metrics.borrow_watched();
        let alone = metrics.state == ServerState::Leader && {
            let configs = metrics.membership_config.get_joint_config();
            configs.len() == 1 && configs[0].len() == 1 && configs[0].contains(&self.id)
        };
        let applied = *self.published.applied.borrow();
        (alone && self.published.applied_term.load(Ordering::Acquire) == metrics.vote.leader_id.term)
            .then_some(applied)
    }

    /// An index that covers everything acknowledged before the call; confirmed with a quorum. Leader only.
    ///
    /// # Errors
    /// `NotLeader`, or `NoLeader` when no quorum answered in time.
    pub(crate) async fn confirm_leader(&self) -> Result<u64, RequestError> {
        if faults::on(Fault::ReadWithoutQuorum)
            && self.server_metrics.borrow_watched().state == ServerState::Leader
        {
            return Ok(*self.published.applied.borrow());
        }
        let option = LinearizerOption::new(Some(Duration::ZERO), true).with_wait_timeout(self.confirm_limit);
        match self.raft.get_read_linearizer(option).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(e) if e.forward_to_leader().is_some() => Err(RequestError::NotLeader),
            Err(e) if e.fatal().is_some() => Err(RequestError::ShuttingDown),
            Err(_) => Err(RequestError::NoLeader),
        }
    }

    async fn round(&self) -> Result<u64, RequestError> {
        match self.confirm_leader().await {
            Err(RequestError::NotLeader) => {}
            other => return other,
        }
        let Some((id, peer)) = self.leader().filter(|(id, _)| *id != self.id) else {
            return Err(RequestError::NoLeader);
        };
        // Twice the time that the leader itself takes at most.
        let limit = self.confirm_limit * 2;
        match call(&*self.transport, self.id, id, &peer, Request::ReadPoint, limit).await {
            Ok(Response::ReadPoint(index)) => Ok(index),
            _ => Err(RequestError::NoLeader),
        }
    }

    /// Resolves once `index` is applied and published here.
    pub(crate) async fn wait_applied(&self, index: u64) -> bool {
        let mut applied = self.published.applied.subscribe();
        tokio::select! {
            biased;
            result = applied.wait_for(|at| *at >= index) => result.is_ok(),
            () = self.stop.wait() => false,
        }
    }
}

/// Serves rounds one after the other; whoever comes during a round waits for the next, since this one's confirmation may
/// be older than the question.
pub(crate) async fn run(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Waiter>) {
    let mut waiters = Vec::new();
    loop {
        let n = tokio::select! {
            biased;
            n = waiting.recv_many(&mut waiters, ROUND_MAX) => n,
            () = shared.stop.wait() => 0,
        };
        if n == 0 {
            return;
        }
        let mut result = tokio::select! {
            biased;
            result = shared.round() => result,
            () = shared.stop.wait() => Err(RequestError::ShuttingDown),
        };
        if let Ok(index) = result {
            match tokio::time::timeout(shared.read_limit, shared.wait_applied(index)).await {
                Ok(true) => {}
                Ok(false) => result = Err(RequestError::ShuttingDown),
                Err(_) => result = Err(RequestError::NoLeader),
            }
        }
        for waiter in waiters.drain(..) {
            // A caller that has gone needs no answer.
            let _ = waiter.send(result.clone());
        }
    }
}
