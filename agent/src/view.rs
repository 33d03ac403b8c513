//! How this server sees the other datacenters, for operators.

use crate::{Agent, start::ServerParts};
use rpc::message::{DatacenterView, FederationView, GatewayView, ReplicationView};
use std::{collections::BTreeMap, sync::Arc};
use types::{
    Str,
    member::{Member, MemberStatus},
};

/// Lets the service answer for this agent as long as it lives.
pub fn tell(agent: &Arc<Agent>) {
    let weak = Arc::downgrade(agent);
    agent.service.tell_federation(move || {
        let agent = weak.upgrade()?;
        agent.server.as_ref().map(|server| view(&agent, server))
    });
}

fn view(agent: &Agent, server: &ServerParts) -> FederationView {
    let config = agent.config.load();
    let own = config.node.datacenter.folded();
    let mut others: BTreeMap<Str, DatacenterView> = BTreeMap::new();
    let mut of = |name: Str| -> Option<()> {
        (name != own).then(|| {
            others
                .entry(name.clone())
                .or_insert_with(|| DatacenterView { name, ..DatacenterView::default() });
        })
    };
    // The primary is listed also before anything is known of it: that is when somebody looks.
    of(config.node.primary_datacenter.folded());
    for remote in agent.datacenters.remotes() {
        of(remote.name.folded());
    }
    for member in
        server.wan.iter().flat_map(|wan| wan.members().iter().filter_map(Member::server).collect::<Vec<_>>())
    {
        if matches!(member.status, MemberStatus::Left | MemberStatus::None) {
            continue;
        }
        if let Some(one) = others.get_mut(&member.datacenter.folded()) {
            one.servers += 1;
            one.alive += u32::from(member.status == MemberStatus::Alive);
        }
    }
    for one in others.values_mut() {
        if let Some(remote) = agent.datacenters.get(&one.name) {
            let reach = remote.reach();
            one.reachable = reach.is_open() && one.alive > 0;
            one.round_trip = reach.round_trip;
            one.answered_ago = reach.answered.map(|at| at.elapsed());
            one.last_error = reach.last_error;
        } else {
            one.last_error = Str::new_static("no server of it has been heard of");
        }
        for gateway in server.dialer.iter().flat_map(|dialer| dialer.view(&one.name)) {
            one.gateways.push(GatewayView {
                address: Str::from(gateway.candidate.endpoint.to_string()),
                tier: Str::new_static(gateway.candidate.tier.as_str()),
                carries: u32::try_from(gateway.carries).unwrap_or(u32::MAX),
                failures: gateway.record.failures,
                worked_ago: gateway.record.worked.map(|at| at.elapsed()),
                last_error: gateway.record.last_error,
            });
        }
    }
    FederationView {
        datacenter: own,
        primary: config.node.primary_datacenter.folded(),
        node: config.node.name.0.clone(),
        through_gateways: server.dialer.is_some(),
        datacenters: others.into_values().collect(),
        replication: server
            .replication
            .all()
            .into_iter()
            .map(|(kind, r)| ReplicationView {
                kind: Str::new_static(kind.as_str()),
                healthy: r.is_healthy(),
                index: r.index,
                lag: r.succeeded.map(|at| at.elapsed()),
                last_error: r.last_error,
            })
            .collect(),
    }
}
