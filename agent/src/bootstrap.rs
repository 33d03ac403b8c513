//! Forming the first Raft configuration, once.
//!
//! With `bootstrap` (or `-dev`) a server alone is enough. With `bootstrap_expect = n`, servers wait until gossip shows n
//! of them that all expect n and none that belongs to a cluster already. The one with the lowest id then asks every one
//! for a promise to take part in exactly this set, and only with all promises does it write the configuration. Two
//! overlapping sets can therefore never both form: the server in both would have promised twice.

use crate::consensus::RaftConsensus;
use raft::{Peer, ServerId};
use rpc::{
    Consensus, Pool,
    message::{Request, Response},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{
    Str,
    member::{MemberStatus, ServerInfo},
};

/// Patience with one server during bootstrap.
const CALL_LIMIT: Duration = Duration::from_secs(2);
/// Time from the first promise in which the configuration must be written; far below what a promise holds.
const PROMISE_USE_LIMIT: Duration = Duration::from_secs(5);

/// What a look at the members says.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Not enough servers, or not our turn.
    Wait,
    /// A mistake that someone must mend; the text says which.
    Mistake(String),
    /// These servers form the cluster; this one proposes it.
    Propose(Vec<(u128, Peer)>),
}

/// Decides from the alive servers (this one among them). Pure.
pub fn plan(own_id: u128, expect: u32, servers: &[ServerInfo]) -> Plan {
    let alive: Vec<_> =
        servers.iter().filter(|s| s.status == MemberStatus::Alive && !s.read_replica).collect();
    if let Some(other) = alive.iter().find(|s| s.bootstrap) {
        return Plan::Mistake(format!(
            "server {} has bootstrap = true; all servers of a datacenter use bootstrap_expect, or one alone uses bootstrap",
            other.name
        ));
    }
    // A server without an expectation joins what the others form.
    if let Some(other) = alive.iter().find(|s| s.expect != 0 && s.expect != expect) {
        return Plan::Mistake(format!(
            "server {} has bootstrap_expect = {}, this one {expect}: all servers must agree",
            other.name, other.expect
        ));
    }
    let mut set = BTreeMap::new();
    for s in alive.iter().filter(|s| s.expect == expect) {
        let Ok(id) = s.id.parse::<ServerId>() else { continue };
        if set.insert(id.0, Peer { name: s.name.clone(), addr: s.rpc_addr }).is_some() {
            return Plan::Mistake(format!(
                "two servers have the node id {id}; each needs its own (remove node-id from one data directory)"
            ));
        }
    }
    if set.len() < expect as usize || set.keys().next() != Some(&own_id) {
        return Plan::Wait;
    }
    Plan::Propose(set.into_iter().collect())
}

/// Tries once to form the cluster that [`plan`] proposed. `Ok(false)`: someone already belongs to a cluster or has promised
/// another set; look again later.
///
/// # Errors
/// A text for the log: who did not answer, or what raft said.
pub async fn propose(
    consensus: &Arc<RaftConsensus>,
    pool: &Pool,
    own_id: u128,
    set: Vec<(u128, Peer)>,
) -> Result<bool, String> {
    let ids: Vec<u128> = set.iter().map(|(id, _)| *id).collect();
    let call = async |peer: &Peer, request: Request| {
        tokio::time::timeout(CALL_LIMIT, pool.call(peer.addr, None, &request))
            .await
            .map_err(|_elapsed| format!("server {} at {} does not answer", peer.name, peer.addr))?
            .map_err(|e| format!("server {} at {}: {e}", peer.name, peer.addr))
    };
    for (_, peer) in set.iter().filter(|(id, _)| *id != own_id) {
        match call(peer, Request::Status { datacenter: None }).await? {
            Response::Status(s) if s.peers.is_empty() => {}
            _ => return Ok(false),
        }
    }
    let first_promise = Instant::now();
    if !consensus.promise_bootstrap(&ids) {
        return Ok(false);
    }
    for (_, peer) in set.iter().filter(|(id, _)| *id != own_id) {
        match call(peer, Request::PromiseBootstrap { servers: ids.clone() }).await? {
            Response::Promise(true) => {}
            _ => return Ok(false),
        }
    }
    if first_promise.elapsed() > PROMISE_USE_LIMIT {
        return Ok(false);
    }
    let voters = set.into_iter().map(|(id, peer)| (ServerId(id), peer)).collect();
    consensus.raft().bootstrap(voters).await.map_err(|e| e.to_string())?;
    Ok(true)
}

/// A cluster of this server alone.
///
/// # Errors
/// What raft said.
pub async fn alone(
    consensus: &Arc<RaftConsensus>,
    own_id: u128,
    name: &str,
    addr: std::net::SocketAddr,
) -> Result<(), String> {
    let voters = [(ServerId(own_id), Peer { name: Str::new(name), addr })].into();
    consensus.raft().bootstrap(voters).await.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::DatacenterName;

    fn server(n: u8, expect: u32) -> ServerInfo {
        ServerInfo {
            name: Str::from(format!("s{n}")),
            id: Str::from(ServerId(u128::from(n)).to_string()),
            datacenter: DatacenterName::new("dc1"),
            rpc_addr: ([127, 0, 0, n], 8300).into(),
            expect,
            bootstrap: false,
            read_replica: false,
            build: Str::default(),
            status: MemberStatus::Alive,
        }
    }

    #[test]
    fn waits_for_all_and_only_the_lowest_proposes() {
        let two = [server(1, 3), server(2, 3)];
        assert_eq!(plan(1, 3, &two), Plan::Wait);
        let three = [server(3, 3), server(1, 3), server(2, 3)];
        assert!(matches!(plan(1, 3, &three), Plan::Propose(set) if set.len() == 3));
        assert_eq!(plan(2, 3, &three), Plan::Wait);
        let mut failed = three.clone();
        failed[0].status = MemberStatus::Failed;
        assert_eq!(plan(1, 3, &failed), Plan::Wait);
    }

    #[test]
    fn mistakes_are_named() {
        let mut s = [server(1, 3), server(2, 5), server(3, 3)];
        assert!(matches!(plan(1, 3, &s), Plan::Mistake(t) if t.contains("s2") && t.contains("5")));
        s[1] = server(2, 3);
        s[1].id = s[0].id.clone();
        assert!(matches!(plan(1, 3, &s), Plan::Mistake(t) if t.contains("node id")));
        s[1] = server(2, 0);
        s[1].bootstrap = true;
        assert!(matches!(plan(1, 3, &s), Plan::Mistake(t) if t.contains("bootstrap")));
    }
}
