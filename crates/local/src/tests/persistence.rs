use super::*;
use crate::{PersistError, PersistedCheck, PersistedCheckState, PersistedService, file_name};

fn saved() -> (PersistedService, PersistedCheck) {
    let mut r = registry();
    let mut d = service("a", "a");
    d.proxy = Some(Box::new(types::record::ServiceProxy {
        config: Some(types::Opaque::from_json(&serde_json::json!({"x": 1}))),
        ..Default::default()
    }));
    d.checks = vec![ttl("c")];
    r.register_service(&d, Source::Api, false, &SecretToken::new("secret"), 0).unwrap();
    r.update_check(&key("c"), "passing", "fine", 0, 0.0);
    (r.persisted_service(&key("a")).unwrap(), r.persisted_check(&key("c")).unwrap())
}

#[test]
fn forms_survive_the_round_trip_and_refuse_damage() {
    let (s, c) = saved();
    let bytes = s.to_bytes().unwrap();
    assert_eq!(PersistedService::from_bytes(&bytes).unwrap(), s);
    assert_eq!(PersistedCheck::from_bytes(&c.to_bytes().unwrap()).unwrap(), c);
    for n in 0..bytes.len() {
        assert!(PersistedService::from_bytes(&bytes[..n]).is_err());
    }
    assert!(matches!(PersistedService::from_bytes(b"{\"version\":9}"), Err(PersistError::Version(9))));
    assert_eq!(file_name(&key("web")).len(), 64);
}

#[test]
fn restored_checks_are_critical_until_their_state_is_known() {
    let (s, c) = saved();
    let mut r = registry();
    assert!(r.restore_check(c.clone(), 0).unwrap().is_none(), "its service is gone");
    assert!(r.restore_service(s.clone()).unwrap().is_some());
    assert_eq!(r.restore_check(c.clone(), 0).unwrap().unwrap().restart, [key("c")]);
    assert_eq!(r.check(&key("c")).unwrap().row.status, "critical");
    assert_eq!(r.check(&key("c")).unwrap().token, SecretToken::new("secret"));
    let state = PersistedCheckState {
        key: key("c"),
        status: "passing".into(),
        output: "fine".into(),
        expires_ms: 1_000,
    };
    assert!(!r.restore_state(&state, 1_000, 0), "too old");
    assert!(r.restore_state(&state, 999, 0));
    assert_eq!(r.check(&key("c")).unwrap().row.status, "passing");
}

#[test]
fn files_win() {
    let (s, c) = saved();
    let mut r = registry();
    let mut d = service("a", "from-file");
    d.checks = vec![ttl("c")];
    r.register_service(&d, Source::File, false, &SecretToken::default(), 0).unwrap();
    assert!(r.restore_service(s).unwrap().is_none());
    assert!(r.restore_check(c, 0).unwrap().is_none());
    assert_eq!(r.service(&key("a")).unwrap().row.service.as_str(), "from-file");
    assert!(r.persisted_service(&key("a")).is_none(), "what a file defines is not persisted");
}
