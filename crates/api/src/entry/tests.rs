use super::*;
use serde_json::json;

fn text(value: Json) -> String {
    let mut out = Vec::new();
    encode(&mut out, &decode(&value).unwrap());
    String::from_utf8(out).unwrap()
}

fn refusal(value: Json) -> String {
    decode(&value).unwrap_err().to_string()
}

#[test]
fn empty_parts_are_shown_as_clients_expect_them() {
    assert_eq!(
        text(json!({"Kind":"service-defaults","Name":"web"})),
        r#"{"Kind":"service-defaults","Name":"web","Protocol":"","TransparentProxy":{},"MeshGateway":{},"Expose":{},"CreateIndex":0,"ModifyIndex":0}"#
    );
    assert_eq!(
        text(json!({"Kind":"proxy-defaults"})),
        r#"{"Kind":"proxy-defaults","Name":"","Config":null,"TransparentProxy":{},"MeshGateway":{},"Expose":{},"AccessLogs":{},"CreateIndex":0,"ModifyIndex":0}"#
    );
    assert_eq!(
        text(json!({"Kind":"mesh"})),
        r#"{"Kind":"mesh","TransparentProxy":{"MeshDestinationsOnly":false},"CreateIndex":0,"ModifyIndex":0}"#
    );
}

#[test]
fn other_spellings_and_types_are_taken() {
    let entry = decode(&json!({
        "kind": "service-resolver", "name": 7, "connect_timeout": "15s", "RequestTimeout": 2_000_000_000,
        "subsets": {"v1": {"only_passing": 1}}, "load_balancer": [{"hash_policies": {"field": "header", "field_value": "x"}}],
    }))
    .unwrap();
    assert_eq!(entry.name, "7");
    let mut out = Vec::new();
    encode(&mut out, &entry);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"Kind":"service-resolver","Name":"7","Subsets":{"v1":{"OnlyPassing":true}},"ConnectTimeout":"15s","RequestTimeout":"2s","LoadBalancer":{"HashPolicies":[{"Field":"header","FieldValue":"x"}]},"CreateIndex":0,"ModifyIndex":0}"#
    );
}

#[test]
fn weights_are_written_without_a_needless_fraction() {
    let out = text(json!({"Kind":"service-splitter","Name":"a","Splits":[{"Weight":90},{"Weight":"9.5"}]}));
    assert!(out.contains(r#""Splits":[{"Weight":90},{"Weight":9.5}]"#), "{out}");
}

#[test]
fn what_is_no_entry_is_refused_by_name() {
    for (value, expected) in [
        (json!(null), "Payload does not contain a kind/Kind key at the top level"),
        (json!({}), "Payload does not contain a kind/Kind key at the top level"),
        (json!({"KIND":"mesh"}), "Payload does not contain a kind/Kind key at the top level"),
        (json!([]), "'' expected a map, got 'slice'"),
        (json!({"Kind":1}), "Kind value in payload is not a string"),
        (json!({"Kind":"bogus"}), "invalid config entry kind: bogus"),
        (
            json!({"Kind":"control-plane-request-limit","Name":"x"}),
            "invalid config entry kind: control-plane-request-limit",
        ),
        (
            json!({"Kind":"service-defaults","MeshGateway":{"Bogus":1}}),
            "1 error occurred:\n\t* invalid config key \"MeshGateway.Bogus\"\n\n",
        ),
        (
            json!({"Kind":"exported-services","Services":[{"Name":"a"},{"Consumers":[{"PeerName":"p"}]}]}),
            "1 error occurred:\n\t* invalid config key \"Services[1].Consumers[0].PeerName\"\n\n",
        ),
        (
            json!({"Kind":"service-resolver","Subsets":{"v1":{"x":1}}}),
            "1 error occurred:\n\t* invalid config key \"Subsets[v1].x\"\n\n",
        ),
        (
            json!({"Kind":"service-defaults","Namespace":"default"}),
            "1 error occurred:\n\t* invalid config key \"Namespace\", namespaces are a consul enterprise feature\n\n",
        ),
        (
            json!({"Kind":"api-gateway","Listeners":[{"Override":{"JWT":{}}}]}),
            "1 error occurred:\n\t* invalid config key \"Listeners[0].Override.JWT\", api-gateway jwt validation is a consul enterprise feature\n\n",
        ),
        (json!({"Kind":"mesh","Name":"x"}), "1 error occurred:\n\t* invalid config key \"Name\"\n\n"),
        (
            json!({"Kind":"service-defaults","MaxInboundConnections":"abc"}),
            "1 error(s) decoding:\n\n* cannot parse 'MaxInboundConnections' as int: strconv.ParseInt: parsing \"abc\": invalid syntax",
        ),
        (
            json!({"Kind":"service-resolver","ConnectTimeout":"bogus"}),
            "1 error(s) decoding:\n\n* error decoding 'ConnectTimeout': time: invalid duration \"bogus\"",
        ),
        (
            json!({"Kind":"service-defaults","Name":{"a":1},"Expose":"x"}),
            "2 error(s) decoding:\n\n* 'Expose' expected a map, got 'string'\n* 'Name' expected type 'string', got unconvertible type 'map[string]interface {}'",
        ),
    ] {
        assert_eq!(refusal(value), expected);
    }
}

#[test]
fn what_is_shown_can_be_written_back() {
    for kind in EntryKind::ALL {
        let mut out = Vec::new();
        encode(&mut out, &ConfigEntry::new(*kind, "x"));
        let mut again = Vec::new();
        encode(&mut again, &decode(&serde_json::from_slice(&out).unwrap()).unwrap());
        let name = if kind.is_named() { "\"Name\":\"x\"" } else { "" };
        assert!(String::from_utf8_lossy(&again).contains(name));
        assert_eq!(out, again, "{kind}");
    }
}

#[test]
fn a_hash_follows_the_content_alone() {
    let mut entry = decode(&json!({"Kind":"service-defaults","Name":"web"})).unwrap();
    let before = content_hash(&entry);
    entry.index.modify = 9;
    assert_eq!(content_hash(&entry), before);
    entry.meta.insert("a".into(), "b".into());
    assert_ne!(content_hash(&entry), before);
}

#[test]
fn nesting_is_bounded() {
    let mut value = json!("x");
    for _ in 0..200 {
        value = json!([value]);
    }
    let deep = json!({"Kind":"service-router","Name":"a","Routes": value});
    assert!(decode(&deep).is_err());
}
