//! The state is replaced as a whole, by what came through the log, at one point.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use bytes::Bytes;
use catalog::{Store, Topic, snapshot};
use support::*;
use types::{
    Tenancy,
    command::{Command, CommandResponse, KvOp},
    query::{Query, QueryResult},
};

fn set(w: &mut World, key: &str, value: &str) {
    w.kv(KvOp::Set { key: key.into(), value: Bytes::from(value.to_owned()), flags: 0 });
}
fn value(w: &World, key: &str) -> (Option<String>, u64) {
    match w.read(&Query::KvGet { tenancy: Tenancy::default(), key: key.into() }) {
        (QueryResult::Kv(found), index) => {
            (found.map(|e| String::from_utf8_lossy(&e.value).into_owned()), index)
        }
        other => panic!("{other:?}"),
    }
}
fn pieces(store: &Store) -> Vec<Bytes> {
    let all: Vec<u8> = snapshot::Writer::of_state(store.clone()).flatten().collect();
    all.chunks(all.len().div_ceil(3)).map(Bytes::copy_from_slice).collect()
}
fn stage(w: &mut World, id: &str, pieces: &[Bytes]) {
    for (at, data) in (0u32..).zip(pieces) {
        let command = Command::RestoreChunk { id: id.into(), at, data: data.clone() };
        assert_eq!(w.apply(command), CommandResponse::Ok);
    }
}
fn commit(w: &mut World, id: &str, chunks: usize) -> CommandResponse {
    w.apply(Command::RestoreCommit { id: id.into(), chunks: u32::try_from(chunks).unwrap() })
}

#[test]
fn a_state_from_an_older_or_a_longer_log_takes_over_and_no_index_goes_back() {
    for writes in [1, 500] {
        let mut from = World::default();
        for i in 0..writes {
            set(&mut from, "k", &i.to_string());
        }
        from.ok(with(node("n1", 1), service("web")));
        let saved = pieces(&from.store);

        let mut w = World::default();
        for i in 0..20 {
            set(&mut w, "other", &i.to_string());
        }
        let (_, seen) = value(&w, "other");
        stage(&mut w, "r", &saved);
        assert_eq!(value(&w, "other").0.as_deref(), Some("19"), "nothing is replaced yet");
        // A server that begins with a snapshot of it in between goes on in the same way.
        let bytes: Vec<u8> = snapshot::Writer::new(w.store.clone()).flatten().collect();
        let mut other =
            World { store: snapshot::restore(&*bytes).unwrap(), index: w.index, ..World::default() };
        assert_eq!(other.store, w.store);

        for w in [&mut w, &mut other] {
            assert_eq!(commit(w, "r", saved.len()), CommandResponse::Ok);
            assert!(w.changes.everything);
            assert_eq!(w.store.index(), w.index, "the log goes on where it was");
            assert_eq!(value(w, "k").0, Some((writes - 1).to_string()));
            let (gone, floor) = value(w, "other");
            assert!(gone.is_none() && floor > seen && floor > from.index);
            assert_eq!(w.health("web").0.len(), 1);
            set(w, "k", "new");
            let (new, index) = value(w, "k");
            assert!(new.as_deref() == Some("new") && index > floor);
            assert!(w.store.topic_index(&Topic::Kv(Tenancy::default(), "k".into())) > floor);
        }
        assert_eq!(w.store, other.store);
        // Once more, from what was restored.
        let again = pieces(&w.store);
        stage(&mut w, "r2", &again);
        let before = value(&w, "k").1;
        assert_eq!(commit(&mut w, "r2", again.len()), CommandResponse::Ok);
        assert!(value(&w, "k").1 > before);
        // A deletion is forgotten by the index of the log, which is lower than that of rows now.
        w.kv(KvOp::Delete { key: "k".into() });
        let up_to = w.index;
        w.apply(Command::ReapTombstones { up_to });
        let bytes: Vec<u8> = snapshot::Writer::new(w.store.clone()).flatten().collect();
        assert_eq!(snapshot::restore(&*bytes).unwrap(), w.store);
    }
}

#[test]
fn a_broken_or_interrupted_restore_changes_nothing() {
    let mut from = World::default();
    set(&mut from, "k", "restored");
    let saved = pieces(&from.store);
    let refused = |answer: CommandResponse| match answer {
        CommandResponse::Refused(why) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let mut w = World::default();
    set(&mut w, "k", "here");
    stage(&mut w, "r", &saved);
    assert!(refused(commit(&mut w, "r", saved.len() + 1)).contains("interrupted"));
    stage(&mut w, "r", &saved[..2]);
    assert!(refused(commit(&mut w, "r", 2)).contains("snapshot"));
    stage(&mut w, "r", &saved[..1]);
    w.apply(Command::RestoreAbort);
    let next = Command::RestoreChunk { id: "r".into(), at: 1, data: saved[1].clone() };
    assert!(refused(w.apply(next)).contains("interrupted"));
    stage(&mut w, "r", &saved[..1]);
    stage(&mut w, "s", &saved);
    assert!(refused(commit(&mut w, "r", saved.len())).contains("interrupted"));
    let batch = Command::Batch(vec![Command::RestoreCommit { id: "s".into(), chunks: 3 }]);
    let CommandResponse::Batch(answers) = w.apply(batch) else { panic!("no batch") };
    assert!(refused(answers[0].clone()).contains("batch"));
    assert_eq!(value(&w, "k").0.as_deref(), Some("here"));
}
