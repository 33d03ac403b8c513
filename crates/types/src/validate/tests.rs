use super::*;
use crate::{
    definition::{CheckDefinition, ServiceDefinition},
    record::{
        ExposeConfig, ExposePath, Locality, Map, NodeService, ServiceAddress, ServiceConnect, ServiceKind,
        ServiceProxy, Upstream, Weights,
    },
};
use std::time::Duration;

fn proxy(p: ServiceProxy) -> ServiceDefinition {
    ServiceDefinition {
        kind: "connect-proxy".into(),
        name: "x".into(),
        port: 1,
        proxy: Some(Box::new(ServiceProxy { destination_service_name: "web".into(), ..p })),
        ..Default::default()
    }
}

fn text(d: &ServiceDefinition) -> String {
    definition(d).map_or_else(|e| e.to_string(), |()| "ok".into())
}

#[test]
fn lists_read_as_one_text() {
    let d = ServiceDefinition { name: "x".into(), native: true, ..Default::default() };
    assert_eq!(
        text(&d),
        "1 error occurred:\n\t* Port or SocketPath must be set for a Connect native service.\n\n"
    );
    let d = ServiceDefinition {
        sidecar: Some(Box::new(ServiceDefinition {
            id: "i".into(),
            sidecar: Some(Box::default()),
            ..Default::default()
        })),
        ..Default::default()
    };
    assert_eq!(
        text(&d),
        "2 errors occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the agent\n\t* A SidecarService \
         cannot have a nested SidecarService\n\n"
    );
}

#[test]
fn upstream_rules() {
    let one = |u: Upstream| text(&proxy(ServiceProxy { upstreams: vec![u], ..Default::default() }));
    let u = |name: &str, port| Upstream {
        destination_name: name.into(),
        local_bind_port: port,
        ..Default::default()
    };
    assert_eq!(one(u("a", 1)), "ok");
    assert!(
        one(Upstream { destination_type: "bogus".into(), ..u("a", 1) })
            .contains("* unknown upstream destination type: \"bogus\"\n")
    );
    assert!(one(u("", 1)).contains("name cannot be empty"));
    assert!(one(u("*", 1)).contains("name cannot be a wildcard"));
    assert!(one(u("a", 0)).contains("must be defined and nonzero"));
    assert!(
        one(Upstream { local_bind_socket_path: "/x".into(), ..u("a", 1) }).contains("only one of upstream")
    );
    let both = Upstream { destination_peer: "p".into(), datacenter: "d".into(), ..u("a", 1) };
    assert!(one(both).contains("both destination peer and datacenter"));
    let two =
        |a, b| text(&proxy(ServiceProxy { upstreams: vec![u("a", a), u("b", b)], ..Default::default() }));
    assert_eq!(two(1, 2), "ok");
    assert_eq!(
        two(1, 1),
        "1 error occurred:\n\t* upstreams cannot contain duplicates by local bind address and port or unix path; \
         \"127.0.0.1:1\" is specified twice\n\n"
    );
    let dup = proxy(ServiceProxy { upstreams: vec![u("a", 1), u("a", 2)], ..Default::default() });
    assert!(text(&dup).contains("upstreams cannot contain duplicates of [type=\"service\", name=\"a\", partition=\"\", namespace=\"\", peer=\"\", datacenter=\"\"]"));
}

#[test]
fn proxy_and_gateway_rules() {
    let mut d = proxy(ServiceProxy::default());
    assert_eq!(text(&d), "ok");
    d.native = true;
    assert!(text(&d).contains("A Proxy cannot also be Connect Native, only typical services"));
    d = proxy(ServiceProxy::default());
    d.port = 0;
    assert!(text(&d).contains("Port or SocketPath must be set for a connect-proxy"));
    d.proxy = None;
    assert!(text(&d).starts_with("2 errors occurred:\n"));
    let gw = |kind: &str, port| ServiceDefinition { kind: kind.into(), port, ..Default::default() };
    assert!(text(&gw("mesh-gateway", 0)).contains("Port must be non-zero for a mesh-gateway"));
    assert_eq!(text(&gw("ingress-gateway", 0)), "ok");
    assert_eq!(text(&gw("bogus", 0)), "ok");
    let mut g = gw("terminating-gateway", 1);
    g.proxy = proxy(ServiceProxy::default()).proxy;
    assert!(
        text(&g)
            .contains("The Proxy.DestinationServiceName configuration is invalid for a terminating-gateway")
    );
    g.proxy = None;
    g.sidecar = Some(Box::default());
    assert!(text(&g).contains("A terminating-gateway cannot have a sidecar service defined"));
    let row = NodeService {
        kind: ServiceKind::ConnectProxy,
        connect: ServiceConnect { native: true },
        ..Default::default()
    };
    assert_eq!(node_service(&row).unwrap_err().as_slice().len(), 3);
}

#[test]
fn expose_rules() {
    let with = |paths: Vec<ExposePath>| {
        text(&proxy(ServiceProxy { expose: ExposeConfig { checks: false, paths }, ..Default::default() }))
    };
    let p = |path: &str, port| ExposePath {
        path: path.into(),
        listener_port: port,
        local_path_port: 1,
        ..Default::default()
    };
    assert_eq!(with(vec![p("/a", 2), p("/b", 3)]), "ok");
    assert!(with(vec![p("/a", 2), p("/b", 2)]).contains("duplicate listener ports exposed"));
    assert!(with(vec![p("", 2)]).contains("empty path exposed"));
    assert!(with(vec![p("/a", 70000)]).contains("invalid listener port: 70000"));
    let bad = ExposePath { protocol: "x".into(), ..p("/p", 2) };
    assert!(with(vec![bad]).contains("protocol 'x' not supported for path: /p, must be in: [http http2]"));
}

#[test]
fn addresses_weights_locality() {
    assert!(service_address("").is_ok() && service_address("db.example.com").is_ok());
    for bad in ["0.0.0.0", "::"] {
        assert_eq!(service_address(bad).unwrap_err().to_string(), "Invalid service address");
    }
    let tagged = |k: &str, a: &str| {
        tagged_addresses(&[(Str::new(k), ServiceAddress { address: a.into(), port: 1 })].into())
            .map_err(|e| e.to_string())
    };
    assert_eq!(
        tagged("lan_ipv4", "2001:db8::1").unwrap_err(),
        "Service tagged address \"lan_ipv4\" must be a valid ipv4 address"
    );
    assert!(tagged("lan_ipv6", "10.0.0.1").is_err());
    assert!(tagged("wan_ipv6", "10.0.0.1").is_ok() && tagged("lan", "host").is_ok());
    let w = |passing, warning| weights(&Weights { passing, warning }).map_err(|e| e.to_string());
    assert_eq!(w(0, 1).unwrap_err(), "Passing must be greater than 0");
    assert_eq!(w(1, -1).unwrap_err(), "Warning must be greater or equal than 0");
    assert_eq!(w(70000, 1).unwrap_err(), "DNS Weight must be between 0 and 65535");
    assert!(w(65535, 0).is_ok());
    let l = Locality { region: "".into(), zone: "z".into() };
    assert_eq!(locality(&l).unwrap_err().to_string(), "zone cannot be set without region");
}

#[test]
fn metadata_limits() {
    let m = |k: &str, v: &str| {
        metadata(&Map::from([(Str::new(k), Str::new(v))]), false).map_err(|e| e.to_string())
    };
    assert!(m("a_B-9", "v").is_ok());
    assert_eq!(
        m("a b", "v").unwrap_err(),
        "Couldn't load metadata pair ('a b', 'v'): Key contains invalid characters"
    );
    assert!(m("", "v").unwrap_err().ends_with("Key cannot be blank"));
    assert!(m(&"k".repeat(129), "v").unwrap_err().ends_with("Key is too long (limit: 128 characters)"));
    assert!(m("consul-x", "v").unwrap_err().ends_with("Key prefix 'consul-' is reserved for internal use"));
    assert!(m("k", &"v".repeat(513)).unwrap_err().ends_with("Value is too long (limit: 512 characters)"));
    let many: Map = (0..65).map(|i| (Str::from(format!("k{i}")), Str::default())).collect();
    assert_eq!(
        metadata(&many, false).unwrap_err().to_string(),
        "Node metadata cannot contain more than 64 key/value pairs"
    );
    let wan = Map::from([("consul-wan-federation".into(), "1".into())]);
    assert!(metadata(&wan, true).is_ok() && metadata(&wan, false).is_err());
}

#[test]
fn check_rules() {
    let s = Duration::from_secs(1);
    let http = CheckDefinition { http: "http://x".into(), ..Default::default() };
    let alias = CheckDefinition { alias_service: "web".into(), ..Default::default() };
    let err = |c: CheckDefinition| check(&c).unwrap_err().to_string();
    assert_eq!(
        err(http.clone()),
        "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"
    );
    assert!(check(&CheckDefinition { interval: s, ..http.clone() }).is_ok());
    assert_eq!(err(CheckDefinition::default()), "TTL must be > 0 for TTL checks");
    assert_eq!(
        err(CheckDefinition { docker_container_id: "c".into(), interval: s, ..Default::default() }),
        "TTL must be > 0 for TTL checks"
    );
    assert_eq!(
        err(CheckDefinition { interval: s, ttl: s, ..Default::default() }),
        "Interval and TTL cannot both be specified"
    );
    assert!(check(&CheckDefinition { interval: s, ..alias.clone() }).is_ok());
    assert_eq!(
        err(CheckDefinition { interval: s, tcp: "x:1".into(), ..alias.clone() }),
        "Interval cannot be set for Alias checks"
    );
    assert_eq!(err(CheckDefinition { ttl: s, ..alias.clone() }), "TTL must be not be set for Alias checks");
    assert_eq!(
        err(CheckDefinition { output_max_size: -1, ..alias.clone() }),
        "MaxOutputMaxSize must be positive"
    );
    assert_eq!(
        err(CheckDefinition { failures_before_warning: 5, failures_before_critical: 2, ..alias }),
        "FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
    );
    assert!(registration_status("").is_ok() && registration_status("warning").is_ok());
    assert_eq!(registration_status("up").unwrap_err().to_string(), "Bad check status");
    assert_eq!(update_status("x").unwrap_err().to_string(), "Invalid check status: 'x'");
}
