//! What must hold for any commands: the same log gives the same state, a snapshot at any cut changes nothing, and whoever
//! waits for an answer is told when it changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::{ApplyCtx, ChangeSet, CheckState, Scope, Store, Topic, run_query, snapshot, topics_of};
use proptest::{collection::vec, prelude::*};
use support::*;
use types::{
    PeerName, Str, Tenancy,
    command::{AutopilotConfig, Command, Deregister, KvOp, Register},
    coordinate::{Coordinate, CoordinateRow},
    entry::*,
    query::{Query, QueryResult, ServiceLookup},
    record::{NodeService, ServiceConnect, Session, SessionBehavior},
    txn::{KvVerb, RowVerb, TxnOp},
};

const NODES: [&str; 4] = ["n1", "N1", "n2", "ab"];
const SERVICES: [&str; 4] = ["web", "Web", "db", "api"];
const CHECKS: [&str; 3] = ["serfHealth", "c1", "C1"];
const STATES: [&str; 4] = ["passing", "warning", "critical", "odd"];
const SESSIONS: [&str; 3] = ["s1", "s2", "s3"];
const KEYS: [&str; 6] = ["a", "a/b", "a/c/d", "b", "ab", "a/c/e"];

fn tenancy() -> impl Strategy<Value = Tenancy> {
    prop_oneof![4 => Just(Tenancy::default()), 1 => Just(Tenancy::new("", "team")), 1 => Just(Tenancy::new("p", "team"))]
}
fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

fn a_service() -> impl Strategy<Value = NodeService> {
    (one_of(&SERVICES), one_of(&SERVICES), 0..4u8, 1..3i64, any::<bool>()).prop_map(
        |(id, name, kind, port, tag)| {
            let mut s = match kind {
                0 => proxy(name, id),
                1 => NodeService { connect: ServiceConnect { native: true }, ..service(name) },
                _ => service(name),
            };
            s.id = id.into();
            s.port = port;
            s.tags = tag.then(|| vec!["t".into()]);
            if tag {
                s.address = "10.1.1.1".into();
            }
            s
        },
    )
}

fn a_register() -> impl Strategy<Value = Command> {
    let checks = vec((one_of(&CHECKS), prop::option::of(one_of(&SERVICES)), one_of(&STATES)), 0..3);
    (one_of(&NODES), 0..3u32, 0..3u8, any::<bool>(), prop::option::of(a_service()), checks, tenancy())
        .prop_map(|(name, id, address, skip, service, checks, tenancy)| {
            let mut r = Register { skip_node_update: skip, tenancy, ..node(name, id * 0xab) };
            r.address = format!("10.0.0.{address}").into();
            r.node_meta = (address == 1).then(|| [("zone".into(), "a".into())].into());
            r.service = service.map(Box::new);
            r.checks = checks.into_iter().map(|(c, s, state)| check(c, s.unwrap_or(""), state)).collect();
            Command::Register(Box::new(r))
        })
}

fn a_deregister() -> impl Strategy<Value = Command> {
    let target = prop_oneof![
        2 => one_of(&SERVICES).prop_map(|s| (s, "")),
        2 => one_of(&CHECKS).prop_map(|c| ("", c)),
        1 => Just(("", ""))
    ];
    (one_of(&NODES), target, tenancy()).prop_map(|(node, (service, check), tenancy)| {
        Command::Deregister(Deregister {
            node: node.into(),
            service_id: service.into(),
            check_id: check.into(),
            tenancy,
            peer: PeerName::default(),
        })
    })
}

fn a_kv() -> impl Strategy<Value = Command> {
    let op = (one_of(&KEYS), 0..3u8, 0..20u64, 0..6u8).prop_map(|(key, value, index, kind)| {
        let (key, value) = (Str::new(key), bytes::Bytes::from(vec![value]));
        match kind {
            0 => KvOp::Cas { key, value, flags: 0, index },
            1 => KvOp::Delete { key },
            2 => KvOp::DeleteCas { key, index },
            3 => KvOp::DeleteTree { prefix: key },
            4 => KvOp::WithTtl { ttl_ms: index, write: Box::new(KvOp::Set { key, value, flags: 0 }) },
            _ => KvOp::Set { key, value, flags: 0 },
        }
    });
    let lock =
        (one_of(&KEYS), one_of(&SESSIONS), 0..2u8, any::<bool>()).prop_map(|(key, session, value, take)| {
            let (key, session) = (Str::new(key), Str::new(session));
            let value = bytes::Bytes::from(vec![value]);
            match take {
                true => KvOp::Lock { key, value, flags: 0, session },
                false => KvOp::Unlock { key, value, flags: 0, session },
            }
        });
    (prop_oneof![3 => op, 2 => lock], tenancy()).prop_map(|(op, tenancy)| Command::Kv { tenancy, op })
}

fn a_session() -> impl Strategy<Value = Command> {
    let checks = vec(one_of(&CHECKS), 0..2);
    let rest = (any::<bool>(), any::<bool>(), 0..20u64);
    (one_of(&SESSIONS), one_of(&NODES), checks, rest, tenancy()).prop_map(
        |(id, node, checks, (deletes, lives, delay), tenancy)| {
            Command::SessionCreate(Box::new(Session {
                id: id.into(),
                name: "boss".into(),
                node: node.into(),
                behavior: if deletes { SessionBehavior::Delete } else { SessionBehavior::Release },
                lock_delay_ns: delay * 1_000_000,
                ttl_ns: if lives { 10 } else { 0 },
                node_checks: checks.into_iter().map(Str::new).collect(),
                tenancy,
                ..Session::default()
            }))
        },
    )
}

fn an_end() -> impl Strategy<Value = Command> {
    let over = vec((tenancy(), one_of(&KEYS), 0..40u64), 1..3).prop_map(|keys| Command::ExpireKeys {
        keys: keys.into_iter().map(|(t, k, at)| (t, Str::new(k), at)).collect(),
    });
    let end = (one_of(&SESSIONS), tenancy())
        .prop_map(|(id, tenancy)| Command::SessionDestroy { tenancy, id: id.into() });
    prop_oneof![end, over]
}

fn a_txn() -> impl Strategy<Value = Command> {
    let kv = (one_of(&KEYS), one_of(&SESSIONS), 0..20u64, 0..13u8, tenancy()).prop_map(
        |(key, session, index, verb, tenancy)| {
            const VERBS: [&str; 13] = [
                "set",
                "cas",
                "lock",
                "unlock",
                "get",
                "get-or-empty",
                "get-tree",
                "check-index",
                "check-session",
                "check-not-exists",
                "delete",
                "delete-tree",
                "delete-cas",
            ];
            TxnOp::Kv {
                tenancy,
                verb: KvVerb::parse(VERBS[usize::from(verb)]),
                key: key.into(),
                value: bytes::Bytes::from(vec![verb]),
                flags: 0,
                index,
                session: session.into(),
            }
        },
    );
    let row = (one_of(&NODES), one_of(&SERVICES), one_of(&CHECKS), 0..5u8, 0..3u8, 0..20u64).prop_map(
        |(on, name, id, verb, what, index)| {
            let verb = RowVerb::parse(["get", "set", "cas", "delete", "delete-cas"][usize::from(verb)]);
            let index = types::record::RaftIndex { create: 0, modify: index };
            match what {
                0 => TxnOp::Node {
                    verb,
                    node: Box::new(types::record::Node {
                        name: on.into(),
                        address: "10.0.0.1".into(),
                        index,
                        ..Default::default()
                    }),
                },
                1 => TxnOp::Service {
                    verb,
                    node: on.into(),
                    service: Box::new(NodeService { index, ..service(name) }),
                },
                _ => TxnOp::Check {
                    verb,
                    check: Box::new(types::record::HealthCheck {
                        node: on.into(),
                        index,
                        ..check(id, "", "critical")
                    }),
                },
            }
        },
    );
    vec(prop_oneof![2 => kv, 1 => row], 1..4).prop_map(|ops| Command::Txn { datacenter: "dc1".into(), ops })
}

/// Entries that reach each other, so that some are refused.
fn an_entry() -> impl Strategy<Value = Command> {
    let cas = prop_oneof![3 => Just(None), 1 => (0..20u64).prop_map(Some)];
    (one_of(&SERVICES), one_of(&SERVICES), 0..8u8, cas, tenancy()).prop_map(
        |(name, to, what, cas, tenancy)| {
            let (name, to) = (Str::new(name), Str::new(to));
            let body = match what {
                0 | 1 => EntryBody::ServiceDefaults(Box::new(ServiceDefaults {
                    protocol: if what == 0 { "http".into() } else { "tcp".into() },
                    destination: (to == "db").then(Destination::default),
                    ..Default::default()
                })),
                2 => EntryBody::ServiceResolver(Box::new(ServiceResolver {
                    redirect: Some(Redirect { service: to, ..Default::default() }),
                    ..Default::default()
                })),
                3 => EntryBody::IngressGateway(Box::new(IngressGateway {
                    listeners: vec![IngressListener {
                        port: 80,
                        protocol: "http".into(),
                        services: vec![IngressService {
                            name: if to == "api" { "*".into() } else { to },
                            ..Default::default()
                        }],
                        ..Default::default()
                    }],
                    ..Default::default()
                })),
                4 => EntryBody::TerminatingGateway(Box::new(TerminatingGateway {
                    services: vec![LinkedService {
                        name: if to == "api" { "*".into() } else { to },
                        ..Default::default()
                    }],
                })),
                _ => {
                    let kind = EntryKind::ALL[usize::from(what) % 5];
                    return Command::ConfigEntryDelete { tenancy, kind, name, cas };
                }
            };
            let mut entry = ConfigEntry::new(body.kind(), name);
            (entry.body, entry.tenancy) = (body, tenancy);
            Command::ConfigEntrySet { entry: Box::new(entry), cas }
        },
    )
}

fn a_coordinate() -> impl Strategy<Value = Command> {
    let row = (one_of(&NODES), 0..3u8, any::<bool>(), tenancy()).prop_map(|(node, at, segment, tenancy)| {
        CoordinateRow {
            node: node.into(),
            segment: if segment { "s".into() } else { Str::default() },
            coordinate: Coordinate { adjustment: f64::from(at), ..Coordinate::default() },
            tenancy,
        }
    });
    vec(row, 1..4).prop_map(Command::CoordinateUpdates)
}

fn a_command() -> impl Strategy<Value = Command> {
    let single = prop_oneof![
        6 => a_register(),
        4 => a_deregister(),
        5 => a_kv(),
        4 => an_entry(),
        3 => a_session(),
        2 => an_end(),
        3 => a_txn(),
        3 => a_coordinate(),
        1 => (0..60u64).prop_map(|up_to| Command::ReapTombstones { up_to }),
        1 => (0..3u32).prop_map(|min_quorum| Command::AutopilotSet {
            config: AutopilotConfig { min_quorum, ..Default::default() },
            cas: None,
        }),
        1 => Just(Command::Noop),
    ];
    let batch =
        vec(prop_oneof![a_register(), a_deregister(), a_kv(), an_entry(), a_session(), a_txn()], 1..4)
            .prop_map(Command::Batch);
    prop_oneof![8 => single, 1 => batch]
}

/// Every query over the universe of names.
fn queries() -> Vec<Query> {
    let mut out = vec![
        Query::Autopilot,
        Query::CaRoots,
        Query::CaConfig,
        Query::Deadlines { keys_max: 100 },
        Query::ByAddress { address: [10, 0, 0, 1].into() },
        Query::ByAddress { address: [10, 1, 1, 1].into() },
    ];
    for tenancy in [Tenancy::default(), Tenancy::new("", "team"), Tenancy::new("p", "team")] {
        let (t, peer) = (|| tenancy.clone(), PeerName::default);
        out.push(Query::Nodes { tenancy: t(), peer: peer() });
        out.push(Query::Services { tenancy: t(), peer: peer() });
        out.push(Query::Coordinates { tenancy: t(), node: None, segment: None });
        for node in NODES.iter().chain(&["b0000000", "ghost"]) {
            let node = || (*node).into();
            out.push(Query::NodeServices { tenancy: t(), peer: peer(), node: node() });
            out.push(Query::NodeChecks { tenancy: t(), peer: peer(), node: node() });
            out.push(Query::NodeState { tenancy: t(), node: node() });
            out.push(Query::Coordinates { tenancy: t(), node: Some(node()), segment: None });
        }
        for name in SERVICES {
            let name = || name.into();
            out.push(Query::ServiceChecks { tenancy: t(), peer: peer(), service: name() });
            out.push(Query::VirtualIp { tenancy: t(), peer: peer(), service: name() });
            for lookup in [ServiceLookup::Plain, ServiceLookup::Connect, ServiceLookup::Ingress] {
                for tags in [vec![], vec!["T".into()]] {
                    out.push(Query::ServiceNodes {
                        tenancy: t(),
                        peer: peer(),
                        service: name(),
                        lookup,
                        tags: tags.clone(),
                    });
                    out.push(Query::ServiceHealth {
                        tenancy: t(),
                        peer: peer(),
                        service: name(),
                        lookup,
                        tags,
                        passing_only: true,
                    });
                }
            }
        }
        out.push(Query::ConfigEntries { tenancy: t(), kind: None });
        for kind in [EntryKind::ServiceDefaults, EntryKind::ServiceResolver, EntryKind::IngressGateway] {
            out.push(Query::ConfigEntries { tenancy: t(), kind: Some(kind) });
            for name in SERVICES {
                out.push(Query::ConfigEntry { tenancy: t(), kind, name: name.into() });
            }
        }
        out.push(Query::Sessions { tenancy: t() });
        for id in SESSIONS {
            out.push(Query::Session { tenancy: t(), id: id.into() });
        }
        for node in NODES {
            out.push(Query::NodeSessions { tenancy: t(), node: node.into() });
        }
        for name in SERVICES {
            out.push(Query::GatewayServices { tenancy: t(), gateway: name.into() });
        }
        for state in STATES.iter().chain(&["any"]) {
            out.push(Query::ChecksInState { tenancy: t(), peer: peer(), state: (*state).into() });
        }
        for key in KEYS.iter().chain(&["", "a/", "zz"]) {
            let key = || Str::new(key);
            out.push(Query::KvGet { tenancy: t(), key: key() });
            out.push(Query::KvList { tenancy: t(), prefix: key() });
            out.push(Query::KvKeys { tenancy: t(), prefix: key(), separator: "/".into() });
        }
    }
    out
}

fn version(store: &Store, query: &Query) -> u64 {
    topics_of(query).iter().map(|t| store.topic_index(t)).max().unwrap_or(0)
}

fn apply(store: &mut Store, index: u64, command: &Command) -> ChangeSet {
    let mut changes = ChangeSet::new();
    store.apply(&ApplyCtx { index, proposed_at_ms: index }, command, &mut changes);
    changes
}

fn snapshot_of(store: &Store) -> Vec<u8> {
    snapshot::Writer::new(store.clone()).flatten().collect()
}

proptest! {
    #[test]
    fn whoever_waits_is_told(commands in vec(a_command(), 1..40)) {
        let queries = queries();
        let meta: [(Str, Str); 1] = [("zone".into(), "a".into())];
        let mut store = Store::new();
        for (i, command) in commands.iter().enumerate() {
            let before = store.clone();
            let changes = apply(&mut store, i as u64 + 2, command);
            for query in &queries {
                for meta in [&[][..], &meta] {
                    let (old, old_index) = run_query(&before, query, meta);
                    let (new, new_index) = run_query(&store, query, meta);
                    prop_assert!(new_index >= old_index, "{query:?} went back from {old_index} to {new_index}");
                    if old != new {
                        prop_assert!(new_index > old_index, "{query:?} changed at index {new_index}");
                        prop_assert!(
                            topics_of(query).iter().any(|t| changes.touches(t)),
                            "{query:?} changed, {changes:?}"
                        );
                    }
                    if old != new {
                        prop_assert!(version(&store, query) > version(&before, query), "{query:?}");
                    }
                }
                for topic in topics_of(query) {
                    prop_assert!(store.topic_index(&topic) >= before.topic_index(&topic), "{topic:?} went back");
                    if changes.touches(&topic) {
                        prop_assert!(store.topic_index(&topic) > before.topic_index(&topic), "{topic:?} stood still");
                    }
                }
            }
        }
    }

    #[test]
    fn applying_is_deterministic_and_a_snapshot_changes_nothing(
        commands in vec(a_command(), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(commands.len());
        let (mut one, mut other) = (Store::new(), Store::new());
        for (i, command) in commands.iter().enumerate() {
            if i == cut {
                let bytes = snapshot_of(&other);
                let restored = snapshot::restore(bytes.as_slice()).unwrap();
                prop_assert_eq!(&restored, &other);
                prop_assert_eq!(snapshot_of(&restored), bytes);
                other = restored;
            }
            let a = apply(&mut one, i as u64 + 2, command);
            let b = apply(&mut other, i as u64 + 2, command);
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn registering_again_changes_nothing(before in vec(a_command(), 0..20), again in a_register()) {
        let mut store = Store::new();
        for (i, command) in before.iter().chain([&again]).enumerate() {
            apply(&mut store, i as u64 + 2, command);
        }
        let Command::Register(r) = &again else { unreachable!() };
        // Two checks of one registration may overwrite each other, and do so each time.
        prop_assume!(r.checks.len() < 2);
        let version = |s: &Store| queries().iter().map(|q| (run_query(s, q, &[]), version(s, q))).collect::<Vec<_>>();
        let before = version(&store);
        let changes = apply(&mut store, 1000, &again);
        prop_assert!(changes.is_empty(), "{:?}", changes);
        prop_assert_eq!(version(&store), before);
    }

    #[test]
    fn a_damaged_snapshot_is_an_error(
        commands in vec(a_command(), 1..20),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut store = Store::new();
        for (i, command) in commands.iter().enumerate() {
            apply(&mut store, i as u64 + 2, command);
        }
        let bytes = snapshot_of(&store);
        prop_assert!(snapshot::restore(&bytes[..cut.index(bytes.len())]).is_err());
        let mut damaged = bytes.clone();
        damaged[at.index(bytes.len())] ^= flip;
        prop_assert!(snapshot::restore(damaged.as_slice()).is_err());
        let mut longer = bytes;
        longer.push(0);
        prop_assert!(snapshot::restore(longer.as_slice()).is_err());
    }
}

#[test]
fn topics_are_told_apart() {
    let mut w = World::default();
    w.ok(checked(with(node("n1", 1), service("web")), check("c", "web", "passing")));
    let web = Topic::Service(Scope::default(), "web".into());
    assert!(w.changes.touches(&web));
    assert_eq!(w.store.topic_index(&web), w.index);
    let other = Topic::CheckState(Scope::default(), CheckState::Warning);
    assert!(!w.changes.touches(&other));
    assert!(ChangeSet::replaced(9).touches(&other));
    let QueryResult::ServiceHealth(rows) = w.read(&health("web")).0 else { panic!("no rows") };
    assert_eq!(rows.len(), 1);
}
