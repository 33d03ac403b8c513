//! What the catalog should say about a gossip member, and the writes that make it so.

use types::{
    CheckId, DatacenterName, NodeName, ServiceId, ServiceName, Str,
    command::{Command, Deregister, Register},
    member::{Member, MemberStatus, ServerInfo},
    query::NodeState,
    record::{HealthCheck, Map, NodeService, SERF_HEALTH, Weights, status},
};

/// Name and id of the service that servers are registered as.
const SERVER_SERVICE: &str = "consul";
const CHECK_NAME: &str = "Serf Health Status";
const ALIVE: &str = "Agent alive and reachable";
const FAILED: &str = "Agent not live or unreachable";

/// The writes that bring the rows of one member's node in line; none if they are already.
///
/// Alive: the node exists, its gossip check passes, a server's `consul` service is there. Failed: the check is critical.
/// Left: the node goes, unless it is `own_node`. An existing node row is left as its agent wrote it.
pub fn plan_member(
    member: &Member,
    rows: &NodeState,
    datacenter: &DatacenterName,
    own_node: &str,
) -> Option<Command> {
    match member.status {
        MemberStatus::Alive | MemberStatus::Leaving => alive(member, rows, datacenter),
        MemberStatus::Failed => failed(member, rows, datacenter),
        MemberStatus::Left => deregister(&member.name, rows, own_node),
        MemberStatus::None => None,
    }
}

/// Removal of a node whose member left or was reaped.
pub(crate) fn deregister(name: &str, rows: &NodeState, own_node: &str) -> Option<Command> {
    if rows.node.is_none() || name.eq_ignore_ascii_case(own_node) {
        return None;
    }
    Some(Command::Deregister(Deregister { node: NodeName::new(name), ..Deregister::default() }))
}

fn alive(member: &Member, rows: &NodeState, datacenter: &DatacenterName) -> Option<Command> {
    let service = member.server().filter(|s| s.datacenter == *datacenter).map(|s| server_service(member, &s));
    let service_is_there = service.as_ref().is_none_or(|wanted| {
        rows.services.iter().any(|s| {
            s.id == wanted.id
                && s.service == wanted.service
                && s.port == wanted.port
                && s.meta == wanted.meta
                && s.address == wanted.address
                && s.tags.as_deref().unwrap_or_default().is_empty()
        })
    });
    if rows.node.is_some() && has_status(rows, status::PASSING) && service_is_there {
        return None;
    }
    let mut register = base(member, datacenter);
    register.service = service.map(Box::new);
    register.checks = vec![check(member, status::PASSING, ALIVE)];
    Some(Command::Register(Box::new(register)))
}

fn failed(member: &Member, rows: &NodeState, datacenter: &DatacenterName) -> Option<Command> {
    if rows.node.is_none() || has_status(rows, status::CRITICAL) {
        return None;
    }
    let mut register = base(member, datacenter);
    register.checks = vec![check(member, status::CRITICAL, FAILED)];
    Some(Command::Register(Box::new(register)))
}

fn has_status(rows: &NodeState, wanted: &str) -> bool {
    rows.checks.iter().any(|c| c.check_id.as_str() == SERF_HEALTH && c.status == wanted)
}

fn base(member: &Member, datacenter: &DatacenterName) -> Register {
    let ip = member.addr.ip();
    let address = Str::from(ip.to_string());
    let family = if ip.is_ipv4() { "lan_ipv4" } else { "lan_ipv6" };
    let tagged = Map::from([("lan".into(), address.clone()), (family.into(), address.clone())]);
    let meta = Map::from([
        ("consul-network-segment".into(), Str::default()),
        ("consul-version".into(), version(member.tag("build"))),
    ]);
    Register {
        datacenter: datacenter.clone(),
        id: Str::new(member.tag("id")),
        node: NodeName(member.name.clone()),
        address,
        tagged_addresses: Some(tagged),
        node_meta: Some(meta),
        // Even when no row was seen: the agent may write its own, with more in it, before this is applied.
        skip_node_update: true,
        ..Register::default()
    }
}

/// The build tag without the revision after the colon.
fn version(build: &str) -> Str {
    Str::new(build.split(':').next().unwrap_or_default())
}

fn check(member: &Member, status: &str, output: &str) -> HealthCheck {
    HealthCheck {
        node: NodeName(member.name.clone()),
        check_id: CheckId::new(SERF_HEALTH),
        name: CHECK_NAME.into(),
        status: status.into(),
        output: output.into(),
        ..HealthCheck::default()
    }
}

fn server_service(member: &Member, server: &ServerInfo) -> NodeService {
    let or_zero = |tag: &str| Str::new(if member.tag(tag).is_empty() { "0" } else { member.tag(tag) });
    let flag = |on: bool| Str::new(if on { "true" } else { "false" });
    let meta = Map::from([
        ("raft_version".into(), "3".into()),
        ("serf_protocol_current".into(), "2".into()),
        ("serf_protocol_min".into(), "1".into()),
        ("serf_protocol_max".into(), "5".into()),
        ("version".into(), version(&server.build)),
        ("non_voter".into(), flag(member.tag("nonvoter") == "1")),
        ("read_replica".into(), flag(server.read_replica)),
        ("grpc_port".into(), or_zero("grpc_port")),
        ("grpc_tls_port".into(), or_zero("grpc_tls_port")),
    ]);
    NodeService {
        id: ServiceId::new(SERVER_SERVICE),
        service: ServiceName::new(SERVER_SERVICE),
        tags: Some(Vec::new()),
        meta: Some(meta),
        port: i64::from(server.rpc_addr.port()),
        weights: Weights::default(),
        ..NodeService::default()
    }
}
