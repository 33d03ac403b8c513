//! What operators ask the leader of a datacenter.

use super::{Service, unexpected};
use crate::{
    message::{FederationView, RaftConfiguration, Request, Response},
    report::AutopilotReport,
};
use types::{RequestError, Str};

impl Service {
    /// The Raft configuration of a datacenter as its leader has it.
    ///
    /// # Errors
    /// When there is no leader.
    pub async fn raft_configuration(
        &self,
        datacenter: Option<&str>,
    ) -> Result<RaftConfiguration, RequestError> {
        let request = Request::RaftConfiguration { datacenter: datacenter.map(Str::new) };
        match self.leader_request(datacenter, request).await? {
            Response::RaftConfiguration(c) => Ok(c),
            other => Err(unexpected(&other)),
        }
    }

    /// How the leader of a datacenter sees the others, or with `here` this server.
    ///
    /// # Errors
    /// When there is no leader.
    pub async fn federation(
        &self,
        datacenter: Option<&str>,
        here: bool,
    ) -> Result<FederationView, RequestError> {
        if here && self.is_own(datacenter) && self.server.is_some() {
            return self.own_view();
        }
        let request = Request::Federation { datacenter: datacenter.map(Str::new) };
        match self.leader_request(datacenter, request).await? {
            Response::Federation(view) => Ok(view),
            other => Err(unexpected(&other)),
        }
    }

    /// What autopilot of a datacenter thinks of its servers, as the leader there tells it.
    ///
    /// # Errors
    /// When there is no leader.
    pub async fn autopilot(&self, datacenter: Option<&str>) -> Result<AutopilotReport, RequestError> {
        let request = Request::Autopilot { datacenter: datacenter.map(Str::new) };
        match self.leader_request(datacenter, request).await? {
            Response::Autopilot(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets who can tell of the servers while this one leads; the first one stays.
    pub fn tell_autopilot(&self, report: impl Fn() -> Option<AutopilotReport> + Send + Sync + 'static) {
        // Called once, when the agent is complete.
        let _first = self.report.set(Box::new(report));
    }

    /// Sets who can tell how this server sees the other datacenters; the first one stays.
    pub fn tell_federation(&self, view: impl Fn() -> Option<FederationView> + Send + Sync + 'static) {
        // Called once, when the agent is complete.
        let _first = self.view.set(Box::new(view));
    }

    pub(super) fn own_view(&self) -> Result<FederationView, RequestError> {
        self.view.get().and_then(|view| view()).ok_or(RequestError::ShuttingDown)
    }

    /// Asks the leader of a datacenter to take a server out of the Raft configuration.
    ///
    /// # Errors
    /// When there is no leader, or it refuses.
    pub async fn remove_server(&self, datacenter: Option<&str>, id: u128) -> Result<(), RequestError> {
        let request = Request::RemoveServer { datacenter: datacenter.map(Str::new), id };
        self.leader_request(datacenter, request).await.map(|_ok| ())
    }

    /// Asks the leader to hand leadership over, to the voter `to` or to the best one.
    ///
    /// # Errors
    /// When there is no leader, or nobody can take over.
    pub async fn transfer_leader(&self, to: Option<u128>) -> Result<(), RequestError> {
        self.leader_request(None, Request::TransferLeader { to }).await.map(|_ok| ())
    }
}
