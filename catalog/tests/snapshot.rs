//! Snapshots: old ones are read for ever, large ones come in chunks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::{Store, snapshot};
use std::path::PathBuf;
use support::*;
use types::{
    Tenancy,
    ca::{CaConfig, CaProviderState, CaRoot},
    command::{AutopilotConfig, Command, KvOp},
    record::{HealthCheck, HealthCheckDefinition, NodeService, ServiceAddress, Upstream},
};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/snapshot-v1.bin")
}

/// A state with one of everything.
fn state() -> Store {
    let mut w = World::default();
    let mut r = with(node("n1", 1), service("web"));
    r.node_meta = Some([("zone".into(), "a".into())].into());
    r.tagged_addresses = Some([("lan".into(), "10.0.0.1".into())].into());
    let s = r.service.as_mut().unwrap();
    s.tags = Some(vec!["v1".into(), "Primary".into()]);
    s.meta = Some([("tier".into(), "gold".into())].into());
    s.tagged_addresses = Some([("wan".into(), ServiceAddress { address: "1.2.3.4".into(), port: 8 })].into());
    r.checks.push(check("serfHealth", "", "passing"));
    r.checks.push(HealthCheck {
        kind: "tcp".into(),
        definition: Some(Box::new(HealthCheckDefinition { tcp: "10.0.0.1:80".into(), ..Default::default() })),
        ..check("c", "web", "critical")
    });
    w.ok(r);
    let mut p = proxy("web-proxy", "web");
    p.proxy.as_mut().unwrap().upstreams =
        vec![Upstream { destination_name: "db".into(), local_bind_port: 1234, ..Default::default() }];
    w.ok(with(node("n1", 1), p));
    w.ok(with(node("n1", 1), proxy("gone-proxy", "gone")));
    w.owner(&Tenancy::new("", "team"));
    w.ok(with(node("n2", 0), NodeService { tenancy: Tenancy::new("", "team"), ..service("api") }));
    w.deregister("n1", "gone-proxy", "");
    for key in ["a", "b", "c/d"] {
        w.kv(KvOp::Set { key: key.into(), value: "value".into(), flags: 42 });
    }
    w.kv(KvOp::Delete { key: "a".into() });
    w.apply(Command::ReapTombstones { up_to: w.index });
    w.kv(KvOp::Delete { key: "b".into() });
    w.apply(Command::CaSet {
        expect_index: 0,
        config: CaConfig { cluster_id: "c1".into(), provider: "consul".into(), ..Default::default() },
        state: CaProviderState { private_key_pem: "key".into(), root_pem: "root".into() },
        roots: vec![CaRoot { id: "r1".into(), active: true, ..Default::default() }],
    });
    w.apply(Command::AutopilotSet {
        config: AutopilotConfig { min_quorum: 3, redundancy_zone_tag: "zone".into(), ..Default::default() },
        cas: None,
    });
    w.store
}

/// Run with `--ignored` to write the file anew; after the first release a change of the format is a new version with a file
/// of its own, and this one stays.
#[test]
#[ignore = "writes the fixture"]
fn write_the_fixture() {
    let bytes: Vec<u8> = snapshot::Writer::new(state()).flatten().collect();
    std::fs::write(fixture(), bytes).unwrap();
}

#[test]
fn version_1_is_read_for_ever() {
    let bytes = std::fs::read(fixture()).unwrap();
    let store = snapshot::restore(bytes.as_slice()).unwrap();
    assert_eq!(store, state());
}

#[test]
fn an_unknown_version_is_refused() {
    let mut bytes: Vec<u8> = snapshot::Writer::new(state()).flatten().collect();
    bytes[8] = 9;
    assert!(matches!(snapshot::restore(bytes.as_slice()), Err(snapshot::SnapshotError::Version(9))));
    bytes[0] = b'X';
    assert!(matches!(snapshot::restore(bytes.as_slice()), Err(snapshot::SnapshotError::Damaged(_))));
    assert!(matches!(snapshot::restore(&[][..]), Err(snapshot::SnapshotError::Io(_))));
}

#[test]
fn large_states_come_in_chunks() {
    let mut w = World::default();
    for i in 0..2000 {
        let mut r = with(node(&format!("node-{i}"), i + 1), service(&format!("service-{}", i % 7)));
        r.checks.push(check("c", &format!("service-{}", i % 7), "passing"));
        w.ok(r);
        w.kv(KvOp::Set { key: format!("key/{i}").into(), value: vec![b'x'; 500].into(), flags: 0 });
    }
    w.kv(KvOp::Set { key: "large".into(), value: vec![b'x'; 512 << 10].into(), flags: 0 });
    let chunks: Vec<Vec<u8>> = snapshot::Writer::new(w.store.clone()).collect();
    assert!(chunks.len() > 20);
    let largest = chunks.iter().map(Vec::len).max().unwrap();
    assert!(largest < (512 << 10) + (66 << 10), "{largest}");
    assert!(chunks.iter().filter(|c| c.len() > 80 << 10).count() == 1);
    assert_eq!(snapshot::restore(chunks.concat().as_slice()).unwrap(), w.store);
}
