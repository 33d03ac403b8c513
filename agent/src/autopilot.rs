//! What autopilot of this server tells while it leads.

use crate::{Agent, start::ServerParts};
use leader::{Membership, MembershipView, ServerFacts, report, zones_of};
use rpc::report::AutopilotReport;
use std::{collections::BTreeMap, sync::Arc};
use types::{
    PeerName, Str, Tenancy,
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
    let QueryResult::Nodes(nodes) =
        read(Query::Nodes { tenancy: Tenancy::default(), peer: PeerName::default() })
    else {
        return None;
    };
    let meta: BTreeMap<Str, BTreeMap<Str, Str>> =
        nodes.iter().map(|n| (n.name.0.clone(), n.meta.clone().unwrap_or_default())).collect();

    let (members, consensus) = (agent.lan.members(), &server.consensus);
    let status = consensus.raft().status_now();
    let servers = consensus.servers();
    let facts = status
        .membership
        .servers
        .iter()
        .map(|s| {
            let id = s.id.to_string();
            let progress = status.progress.iter().find(|p| p.id == s.id);
            let (last_term, last_index) = if s.id.0 == consensus.own_id() {
                (status.last_log_term, status.last_log)
            } else {
                progress.map_or((0, 0), |p| (p.matched_term, p.matched))
            };
            let name = members.iter().find(|m| m.tag("id") == id).map_or(&s.peer.name, |m| &m.name);
            ServerFacts {
                id: s.id.0,
                name: s.peer.name.clone(),
                address: s.peer.addr,
                last_term,
                last_index,
                meta: meta.get(name).cloned().unwrap_or_default(),
            }
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
        zones: &zones_of(&members, &config.redundancy_zone_tag, |node| meta.get(node)),
    };
    let now = agent.world.clock.unix_ms();
    Some(server.pilot.with(|stability, now_ms| report(&view, facts, stability, now_ms, now)))
}
