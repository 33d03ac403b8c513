//! What membership means to the other parts: where servers are, what the leader should look at, when to form a cluster.

use crate::{
    bootstrap,
    consensus::{Addresses, RaftConsensus},
};
use config::RuntimeConfig;
use federation::names::{PRIMARY_TAG, Routes};
use gossip_driver::{GossipHandle, MemberEvent};
use raft::ServerId;
use rpc::{Datacenters, Pool, ServerList};
use runtime::Tasks;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use telemetry::Metrics;
use tokio::sync::{Semaphore, mpsc, watch};
use types::{
    DatacenterName, Str,
    member::{Member, MemberStatus, ServerInfo},
};

/// Period in which membership is compared although nothing was heard; repairs whatever was missed.
const RECHECK: Duration = Duration::from_secs(10);
/// The same while a datacenter that was known is not found.
const LOST_RECHECK: Duration = Duration::from_secs(2);
/// How long after the start that goes on; what is gone for longer may be gone for good.
const LOST_FOR: Duration = Duration::from_secs(600);
/// Servers of such a datacenter that are tried at a time.
const LOST_TRIES: usize = 3;
/// Pause between attempts to form a cluster.
const BOOTSTRAP_PAUSE: Duration = Duration::from_millis(250);
/// How often a server moves the order in which a client asks servers.
const REBALANCE: Duration = Duration::from_secs(150);

/// The servers of this datacenter that gossip knows, in any state.
pub fn servers(gossip: &GossipHandle, datacenter: &str) -> Vec<ServerInfo> {
    gossip.members().iter().filter_map(Member::server).filter(|s| &*s.datacenter == datacenter).collect()
}

/// Keeps addresses and the server list in step with gossip.
pub fn follow(
    gossip: &GossipHandle,
    config: &RuntimeConfig,
    addresses: Arc<Addresses>,
    list: Arc<ServerList>,
    tasks: &Tasks,
) {
    let (gossip, datacenter, shutdown) =
        (gossip.clone(), config.node.datacenter.clone(), tasks.shutdown().clone());
    tasks.spawn_critical("membership", async move {
        let mut changes = gossip.member_changes();
        let mut rebalance = tokio::time::interval(REBALANCE);
        rebalance.reset();
        loop {
            changes.mark_unchanged();
            let all = servers(&gossip, &datacenter);
            let known = all.iter().filter(|s| !matches!(s.status, MemberStatus::Left | MemberStatus::None));
            addresses.set(known.filter_map(|s| Some((s.id.parse::<ServerId>().ok()?.0, s.rpc_addr))));
            let alive: Vec<_> =
                all.iter().filter(|s| s.status == MemberStatus::Alive).map(|s| s.rpc_addr).collect();
            // Before the first contact an empty list says nothing about the cluster.
            if !alive.is_empty() || gossip.members().len() > 1 {
                list.set(&alive);
            }
            tokio::select! {
                () = shutdown.wait() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(RECHECK) => {}
                _ = rebalance.tick() => list.rebalance(),
            }
        }
    });
}

/// Keeps the other datacenters in step with the WAN pool, and brings the servers of this one into it: whoever joins the LAN pool
/// need not be told to join the WAN, too.
pub fn follow_wan(
    wan: &GossipHandle,
    lan: &GossipHandle,
    config: &RuntimeConfig,
    datacenters: Arc<Datacenters>,
    routes: Option<Arc<Routes>>,
    tasks: &Tasks,
) {
    let (wan, lan, own, shutdown) =
        (wan.clone(), lan.clone(), config.node.datacenter.clone(), tasks.shutdown().clone());
    let (primary, owner) = (config.node.primary_datacenter.clone(), tasks.clone());
    tasks.spawn_critical("WAN membership", async move {
        let (mut far, mut near) = (wan.member_changes(), lan.member_changes());
        let (mut complained, joins) = (BTreeSet::new(), Arc::new(Semaphore::new(1)));
        let lost_until = tokio::time::Instant::now() + LOST_FOR;
        loop {
            far.mark_unchanged();
            near.mark_unchanged();
            if let Some(routes) = &routes {
                let (here, everywhere) = (lan.members(), wan.members());
                let near = wan_addresses(&here, &own);
                // Those of an earlier run are how a datacenter that was down as a whole finds the others again.
                let far = wan.former().iter().map(|(name, _)| name).chain(everywhere.iter().map(|m| &m.name));
                routes.set(&own, near, far.map(Str::as_str), std::slice::from_ref(&primary.0));
            }
            complain_of_primaries(&wan.members(), &primary, &mut complained);
            let mut known: BTreeMap<DatacenterName, Vec<SocketAddr>> = BTreeMap::new();
            for server in wan.members().iter().filter_map(Member::server) {
                if matches!(server.status, MemberStatus::Left | MemberStatus::None) {
                    continue;
                }
                let alive = known.entry(server.datacenter.folded().into()).or_default();
                if server.status == MemberStatus::Alive {
                    alive.push(server.rpc_addr);
                }
            }
            datacenters.set(&known);
            let mut absent = absent_from_wan(&lan.members(), &wan.members(), &own, routes.is_some());
            let lost = match tokio::time::Instant::now() < lost_until {
                true => lost_datacenters(wan.former(), &wan.members(), &own),
                false => Vec::new(),
            };
            let recheck = if lost.is_empty() { RECHECK } else { LOST_RECHECK };
            absent.extend(lost);
            // One at a time, and beside this loop: a server that is not reached must not keep news of others from being heard.
            if !absent.is_empty()
                && let Ok(turn) = joins.clone().try_acquire_owned()
            {
                let (wan, stop) = (wan.clone(), shutdown.clone());
                owner.spawn("WAN join", async move {
                    // What was joined stays joined.
                    let joined = tokio::select! {
                        () = stop.wait() => return,
                        joined = wan.join(&absent) => joined,
                    };
                    if let Err(error) = joined {
                        tracing::debug!(%error, "servers of this datacenter cannot be brought into the WAN pool yet");
                    }
                    drop(turn);
                });
            }
            tokio::select! {
                () = shutdown.wait() => return,
                changed = far.changed() => if changed.is_err() { return },
                changed = near.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(recheck) => {}
            }
        }
    });
}

/// WAN addresses of the servers of `own`, by node name.
fn wan_addresses(lan: &[Member], own: &str) -> impl Iterator<Item = (Str, SocketAddr)> {
    let servers = lan.iter().filter(move |m| m.tag("role") == "consul" && m.tag("dc") == own);
    servers.filter_map(|m| {
        Some((m.name.clone(), SocketAddr::new(m.addr.ip(), m.tag("wan_join_port").parse().ok()?)))
    })
}

/// Living servers of `own` that the WAN pool does not have, as what to join.
fn absent_from_wan(lan: &[Member], wan: &[Member], own: &str, by_name: bool) -> Vec<String> {
    let there = |name: &str| wan.iter().any(|m| m.name == *name && m.status == MemberStatus::Alive);
    let alive = |name: &str| lan.iter().any(|m| m.name == *name && m.status == MemberStatus::Alive);
    wan_addresses(lan, own)
        .filter(|(node, _)| alive(node) && !there(&format!("{node}.{own}")))
        .map(
            |(node, addr)| {
                if by_name { by_its_name(&format!("{node}.{own}"), addr.port()) } else { addr.to_string() }
            },
        )
        .collect()
}

/// Former members of each other datacenter that nobody is known of any more, as what to join: a datacenter that was down as a
/// whole finds the others again by what it knew, whoever else is in the pool.
fn lost_datacenters(former: &[(Str, SocketAddr)], wan: &[Member], own: &str) -> Vec<String> {
    let of = |name: &str| name.rsplit_once('.').map(|(_, dc)| types::names::fold(dc));
    let seen: BTreeSet<Str> = wan.iter().filter_map(|m| of(&m.name)).collect();
    let mut tried: BTreeMap<Str, usize> = BTreeMap::new();
    let mut lost = Vec::new();
    for (name, addr) in former {
        let Some(dc) = of(name).filter(|dc| dc.as_str() != own && !seen.contains(dc)) else { continue };
        let count = tried.entry(dc).or_default();
        *count += 1;
        if *count <= LOST_TRIES {
            lost.push(format!("{name}/{addr}"));
        }
    }
    lost
}

/// What to join to reach the WAN member `name`, by the address that stands for it.
fn by_its_name(name: &str, port: u16) -> String {
    format!("{name}/{}", SocketAddr::new(federation::names::address_of(name).into(), port))
}

/// What to join to reach any server of `datacenter` through mesh gateways. The port does not matter.
pub fn any_server(datacenter: &str) -> String {
    by_its_name(&format!("{}.{datacenter}", federation::names::ANY), 8302)
}

/// Mistakes about primary datacenters that are remembered, so that each is told once.
const COMPLAINTS_MAX: usize = 256;

/// Says once of each datacenter that it has another primary than this one: what both share would not be shared.
fn complain_of_primaries(wan: &[Member], own: &str, said: &mut BTreeSet<(Str, Str)>) {
    for member in wan.iter().filter(|m| m.status == MemberStatus::Alive) {
        let (datacenter, theirs) = (Str::new(member.tag("dc")), Str::new(member.tag(PRIMARY_TAG)));
        let mistake = (datacenter.clone(), theirs.clone());
        if theirs.is_empty()
            || theirs.as_str() == own
            || said.len() >= COMPLAINTS_MAX
            || !said.insert(mistake)
        {
            continue;
        }
        tracing::error!(%datacenter, "datacenter {datacenter} has primary_datacenter = {theirs:?}, this one {own:?}: they share no configuration; set the same one everywhere");
    }
}

/// Turns gossip's events into hints for the leader's duties, and logs them.
pub fn forward_events(
    mut events: mpsc::Receiver<MemberEvent>,
    gossip: &GossipHandle,
    to: mpsc::Sender<leader::MemberEvent>,
    pool: &'static str,
    metrics: &Metrics,
    tasks: &Tasks,
) {
    let (gossip, shutdown, metrics) = (gossip.clone(), tasks.shutdown().clone(), metrics.clone());
    tasks.spawn("member events", async move {
        let mut lost = false;
        loop {
            let event = tokio::select! {
                () = shutdown.wait() => return,
                event = events.recv() => match event { Some(event) => event, None => return },
            };
            let member = event.member();
            tracing::info!(pool, event = event.as_str(), member = %member.name, addr = %member.addr, "member changed");
            let counter = match &event {
                MemberEvent::Join(_) => Some("serf.member.join"),
                MemberEvent::Update(_) => Some("serf.member.update"),
                MemberEvent::Leave(_) => Some("serf.member.left"),
                MemberEvent::Failed(_) => Some("serf.member.failed"),
                MemberEvent::Reap(_) => None,
            };
            if let Some(name) = counter {
                metrics.counter(name, &[]).incr();
            }
            lost |= gossip.take_resync();
            if lost && to.try_send(leader::MemberEvent::Resync).is_ok() {
                lost = false;
            }
            let hint = match event {
                MemberEvent::Reap(m) => leader::MemberEvent::Reaped(m),
                MemberEvent::Join(m) | MemberEvent::Update(m) | MemberEvent::Leave(m) | MemberEvent::Failed(m) => leader::MemberEvent::Changed(m),
            };
            match to.try_send(hint) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => lost = true,
                Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
        }
    });
}

/// Forms the cluster once gossip shows enough servers; ends when this server belongs to one.
pub fn bootstrap_when_ready(
    consensus: Arc<RaftConsensus>,
    gossip: &GossipHandle,
    pool: Pool,
    own_id: u128,
    config: &RuntimeConfig,
    tasks: &Tasks,
) {
    let (gossip, datacenter, expect, shutdown) =
        (gossip.clone(), config.node.datacenter.clone(), config.bootstrap_expect, tasks.shutdown().clone());
    tasks.spawn("bootstrap", async move {
        let mut changes = gossip.member_changes();
        let mut status: watch::Receiver<_> = consensus.raft().status();
        let mut last_mistake = String::new();
        while !consensus.raft().is_initialized() {
            changes.mark_unchanged();
            match bootstrap::plan(own_id, expect, &servers(&gossip, &datacenter)) {
                bootstrap::Plan::Wait => {}
                bootstrap::Plan::Mistake(text) => {
                    if text != last_mistake {
                        tracing::error!("cannot form a cluster: {text}");
                        last_mistake = text;
                    }
                }
                bootstrap::Plan::Propose(set) => {
                    let names: Vec<_> = set.iter().map(|(_, p)| format!("{}={}", p.name, p.addr)).collect();
                    match bootstrap::propose(&consensus, &pool, own_id, set).await {
                        Ok(true) => {
                            tracing::info!(servers = %names.join(" "), "found expected number of servers, cluster formed");
                            return;
                        }
                        Ok(false) => tracing::debug!("a server already belongs to a cluster, waiting to be added"),
                        Err(error) => tracing::warn!(%error, "cannot form the cluster yet"),
                    }
                }
            }
            tokio::select! {
                () = shutdown.wait() => return,
                changed = changes.changed() => if changed.is_err() { return },
                changed = status.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(BOOTSTRAP_PAUSE) => {}
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datacenter_that_nobody_is_known_of_is_looked_for() {
        let at = |n: u8| SocketAddr::from(([10, 0, 0, n], 8302));
        let former: Vec<(Str, SocketAddr)> = ["a.dc1", "b.dc2", "c.dc3", "d.DC2", "e.dc2", "f.dc2", "odd"]
            .iter()
            .zip(1..)
            .map(|(m, n)| ((*m).into(), at(n)))
            .collect();
        let member =
            |name: &str, status| Member { name: name.into(), addr: at(9), tags: BTreeMap::new(), status };
        let wan = [member("a.dc1", MemberStatus::Alive), member("z.dc3", MemberStatus::Failed)];
        let lost = lost_datacenters(&former, &wan, "dc1");
        assert_eq!(lost, ["b.dc2/10.0.0.2:8302", "d.DC2/10.0.0.4:8302", "e.dc2/10.0.0.5:8302"]);
        let wan = [member("b.dc2", MemberStatus::Alive), member("c.dc3", MemberStatus::Left)];
        assert!(lost_datacenters(&former, &wan, "dc1").is_empty(), "whoever is known is gossip's to find");
    }
}
