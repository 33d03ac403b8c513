//! Requests that another datacenter answers.

use super::Service;
use crate::{
    datacenters::Remote,
    message::{Answer, DeskRequest, Request},
};
use runtime::Shutdown;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use types::{Outcome, RequestError, Str};

/// Servers of another datacenter that are asked before it counts as out of reach.
const REMOTE_TRIES: usize = 3;
/// Between two measurements of the way to another datacenter that answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// The same for one that has just stopped to answer: soon it is clear whether requests for it are to be refused, or welcome again.
const PROBE_SOON: Duration = Duration::from_secs(1);
/// Failures after which it is probed like the others: it is gone for longer.
const SOON_MAX: u32 = 15;
/// A datacenter that takes longer to say who leads it is not there.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

impl Service {
    /// Where a server gets the answer for `dc`: `None` is here.
    pub(super) fn place(&self, dc: Option<&str>) -> Result<Option<Arc<Remote>>, RequestError> {
        match dc {
            Some(name) if !self.is_own(dc) => {
                self.datacenters.get(name).map(Some).ok_or(RequestError::NoPathToDatacenter)
            }
            _ => Ok(None),
        }
    }

    /// Asks a server of another datacenter, and others there if it does not answer.
    pub(super) async fn ask_remote(&self, remote: &Remote, request: &Request) -> Answer {
        if !remote.is_open() {
            return Err(RequestError::DatacenterUnreachable);
        }
        let is_read = !matches!(
            request,
            Request::Submit { .. }
                | Request::RemoveServer { .. }
                | Request::Desk { request: DeskRequest::Fire(_), .. }
        );
        let answer_by = Instant::now()
            + match request {
                // The server there lengthens a wait by up to a sixteenth, a client agent waits an eighth longer for us.
                // In the same way a read ends before a client agent, which waits the whole hold time, blames its own server.
                Request::Query { options, .. } if options.min_index > 0 => {
                    let asked = options.max_wait.filter(|w| !w.is_zero());
                    let wait = asked.unwrap_or(self.config.default_wait).min(self.config.max_wait);
                    wait + wait / 12 + self.config.hold
                }
                _ if is_read => self.config.hold * 3 / 4,
                _ => self.config.hold * 2,
            };
        let mut error = Str::new_static("no server of it is alive");
        for _ in 0..REMOTE_TRIES {
            let Some(server) = remote.servers.pick() else { break };
            match self.call_there(server, Some(&remote.name), request, answer_by).await {
                Err(e @ RequestError::Transport { .. }) => {
                    remote.servers.failed(server);
                    error = Str::from(e.to_string());
                    if !(is_read || e.outcome() == Outcome::NotApplied) {
                        remote.failed(error);
                        return Err(RequestError::Unknown);
                    }
                    if Instant::now() >= answer_by {
                        break;
                    }
                }
                Err(RequestError::ShuttingDown) => remote.servers.failed(server),
                answer => {
                    remote.succeeded(None);
                    return answer;
                }
            }
        }
        remote.failed(error);
        Err(RequestError::DatacenterUnreachable)
    }

    /// Measures the way to every other datacenter from time to time, also to those that are not asked any more. Ends with
    /// `shutdown`; only servers run it.
    pub async fn probe_datacenters(self: Arc<Self>, shutdown: Shutdown) {
        let mut regular = Instant::now() + PROBE_INTERVAL;
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                () = tokio::time::sleep(PROBE_SOON) => {}
            }
            let all = Instant::now() >= regular;
            if all {
                regular = Instant::now() + PROBE_INTERVAL;
            }
            let mut probes = JoinSet::new();
            for remote in self.datacenters.remotes() {
                let reach = remote.reach();
                if all || (1..SOON_MAX).contains(&reach.failures) {
                    let this = self.clone();
                    probes.spawn(async move { this.probe(&remote).await });
                }
            }
            tokio::select! {
                () = shutdown.wait() => return,
                _ = probes.join_all() => {}
            }
        }
    }

    async fn probe(&self, remote: &Remote) {
        let Some(server) = remote.servers.pick() else {
            return remote.failed(Str::new_static("no server of it is alive"));
        };
        let begun = Instant::now();
        let request = Request::Status { datacenter: Some(remote.name.0.clone()) };
        match self.call_there(server, Some(&remote.name), &request, begun + PROBE_LIMIT).await {
            Ok(_) => remote.succeeded(Some(begun.elapsed())),
            Err(e) => {
                remote.servers.failed(server);
                remote.failed(Str::from(e.to_string()));
            }
        }
    }
}
