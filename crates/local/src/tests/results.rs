use super::*;
use crate::content_hash;

fn node_check(r: &mut Registry, c: &CheckDefinition) {
    r.register_check(c, Source::Api, &SecretToken::default(), 0).unwrap();
    for op in r.plan() {
        r.acknowledge(&op);
    }
    assert!(r.is_in_sync());
}

#[test]
fn a_changed_output_waits_a_changed_status_does_not() {
    let mut r = registry();
    node_check(&mut r, &ttl("c"));
    assert!(r.update_check(&key("c"), "critical", "one", 1_000, 0.5));
    assert!(r.is_in_sync(), "held back");
    assert_eq!(r.next_deferred_ms(), Some(301_000));
    assert!(r.update_check(&key("c"), "critical", "two", 2_000, 0.0));
    assert_eq!(r.next_deferred_ms(), Some(301_000), "the first wait counts");
    assert!(!r.release_deferred(300_999));
    assert!(r.release_deferred(301_000));
    assert!(!r.is_in_sync());
    for op in r.plan() {
        r.acknowledge(&op);
    }
    assert!(!r.update_check(&key("c"), "critical", "two", 1, 0.0), "nothing new");
    r.update_check(&key("c"), "critical", "three", 1, 0.0);
    r.update_check(&key("c"), "passing", "four", 1, 0.0);
    assert!(!r.is_in_sync() && r.next_deferred_ms().is_none());
}

#[test]
fn without_update_interval_outputs_are_synced_at_once_and_may_be_discarded() {
    let mut r = registry();
    let mut s = r.settings().clone();
    s.update_interval = Duration::ZERO;
    r.set_settings(s.clone());
    node_check(&mut r, &ttl("c"));
    r.update_check(&key("c"), "critical", "x", 0, 0.0);
    assert!(!r.is_in_sync());
    s.discard_output = true;
    r.set_settings(s);
    r.update_check(&key("c"), "critical", "y", 0, 0.0);
    assert_eq!(r.check(&key("c")).unwrap().row.output, "");
}

#[test]
fn services_critical_for_too_long_are_named() {
    let mut r = registry();
    let mut d = service("a", "a");
    d.checks =
        vec![CheckDefinition { deregister_critical_service_after: Duration::from_secs(1), ..ttl("c") }];
    put(&mut r, &d);
    assert!(r.overdue_services(60_000).is_empty(), "at least a minute");
    assert_eq!(r.overdue_services(60_001), [key("a")]);
    r.update_check(&key("c"), "passing", "", 60_001, 0.0);
    assert!(r.overdue_services(600_000).is_empty());
    r.update_check(&key("c"), "critical", "", 600_000, 0.0);
    assert!(r.overdue_services(660_000).is_empty());
    assert_eq!(r.overdue_services(660_001), [key("a")]);
}

#[test]
fn the_hash_follows_the_definition_not_the_health() {
    let mut r = registry();
    let mut d = service("a", "a");
    d.checks = vec![ttl("c")];
    put(&mut r, &d);
    let hash = |r: &Registry| content_hash(r.service(&key("a")).unwrap());
    let before = hash(&r);
    assert_eq!(before.len(), 16);
    r.update_check(&key("c"), "passing", "", 0, 0.0);
    put(&mut r, &d);
    assert_eq!(hash(&r), before);
    d.port = 1;
    put(&mut r, &d);
    assert_ne!(hash(&r), before);
}

#[test]
fn thresholds_hold_back_a_status() {
    let mut r = registry();
    node_check(&mut r, &CheckDefinition { success_before_passing: 2, ..ttl("c") });
    assert!(!r.observe(&key("c"), "passing", "1", 0, 0.0));
    assert!(r.observe(&key("c"), "passing", "2", 0, 0.0));
    assert_eq!(r.check(&key("c")).unwrap().row.status, "passing");
}
