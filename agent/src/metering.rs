//! What the agent counts of itself, under the names that dashboards know.

use crate::Agent;
use arc_swap::ArcSwap;
use gossip_driver::GossipHandle;
use parking_lot::Mutex;
use raft::Role;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};
use telemetry::{Counter, Metrics, Sample};
use tokio::time::MissedTickBehavior;
use types::{
    command::Command,
    member::{Member, MemberStatus},
};

/// How often gauges are read.
const PERIOD: Duration = Duration::from_secs(1);
/// Methods that get a series; others are not counted, since a client can make up any number of them.
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"];

/// How long answers of the HTTP API take: `api.http`, a series for each route and method.
pub struct ApiTimes {
    metrics: Metrics,
    series: ArcSwap<HashMap<(&'static str, &'static str), Sample>>,
}

impl ApiTimes {
    pub fn new(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), series: ArcSwap::default() }
    }

    /// One answer. Takes no lock once the series is there.
    pub fn record(&self, route: &'static str, method: &str, took: Duration) {
        let Some(method) = METHODS.into_iter().find(|m| *m == method) else { return };
        let key = (route, method);
        if let Some(series) = self.series.load().get(&key) {
            series.record_duration(took);
            return;
        }
        let path = route.strip_prefix('/').unwrap_or(route).replace('/', "_");
        let series = self.metrics.sample("api.http", &[("method", method), ("path", &path)]);
        series.record_duration(took);
        self.series.rcu(|old| {
            let mut new = HashMap::clone(old);
            new.insert(key, series.clone());
            new
        });
    }
}

/// What the log of this server is asked to take.
pub struct LogMeter {
    apply: Counter,
    commit_time: Sample,
    kv: Sample,
    register: Sample,
    deregister: Sample,
}

impl LogMeter {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            apply: metrics.counter("raft.apply", &[]),
            commit_time: metrics.sample("raft.commitTime", &[]),
            kv: metrics.sample("kvs.apply", &[]),
            register: metrics.sample("catalog.register", &[]),
            deregister: metrics.sample("catalog.deregister", &[]),
        }
    }

    /// The series that takes the time of `command`, if its kind has one.
    pub fn kind(&self, command: &Command) -> Option<&Sample> {
        match command {
            Command::Kv { .. } => Some(&self.kv),
            Command::Register(_) => Some(&self.register),
            Command::Deregister(_) => Some(&self.deregister),
            _ => None,
        }
    }

    /// A command was committed after `took`.
    pub fn committed(&self, kind: Option<&Sample>, took: Duration) {
        self.apply.incr();
        self.commit_time.record_duration(took);
        if let Some(kind) = kind {
            kind.record_duration(took);
        }
    }
}

/// Counts that a pool reports since its start, as counters of each interval.
struct PoolMeter {
    sent: Counter,
    received: Counter,
    suspicions: Counter,
    failed: Counter,
    replayed: Counter,
    seen: Mutex<gossip::Counters>,
}

impl PoolMeter {
    fn new(metrics: &Metrics, network: &str) -> Self {
        let counter = |name: &str| metrics.counter(name, &[("network", network)]);
        Self {
            sent: counter("memberlist.udp.sent"),
            received: counter("memberlist.udp.received"),
            suspicions: counter("memberlist.msg.suspect"),
            failed: counter("memberlist.msg.dead"),
            replayed: counter("memberlist.udp.replayed"),
            seen: Mutex::default(),
        }
    }

    fn read(&self, pool: &GossipHandle) {
        let now = pool.counters();
        let mut seen = self.seen.lock();
        let add = |counter: &Counter, now: u64, before: u64| {
            if now > before {
                counter.add((now - before) as f64);
            }
        };
        add(&self.sent, now.bytes_out, seen.bytes_out);
        add(&self.received, now.bytes_in, seen.bytes_in);
        add(&self.suspicions, now.suspicions_raised, seen.suspicions_raised);
        add(&self.failed, now.members_failed, seen.members_failed);
        add(&self.replayed, now.dropped_replayed, seen.dropped_replayed);
        *seen = now;
    }
}

/// Reads gauges and pools every second and counts changes of this server's role, until the agent ends.
pub fn start(agent: &Arc<Agent>) {
    let (metrics, tasks) = (agent.metrics.clone(), agent.tasks.clone());
    if let Some(server) = &agent.server {
        let (mut status, metrics) = (server.consensus.raft().status(), metrics.clone());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("metrics of roles", async move {
            let mut last = None;
            loop {
                let role = status.borrow_and_update().role;
                if last.replace(role) != Some(role)
                    && let Some(name) = role_counter(role)
                {
                    metrics.counter(name, &[]).incr();
                }
                tokio::select! {
                    () = shutdown.wait() => return,
                    changed = status.changed() => if changed.is_err() { return },
                }
            }
        });
    }
    let lan = PoolMeter::new(&metrics, "lan");
    let wan = PoolMeter::new(&metrics, "wan");
    let agent: Weak<Agent> = Arc::downgrade(agent);
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("metrics of parts", async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = ticks.tick() => {}
            }
            let Some(agent) = agent.upgrade() else { return };
            lan.read(&agent.lan);
            if let Some(pool) = agent.server.as_ref().and_then(|s| s.wan.as_ref()) {
                wan.read(pool);
            }
            agent.sample_metrics();
            agent.sample_contacts();
        }
    });
}

fn role_counter(role: Role) -> Option<&'static str> {
    match role {
        Role::Leader => Some("raft.state.leader"),
        Role::Candidate => Some("raft.state.candidate"),
        Role::Follower => Some("raft.state.follower"),
        Role::Learner | Role::Stopped => None,
    }
}

impl Agent {
    /// Sets the gauges that are read rather than counted.
    pub(crate) fn sample_metrics(&self) {
        let m = &self.metrics;
        let members = self.lan.members();
        let alive = |server: bool| {
            let of_kind = |member: &&Member| member.server().is_some() == server;
            members.iter().filter(|m| m.status == MemberStatus::Alive).filter(of_kind).count() as f64
        };
        m.gauge("version", &[("version", types::API_LEVEL), ("pre_release", "")]).set(1.0);
        m.gauge("serf.member.count", &[]).set(members.len() as f64);
        let Some(server) = &self.server else { return };
        let datacenter = self.config.load().node.datacenter.to_string();
        let labels = [("datacenter", datacenter.as_str())];
        m.gauge("members.servers", &labels).set(alive(true));
        m.gauge("members.clients", &labels).set(alive(false));
        let status = server.consensus.raft().status_now();
        m.gauge("raft.applied_index", &[]).set(status.applied as f64);
        m.gauge("raft.commit_index", &[]).set(status.commit as f64);
        m.gauge("raft.last_index", &[]).set(status.last_log as f64);
        m.gauge("raft.peers", &[]).set(status.membership.voters().count() as f64);
        m.gauge("server.isLeader", &[]).set(f64::from(u8::from(status.is_leader())));
        m.gauge("rpc.queries_blocking", &[]).set(server.hub.watchers() as f64);
        for (kind, replication) in server.replication.all() {
            let gauge = |what: &str| m.gauge(&format!("leader.replication.{}.{what}", kind.as_str()), &[]);
            gauge("status").set(f64::from(u8::from(replication.is_healthy())));
            gauge("index").set(replication.index as f64);
            // Seconds since the primary datacenter last said what is new, or that nothing is.
            if let Some(at) = replication.succeeded {
                gauge("lag").set(at.elapsed().as_secs_f64());
            }
        }
    }

    /// How long ago each follower answered this leader.
    fn sample_contacts(&self) {
        let Some(server) = &self.server else { return };
        let status = server.consensus.raft().status_now();
        if !status.is_leader() {
            return;
        }
        let sample = self.metrics.sample("raft.leader.lastContact", &[]);
        for at in status.progress.iter().filter_map(|p| p.last_contact) {
            sample.record_duration(at.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry::MetricsConfig;

    fn metrics() -> Metrics {
        let config = MetricsConfig { hostname: None, ..MetricsConfig::default() };
        Metrics::new(config, Arc::new(runtime::TestClock::default()))
    }

    fn counts(metrics: &Metrics) -> Vec<(String, String, u64)> {
        let mut rows: Vec<_> = metrics.display().samples.into_iter().collect();
        rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        rows.into_iter().map(|r| (r.labels["path"].clone(), r.labels["method"].clone(), r.count)).collect()
    }

    #[test]
    fn a_series_for_each_route_and_method() {
        let metrics = metrics();
        let times = ApiTimes::new(&metrics);
        for _ in 0..3 {
            times.record("/v1/kv/", "GET", Duration::from_millis(2));
        }
        times.record("/v1/kv/", "PUT", Duration::from_millis(2));
        times.record("/v1/agent/self", "GET", Duration::from_millis(2));
        for made_up in ["BREW", "get", ""] {
            times.record("/v1/kv/", made_up, Duration::from_millis(2));
        }
        let row = |path: &str, method: &str, n| (path.to_owned(), method.to_owned(), n);
        assert_eq!(
            counts(&metrics),
            [row("v1_agent_self", "GET", 1), row("v1_kv_", "GET", 3), row("v1_kv_", "PUT", 1)]
        );
    }

    #[test]
    fn commands_of_a_kind_are_timed_twice() {
        let metrics = metrics();
        let meter = LogMeter::new(&metrics);
        let command = Command::Register(Box::default());
        meter.committed(meter.kind(&command), Duration::from_millis(1));
        meter.committed(meter.kind(&Command::Noop), Duration::from_millis(1));
        let summary = metrics.display();
        let count = |name: &str| summary.samples.iter().find(|s| s.name == name).map_or(0, |s| s.count);
        assert_eq!((count("consul.raft.commitTime"), count("consul.catalog.register")), (2, 1));
        assert_eq!(summary.counters.iter().find(|c| c.name == "consul.raft.apply").map(|c| c.sum), Some(2.0));
    }
}
