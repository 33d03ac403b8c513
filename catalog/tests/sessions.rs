//! Sessions, locks, times to live and transactions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::{ApplyCtx, ChangeSet, Topic};
use std::sync::Arc;
use support::*;
use types::{
    Str, Tenancy,
    command::{Command, CommandResponse, KvOp},
    query::{Deadlines, Query, QueryResult},
    record::{HealthCheck, HealthCheckDefinition, KvEntry, Session, SessionBehavior},
    txn::{KvVerb, TxnAnswer, TxnOp, TxnResult},
};

fn at(w: &mut World, ms: u64, command: Command) -> CommandResponse {
    w.index += 1;
    w.changes = ChangeSet::new();
    w.store.apply(&ApplyCtx { index: w.index, proposed_at_ms: ms }, &command, &mut w.changes)
}
fn world() -> World {
    let mut w = World::default();
    w.ok(checked(node("n1", 1), check("serfHealth", "", "passing")));
    w.ok(checked(with(node("n1", 1), service("web")), check("web-check", "web", "passing")));
    w
}
fn session(id: &str) -> Session {
    Session { id: id.into(), node: "n1".into(), node_checks: vec!["serfHealth".into()], ..Session::default() }
}
fn create(w: &mut World, s: Session) -> CommandResponse {
    w.apply(Command::SessionCreate(Box::new(s)))
}
fn lock(key: &str, session: &str) -> KvOp {
    KvOp::Lock { key: key.into(), value: "v".into(), flags: 0, session: session.into() }
}
fn unlock(key: &str, session: &str) -> KvOp {
    KvOp::Unlock { key: key.into(), value: "v".into(), flags: 0, session: session.into() }
}
fn entry(w: &World, key: &str) -> Option<Arc<KvEntry>> {
    match w.read(&Query::KvGet { tenancy: Tenancy::default(), key: key.into() }).0 {
        QueryResult::Kv(found) => found,
        other => panic!("{other:?}"),
    }
}
fn sessions(w: &World) -> Vec<String> {
    match w.read(&Query::Sessions { tenancy: Tenancy::default() }).0 {
        QueryResult::Sessions(rows) => rows.iter().map(|s| s.id.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}
const YES: CommandResponse = CommandResponse::Bool(true);
const NO: CommandResponse = CommandResponse::Bool(false);

#[test]
fn a_lock_has_one_holder_and_a_growing_number() {
    let mut w = world();
    assert_eq!(create(&mut w, session("a")), CommandResponse::Ok);
    assert_eq!(create(&mut w, session("b")), CommandResponse::Ok);
    assert_eq!(w.kv(lock("k", "a")), YES);
    assert_eq!(w.kv(lock("k", "a")), YES, "again is fine");
    assert_eq!(entry(&w, "k").unwrap().lock_index, 1);
    assert_eq!(w.kv(lock("k", "b")), NO);
    assert_eq!(w.kv(unlock("k", "b")), NO);
    assert_eq!(w.kv(unlock("k", "a")), YES);
    assert_eq!(w.kv(lock("k", "b")), YES);
    let held = entry(&w, "k").unwrap();
    assert_eq!((held.lock_index, held.session.as_deref()), (2, Some("b")));
    // A plain write keeps the holder, though not the number; the same once more changes nothing.
    w.kv(KvOp::Set { key: "k".into(), value: "v".into(), flags: 0 });
    let written = entry(&w, "k").unwrap();
    assert_eq!(
        (written.lock_index, written.session.as_deref(), written.index.modify),
        (0, Some("b"), w.index)
    );
    w.kv(KvOp::Set { key: "k".into(), value: "v".into(), flags: 0 });
    assert!(w.changes.is_empty());
    assert_eq!(w.kv(lock("k", "x")), CommandResponse::Refused("invalid session \"x\"".into()));
    assert_eq!(w.kv(lock("k", "")), CommandResponse::Refused("missing session".into()));
}

#[test]
fn what_a_session_needs_must_be_there() {
    let mut w = world();
    let refused = |w: &mut World, s: Session| match create(w, s) {
        CommandResponse::Refused(text) => text.to_string(),
        other => panic!("{other:?}"),
    };
    let elsewhere = Session { node: "n9".into(), ..session("a") };
    assert_eq!(refused(&mut w, elsewhere), "Missing node registration");
    let unknown = Session { node_checks: vec!["nope".into()], ..session("a") };
    assert_eq!(refused(&mut w, unknown), "Missing check 'nope' registration");
    w.ok(checked(node("n1", 1), check("serfHealth", "", "critical")));
    assert_eq!(refused(&mut w, session("a")), "Check 'serfHealth' is in critical state");
    assert!(sessions(&w).is_empty());
}

#[test]
fn a_session_ends_with_what_it_depends_on() {
    for what in 0..4 {
        let mut w = world();
        let deletes = Session { behavior: SessionBehavior::Delete, ..session("deletes") };
        create(&mut w, deletes);
        create(&mut w, session("releases"));
        create(&mut w, Session { node_checks: vec!["web-check".into()], ..session("other") });
        w.kv(lock("gone", "deletes"));
        w.kv(lock("free", "releases"));
        match what {
            0 => drop(w.ok(checked(node("n1", 1), check("serfHealth", "", "critical")))),
            1 => drop(w.deregister("n1", "", "serfHealth")),
            2 => drop(w.deregister("n1", "", "")),
            _ => {
                for id in ["deletes", "releases"] {
                    let id = id.into();
                    w.apply(Command::SessionDestroy { tenancy: Tenancy::default(), id });
                }
            }
        }
        assert!(w.changes.touches(&Topic::Sessions(Tenancy::default())));
        assert!(w.changes.touches(&Topic::Kv(Tenancy::default(), "free".into())));
        let left = sessions(&w);
        assert_eq!(left, if what == 2 { vec![] } else { vec!["other"] }, "case {what}");
        assert!(entry(&w, "gone").is_none());
        let free = entry(&w, "free").unwrap();
        assert_eq!((free.session.as_deref(), free.lock_index), (None, 1));
    }
}

#[test]
fn a_lock_delay_holds_for_its_time_and_not_after_a_release() {
    let mut w = world();
    create(&mut w, Session { lock_delay_ns: 5_000_000_000, ..session("a") });
    create(&mut w, session("b"));
    let kv = |op| Command::Kv { tenancy: Tenancy::default(), op };
    at(&mut w, 1_000, kv(lock("k", "a")));
    at(&mut w, 1_000, kv(unlock("k", "a")));
    assert_eq!(at(&mut w, 1_000, kv(lock("k", "b"))), YES, "given back freely");
    at(&mut w, 1_000, kv(unlock("k", "b")));
    at(&mut w, 1_000, kv(lock("k", "a")));
    at(&mut w, 2_000, Command::SessionDestroy { tenancy: Tenancy::default(), id: "a".into() });
    assert_eq!(at(&mut w, 6_999, kv(lock("k", "b"))), NO);
    let ops = vec![op(KvVerb::Lock, "k", "b", 0)];
    let CommandResponse::Txn(answer) = at(&mut w, 6_999, Command::Txn { datacenter: "dc1".into(), ops })
    else {
        panic!("no answer")
    };
    assert_eq!(answer.errors, [(0, Str::new("failed to lock key \"k\" due to lock delay"))]);
    assert_eq!(at(&mut w, 7_000, kv(lock("k", "b"))), YES);
}

#[test]
fn checks_follow_sessions_by_name_and_end_others() {
    let mut w = world();
    let follower = HealthCheck {
        kind: "session".into(),
        definition: Some(Box::new(HealthCheckDefinition {
            session_name: "boss".into(),
            ..Default::default()
        })),
        ..check("led", "", "critical")
    };
    w.ok(checked(node("n1", 1), follower));
    let state = |w: &World| {
        let rows = match w.read(&Query::NodeState { tenancy: Tenancy::default(), node: "n1".into() }).0 {
            QueryResult::NodeState(rows) => rows.checks,
            other => panic!("{other:?}"),
        };
        rows.iter().find(|c| c.check_id.as_str() == "led").map(|c| c.status.to_string()).unwrap()
    };
    create(&mut w, Session { name: "boss".into(), ..session("a") });
    assert_eq!(state(&w), "passing");
    create(&mut w, Session { name: "boss".into(), ..session("b") });
    create(&mut w, Session { node_checks: vec!["led".into()], ..session("follower") });
    let end = |w: &mut World, id: &str| {
        w.apply(Command::SessionDestroy { tenancy: Tenancy::default(), id: id.into() });
    };
    end(&mut w, "a");
    assert_eq!(state(&w), "passing", "b is still in force");
    end(&mut w, "b");
    assert_eq!(state(&w), "critical");
    assert!(sessions(&w).is_empty(), "who depended on the check ended with it");
}

#[test]
fn a_key_lives_as_long_as_it_was_told() {
    let mut w = world();
    let write = |ttl_ms| KvOp::WithTtl {
        ttl_ms,
        write: Box::new(KvOp::Set { key: "k".into(), value: "v".into(), flags: 0 }),
    };
    let kv = |op| Command::Kv { tenancy: Tenancy::default(), op };
    let due = |w: &World| match w.read(&Query::Deadlines { keys_max: 10 }).0 {
        QueryResult::Deadlines(Deadlines { keys, .. }) => keys,
        other => panic!("{other:?}"),
    };
    at(&mut w, 1_000, kv(write(500)));
    assert_eq!(due(&w), [(Tenancy::default(), Str::new("k"), 1_500)]);
    at(&mut w, 1_400, kv(write(500)));
    let first = Command::ExpireKeys { keys: vec![(Tenancy::default(), "k".into(), 1_500)] };
    at(&mut w, 1_500, first);
    assert!(entry(&w, "k").is_some(), "it was written again in time");
    let keys = due(&w);
    at(&mut w, 1_900, Command::ExpireKeys { keys });
    assert!(entry(&w, "k").is_none() && due(&w).is_empty());
    at(&mut w, 2_000, kv(write(500)));
    w.kv(KvOp::Set { key: "k".into(), value: "v".into(), flags: 0 });
    assert!(due(&w).is_empty(), "a plain write takes the end away");
}

fn op(verb: KvVerb, key: &str, session: &str, index: u64) -> TxnOp {
    TxnOp::Kv {
        tenancy: Tenancy::default(),
        verb,
        key: key.into(),
        value: "t".into(),
        flags: 0,
        index,
        session: session.into(),
    }
}

#[test]
fn a_transaction_takes_effect_as_a_whole_or_not_at_all() {
    let mut w = world();
    let run = |w: &mut World, ops: Vec<TxnOp>| -> TxnAnswer {
        match w.apply(Command::Txn { datacenter: "dc1".into(), ops }) {
            CommandResponse::Txn(answer) => *answer,
            other => panic!("{other:?}"),
        }
    };
    let before = w.store.catalog_part();
    let failed = run(
        &mut w,
        vec![op(KvVerb::Set, "a", "", 0), op(KvVerb::Get, "none", "", 0), op(KvVerb::Cas, "a", "", 1)],
    );
    let errors: Vec<_> = failed.errors.iter().map(|(i, e)| (*i, e.as_str())).collect();
    assert_eq!(errors, [(1, "key \"none\" doesn't exist"), (2, "failed to set key \"a\", index is stale")]);
    assert!(w.changes.is_empty() && entry(&w, "a").is_none() && failed.results.is_empty());
    assert_eq!(w.store.catalog_part().len(), before.len());

    let done = run(
        &mut w,
        vec![
            op(KvVerb::Set, "a", "", 0),
            op(KvVerb::Get, "a", "", 0),
            op(KvVerb::CheckNotExists, "b", "", 0),
            op(KvVerb::DeleteTree, "", "", 0),
            op(KvVerb::GetOrEmpty, "a", "", 0),
        ],
    );
    assert_eq!(done.errors, []);
    let shown: Vec<_> = done
        .results
        .iter()
        .map(|r| match r {
            TxnResult::Kv(e, value) => (e.index.modify, *value),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, [(w.index, false), (w.index, true), (0, true)]);
    assert!(w.changes.touches(&Topic::Kv(Tenancy::default(), "a".into())));

    let mistakes = run(&mut w, vec![op(KvVerb::Set, "", "", 0), op(KvVerb::parse("bogus"), "a", "", 0)]);
    let errors: Vec<_> = mistakes.errors.iter().map(|(i, e)| (*i, e.as_str())).collect();
    assert_eq!(errors, [(0, "Must provide key"), (1, "unknown KV operation: bogus")]);
}
