//! What autopilot of this server tells while it leads.

use crate::{Agent, start::ServerParts};
use leader::{Membership, MembershipView, ServerFacts, report};
use rpc::report::AutopilotReport;
use std::sync::Arc;
use types::{
    NodeName, Str, Tenancy,
    query::{Query, QueryResult},
};

/// Lets the service answer for this agent as long as it lives.
pub fn tell(agent: &Arc<Agent>) {
    let weak = Arc::downgrade(agent);
    agent.service.tell_autopilot(move || {
        let agent = weak.upgrade()?;
        agent.server.as_ref().and_then(|server| of(&agent, server))
    });
}

fn of(agent: &Agent, server: &ServerParts) -> Option<AutopilotReport> {
    let store = server.hub.load();
    let read = |query| catalog::run_query(&store, &query, &[]).0;
    let QueryResult::Autopilot(config, _) = read(Query::Autopilot) else { return None };
    let (members, consensus) = (agent.lan.members(), &server.consensus);
    let metadata_of = |name: &Str| {
        let query = Query::NodeState { tenancy: Tenancy::default(), node: NodeName(name.clone()) };
        let QueryResult::NodeState(rows) = read(query) else { return None };
        Some((name.clone(), rows.node?.meta.clone()?))
    };
    let of_servers = members.iter().filter(|m| m.server().is_some());
    let metadata = of_servers.filter_map(|m| metadata_of(&m.name)).collect();
    let status = consensus.raft().status_now();
    let servers = consensus.servers();
    let facts = status
        .membership
        .servers
        .iter()
        .map(|s| {
            let progress = status.progress.iter().find(|p| p.id == s.id);
            let (last_term, last_index) = if s.id.0 == consensus.own_id() {
                (status.last_log_term, status.last_log)
            } else {
                progress.map_or((0, 0), |p| (p.matched_term, p.matched))
            };
            ServerFacts { id: s.id.0, name: s.peer.name.clone(), address: s.peer.addr, last_term, last_index }
        })
        .collect();
    let health = servers.iter().filter_map(|s| Some((s.id, consensus.health(s.id)?))).collect();
    let settings = agent.config.load();
    let view = MembershipView {
        members: &members,
        servers: &servers,
        health: &health,
        own_id: consensus.own_id(),
        datacenter: &settings.node.datacenter,
        config: &config,
        bootstrap_expect: settings.bootstrap_expect,
        metadata: &metadata,
    };
    let now = agent.world.clock.unix_ms();
    Some(server.pilot.with(|stability, now_ms| report(&view, facts, stability, now_ms, now)))
}
