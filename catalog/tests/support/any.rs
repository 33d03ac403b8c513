//! Commands over a small universe of names, so that they meet.

use super::{check, node, proxy, service};
use catalog::{ApplyCtx, ChangeSet, Store};
use proptest::{collection::vec, prelude::*};
use types::{
    DatacenterName, PeerName, Str, Tenancy,
    ca::{CaConfig, CaProviderState, CaRoot},
    command::{AutopilotConfig, Command, Deregister, KvOp, Register},
    coordinate::{Coordinate, CoordinateRow},
    entry::*,
    prepared::PreparedQuery,
    record::{FederationState, Namespace, NodeService, Partition, ServiceConnect, Session, SessionBehavior},
    txn::{KvVerb, RowVerb, TxnOp},
};

pub const NODES: [&str; 4] = ["n1", "N1", "n2", "ab"];
pub const SERVICES: [&str; 4] = ["web", "Web", "db", "api"];
const CHECKS: [&str; 3] = ["serfHealth", "c1", "C1"];
pub const STATES: [&str; 4] = ["passing", "warning", "critical", "odd"];
pub const SESSIONS: [&str; 3] = ["s1", "s2", "s3"];
pub const IDS: [&str; 4] = ["id-0", "id-1", "id-2", "id-3"];
pub const KEYS: [&str; 6] = ["a", "a/b", "a/c/d", "b", "ab", "a/c/e"];

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

pub fn a_register() -> impl Strategy<Value = Command> {
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

fn a_tenancy() -> impl Strategy<Value = Command> {
    const NAMES: [&str; 4] = ["default", "p", "team", "Bad"];
    (one_of(&NAMES), one_of(&NAMES), 0..4u8).prop_map(|(partition, name, kind)| {
        let (partition, name) = (Str::new(partition), Str::new(name));
        match kind {
            0 => Command::PartitionSet(Box::new(Partition { name, ..Default::default() })),
            1 => Command::PartitionDelete { name },
            2 => Command::NamespaceSet(Box::new(Namespace { partition, name, ..Default::default() })),
            _ => Command::NamespaceDelete { partition, name },
        }
    })
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

/// Queries whose names clash, some of them templates or bound to sessions.
fn a_query() -> impl Strategy<Value = Command> {
    let names = prop_oneof![one_of(&["", "q", "Q", "qq", "db"]), one_of(&IDS)];
    (0..4usize, names, any::<bool>(), prop::option::of(one_of(&SESSIONS)), any::<bool>(), 0..5u8).prop_map(
        |(id, name, template, session, create, what)| {
            let id = Str::new(IDS[id]);
            if what == 0 {
                return Command::PreparedQueryDelete { id };
            }
            let mut query = PreparedQuery { id, name: name.into(), ..PreparedQuery::default() };
            query.service.service = if what == 1 { "${bogus}".into() } else { "web".into() };
            if template {
                query.template.kind = "name_prefix_match".into();
            }
            query.session = session.unwrap_or("").into();
            Command::PreparedQuerySet { query: Box::new(query), create }
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

/// What leaders write that rule a datacenter.
fn a_rule() -> impl Strategy<Value = Command> {
    let federation = (0..2u8, any::<bool>(), 0..2u64).prop_map(|(dc, set, at)| {
        let datacenter: DatacenterName = ["dc1", "dc2"][usize::from(dc)].into();
        match set {
            true => Command::FederationStateSet {
                state: Box::new(FederationState { datacenter, updated_at_ms: at, ..Default::default() }),
            },
            false => Command::FederationStateDelete { datacenter },
        }
    });
    let authority =
        (0..20u64, any::<bool>(), 0..3u8).prop_map(|(expect_index, provider, root)| Command::CaSet {
            expect_index,
            config: CaConfig {
                provider: if provider { "consul".into() } else { "vault".into() },
                ..CaConfig::default()
            },
            state: CaProviderState::default(),
            roots: (root > 0)
                .then(|| CaRoot { id: ["", "r1", "r2"][usize::from(root)].into(), ..CaRoot::default() })
                .into_iter()
                .collect(),
        });
    let addresses = (one_of(&SERVICES), tenancy(), vec(0..3u8, 0..3)).prop_map(|(service, tenancy, last)| {
        let addresses = last.into_iter().map(|n| [10, 0, 0, n].into()).collect();
        Command::ManualVips { tenancy, service: service.into(), addresses }
    });
    prop_oneof![federation, authority, addresses]
}

/// A state in which all owners of [`tenancy`] exist, after one entry of the log.
pub fn universe() -> Store {
    let mut store = Store::new();
    let partition = Command::PartitionSet(Box::new(Partition { name: "p".into(), ..Default::default() }));
    let namespace = |partition: &str| {
        let (partition, name) = (partition.into(), "team".into());
        Command::NamespaceSet(Box::new(Namespace { partition, name, ..Default::default() }))
    };
    let command = Command::Batch(vec![partition, namespace("default"), namespace("p")]);
    store.apply(&ApplyCtx { index: 1, proposed_at_ms: 1 }, &command, &mut ChangeSet::new());
    store
}

pub fn a_command() -> impl Strategy<Value = Command> {
    let single = prop_oneof![
        6 => a_register(),
        4 => a_deregister(),
        5 => a_kv(),
        4 => an_entry(),
        3 => a_session(),
        2 => an_end(),
        3 => a_txn(),
        1 => a_tenancy(),
        3 => a_coordinate(),
        3 => a_query(),
        1 => a_rule(),
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
