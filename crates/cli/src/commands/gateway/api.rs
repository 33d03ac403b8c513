//! The agent as a gateway sees it.

use super::{super::Failure, plan::Plan};
use crate::client::{AgentLink, ClientError, LinkAnswer};
use ::gateway::follow::{AgentApi, Reply};
use http::Method;
use runtime::BoxFuture;
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// Patience with what is not held back.
const LIMIT: Duration = Duration::from_secs(15);

/// The agent, and what this gateway has registered with it.
pub(super) struct Agent {
    pub(super) link: AgentLink,
    plan: Plan,
    registered: AtomicBool,
}

impl AgentApi for Agent {
    fn get<'a>(
        &'a self,
        path: &'a str,
        query: &'a [(&'static str, String)],
        limit: Duration,
    ) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let answer =
                self.link.call(Method::GET, path, query, "", limit).await.map_err(|e| e.to_string())?;
            Ok(Reply { status: answer.status, index: answer.index, body: answer.body })
        })
    }

    /// An agent that lost its registrations while it was away gets ours again.
    fn returned(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if !self.registered.load(Relaxed) {
                return;
            }
            let path = format!("/v1/agent/service/{}", self.plan.id);
            let answer = self.link.call(Method::GET, &path, &self.link.tenancy(), "", LIMIT).await;
            if answer.is_ok_and(|a| a.status == 404) {
                match self.register().await {
                    Ok(()) => {
                        tracing::info!(
                            service = self.plan.service,
                            "registered again: the agent had lost it"
                        );
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the agent has lost the gateway, and cannot register it");
                    }
                }
            }
        })
    }
}

impl Agent {
    pub(super) fn new(link: AgentLink, plan: Plan) -> Self {
        Self { link, plan, registered: AtomicBool::new(false) }
    }

    /// Registers the gateway unless the plan says that somebody else did.
    pub(super) async fn register(&self) -> Result<(), ClientError> {
        let Some(body) = &self.plan.registration else { return Ok(()) };
        let query = self.link.tenancy();
        let body = body.to_string();
        good(self.link.call(Method::PUT, "/v1/agent/service/register", &query, body, LIMIT).await?)?;
        self.registered.store(true, Relaxed);
        Ok(())
    }

    /// Takes back what [`Self::register`] did; answers whether there was something.
    pub(super) async fn deregister(&self) -> Result<bool, ClientError> {
        if !self.registered.swap(false, Relaxed) {
            return Ok(false);
        }
        let path = format!("/v1/agent/service/deregister/{}", self.plan.id);
        good(self.link.call(Method::PUT, &path, &self.link.tenancy(), "", LIMIT).await?)?;
        Ok(true)
    }
}

fn good(answer: LinkAnswer) -> Result<LinkAnswer, ClientError> {
    match answer.status {
        200 => Ok(answer),
        status => {
            Err(ClientError::Status { status, body: String::from_utf8_lossy(&answer.body).trim().to_owned() })
        }
    }
}

/// Reads a path whose answer must be good.
pub(super) async fn read(
    link: &AgentLink,
    path: &str,
    query: &[(&'static str, String)],
) -> Result<LinkAnswer, Failure> {
    let answer = link.call(Method::GET, path, query, "", LIMIT).await.and_then(good);
    answer.map_err(Failure::request("Error connecting to Consul agent"))
}

/// Refuses to expose servers that do not federate through gateways: nobody would ever connect to them.
pub(super) fn check_federation(agent_self: &[u8], shown: &str) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(agent_self).unwrap_or_default();
    let setting = answer["DebugConfig"]["ConnectMeshGatewayWANFederationEnabled"].as_bool();
    // A client agent never has the setting, whatever its servers say.
    if answer["Config"]["Server"] == true && setting == Some(false) {
        return Err(Failure {
            hint: Some(
                "Set connect { enabled = true, enable_mesh_gateway_wan_federation = true } on every server of every \
                 datacenter and restart them, or leave -expose-servers out."
                    .to_owned(),
            ),
            ..Failure::new(format!(
                "'-expose-servers' has no use here: the server at {shown} does not federate through mesh gateways \
                 (connect.enable_mesh_gateway_wan_federation is false)"
            ))
        });
    }
    Ok(())
}
