use super::*;
use std::time::Duration;

fn service_error(body: &str) -> String {
    service_definition(body.as_bytes()).map_or_else(|e| e.to_string(), |d| format!("{d:?}"))
}

#[test]
fn names_match_without_case_and_twins_are_known() {
    let d = service_definition(
        br#"{"name":"lower","ID":"lower-1","TAGS":["x"],"port":7,"meta":{"k":"v"},"enable_tag_override":true,
            "tagged_addresses":{"lan":{"address":"10.9.9.9","port":9}},"CHECK":{"TTL":"1h","deregister_critical_service_after":"2m"},
            "checks":[{"HTTP":"http://x","interval":5000000000,"args":["a"]}],
            "connect":{"whatever":1,"native":true,"sidecar_service":{"port":1,"proxy":{"upstreams":[{"destination_name":"db","local_bind_port":2}]}}}}"#,
    )
    .unwrap();
    assert_eq!((d.name.as_str(), d.id.as_str(), d.port), ("lower", "lower-1", 7));
    assert!(d.enable_tag_override && d.native);
    assert_eq!(d.tagged_addresses.unwrap()["lan"].port, 9);
    assert_eq!(d.checks[0].ttl, Duration::from_secs(3600));
    assert_eq!(d.checks[0].deregister_critical_service_after, Duration::from_secs(120));
    assert_eq!(d.checks[1].interval, Duration::from_secs(5));
    assert_eq!(d.checks[1].script_args, ["a"]);
    let sidecar = d.sidecar.unwrap();
    assert_eq!(sidecar.proxy.unwrap().upstreams[0].destination_name, "db");
}

#[test]
fn refusals_in_the_words_clients_know() {
    for (body, text) in [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        (r#"{"Name":"x","Bogus":1}"#, "json: unknown field \"Bogus\""),
        (r#"{"Name":"x","Check":{"ID":"c","TTL":"1h"}}"#, "json: unknown field \"ID\""),
        (
            r#"{"Name":"x","Check":{"service_id":"c","disable_redirects":true}}"#,
            "json: unknown field \"disable_redirects\"",
        ),
        (r#"{"Connect":{"SidecarService":{"Bogus":1}}}"#, "json: unknown field \"Bogus\""),
        (r#"{"service_name":1}"#, "json: unknown field \"service_name\""),
        ("[]", "json: cannot unmarshal array into Go value of type structs.ServiceDefinition"),
        (r#"{"Name":5}"#, "json: cannot unmarshal number into Go value of type string"),
        (r#"{"Port":1.5}"#, "json: cannot unmarshal number 1.5 into Go value of type int"),
        (
            r#"{"Port":99999999999999999999}"#,
            "json: cannot unmarshal number 100000000000000000000 into Go value of type int",
        ),
        (r#"{"Check":{"TTL":"bogus"}}"#, "time: invalid duration \"bogus\""),
    ] {
        assert_eq!(service_error(body), text, "{body}");
    }
    let check = |b: &[u8]| check_definition(b).unwrap_err().to_string();
    assert_eq!(check(br#"{"Name":"a","CheckID":"b"}"#), "json: unknown field \"CheckID\"");
    assert_eq!(check(br#"{"Name":"a","Definition":{}}"#), "json: unknown field \"Definition\"");
}

#[test]
fn null_changes_nothing_and_the_rest_is_not_read() {
    assert_eq!(service_definition(b"null").unwrap(), Default::default());
    let d = service_definition(br#"{"Name":"x","Name":null,"Tags":null,"Check":null} trailing"#).unwrap();
    assert_eq!((d.name.as_str(), d.tags, d.checks.len()), ("x", None, 0));
}

#[test]
fn a_catalog_registration() {
    let r = register(
        br#"{"Node":"n1","Address":"10.0.0.1","ID":"b0","NodeMeta":{"zone":"a"},"SkipNodeUpdate":true,"Token":"t",
            "Service":{"ID":"db-2","Service":"db","Tags":["r"],"Port":5433,"CreateIndex":1,"ModifyIndex":2,"Weights":{"Passing":3,"Warning":1},
                       "Proxy":{},"Connect":{"Native":true,"x":1}},
            "Check":{"Name":"db2","ServiceID":"db-2","Status":"critical",
                     "Definition":{"TCP":"10.0.0.1:5433","Interval":"10s","Timeout":1000000000,"IntervalDuration":"x"}}}"#,
    )
    .unwrap();
    let s = r.service.unwrap();
    assert_eq!((s.port, s.weights.passing, s.proxy.is_none(), s.connect.native), (5433, 3, true, true));
    assert!(r.skip_node_update && r.tagged_addresses.is_none());
    let c = &r.checks[0];
    let d = c.definition.as_ref().unwrap();
    assert_eq!(
        (c.kind.as_str(), d.interval, d.timeout),
        ("tcp", Duration::from_secs(10), Duration::from_secs(1))
    );
    assert!(register(br#"{"Node":5}"#).is_err() && register(br#"{"Node":"x","Bogus":1}"#).is_err());
    let d = deregister(br#"{"node":"n","ServiceID":"s","Address":"x","Datacenter":"dc9"}"#).unwrap();
    assert_eq!((d.datacenter.as_str(), d.command.service_id.as_str()), ("dc9", "s"));
}

#[test]
fn autopilot_fills_in_its_defaults() {
    let c = autopilot_config(br#"{"CleanupDeadServers":false,"LastContactThreshold":"300ms"}"#).unwrap();
    assert_eq!(
        (c.cleanup_dead_servers, c.last_contact_threshold_ns, c.max_trailing_logs),
        (false, 300_000_000, 250)
    );
    assert!(autopilot_config(br#"{"Bogus":1}"#).is_err());
    assert!(!format!("{:?}", keyring_key(br#"{"Key":"c2VjcmV0"}"#).unwrap()).contains("c2VjcmV0"));
}

#[test]
fn a_definition_survives_the_way_to_the_agent() {
    let d = service_definition(
        br#"{"Name":"web","Port":80,"Tags":["a"],"Meta":{"k":"v"},"Weights":{"Passing":2,"Warning":1},
             "Checks":[{"CheckID":"c","TCP":"localhost:80","Interval":"1m30s","Header":{"A":["b"]}}],
             "Connect":{"SidecarService":{"Port":9,"Proxy":{"Mode":"transparent","TransparentProxy":{"DialedDirectly":true}}}}}"#,
    )
    .unwrap();
    let mut json = Vec::new();
    crate::encode::service_definition(&mut json, &d);
    assert_eq!(service_definition(&json).unwrap(), d);
}

proptest::proptest! {
    #[test]
    fn no_body_breaks_a_decoder(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = (service_definition(&body), check_definition(&body), register(&body), deregister(&body));
    }
}
