use super::*;
use std::{sync::Arc, time::Duration};
use types::record::*;

fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    f(&mut out);
    let s = String::from_utf8(out).unwrap();
    serde_json::from_str::<serde_json::Value>(&s).unwrap_or_else(|e| panic!("{e}: {s}"));
    s
}

fn a_node() -> Node {
    Node {
        id: "4f1d".into(),
        name: "n1".into(),
        address: "10.0.0.2".into(),
        datacenter: "dc1".into(),
        tagged_addresses: Some([("lan".into(), "10.0.0.2".into())].into()),
        meta: Some([("consul-network-segment".into(), "".into())].into()),
        index: RaftIndex { create: 12, modify: 14 },
        ..Node::default()
    }
}

fn web() -> NodeService {
    NodeService {
        id: "web-1".into(),
        service: "web".into(),
        tags: Some(vec!["v1".into()]),
        port: 80,
        index: RaftIndex { create: 30, modify: 30 },
        ..NodeService::default()
    }
}

fn serf() -> HealthCheck {
    HealthCheck {
        node: "n1".into(),
        check_id: SERF_HEALTH.into(),
        name: "Serf Health Status".into(),
        status: status::PASSING.into(),
        output: "Agent alive and reachable".into(),
        index: RaftIndex { create: 12, modify: 12 },
        ..HealthCheck::default()
    }
}

#[test]
fn a_health_row() {
    let row = CheckServiceNode { node: a_node().into(), service: web().into(), checks: vec![serf().into()] };
    assert_eq!(
        text(|o| check_service_nodes(o, &[row])),
        concat!(
            r#"[{"Node":{"ID":"4f1d","Node":"n1","Address":"10.0.0.2","Datacenter":"dc1","TaggedAddresses":{"lan":"10.0.0.2"},"#,
            r#""Meta":{"consul-network-segment":""},"CreateIndex":12,"ModifyIndex":14},"#,
            r#""Service":{"ID":"web-1","Service":"web","Tags":["v1"],"Address":"","Meta":null,"Port":80,"#,
            r#""Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"#,
            r#""Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":30,"ModifyIndex":30},"#,
            r#""Checks":[{"Node":"n1","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Notes":"","#,
            r#""Output":"Agent alive and reachable","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"","Interval":"","#,
            r#""Timeout":"","ExposedPort":0,"Definition":{},"CreateIndex":12,"ModifyIndex":12}]}]"#
        )
    );
}

#[test]
fn a_catalog_row() {
    let row = ServiceNode { node: a_node().into(), service: web().into() };
    assert_eq!(
        text(|o| service_nodes(o, &[row])),
        concat!(
            r#"[{"ID":"4f1d","Node":"n1","Address":"10.0.0.2","Datacenter":"dc1","TaggedAddresses":{"lan":"10.0.0.2"},"#,
            r#""NodeMeta":{"consul-network-segment":""},"ServiceKind":"","ServiceID":"web-1","ServiceName":"web","#,
            r#""ServiceTags":["v1"],"ServiceAddress":"","ServiceWeights":{"Passing":1,"Warning":1},"ServiceMeta":{},"#,
            r#""ServicePort":80,"ServiceSocketPath":"","ServiceEnableTagOverride":false,"#,
            r#""ServiceProxy":{"Mode":"","MeshGateway":{},"Expose":{}},"ServiceConnect":{},"ServiceLocality":null,"#,
            r#""CreateIndex":30,"ModifyIndex":30}]"#
        )
    );
}

#[test]
fn an_agent_service() {
    let s = NodeService { index: RaftIndex::default(), ..web() };
    assert_eq!(
        text(|o| agent_services(o, [&s], "dc1")),
        concat!(
            r#"{"web-1":{"ID":"web-1","Service":"web","Tags":["v1"],"Meta":{},"Port":80,"Address":"","#,
            r#""Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,"Datacenter":"dc1"}}"#
        )
    );
    let empty = text(|o| agent_services(o, [], "dc1"));
    assert_eq!(empty, "{}");
}

#[test]
fn nothing_is_null_or_empty_by_rule() {
    let bare = NodeService { tags: None, ..web() };
    assert!(text(|o| node_service(o, &bare)).contains(r#""Tags":null,"#));
    let row = CheckServiceNode { node: Node::default().into(), service: bare.clone().into(), checks: vec![] };
    let health = text(|o| check_service_nodes(o, &[row]));
    assert!(health.contains(r#""Tags":[],"#) && health.contains(r#""Checks":[]"#));
    assert!(health.contains(r#""TaggedAddresses":null,"Meta":null"#));
    assert_eq!(text(|o| node_services_map(o, None)), "null");
    assert_eq!(text(|o| node_services_list(o, None)), r#"{"Node":null,"Services":null}"#);
    let services = [Arc::new(bare)];
    assert!(
        text(|o| node_services_map(o, Some((&a_node(), &services)))).contains(r#""Services":{"web-1":{"#)
    );
}

#[test]
fn keys_and_values() {
    let mut e = KvEntry {
        key: "app/x".into(),
        flags: u64::MAX,
        value: bytes::Bytes::from_static(b"hi"),
        session: None,
        lock_index: 0,
        tenancy: types::Tenancy::default(),
        index: RaftIndex { create: 20, modify: 20 },
    };
    assert_eq!(
        text(|o| kv_entries(o, [&e])),
        r#"[{"LockIndex":0,"Key":"app/x","Flags":18446744073709551615,"Value":"aGk=","CreateIndex":20,"ModifyIndex":20}]"#
    );
    e.value = bytes::Bytes::new();
    assert!(text(|o| kv_entry(o, &e)).contains(r#""Value":null"#));
}

#[test]
fn check_definitions_show_what_is_set() {
    let d = HealthCheckDefinition {
        tcp: "10.0.0.1:5433".into(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        deregister_critical_service_after: Duration::from_secs(30),
        ttl: Duration::from_secs(2),
        header: [("X".into(), vec!["a".into(), "b".into()])].into(),
        ..HealthCheckDefinition::default()
    };
    let c = HealthCheck { definition: Some(Box::new(d)), ..serf() };
    assert!(text(|o| check(o, &c)).contains(concat!(
        r#""Definition":{"Interval":"10s","Timeout":"1s","DeregisterCriticalServiceAfter":"30s","Header":{"X":["a","b"]},"#,
        r#""TCP":"10.0.0.1:5433","TTL":2000000000}"#
    )));
    assert!(text(|o| agent_check(o, &c)).contains(r#""Definition":{},"#));
    let client = text(|o| client_check(o, &c));
    assert!(client.contains(r#""ServiceTags":null,"Type":"","ExposedPort":0,"#));
    assert!(client.contains(r#""DeregisterCriticalServiceAfter":"0s"}"#));
}

#[test]
fn proxies_in_both_forms() {
    let p = ServiceProxy {
        destination_service_name: "ord".into(),
        config: Some(types::Opaque::from_json(&serde_json::json!({"n": 5}))),
        upstreams: vec![Upstream {
            destination_name: "pay".into(),
            local_bind_port: 9191,
            ..Upstream::default()
        }],
        expose: ExposeConfig {
            checks: true,
            paths: vec![ExposePath { path: "/m".into(), ..ExposePath::default() }],
        },
        ..ServiceProxy::default()
    };
    let s = NodeService { kind: ServiceKind::ConnectProxy, proxy: Some(Box::new(p)), ..web() };
    assert!(text(|o| node_service(o, &s)).contains(concat!(
        r#""Proxy":{"DestinationServiceName":"ord","Mode":"","Config":{"n":5},"#,
        r#""Upstreams":[{"DestinationType":"","DestinationName":"pay","Datacenter":"","LocalBindPort":9191,"MeshGateway":{}}],"#,
        r#""MeshGateway":{},"Expose":{"Checks":true,"Paths":[{"Path":"/m"}]}}"#
    )));
    assert!(text(|o| agent_service(o, &s, "dc1", Some("ab"))).contains(concat!(
        r#""ContentHash":"ab","Proxy":{"DestinationServiceName":"ord","Config":{"n":5},"#,
        r#""Upstreams":[{"DestinationName":"pay","LocalBindPort":9191,"MeshGateway":{}}],"MeshGateway":{},"#,
        r#""Expose":{"Checks":true,"Paths":[{"Path":"/m","ParsedFromCheck":false}]}}"#
    )));
}
