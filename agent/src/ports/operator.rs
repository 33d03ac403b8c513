//! Raft, autopilot and keyring.

use crate::Agent;
use gossip_driver::{GossipHandle, KeyringOp as DriverOp};
use http_api::port::{
    KeyringOp, KeyringPool, OperatorPort, PeerSelector, PortError, PortFuture, RaftConfiguration, RaftServer,
};
use raft::ServerId;
use std::collections::BTreeMap;
use types::Str;

impl Agent {
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

    fn autopilot(&self, datacenter: Option<&str>) -> PortFuture<'_, rpc::report::AutopilotReport> {
        let dc = datacenter.map(Str::new);
        Box::pin(async move { Ok(self.service.autopilot(dc.as_deref()).await?) })
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
