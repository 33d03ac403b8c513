//! The agent as plain values.

use bytes::Bytes;
use http_api::port::*;
use parking_lot::Mutex;
use rpc::report::AutopilotReport;
use runtime::BoxFuture;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Notify, mpsc};
use types::{
    RequestError, SecretToken, Str, Tenancy,
    ca::{CaUpdate, ServiceLeaf},
    coordinate::{Coordinate, CoordinateRow, DatacenterCoordinates},
    definition::{CheckDefinition, ServiceDefinition},
    event::UserEvent,
    member::{Member, MemberStatus},
    record::{HealthCheck, NodeService},
};

#[derive(Default)]
pub struct MockAgent {
    pub services: Mutex<BTreeMap<Str, Arc<NodeService>>>,
    pub checks: Mutex<BTreeMap<Str, Arc<HealthCheck>>>,
    pub changed: Arc<Notify>,
    pub calls: Mutex<Vec<String>>,
    pub pools: Mutex<Vec<KeyringPool>>,
    pub fired: Mutex<Vec<Arc<UserEvent>>>,
}

impl MockAgent {
    fn call(&self, what: String) -> PortFuture<'_, ()> {
        self.calls.lock().push(what);
        Box::pin(async { Ok(()) })
    }
    pub fn put(&self, s: NodeService) {
        self.services.lock().insert(s.id.0.clone(), Arc::new(s));
        self.changed.notify_waiters();
    }
    pub fn put_check(&self, c: HealthCheck) {
        self.checks.lock().insert(c.check_id.0.clone(), Arc::new(c));
    }
}

fn other<'a, T: Send + 'a>(dc: Option<&str>, v: T) -> PortFuture<'a, T> {
    let known = dc.is_none();
    Box::pin(async move { if known { Ok(v) } else { Err(RequestError::NoPathToDatacenter.into()) } })
}

impl MembershipPort for MockAgent {
    fn self_info(&self) -> SelfInfo {
        SelfInfo { xds: Some(XdsPorts { plaintext: -1, tls: 8503 }), ..SelfInfo::default() }
    }
    fn version(&self) -> VersionInfo {
        VersionInfo { human_version: "1.21.4".into(), ..VersionInfo::default() }
    }
    fn host(&self) -> PortFuture<'_, serde_json::Value> {
        Box::pin(async { Ok(serde_json::json!({})) })
    }
    fn members(&self, wan: bool) -> Option<Vec<Member>> {
        (!wan).then(|| {
            vec![Member {
                name: "n1".into(),
                addr: "127.0.0.1:8301".parse().unwrap(),
                tags: BTreeMap::new(),
                status: MemberStatus::Alive,
            }]
        })
    }
    fn join(&self, address: &str, wan: bool) -> PortFuture<'_, ()> {
        self.call(format!("join {address} {wan}"))
    }
    fn leave(&self) -> PortFuture<'_, ()> {
        self.call("leave".into())
    }
    fn force_leave(&self, node: &str, prune: bool, wan: bool) -> PortFuture<'_, ()> {
        self.call(format!("force-leave {node} {prune} {wan}"))
    }
    fn reload(&self) -> PortFuture<'_, ()> {
        self.call("reload".into())
    }
    fn datacenters(&self) -> PortFuture<'_, Vec<Str>> {
        Box::pin(async { Ok(vec!["dc1".into()]) })
    }
    fn set_token(&self, kind: AgentTokenKind, _token: SecretToken) -> PortFuture<'_, ()> {
        self.call(format!("token {kind:?}"))
    }
}

impl RegistryPort for MockAgent {
    fn services(&self) -> BTreeMap<Str, Arc<NodeService>> {
        self.services.lock().clone()
    }
    fn checks(&self) -> BTreeMap<Str, Arc<HealthCheck>> {
        self.checks.lock().clone()
    }
    fn service(&self, id: &str) -> Option<Arc<NodeService>> {
        self.services.lock().get(id).cloned()
    }
    fn services_changed(&self) -> BoxFuture<'static, ()> {
        let waiting = self.changed.clone().notified_owned();
        Box::pin(waiting)
    }
    fn register_service(
        &self,
        service: ServiceDefinition,
        replace_checks: bool,
        token: SecretToken,
    ) -> PortFuture<'_, ()> {
        self.call(format!("register {} {replace_checks} {}", service.name, token.expose()))
    }
    fn deregister_service(&self, id: &str, _token: SecretToken) -> PortFuture<'_, ()> {
        let text =
            format!("Unknown service ID {id:?}. Ensure that the service ID is passed, not the service name.");
        Box::pin(async move { Err(PortError::NotFound(text.into())) })
    }
    fn register_check(&self, check: CheckDefinition, _token: SecretToken) -> PortFuture<'_, ()> {
        self.call(format!("check {}", check.name))
    }
    fn deregister_check(&self, id: &str, _token: SecretToken) -> PortFuture<'_, ()> {
        self.call(format!("uncheck {id}"))
    }
    fn update_ttl(&self, id: &str, status: &'static str, output: &str) -> PortFuture<'_, ()> {
        self.call(format!("ttl {id} {status} {output}"))
    }
    fn node_maintenance(&self, enable: bool, reason: &str, _token: SecretToken) -> PortFuture<'_, ()> {
        self.call(format!("maintenance {enable} {reason}"))
    }
    fn service_maintenance(
        &self,
        id: &str,
        enable: bool,
        reason: &str,
        _token: SecretToken,
    ) -> PortFuture<'_, ()> {
        self.call(format!("maintenance {id} {enable} {reason}"))
    }
}

impl NetworkPort for MockAgent {
    fn fire_event(
        &self,
        dc: Option<&str>,
        event: UserEvent,
        _token: SecretToken,
    ) -> PortFuture<'_, UserEvent> {
        let event = UserEvent {
            id: format!("00000000-0000-0000-0000-00000000000{}", self.fired.lock().len() + 2).into(),
            ..event
        };
        self.fired.lock().push(Arc::new(event.clone()));
        self.changed.notify_waiters();
        other(dc, event)
    }
    fn events(&self) -> Vec<Arc<UserEvent>> {
        self.fired.lock().clone()
    }
    fn events_changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.changed.clone().notified_owned())
    }
    fn update_coordinate(
        &self,
        dc: Option<&str>,
        row: CoordinateRow,
        _token: SecretToken,
    ) -> PortFuture<'_, ()> {
        self.calls.lock().push(format!("coordinate {} {}", row.node, row.coordinate.vec[0]));
        other(dc, ())
    }
    fn wan_coordinates(&self) -> PortFuture<'_, Vec<DatacenterCoordinates>> {
        let servers = vec![("n1".into(), Coordinate::default())];
        Box::pin(async move { Ok(vec![DatacenterCoordinates { datacenter: "dc1".into(), servers }]) })
    }
}

impl MeshPort for MockAgent {
    fn leaf(
        &self,
        _tenancy: &Tenancy,
        service: &str,
        min_index: u64,
        _wait: std::time::Duration,
        _token: SecretToken,
    ) -> PortFuture<'_, (Arc<ServiceLeaf>, bool)> {
        let mut leaf = ServiceLeaf { service: service.into(), ..ServiceLeaf::default() };
        leaf.cert.index = min_index + 1;
        Box::pin(async move { Ok((Arc::new(leaf), min_index > 0)) })
    }
    fn configure_ca(&self, dc: Option<&str>, update: CaUpdate, _token: SecretToken) -> PortFuture<'_, ()> {
        if update.provider != "consul" {
            return Box::pin(async { Err(RequestError::Refused("unknown CA provider".into()).into()) });
        }
        self.call(format!("ca {dc:?} {}", update.config.as_json_text()))
    }
}

impl IdPort for MockAgent {
    fn fresh_id(&self) -> Str {
        "b0000000-0000-4000-8000-000000000001".into()
    }
}

impl SessionPort for MockAgent {
    fn renew_session(
        &self,
        dc: Option<&str>,
        _tenancy: &Tenancy,
        id: &str,
        _token: SecretToken,
    ) -> PortFuture<'_, Option<Arc<types::record::Session>>> {
        let session = types::record::Session { id: id.into(), ..Default::default() };
        other(dc, (id != "gone").then(|| Arc::new(session)))
    }
}

impl SnapshotPort for MockAgent {
    fn snapshot(
        &self,
        dc: Option<&str>,
        _stale: bool,
        _token: SecretToken,
    ) -> PortFuture<'_, (rpc::message::SnapshotHead, ArchivePieces)> {
        let (pieces, archive) = mpsc::channel(2);
        let _ = pieces.try_send(Ok(Bytes::from_static(b"archive")));
        other(dc, (rpc::message::SnapshotHead { index: 7, ..Default::default() }, archive))
    }
}

impl OperatorPort for MockAgent {
    fn federation(&self, dc: Option<&str>, _here: bool) -> PortFuture<'_, rpc::message::FederationView> {
        other(dc, rpc::message::FederationView::default())
    }
    fn raft_leader(&self, dc: Option<&str>) -> PortFuture<'_, Str> {
        other(dc, "127.0.0.1:8300".into())
    }
    fn raft_peers(&self, dc: Option<&str>) -> PortFuture<'_, Vec<Str>> {
        other(dc, vec!["127.0.0.1:8300".into()])
    }
    fn raft_configuration(&self, dc: Option<&str>, _stale: bool) -> PortFuture<'_, RaftConfiguration> {
        other(dc, RaftConfiguration::default())
    }
    fn raft_remove_peer(&self, _dc: Option<&str>, peer: PeerSelector) -> PortFuture<'_, ()> {
        self.call(format!("remove {peer:?}"))
    }
    fn raft_transfer_leader(&self, id: Option<&str>) -> PortFuture<'_, ()> {
        self.call(format!("transfer {id:?}"))
    }
    fn autopilot(&self, dc: Option<&str>) -> PortFuture<'_, AutopilotReport> {
        other(dc, AutopilotReport::default())
    }
    fn keyring(&self, _op: KeyringOp, _relay_factor: u8) -> PortFuture<'_, Vec<KeyringPool>> {
        other(None, self.pools.lock().clone())
    }
}

impl TelemetryPort for MockAgent {
    fn metrics_json(&self) -> Bytes {
        Bytes::from_static(b"{}")
    }
    fn metrics_prometheus(&self) -> Option<Bytes> {
        None
    }
    fn metrics_stream(&self) -> mpsc::Receiver<Bytes> {
        mpsc::channel(1).1
    }
    fn monitor(&self, level: LogLevel, _json: bool) -> mpsc::Receiver<Bytes> {
        let (tx, rx) = mpsc::channel(2);
        let _ = tx.try_send(Bytes::from(format!("{level:?}: one line\n")));
        rx
    }
}
