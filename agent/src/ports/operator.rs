//! Raft, autopilot and keyring.

use crate::Agent;
use gossip_driver::{GossipHandle, KeyringOp as DriverOp};
use http_api::port::{
    AutopilotHealth, KeyringOp, KeyringPool, OperatorPort, PeerSelector, PortError, PortFuture,
    RaftConfiguration, RaftServer, ServerHealth,
};
use raft::ServerId;
use std::{collections::BTreeMap, time::Duration};
use types::{
    API_LEVEL, PeerName, RequestError, Str, Tenancy,
    member::MemberStatus,
    query::{Consistency, Query, QueryOptions, QueryResult},
};

/// A server that was silent longer is not healthy.
const LAST_CONTACT_MAX: Duration = Duration::from_millis(200);
/// A server that lags further is not healthy.
const TRAILING_MAX: u64 = 250;

impl Agent {
    fn own_dc(&self, datacenter: Option<&str>) -> Result<(), PortError> {
        match datacenter {
            Some(dc) if !dc.is_empty() && !dc.eq_ignore_ascii_case(&self.config.load().node.datacenter) => {
                Err(RequestError::NoPathToDatacenter.into())
            }
            _ => Ok(()),
        }
    }

    /// Metadata of the catalog's nodes by name, as this server knows them.
    async fn metadata_of_nodes(&self) -> Result<BTreeMap<Str, BTreeMap<Str, Str>>, RequestError> {
        let query = Query::Nodes { tenancy: Tenancy::default(), peer: PeerName::default() };
        let options = QueryOptions { consistency: Consistency::Stale, ..QueryOptions::default() };
        let QueryResult::Nodes(nodes) = rpc::Query::query(&*self.service, query, options).await?.result
        else {
            return Err(RequestError::Malformed(Str::new_static("unexpected answer")));
        };
        Ok(nodes.iter().map(|n| (n.name.0.clone(), n.meta.clone().unwrap_or_default())).collect())
    }

    async fn keyring_of(&self, pool: &GossipHandle, wan: bool, op: &KeyringOp) -> KeyringPool {
        let driver_op = match op {
            KeyringOp::List { .. } => DriverOp::List,
            KeyringOp::Install(key) => DriverOp::Install(key.expose().to_owned()),
            KeyringOp::Use(key) => DriverOp::Use(key.expose().to_owned()),
            KeyringOp::Remove(key) => DriverOp::Remove(key.expose().to_owned()),
        };
        let mut out = KeyringPool {
            wan,
            datacenter: Str::new(self.config.load().node.datacenter.as_str()),
            ..KeyringPool::default()
        };
        match pool.keyring(driver_op, false).await {
            Ok(answer) => {
                let count = |map: BTreeMap<String, usize>| {
                    map.into_iter().map(|(k, n)| (Str::from(k), n as u64)).collect()
                };
                out.error = answer.failure().map(Str::from).unwrap_or_default();
                out.num_nodes = answer.num_nodes as u64;
                out.messages = answer.messages.into_iter().map(|(k, v)| (k, Str::from(v))).collect();
                out.keys = count(answer.keys);
                out.primary_keys = count(answer.primary_keys);
            }
            Err(e) => out.error = Str::from(e.to_string()),
        }
        out
    }
}

impl OperatorPort for Agent {
    fn federation(
        &self,
        datacenter: Option<&str>,
        here: bool,
    ) -> PortFuture<'_, rpc::message::FederationView> {
        let datacenter = datacenter.map(Str::new);
        Box::pin(async move { Ok(self.service.federation(datacenter.as_deref(), here).await?) })
    }

    fn raft_leader(&self, datacenter: Option<&str>) -> PortFuture<'_, Str> {
        let dc = datacenter.map(Str::new);
        Box::pin(async move {
            Ok(self
                .service
                .status(dc.as_deref())
                .await?
                .leader
                .map(|a| Str::from(a.to_string()))
                .unwrap_or_default())
        })
    }

    fn raft_peers(&self, datacenter: Option<&str>) -> PortFuture<'_, Vec<Str>> {
        let dc = datacenter.map(Str::new);
        Box::pin(async move {
            Ok(self
                .service
                .status(dc.as_deref())
                .await?
                .peers
                .iter()
                .map(|a| Str::from(a.to_string()))
                .collect())
        })
    }

    fn raft_configuration(
        &self,
        datacenter: Option<&str>,
        _stale: bool,
    ) -> PortFuture<'_, RaftConfiguration> {
        let dc = datacenter.map(Str::new);
        Box::pin(async move {
            let found = self.service.raft_configuration(dc.as_deref()).await?;
            // Servers of other datacenters are in the WAN pool, under their long names.
            let wan = self.server.as_ref().and_then(|s| s.wan.as_ref()).map(GossipHandle::members);
            let members = self.lan.members();
            let name_of = |id: &str| {
                let all = members.iter().chain(wan.iter().flat_map(|wan| wan.iter()));
                let found = all.into_iter().find(|m| m.tag("id") == id)?;
                let long = found.name.strip_suffix(&format!(".{}", found.tag("dc")));
                Some(long.map_or_else(|| found.name.clone(), Str::new))
            };
            Ok(RaftConfiguration {
                index: found.index,
                servers: found
                    .servers
                    .into_iter()
                    .map(|s| {
                        let id = ServerId(s.id).to_string();
                        RaftServer {
                            node: name_of(&id).unwrap_or_else(|| Str::new_static("(unknown)")),
                            id: Str::from(id),
                            address: Str::from(s.address.to_string()),
                            leader: s.leader,
                            voter: s.voter,
                            last_index: s.last_index,
                        }
                    })
                    .collect(),
            })
        })
    }

    fn raft_remove_peer(&self, datacenter: Option<&str>, peer: PeerSelector) -> PortFuture<'_, ()> {
        let dc = datacenter.map(Str::new);
        Box::pin(async move {
            let dc = dc.as_deref();
            let servers = self.service.raft_configuration(dc).await?.servers;
            let found = servers.iter().find(|s| match &peer {
                PeerSelector::Id(id) => ServerId(s.id).to_string() == id.to_lowercase(),
                PeerSelector::Address(addr) => s.address.to_string() == **addr,
            });
            match (found, peer) {
                (Some(server), _) => Ok(self.service.remove_server(dc, server.id).await?),
                (None, PeerSelector::Id(id)) => Err(PortError::Failed(Str::from(format!(
                    "id \"{id}\" was not found in the Raft configuration"
                )))),
                (None, PeerSelector::Address(a)) => Err(PortError::Failed(Str::from(format!(
                    "address \"{a}\" was not found in the Raft configuration"
                )))),
            }
        })
    }

    fn raft_transfer_leader(&self, id: Option<&str>) -> PortFuture<'_, ()> {
        let to = id.map(str::parse::<ServerId>).transpose();
        Box::pin(async move {
            let to = to.map_err(|e| PortError::Failed(Str::from(e.to_string())))?;
            Ok(self.service.transfer_leader(to.map(|id| id.0)).await?)
        })
    }

    fn autopilot_health(&self, datacenter: Option<&str>) -> PortFuture<'_, AutopilotHealth> {
        let dc = self.own_dc(datacenter);
        Box::pin(async move {
            dc?;
            let Some(server) = &self.server else {
                return Err(RequestError::NotBuilt("autopilot health on a client agent".into()).into());
            };
            let status = server.consensus.raft().status_now();
            if !status.is_leader() {
                return Err(
                    RequestError::NotBuilt("autopilot health on a server that does not lead".into()).into()
                );
            }
            let members = self.lan.members();
            let mut meta_of = self.metadata_of_nodes().await?;
            let servers: Vec<ServerHealth> = status
                .membership
                .servers
                .iter()
                .map(|s| {
                    let id = s.id.to_string();
                    let own = id == *self.node_id;
                    let member = members.iter().find(|m| m.tag("id") == id);
                    let progress = status.progress.iter().find(|p| p.id == s.id);
                    let last_contact = if own {
                        Duration::ZERO
                    } else {
                        progress.and_then(|p| p.last_contact).map_or(Duration::MAX, |at| at.elapsed())
                    };
                    let last_index = if own { status.last_log } else { progress.map_or(0, |p| p.matched) };
                    let name = member.map_or_else(|| s.peer.name.clone(), |m| m.name.clone());
                    let alive = member.is_some_and(|m| m.status == MemberStatus::Alive);
                    ServerHealth {
                        id: Str::from(id),
                        meta: meta_of.remove(&name).unwrap_or_default(),
                        name,
                        address: Str::from(s.peer.addr.to_string()),
                        serf_status: Str::new_static(member.map_or("none", |m| m.status.as_str())),
                        version: Str::new_static(API_LEVEL),
                        leader: own,
                        voter: s.voter,
                        read_replica: false,
                        last_contact,
                        last_term: status.last_log_term,
                        last_index,
                        healthy: alive
                            && last_contact <= LAST_CONTACT_MAX
                            && status.last_log.saturating_sub(last_index) <= TRAILING_MAX,
                        stable_since_ms: self
                            .world
                            .clock
                            .unix_ms()
                            .saturating_sub(self.started.elapsed().as_millis() as u64),
                    }
                })
                .collect();
            let voters = servers.iter().filter(|s| s.voter).count();
            let healthy_voters = servers.iter().filter(|s| s.voter && s.healthy).count();
            Ok(AutopilotHealth {
                healthy: servers.iter().all(|s| s.healthy),
                failure_tolerance: healthy_voters.saturating_sub(voters / 2 + 1) as u64,
                servers,
            })
        })
    }

    fn keyring(&self, op: KeyringOp, _relay_factor: u8) -> PortFuture<'_, Vec<KeyringPool>> {
        Box::pin(async move {
            // "Local" is this datacenter: the WAN pool is left out, every member of the LAN pool is still asked. A pool without
            // keys says so itself.
            let local_only = matches!(op, KeyringOp::List { local_only: true });
            let wan = self.server.as_ref().and_then(|s| s.wan.as_ref()).filter(|_| !local_only);
            let mut out = Vec::new();
            if let Some(wan) = wan {
                out.push(self.keyring_of(wan, true, &op).await);
            }
            out.push(self.keyring_of(&self.lan, false, &op).await);
            Ok(out)
        })
    }
}
