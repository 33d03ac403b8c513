use crate::{
    Action, MembershipView, RaftServer, RemoveReason, ServerHealth, ServerId, Stability, plan_member,
    plan_membership,
};
use catalog::{ApplyCtx, ChangeSet, Store, run_query};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use types::{
    DatacenterName, Str, Tenancy,
    command::{AutopilotConfig, Command},
    member::{Member, MemberStatus},
    query::{NodeState, Query, QueryResult},
    record::{HealthCheck, Node, SERF_HEALTH, status},
};

mod zones;

fn member(n: u8, status: MemberStatus, server: bool) -> Member {
    let mut tags = BTreeMap::from([
        ("role".into(), if server { "consul" } else { "node" }.into()),
        ("dc".into(), "dc1".into()),
        ("id".into(), format!("00000000-0000-4000-8000-0000000000{n:02x}").into()),
        ("build".into(), "1.21.4:abc".into()),
    ]);
    if server {
        tags.insert("port".into(), "8300".into());
        tags.insert("grpc_port".into(), "8502".into());
    }
    Member { name: format!("n{n}").into(), addr: format!("10.0.0.{n}:8301").parse().unwrap(), tags, status }
}

fn id(n: u8) -> ServerId {
    crate::server_id(&format!("00000000-0000-4000-8000-0000000000{n:02x}")).unwrap()
}

fn raft(n: u8, voter: bool) -> RaftServer {
    RaftServer { id: id(n), addr: addr(n), voter }
}

fn addr(n: u8) -> SocketAddr {
    format!("10.0.0.{n}:8300").parse().unwrap()
}

struct World {
    members: Vec<Member>,
    servers: Vec<RaftServer>,
    config: AutopilotConfig,
    expect: u32,
    stability: Stability,
    metadata: BTreeMap<Str, BTreeMap<Str, Str>>,
}

impl World {
    fn new(members: Vec<Member>, servers: Vec<RaftServer>) -> Self {
        Self {
            members,
            servers,
            config: AutopilotConfig::default(),
            expect: 0,
            stability: Stability::default(),
            metadata: BTreeMap::new(),
        }
    }
    fn at(&mut self, now_ms: u64) -> Vec<Action> {
        let good = ServerHealth { last_contact: Duration::from_millis(10), lag: 0 };
        let health = self.servers.iter().map(|s| (s.id, good)).collect();
        self.with_view(&health, |view, stability| plan_membership(view, stability, now_ms))
    }
    fn with_view<T>(
        &mut self,
        health: &BTreeMap<ServerId, ServerHealth>,
        act: impl FnOnce(&MembershipView<'_>, &mut Stability) -> T,
    ) -> T {
        let view = MembershipView {
            members: &self.members,
            servers: &self.servers,
            health,
            own_id: id(1),
            datacenter: &DatacenterName::new("dc1"),
            config: &self.config,
            bootstrap_expect: self.expect,
            metadata: &self.metadata,
        };
        act(&view, &mut self.stability)
    }
}

use MemberStatus::{Alive, Failed, Left};

#[test]
fn a_new_server_follows_first_and_votes_when_stable() {
    let mut w = World::new(vec![member(1, Alive, true), member(2, Alive, true)], vec![raft(1, true)]);
    assert_eq!(w.at(0), [Action::AddLearner(id(2), addr(2))]);
    w.servers.push(raft(2, false));
    assert_eq!(w.at(0), []);
    assert_eq!(w.at(9_999), []);
    assert_eq!(w.at(10_000), [Action::Promote(id(2))]);
    // A silence starts the time again.
    w.members[1].status = Failed;
    w.config.cleanup_dead_servers = false;
    assert_eq!(w.at(11_000), []);
    w.members[1].status = Alive;
    assert_eq!(w.at(12_000), []);
}

#[test]
fn bootstrap_does_not_wait() {
    let mut w =
        World::new(vec![member(1, Alive, true), member(2, Alive, true)], vec![raft(1, true), raft(2, false)]);
    w.expect = 3;
    assert_eq!(w.at(0), [Action::Promote(id(2))]);
}

#[test]
fn one_bootstrap_server_never_takes_another_in() {
    let mut w = World::new(vec![member(1, Alive, true), member(2, Alive, true)], vec![raft(1, true)]);
    for member in &mut w.members {
        member.tags.insert("bootstrap".into(), "1".into());
    }
    assert_eq!(w.at(0), []);
    // Once in, an address may change; and a single one in bootstrap mode may come back.
    w.members[0].tags.remove("bootstrap");
    assert_eq!(w.at(0), [Action::AddLearner(id(2), addr(2))]);
}

#[test]
fn a_dead_server_stays_until_its_replacement_votes() {
    let members = vec![member(1, Alive, true), member(2, Alive, true), member(3, Failed, true)];
    let mut w = World::new(members, vec![raft(1, true), raft(2, true), raft(3, true)]);
    assert_eq!(w.at(0), []);
    w.members.push(member(4, Alive, true));
    w.servers.push(raft(4, true));
    assert_eq!(w.at(0), [Action::Remove(id(3), RemoveReason::Dead)]);
    w.config.min_quorum = 4;
    assert_eq!(w.at(0), []);
    w.config = AutopilotConfig { cleanup_dead_servers: false, ..AutopilotConfig::default() };
    assert_eq!(w.at(0), []);
}

#[test]
fn left_servers_go_and_absent_ones_get_a_grace() {
    let members = vec![member(1, Alive, true), member(2, Left, true)];
    let servers = vec![raft(1, true), raft(2, true), raft(3, true), raft(4, true), raft(5, true)];
    let mut w = World::new(members, servers);
    assert_eq!(w.at(0), [Action::Remove(id(2), RemoveReason::Left)]);
    w.members = [1, 2, 3, 4].map(|n| member(n, Alive, true)).into();
    assert_eq!(w.at(1_000), []);
    assert_eq!(w.at(59_000), []);
    assert_eq!(w.at(61_000), [Action::Remove(id(5), RemoveReason::Dead)]);
}

#[test]
fn clients_other_datacenters_and_changed_addresses() {
    let mut other = member(3, Alive, true);
    other.tags.insert("dc".into(), "dc2".into());
    let mut w = World::new(vec![member(1, Alive, true), member(2, Alive, false), other], vec![raft(1, true)]);
    assert_eq!(w.at(0), []);
    w.members.push(member(4, Alive, true));
    w.servers.push(RaftServer { addr: addr(9), ..raft(4, true) });
    assert_eq!(w.at(0), [Action::AddLearner(id(4), addr(4))]);
}

fn rows(n: u8, state: &str) -> NodeState {
    let check = HealthCheck { check_id: SERF_HEALTH.into(), status: state.into(), ..HealthCheck::default() };
    let node = Node { name: format!("n{n}").into(), ..Node::default() };
    NodeState { node: Some(Arc::new(node)), services: Vec::new(), checks: vec![Arc::new(check)] }
}

fn plan(m: &Member, rows: &NodeState) -> Option<Command> {
    plan_member(m, rows, &DatacenterName::new("dc1"), "n1")
}

#[test]
fn alive_members_are_registered_once() {
    let m = member(2, Alive, true);
    let Some(Command::Register(r)) = plan(&m, &NodeState::default()) else { panic!("registers") };
    assert_eq!(r.address.as_str(), "10.0.0.2");
    assert_eq!(r.checks[0].output, "Agent alive and reachable");
    assert_eq!(r.node_meta.as_ref().unwrap()["consul-version"], "1.21.4");
    let service = r.service.clone().unwrap();
    assert_eq!((service.port, service.meta.as_ref().unwrap()["grpc_port"].as_str()), (8300, "8502"));
    assert_eq!(service.meta.as_ref().unwrap()["grpc_tls_port"], "0");

    let mut there = rows(2, status::PASSING);
    assert!(matches!(plan(&m, &there), Some(Command::Register(r)) if r.skip_node_update));
    there.services.push(Arc::new(*service));
    assert_eq!(plan(&m, &there), None);
    assert_eq!(plan(&member(3, Alive, false), &rows(3, status::PASSING)), None);
}

/// The leader reads, the agent writes its own row, then the leader's write is applied.
#[test]
fn what_an_agent_wrote_of_itself_meanwhile_stays() {
    let m = member(2, Alive, false);
    let planned = plan(&m, &NodeState::default()).expect("registers");
    let Command::Register(mut own) = planned.clone() else { panic!("registers") };
    own.checks.clear();
    own.skip_node_update = false;
    own.node_meta.get_or_insert_default().insert("rack".into(), "7".into());

    let mut store = Store::new();
    for (index, command) in (1..).zip([Command::Register(own), planned]) {
        store.apply(&ApplyCtx { index, proposed_at_ms: 0 }, &command, &mut ChangeSet::new());
    }
    let query = Query::NodeState { tenancy: Tenancy::default(), node: "n2".into() };
    let (QueryResult::NodeState(seen), _) = run_query(&store, &query, &[]) else { panic!("a node's state") };
    assert_eq!(seen.node.unwrap().meta.as_ref().unwrap()["rack"], "7");
    assert_eq!(seen.checks[0].status, status::PASSING);
}

#[test]
fn failed_turns_critical_and_left_goes_but_never_ourselves() {
    let m = member(2, Failed, false);
    let Some(Command::Register(r)) = plan(&m, &rows(2, status::PASSING)) else { panic!("registers") };
    assert_eq!(r.checks[0].status, status::CRITICAL);
    assert_eq!(plan(&m, &rows(2, status::CRITICAL)), None);
    assert_eq!(plan(&m, &NodeState::default()), None);
    assert!(matches!(plan(&member(2, Left, false), &rows(2, status::PASSING)), Some(Command::Deregister(_))));
    assert_eq!(plan(&member(2, Left, false), &NodeState::default()), None);
    assert_eq!(plan(&member(1, Left, true), &rows(1, status::PASSING)), None);
}
