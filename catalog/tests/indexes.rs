//! Which writes move which indexes, and whom they wake.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::{CheckState, Scope, Topic};
use support::*;
use types::{
    Tenancy,
    command::{CommandResponse, KvOp},
    query::{Query, QueryResult},
};

fn set(key: &str, value: &str) -> KvOp {
    KvOp::Set { key: key.into(), value: value.to_owned().into(), flags: 0 }
}
fn delete(key: &str) -> KvOp {
    KvOp::Delete { key: key.into() }
}
fn get(w: &World, key: &str) -> (Option<String>, u64) {
    match w.read(&Query::KvGet { tenancy: Tenancy::default(), key: key.into() }) {
        (QueryResult::Kv(e), i) => (e.map(|e| String::from_utf8(e.value.to_vec()).unwrap()), i),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_moves_with_its_nodes_and_checks_only() {
    let mut w = World::default();
    let at = w.ok(with(node("n1", 1), service("web")));
    w.ok(with(node("n2", 2), service("db")));
    assert_eq!(w.health("web").1, at);
    assert!(!w.changes.touches(&Topic::Service(Scope::default(), "web".into())));
    // A node check.
    let at = w.ok(checked(node("n1", 1), check("mem", "", "passing")));
    assert_eq!(w.health("web").1, at);
    assert!(w.changes.touches(&Topic::Service(Scope::default(), "web".into())));
    assert!(w.changes.touches(&Topic::CheckState(Scope::default(), CheckState::Passing)));
    assert!(!w.changes.touches(&Topic::Service(Scope::default(), "db".into())));
    // Its own check flips: the state it leaves is touched as well.
    w.ok(checked(node("n1", 1), check("c", "web", "passing")));
    let at = w.ok(checked(node("n1", 1), check("c", "web", "critical")));
    assert_eq!(w.health("web").1, at);
    for state in [CheckState::Passing, CheckState::Critical] {
        assert!(w.changes.touches(&Topic::CheckState(Scope::default(), state)));
        assert_eq!(w.store.topic_index(&Topic::CheckState(Scope::default(), state)), at);
    }
    assert!(!w.changes.touches(&Topic::Nodes(Scope::default())));
    // The node itself.
    let mut moved = node("n1", 1);
    moved.address = "10.0.0.99".into();
    let at = w.ok(moved);
    assert_eq!(w.health("web").1, at);
    assert_eq!(w.health("web").0[0].node.address, "10.0.0.99");
    assert!(w.changes.touches(&Topic::Nodes(Scope::default())));
}

#[test]
fn an_absent_service_reports_the_last_disappearance() {
    let mut w = World::default();
    assert_eq!(w.health("none").1, 1);
    w.ok(with(node("n1", 1), service("web")));
    w.ok(with(node("n1", 1), service("db")));
    assert_eq!(w.health("none").1, 1);
    let at = w.deregister("n1", "web", "");
    assert_eq!((w.health("none").1, w.health("web").1), (at, at));
    w.ok(with(node("n1", 1), service("other")));
    assert_eq!(w.health("web").1, at);
}

#[test]
fn names_of_services_move_only_with_names_and_tags() {
    let mut w = World::default();
    let q = Query::Services { tenancy: Tenancy::default(), peer: Default::default() };
    let tagged = |tags: &[&str]| types::record::NodeService {
        tags: Some(tags.iter().map(|t| (*t).into()).collect()),
        ..service("web")
    };
    let at = w.ok(with(node("n1", 1), tagged(&["a"])));
    w.ok(with(node("n2", 2), tagged(&["a"])));
    w.ok(checked(node("n2", 2), check("c", "web", "critical")));
    assert_eq!(w.read(&q).1, at);
    let at = w.ok(with(node("n2", 2), tagged(&["b"])));
    let (result, index) = w.read(&q);
    assert_eq!(index, at);
    assert_eq!(result, QueryResult::Services([("web".into(), vec!["a".into(), "b".into()])].into()));
}

#[test]
fn keys() {
    let mut w = World::default();
    assert_eq!(get(&w, "none"), (None, 1));
    w.kv(set("a", "1"));
    w.kv(set("a", "1"));
    assert!(w.changes.is_empty());
    assert_eq!(get(&w, "a"), (Some("1".into()), 1));
    w.kv(set("a", "2"));
    assert_eq!(get(&w, "a"), (Some("2".into()), 3));
    let cas = |index| KvOp::Cas { key: "a".into(), value: "3".into(), flags: 0, index };
    assert_eq!(w.kv(cas(0)), CommandResponse::Bool(false));
    assert_eq!(w.kv(cas(1)), CommandResponse::Bool(false));
    assert_eq!(w.kv(cas(3)), CommandResponse::Bool(true));
    let delete_cas = |index| KvOp::DeleteCas { key: "a".into(), index };
    assert_eq!(w.kv(delete_cas(0)), CommandResponse::Bool(false));
    assert_eq!(w.kv(delete_cas(6)), CommandResponse::Bool(true));
    assert_eq!(w.kv(delete_cas(6)), CommandResponse::Bool(true), "what is missing is deleted");
    let create = KvOp::Cas { key: "a".into(), value: "3".into(), flags: 0, index: 0 };
    assert_eq!(w.kv(create), CommandResponse::Bool(true));
}

#[test]
fn prefixes() {
    let mut w = World::default();
    for k in ["/lead", "d/s/1", "d/s/2", "d/x", "d/y", "dz", "e"] {
        w.kv(set(k, k));
    }
    assert_eq!(w.keys("d", "").0, ["d/s/1", "d/s/2", "d/x", "d/y", "dz"]);
    assert_eq!(w.keys("d/", "/").0, ["d/s/", "d/x", "d/y"]);
    assert_eq!(w.keys("d", "/").0, ["d/", "dz"]);
    assert_eq!(w.keys("d/", "s").0, ["d/s", "d/x", "d/y"]);
    assert_eq!(w.keys("", "/").0, ["/", "d/", "dz", "e"]);
    assert_eq!(w.keys("d/", "").1, 5);
    assert_eq!(w.keys("zzz", ""), (vec![], 7), "nothing there: index of the table");
    w.kv(set("zz", "1"));
    assert_eq!(w.keys("d/", "").1, 5);
    // A deletion moves the prefix, and wakes whoever watches one.
    w.kv(delete("d/y"));
    assert_eq!(w.keys("d/", "").1, 9);
    for prefix in ["", "d", "d/", "d/y"] {
        assert!(w.changes.touches(&Topic::KvPrefix(Tenancy::default(), prefix.into())));
    }
    assert!(!w.changes.touches(&Topic::KvPrefix(Tenancy::default(), "e".into())));
    assert_eq!(w.kv(KvOp::DeleteTree { prefix: "d/s".into() }), CommandResponse::Ok);
    assert_eq!(w.changes.kv_keys().len(), 2);
    assert_eq!(w.keys("d/s/", ""), (vec![], 10));
    // Forgetting deletions never lowers an index.
    w.apply(types::command::Command::ReapTombstones { up_to: 10 });
    assert!(w.changes.is_empty());
    assert_eq!(w.keys("d/", "").1, 10);
    assert_eq!(w.keys("e", "").1, 10);
    assert_eq!(get(&w, "e").1, 7);
}

#[test]
fn batches_answer_each_command_and_do_not_nest() {
    use types::command::Command;
    let mut w = World::default();
    let kv = |op| Command::Kv { tenancy: Tenancy::default(), op };
    let answer = w.apply(Command::Batch(vec![
        kv(set("a", "1")),
        kv(KvOp::DeleteCas { key: "a".into(), index: 9 }),
        Command::Deregister(Default::default()),
        Command::Batch(vec![]),
    ]));
    let CommandResponse::Batch(answers) = answer else { panic!("not a batch") };
    assert_eq!(answers[..2], [CommandResponse::Ok, CommandResponse::Bool(false)]);
    assert!(answers[2..].iter().all(|a| matches!(a, CommandResponse::Refused(_))));
}

#[test]
fn the_authority_is_stored_in_one_step() {
    use types::{ca::*, command::Command};
    let mut w = World::default();
    let set = |expect_index, id: &str| Command::CaSet {
        expect_index,
        config: CaConfig { cluster_id: "c1".into(), ..Default::default() },
        state: CaProviderState { private_key_pem: "secret".into(), root_pem: "pem".into() },
        roots: vec![CaRoot { id: id.into(), active: true, ..Default::default() }],
    };
    assert_eq!(w.apply(set(5, "r1")), CommandResponse::Bool(false));
    assert!(w.changes.is_empty());
    assert_eq!(w.apply(set(0, "r1")), CommandResponse::Bool(true));
    assert_eq!(w.apply(set(0, "r1")), CommandResponse::Bool(false));
    assert_eq!(w.apply(set(2, "r1")), CommandResponse::Bool(true));
    assert!(!w.changes.touches(&Topic::CaRoots), "the same roots");
    let (QueryResult::CaRoots(roots), index) = w.read(&Query::CaRoots) else { panic!("no roots") };
    assert_eq!((roots.active_root_id.as_str(), roots.trust_domain.as_str(), index), ("r1", "c1.consul", 2));
    assert!(!format!("{:?}", w.store).contains("secret"));
}

#[test]
fn serial_numbers_are_handed_out_once_also_over_a_snapshot() {
    use types::command::Command;
    let mut w = World::default();
    assert_eq!(w.apply(Command::CaSerial), CommandResponse::Number(1));
    assert_eq!(w.apply(Command::CaSerial), CommandResponse::Number(2));
    let bytes: Vec<u8> = catalog::snapshot::Writer::new(w.store.clone()).flatten().collect();
    w.store = catalog::snapshot::restore(bytes.as_slice()).unwrap();
    assert_eq!(w.apply(Command::CaSerial), CommandResponse::Number(3));
}

#[test]
fn autopilot_settings_compare_and_swap() {
    use types::command::{AutopilotConfig, Command};
    let mut w = World::default();
    let set =
        |cas| Command::AutopilotSet { config: AutopilotConfig { min_quorum: 3, ..Default::default() }, cas };
    assert_eq!(w.apply(set(Some(7))), CommandResponse::Bool(false));
    assert_eq!(w.apply(set(Some(0))), CommandResponse::Bool(true));
    assert_eq!(w.apply(set(None)), CommandResponse::Ok);
    let (QueryResult::Autopilot(config, index), at) = w.read(&Query::Autopilot) else { panic!("none") };
    assert_eq!((config.min_quorum, index.create, index.modify, at), (3, 2, 3, 3));
}
