//! What the hot operations cost: `cargo run --release -p catalog --example bench`.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use catalog::{ApplyCtx, ChangeSet, Store, run_query, snapshot, topics_of};
use std::hint::black_box;
use types::{
    Tenancy,
    command::{Command, KvOp, Register},
    query::{Query, ServiceLookup},
    record::{HealthCheck, NodeService},
};

/// Nanoseconds of processor time that an operation takes, the best of five runs. Not wall time: the machine may be busy.
fn time(n: u64, mut f: impl FnMut(u64)) -> f64 {
    let mut best = f64::MAX;
    for run in 0..5 {
        let start = processor_ns();
        for i in 0..n {
            f(run * n + i);
        }
        best = best.min((processor_ns() - start) as f64 / n as f64);
    }
    best
}

/// Time this thread has run so far: the first figure of its `schedstat`, else wall time.
fn processor_ns() -> u128 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    // Giving the processor up makes the kernel bring the figure up to date.
    std::thread::yield_now();
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let figure = schedstat.and_then(|text| text.split(' ').next()?.parse().ok());
    figure.unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
        START.get_or_init(std::time::Instant::now).elapsed().as_nanos()
    })
}

fn report(what: &str, ns: f64) {
    println!("{what:<58} {ns:>12.0} ns");
}

fn registration(i: u64, service: &str) -> Command {
    let id = format!("{service}-{i}");
    Command::Register(Box::new(Register {
        id: format!("b0000000-0000-4000-8000-{i:012x}").into(),
        node: format!("node-{i}").into(),
        address: format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255).into(),
        datacenter: "dc1".into(),
        service: Some(Box::new(NodeService {
            id: id.as_str().into(),
            service: service.into(),
            port: 8080,
            tags: Some(vec!["v1".into(), "primary".into()]),
            ..Default::default()
        })),
        checks: vec![check("serfHealth", "", "passing"), check(&format!("service:{id}"), &id, "passing")],
        ..Default::default()
    }))
}

fn check(id: &str, service: &str, status: &str) -> HealthCheck {
    HealthCheck {
        check_id: id.into(),
        name: id.into(),
        service_id: service.into(),
        status: status.into(),
        ..Default::default()
    }
}

fn flip(i: u64, service: &str, status: &str) -> Command {
    Command::Register(Box::new(Register {
        node: format!("node-{i}").into(),
        skip_node_update: true,
        checks: vec![check(&format!("service:{service}-{i}"), &format!("{service}-{i}"), status)],
        ..Default::default()
    }))
}

/// Writes one of `keys` keys; the first `keys` writes make them all, later ones change them.
fn set(i: u64, keys: u64) -> Command {
    Command::Kv {
        tenancy: Tenancy::default(),
        op: KvOp::Set {
            key: format!("app/config/{}", i * 7919 % keys).into(),
            value: format!("value-{i}-0123456789012345678901").into(),
            flags: 0,
        },
    }
}

/// A store that publishes a version after every `batch` commands, as the state machine does.
struct World {
    store: Store,
    published: Store,
    index: u64,
    changes: ChangeSet,
    batch: u64,
}

impl World {
    fn new(batch: u64) -> Self {
        let store = Store::new();
        Self { published: store.clone(), store, index: 0, changes: ChangeSet::new(), batch }
    }
    fn apply(&mut self, command: &Command) {
        self.index += 1;
        let ctx = ApplyCtx { index: self.index, proposed_at_ms: 0 };
        black_box(self.store.apply(&ctx, command, &mut self.changes));
        if self.index.is_multiple_of(self.batch) {
            self.published = self.store.clone();
            self.changes.clear();
        }
    }
}

fn health(service: &str, passing_only: bool) -> Query {
    Query::ServiceHealth {
        tenancy: Tenancy::default(),
        peer: Default::default(),
        service: service.into(),
        lookup: ServiceLookup::Plain,
        tags: vec![],
        passing_only,
    }
}

fn main() {
    for batch in [1, 64] {
        println!("-- a version published every {batch} commands");
        let mut w = World::new(batch);
        let fresh: Vec<Command> = (0..50_000).map(|i| registration(i, &format!("svc-{}", i % 500))).collect();
        report("register new node + service + 2 checks", time(10_000, |i| w.apply(&fresh[i as usize])));
        report("register, unchanged", time(10_000, |i| w.apply(&fresh[i as usize])));
        let mut one = World::new(batch);
        let fresh: Vec<Command> = (0..50_000).map(|i| registration(i, "web")).collect();
        report("register, all of one service", time(10_000, |i| one.apply(&fresh[i as usize])));
        let flips: Vec<Command> = (0..10_000)
            .map(|i| flip(i / 2, "web", if i % 2 == 0 { "critical" } else { "passing" }))
            .collect();
        report("check flip, 50,000 instances", time(10_000, |i| one.apply(&flips[i as usize % 10_000])));
        let sets: Vec<Command> = (0..300_000).map(|i| set(i, 300_000)).collect();
        let mut kv = World::new(batch);
        report("kv set, new keys up to 300,000", time(60_000, |i| kv.apply(&sets[i as usize])));
        let sets: Vec<Command> = (300_000..600_000).map(|i| set(i, 300_000)).collect();
        report("kv set, changing one of 300,000 keys", time(60_000, |i| kv.apply(&sets[i as usize])));
    }

    println!("-- reads");
    for keys in [10_000, 300_000] {
        let mut w = World::new(64);
        (0..keys).for_each(|i| w.apply(&set(i, keys)));
        let gets: Vec<Query> = (0..10_000u64)
            .map(|i| Query::KvGet {
                tenancy: Tenancy::default(),
                key: format!("app/config/{}", i * 104_729 % keys).into(),
            })
            .collect();
        let store = &w.store;
        report(
            &format!("kv get, {keys} keys"),
            time(100_000, |i| {
                black_box(run_query(store, &gets[i as usize % 10_000], &[]));
            }),
        );
        report(
            &format!("kv version (topics_of, topic_index), {keys} keys"),
            time(100_000, |i| {
                let topics = topics_of(&gets[i as usize % 10_000], false);
                black_box(topics.iter().map(|t| store.topic_index(t)).max());
            }),
        );
    }
    for instances in [10, 1_000, 10_000] {
        let mut w = World::new(64);
        (0..instances).for_each(|i| w.apply(&registration(i, "web")));
        (0..instances).step_by(10).for_each(|i| w.apply(&flip(i, "web", "critical")));
        let store = &w.store;
        for passing in [false, true] {
            let q = health("web", passing);
            report(
                &format!("service health, {instances} instances, passing {passing}"),
                time(3_000_000 / instances, |_| {
                    black_box(run_query(store, &q, &[]));
                }),
            );
        }
        let q = health("web", true);
        report(
            &format!("service health version, {instances} instances"),
            time(100_000, |_| {
                black_box(topics_of(&q, false).iter().map(|t| store.topic_index(t)).max());
            }),
        );
    }

    println!("-- snapshot of 10,000 nodes with 170,000 instances");
    let mut w = World::new(64);
    for n in 0..10_000 {
        for s in 0..17 {
            let Command::Register(mut r) = registration(n, &format!("svc-{}", (n + s * 31) % 700)) else {
                return;
            };
            r.checks.truncate(if s == 0 { 2 } else { 0 });
            w.apply(&Command::Register(r));
        }
    }
    let mut bytes = Vec::new();
    let written = time(1, |_| bytes = snapshot::Writer::new(w.store.clone()).flatten().collect::<Vec<u8>>());
    report(&format!("write, {} MiB", bytes.len() >> 20), written);
    report(
        "restore",
        time(1, |_| {
            black_box(snapshot::restore(bytes.as_slice()).is_ok());
        }),
    );
    let any = Query::ChecksInState {
        tenancy: Tenancy::default(),
        peer: Default::default(),
        state: "critical".into(),
    };
    report(
        "checks in state critical (none of 20,000)",
        time(20, |_| {
            black_box(run_query(&w.store, &any, &[]));
        }),
    );
    let names = Query::Services { tenancy: Tenancy::default(), peer: Default::default() };
    report(
        "service names (700 names)",
        time(20, |_| {
            black_box(run_query(&w.store, &names, &[]));
        }),
    );
}
