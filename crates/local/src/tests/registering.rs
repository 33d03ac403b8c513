use super::*;
use crate::LocalError;
use types::record::{ServiceAddress, ServiceKind};

#[test]
fn ids_and_names_of_checks() {
    let mut r = registry();
    let anonymous = CheckDefinition { ttl: Duration::from_secs(1), ..Default::default() };
    let mut d = service("", "web");
    d.checks = vec![anonymous.clone()];
    put(&mut r, &d);
    let row = &r.check(&key("service:web")).unwrap().row;
    assert_eq!(
        (row.name.as_str(), row.status.as_str(), row.interval.as_str(), row.kind.as_str()),
        ("Service 'web' check", "critical", "", "ttl")
    );
    d = service("api-1", "api");
    d.checks = vec![ttl("named"), anonymous];
    put(&mut r, &d);
    assert!(r.check(&key("named")).is_some() && r.check(&key("service:api-1:2")).is_some());
    let alone = CheckDefinition { name: "noid".into(), id: "".into(), ..ttl("x") };
    r.register_check(&alone, Source::Api, &SecretToken::default(), 0).unwrap();
    let row = &r.check(&key("noid")).unwrap().row;
    assert_eq!((row.interval.as_str(), row.timeout.as_str(), row.kind.as_str()), ("0s", "0s", "ttl"));
    r.register_check(&ttl("f"), Source::File, &SecretToken::default(), 0).unwrap();
    assert_eq!(r.check(&key("f")).unwrap().row.kind, "");
}

#[test]
fn registering_again_keeps_results() {
    let mut r = registry();
    let mut d = service("rr", "rr");
    d.checks = vec![ttl("rr1"), ttl("rr2")];
    put(&mut r, &d);
    r.update_check(&key("rr1"), "passing", "ok", 5, 0.0);
    d.checks.truncate(1);
    d.tags = Some(vec!["t".into()]);
    put(&mut r, &d);
    let rr1 = &r.check(&key("rr1")).unwrap().row;
    assert_eq!((rr1.status.as_str(), rr1.output.as_str()), ("passing", "ok"));
    assert_eq!(r.check(&key("rr2")).unwrap().row.service_tags, ["t"], "shows the tags of its service");
    let change = r.register_service(&d, Source::Api, true, &SecretToken::default(), 0).unwrap();
    assert_eq!(change.removed_checks, [key("rr2")]);
    assert!(r.check(&key("rr2")).is_none());
}

#[test]
fn a_runner_goes_on_unless_its_definition_changed() {
    let mut r = registry();
    let mut d = service("a", "a");
    let http = CheckDefinition {
        id: "h".into(),
        http: "http://x".into(),
        interval: Duration::from_secs(1),
        ..Default::default()
    };
    d.checks = vec![http.clone()];
    assert_eq!(put(&mut r, &d).restart, [key("h")]);
    assert!(put(&mut r, &d).restart.is_empty());
    d.checks = vec![CheckDefinition { http: "http://y".into(), ..http }];
    assert_eq!(put(&mut r, &d).restart, [key("h")]);
}

#[test]
fn addresses_become_tagged_addresses() {
    let mut r = registry();
    let mut d = service("a", "a");
    d.address = "10.1.0.1".into();
    d.port = 8080;
    d.tagged_addresses =
        Some([("wan".into(), ServiceAddress { address: "198.51.100.7".into(), port: 80 })].into());
    put(&mut r, &d);
    let names = |r: &Registry| -> Vec<String> {
        let row = &r.service(&key("a")).unwrap().row;
        row.tagged_addresses.iter().flatten().map(|(k, v)| format!("{k}={}:{}", v.address, v.port)).collect()
    };
    assert_eq!(names(&r), ["lan_ipv4=10.1.0.1:8080", "wan=198.51.100.7:80", "wan_ipv4=10.1.0.1:8080"]);
    d.address = "db.example.com".into();
    put(&mut r, &d);
    assert_eq!(names(&r), ["wan=198.51.100.7:80"]);
    d.tagged_addresses =
        Some([("lan_ipv4".into(), ServiceAddress { address: "::1".into(), port: 80 })].into());
    assert_eq!(
        r.register_service(&d, Source::Api, false, &SecretToken::default(), 0),
        Err(LocalError::Internal("Service tagged address \"lan_ipv4\" must be a valid ipv4 address".into()))
    );
}

fn with_sidecar(name: &str, port: i64) -> ServiceDefinition {
    let mut d = service("", name);
    d.port = port;
    d.tags = Some(vec!["a".into()]);
    d.sidecar = Some(Box::default());
    d
}

#[test]
fn sidecars_are_expanded() {
    let mut r = registry();
    put(&mut r, &with_sidecar("pay", 7001));
    let s = r.service(&key("pay-sidecar-proxy")).unwrap();
    assert!(s.is_sidecar);
    assert_eq!((s.row.kind.clone(), s.row.port), (ServiceKind::ConnectProxy, 21000));
    assert_eq!(s.row.tags.as_deref(), Some(&["a".into()][..]));
    let p = s.row.proxy.as_ref().unwrap();
    assert_eq!((p.destination_service_name.as_str(), p.destination_service_id.as_str()), ("pay", "pay"));
    assert_eq!((p.local_service_address.as_str(), p.local_service_port), ("127.0.0.1", 7001));
    let listening = r.check(&key("service:pay-sidecar-proxy:1")).unwrap();
    assert_eq!(listening.row.name, "Connect Sidecar Listening");
    assert_eq!(listening.row.interval, "10s");
    assert_eq!(listening.definition.as_ref().unwrap().tcp, "127.0.0.1:21000");
    let alias = r.check(&key("service:pay-sidecar-proxy:2")).unwrap();
    assert_eq!((alias.row.name.as_str(), alias.row.kind.as_str()), ("Connect Sidecar Aliasing pay", "alias"));

    put(&mut r, &with_sidecar("ord", 7002));
    assert_eq!(r.service(&key("ord-sidecar-proxy")).unwrap().row.port, 21001);
    put(&mut r, &with_sidecar("pay", 7001));
    assert_eq!(r.service(&key("pay-sidecar-proxy")).unwrap().row.port, 21000, "keeps its port");
    let gone = r.deregister_service(&key("pay")).unwrap();
    assert_eq!(gone.removed_services, [key("pay"), key("pay-sidecar-proxy")]);
    put(&mut r, &with_sidecar("new", 1));
    assert_eq!(r.service(&key("new-sidecar-proxy")).unwrap().row.port, 21000, "lowest free one");
}

#[test]
fn sidecar_ports_run_out() {
    let mut r = registry();
    let mut s = r.settings().clone();
    s.sidecar_ports = Some(21000..=21000);
    r.set_settings(s.clone());
    put(&mut r, &with_sidecar("a", 1));
    let err = |r: &mut Registry| {
        r.register_service(&with_sidecar("b", 2), Source::Api, false, &SecretToken::default(), 0)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        err(&mut r),
        "no port provided for sidecar_service and none left in the configured range [21000, 21000]"
    );
    assert!(r.service(&key("b")).is_none(), "nothing was changed");
    s.sidecar_ports = None;
    r.set_settings(s);
    assert_eq!(err(&mut r), "no port provided for sidecar_service and auto-assignment disabled in config");
}

#[test]
fn texts_of_refusals() {
    let mut r = registry();
    let mut err = |d: &ServiceDefinition| {
        r.register_service(d, Source::Api, false, &SecretToken::default(), 0).unwrap_err()
    };
    let bad = |s: &str| LocalError::BadRequest(s.into());
    assert_eq!(err(&service("", "")), bad("Missing service name"));
    assert_eq!(
        err(&ServiceDefinition { address: "::".into(), ..service("", "x") }),
        bad("Invalid service address")
    );
    assert_eq!(
        err(&ServiceDefinition { meta: Some([("a b".into(), "v".into())].into()), ..service("", "x") }),
        bad(
            "Invalid Service Meta: Couldn't load metadata pair ('a b', 'v'): Key contains invalid characters"
        )
    );
    assert_eq!(
        err(&ServiceDefinition {
            weights: Some(types::record::Weights { passing: 0, warning: 1 }),
            ..service("", "x")
        }),
        bad("Invalid Weights: Passing must be greater than 0")
    );
    assert_eq!(
        err(&ServiceDefinition { native: true, ..service("", "x") }),
        bad(
            "Validation failed: 1 error occurred:\n\t* Port or SocketPath must be set for a Connect native service.\n\n"
        )
    );
    let c = CheckDefinition { name: "c".into(), ..Default::default() };
    assert_eq!(
        err(&ServiceDefinition { checks: vec![c], ..service("", "x") }),
        bad("Invalid check: TTL must be > 0 for TTL checks")
    );
    let odd = CheckDefinition { status: "up".into(), ..ttl("c") };
    assert_eq!(
        err(&ServiceDefinition { checks: vec![odd.clone()], ..service("", "x") }),
        bad("Status for checks must 'passing', 'warning', 'critical'")
    );
    let token = SecretToken::default();
    let mut err = |c: &CheckDefinition| r.register_check(c, Source::Api, &token, 0).unwrap_err();
    assert_eq!(err(&CheckDefinition::default()), bad("Missing check name"));
    assert_eq!(err(&odd), bad("Bad check status"));
    assert_eq!(
        err(&CheckDefinition { service_id: "none".into(), ..ttl("a") }),
        LocalError::NotFound("ServiceID \"none\" does not exist".into())
    );
    let os = CheckDefinition {
        name: "n".into(),
        os_service: "sshd".into(),
        interval: Duration::from_secs(9),
        ..Default::default()
    };
    assert_eq!(err(&os), LocalError::Internal("not implemented".into()));
    assert_eq!(
        r.register_check(&CheckDefinition::default(), Source::File, &token, 0).unwrap_err().to_string(),
        "CheckID missing"
    );
    assert_eq!(
        r.deregister_service(&key("none")).unwrap_err().to_string(),
        "Unknown service ID \"none\". Ensure that the service ID is passed, not the service name."
    );
    assert_eq!(
        r.deregister_check(&key("")).unwrap_err().to_string(),
        "Unknown check ID \"\". Ensure that the check ID is passed, not the check name."
    );
}

#[test]
fn scripts_need_permission() {
    let mut r = registry();
    let script = CheckDefinition {
        script_args: vec!["true".into()],
        ttl: Duration::ZERO,
        interval: Duration::from_secs(1),
        ..ttl("s")
    };
    let token = SecretToken::default();
    let mut with = |p, source| {
        let mut s = r.settings().clone();
        s.scripts = p;
        r.set_settings(s);
        r.register_check(&script, source, &token, 0).map(|_| ()).map_err(|e| e.to_string())
    };
    assert!(with(ScriptPermission::All, Source::Api).is_ok());
    assert!(with(ScriptPermission::Files, Source::File).is_ok());
    assert!(with(ScriptPermission::Files, Source::Api).unwrap_err().starts_with(
        "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script"
    ));
    assert_eq!(
        with(ScriptPermission::Denied, Source::File).unwrap_err(),
        "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or \
         'enable_local_script_checks' to true"
    );
}

#[test]
fn maintenance_keeps_the_first_reason() {
    let mut r = registry();
    put(&mut r, &service("web", "web"));
    let t = SecretToken::default();
    r.service_maintenance(&key("web"), true, "", &t, 0).unwrap();
    r.service_maintenance(&key("web"), true, "second", &t, 0).unwrap();
    let row = &r.check(&key("_service_maintenance:web")).unwrap().row;
    assert_eq!(row.notes, crate::SERVICE_MAINTENANCE_REASON);
    assert_eq!((row.kind.as_str(), row.service_name.as_str()), ("maintenance", "web"));
    assert_eq!(r.aggregated(&key("web")).unwrap().status, "maintenance");
    r.service_maintenance(&key("web"), false, "", &t, 0).unwrap();
    r.node_maintenance(true, "why", &t, 0);
    assert_eq!(r.aggregated(&key("web")).unwrap().status, "maintenance");
    assert_eq!(r.node_maintenance(false, "", &t, 0).removed_checks, [key("_node_maintenance")]);
    assert_eq!(r.aggregated_by_name(&Default::default(), "web")[0].status, "passing");
    assert!(r.service_maintenance(&key("none"), true, "", &t, 0).is_err());
}
