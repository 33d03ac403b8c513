//! What must hold for any commands: the same log gives the same state, a snapshot at any cut changes nothing, and whoever
//! waits for an answer is told when it changes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::{ApplyCtx, ChangeSet, CheckState, Scope, Store, Topic, run_query, snapshot, topics_of};
use proptest::{collection::vec, prelude::*};
use support::{any::*, asked::queries, *};
use types::{
    Str, Tenancy,
    command::Command,
    query::{Query, QueryResult},
};

fn version(store: &Store, query: &Query, meta: &[(Str, Str)]) -> u64 {
    topics_of(query, !meta.is_empty()).iter().map(|t| store.topic_index(t)).max().unwrap_or(0)
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
        let mut store = universe();
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
                            topics_of(query, !meta.is_empty()).iter().any(|t| changes.touches(t)),
                            "{query:?} changed, {changes:?}"
                        );
                    }
                    if old != new {
                        prop_assert!(version(&store, query, meta) > version(&before, query, meta), "{query:?}");
                    }
                }
                for topic in topics_of(query, true).into_iter().chain(topics_of(query, false)) {
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
        let (mut one, mut other) = (universe(), universe());
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
    fn nothing_is_kept_for_an_owner_that_does_not_exist(commands in vec(a_command(), 1..60)) {
        let mut store = universe();
        for (i, command) in commands.iter().enumerate() {
            apply(&mut store, i as u64 + 2, command);
            for tenancy in [Tenancy::new("", "team"), Tenancy::new("p", ""), Tenancy::new("p", "team")] {
                let (partition, name) = (tenancy.partition().into(), Some(tenancy.namespace().into()));
                let (found, _) = run_query(&store, &Query::Namespaces { partition, name }, &[]);
                if found != QueryResult::Namespaces(Vec::new()) {
                    continue;
                }
                for query in [
                    Query::KvKeys { tenancy: tenancy.clone(), prefix: "".into(), separator: "".into() },
                    Query::Sessions { tenancy: tenancy.clone() },
                    Query::ConfigEntries { tenancy: tenancy.clone(), kind: None },
                    Query::Services { tenancy: tenancy.clone(), peer: Default::default() },
                ] {
                    let (kept, _) = run_query(&store, &query, &[]);
                    let nothing = run_query(&Store::new(), &query, &[]).0;
                    prop_assert_eq!(kept, nothing, "after {:?}", command);
                }
            }
        }
    }

    #[test]
    fn registering_again_changes_nothing(before in vec(a_command(), 0..20), again in a_register()) {
        let mut store = universe();
        for (i, command) in before.iter().chain([&again]).enumerate() {
            apply(&mut store, i as u64 + 2, command);
        }
        let Command::Register(r) = &again else { unreachable!() };
        // Two checks of one registration may overwrite each other, and do so each time.
        prop_assume!(r.checks.len() < 2);
        let version = |s: &Store| queries().iter().map(|q| (run_query(s, q, &[]), version(s, q, &[]))).collect::<Vec<_>>();
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
        let mut store = universe();
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
