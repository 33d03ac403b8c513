//! Coordinates on their way: this agent tells servers where it is, and servers write down what they were told in batches.

use crate::Agent;
use parking_lot::Mutex;
use rpc::{
    Submit as _,
    message::{DeskAnswer, DeskRequest},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};
use types::{
    RequestError, SecretToken, Str,
    command::Command,
    coordinate::{CoordinateRow, DatacenterCoordinates},
    member::{Member, MemberStatus},
};

/// Updates a second that all agents of a datacenter aim at together.
const RATE_TARGET: f64 = 64.0;
/// Shortest time between two updates of one agent.
const INTERVAL_MIN: Duration = Duration::from_secs(15);
/// How long a server gathers updates.
const GATHER: Duration = Duration::from_secs(2);
/// Rows of one command.
const BATCH: usize = 128;
/// Rows that are gathered; what comes beyond is dropped, and comes again.
const GATHERED_MAX: usize = 5 * BATCH;

/// Updates that wait to be written.
#[derive(Default)]
pub struct Gathered(Mutex<BTreeMap<(Str, Str, Str), CoordinateRow>>);

impl Gathered {
    /// Adds a row; a later one of the same node takes its place.
    fn add(&self, row: CoordinateRow) {
        let key = (Str::new(row.tenancy.partition()), row.node.folded(), row.segment.clone());
        let mut rows = self.0.lock();
        if rows.len() < GATHERED_MAX || rows.contains_key(&key) {
            rows.insert(key, row);
        } else {
            tracing::debug!(node = %row.node, "too many coordinate updates, one is dropped");
        }
    }

    fn take(&self) -> Vec<CoordinateRow> {
        std::mem::take(&mut *self.0.lock()).into_values().collect()
    }
}

/// What this server does for others.
struct Desk(Weak<Agent>);

impl rpc::ports::Desk for Desk {
    fn handle(&self, request: DeskRequest) -> Result<DeskAnswer, RequestError> {
        let agent = self.0.upgrade().ok_or(RequestError::ShuttingDown)?;
        match request {
            DeskRequest::Fire(event) => {
                agent.fire(&event).map_err(|text| RequestError::Refused(Str::from(text)))?;
                Ok(DeskAnswer::Ok)
            }
            DeskRequest::Coordinate(row) => {
                if !row.coordinate.is_valid() {
                    return Err(RequestError::Refused(Str::new_static("invalid coordinate")));
                }
                agent.gathered.add(row);
                Ok(DeskAnswer::Ok)
            }
            DeskRequest::WanCoordinates => Ok(DeskAnswer::WanCoordinates(wan(&agent))),
        }
    }
}

/// Places of the servers of every datacenter, the own one first, then by distance.
fn wan(agent: &Agent) -> Vec<DatacenterCoordinates> {
    let mut by_datacenter: BTreeMap<Str, Vec<_>> = BTreeMap::new();
    if let Some(pool) = agent.server.as_ref().and_then(|server| server.wan.as_ref()) {
        let members = pool.members();
        let dc_of: BTreeMap<&Str, Str> = members
            .iter()
            .filter(|m| m.status == MemberStatus::Alive)
            .filter_map(|m| Some((&m.name, Member::server(m)?.datacenter.folded())))
            .collect();
        for (name, coordinate) in pool.coordinates() {
            let Some(dc) = dc_of.get(&name) else { continue };
            let suffix = format!(".{dc}");
            let node = name.strip_suffix(suffix.as_str()).unwrap_or(&name);
            by_datacenter.entry(dc.clone()).or_default().push((Str::new(node), coordinate));
        }
    }
    let order = agent.datacenters.by_distance();
    order
        .into_iter()
        .map(|dc| {
            let servers = by_datacenter.remove(&dc.folded()).unwrap_or_default();
            DatacenterCoordinates { datacenter: dc.0, servers }
        })
        .collect()
}

/// How often an agent of a datacenter with `members` tells where it is.
fn interval(members: usize) -> Duration {
    INTERVAL_MIN.max(Duration::from_secs_f64(members as f64 / RATE_TARGET))
}

/// Starts to tell and, on a server, to gather.
pub fn start(agent: &Arc<Agent>) {
    let (weak, shutdown) = (Arc::downgrade(agent), agent.tasks.shutdown().clone());
    agent.service.attend(Arc::new(Desk(weak.clone())));
    if agent.lan.coordinate().is_none() {
        return;
    }
    let mut jitter = agent.world.seed.fork("coordinate updates");
    let (telling, stop) = (weak.clone(), shutdown.clone());
    agent.tasks.spawn("coordinate updates", async move {
        let mut first = true;
        loop {
            let Some(agent) = telling.upgrade() else { return };
            let every = interval(agent.lan.members().len());
            drop(agent);
            let random = every.mul_f64(rand::Rng::random_range(&mut jitter, 0.0..1.0));
            // The first comes soon, but not from all at once.
            let wait = if std::mem::take(&mut first) { random / 2 } else { every + random };
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let Some(agent) = telling.upgrade() else { return };
            tell(&agent).await;
        }
    });
    if agent.server.is_some() {
        agent.tasks.spawn("coordinate batches", async move {
            loop {
                tokio::select! {
                    () = shutdown.wait() => return,
                    () = tokio::time::sleep(GATHER) => {}
                }
                let Some(agent) = weak.upgrade() else { return };
                write(&agent).await;
            }
        });
    }
}

async fn tell(agent: &Agent) {
    let Some(coordinate) = agent.lan.coordinate() else { return };
    let node = agent.config.load().node.name.clone();
    let row = CoordinateRow { node, coordinate, ..CoordinateRow::default() };
    let token = SecretToken::default();
    if let Err(error) = agent.service.desk(None, &token, DeskRequest::Coordinate(row)).await {
        tracing::debug!(%error, "coordinate was not told");
    }
}

async fn write(agent: &Agent) {
    for batch in agent.gathered.take().chunks(BATCH) {
        let command = Command::CoordinateUpdates(batch.to_vec());
        if let Err(error) = agent.service.submit(None, &SecretToken::default(), command).await {
            // They come again.
            tracing::debug!(%error, rows = batch.len(), "coordinates were not written");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_shared_and_what_waits_is_bounded() {
        assert_eq!(interval(3), Duration::from_secs(15));
        assert_eq!(interval(6400), Duration::from_secs(100));
        let gathered = Gathered::default();
        for i in 0..2000 {
            let row = |n: &str| CoordinateRow { node: n.into(), ..CoordinateRow::default() };
            gathered.add(row(&format!("n{i}")));
            gathered.add(row("N0"));
        }
        assert_eq!(gathered.take().len(), GATHERED_MAX);
        assert!(gathered.take().is_empty());
    }
}
