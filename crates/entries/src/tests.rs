//! Each rule that refuses an entry, with its text.

use crate::read;
use serde_json::{Value, json};
use types::entry::EntryBody;

fn check(cases: Vec<(Value, &str)>) {
    for (value, expected) in cases {
        let found = read(&value).map(|e| e.name.to_string()).unwrap_err().to_string();
        assert!(found == expected, "{value}\n  expected {expected:?}\n  found    {found:?}");
    }
}

fn list(text: &str) -> String {
    format!("1 error occurred:\n\t* {text}\n\n")
}

/// `fields` as an entry of a kind that is called `x`.
fn entry(kind: &str, fields: Value) -> Value {
    let mut v = json!({"Kind": kind, "Name": "x"});
    let all = v.as_object_mut().unwrap();
    all.extend(fields.as_object().unwrap().clone());
    v
}

#[test]
fn metadata_is_bounded() {
    let long = "k".repeat(129);
    let many: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), json!(""))).collect();
    check(vec![
        (
            entry("service-resolver", json!({"Meta": {&long: "v"}})),
            &list(&format!("Meta key \"{long}\" exceeds maximum length 128")),
        ),
        (
            entry("service-defaults", json!({"Meta": {"k": "v".repeat(513)}})),
            &list("Meta value for key \"k\" exceeds maximum length 512"),
        ),
        (entry("ingress-gateway", json!({"Meta": many})), &list("Meta exceeds maximum element count 64")),
    ]);
}

#[test]
fn service_defaults() {
    let sd = |fields: Value| entry("service-defaults", fields);
    let upstream = |fields: Value| sd(json!({"UpstreamConfig": fields}));
    check(vec![
        (json!({"Kind": "service-defaults"}), "Name is required"),
        (
            json!({"Kind": "service-defaults", "Name": "*"}),
            "service-defaults name must be the name of a service, and not a wildcard",
        ),
        (
            sd(json!({"MutualTLSMode": "bogus"})),
            "Invalid MutualTLSMode \"bogus\". Must be one of \"\", \"strict\", or \"permissive\".",
        ),
        (sd(json!({"Protocol": "bogus"})), &list("invalid value for protocol: bogus")),
        (sd(json!({"Mode": "bogus"})), &list("Invalid Proxy Mode: \"bogus\"")),
        (
            sd(json!({"BalanceInboundConnections": "x"})),
            &list("invalid value for balance_inbound_connections: x"),
        ),
        (
            sd(json!({"RateLimits": {"InstanceLevel": {"RequestsPerSecond": 1}}})),
            &list("invalid rate_limits config. Rate limiting is a consul enterprise feature"),
        ),
        (
            sd(json!({"Destination": {"Port": 1}})),
            &list("Destination must contain at least one valid address"),
        ),
        (sd(json!({"Destination": {"Addresses": ["a.b"]}})), &list("Invalid Port number 0")),
        (
            sd(json!({"Destination": {"Addresses": ["a.b", "a.b"], "Port": 1}})),
            &list("Duplicate address 'a.b' is not allowed"),
        ),
        (
            sd(json!({"Destination": {"Addresses": ["*.b"], "Port": 1}})),
            &list("Destination address '*.b' is invalid Could not validate address *.b as an IP or Hostname"),
        ),
        (
            sd(json!({"UpstreamConfig": {}, "Destination": {"Addresses": ["a.b"], "Port": 1}})),
            &list("UpstreamConfig and Destination are mutually exclusive for service defaults"),
        ),
        (
            upstream(json!({"Overrides": [{"Protocol": "tcp"}]})),
            &list("error in upstream override for :: Name is required"),
        ),
        (
            upstream(json!({"Overrides": [{"Name": "*"}]})),
            &list("error in upstream override for *:: Wildcard name is not supported"),
        ),
        (
            upstream(json!({"Defaults": {"Name": "a"}})),
            &list("error in upstream defaults: Name must be empty"),
        ),
        (
            upstream(json!({"Defaults": {"BalanceOutboundConnections": "x"}})),
            &list("error in upstream defaults: invalid value for balance_outbound_connections: x"),
        ),
        (
            upstream(json!({"Defaults": {"Limits": {"MaxConnections": -1}}})),
            &list("error in upstream defaults: max connections cannot be negative"),
        ),
        (
            upstream(json!({"Defaults": {"Limits": {"MaxPendingRequests": -1}}})),
            &list("error in upstream defaults: max pending requests cannot be negative"),
        ),
        (
            upstream(json!({"Defaults": {"Limits": {"MaxConcurrentRequests": -1}}})),
            &list("error in upstream defaults: max concurrent requests cannot be negative"),
        ),
        (
            upstream(json!({"Defaults": {"PassiveHealthCheck": {"Interval": "-1s"}}})),
            &list("error in upstream defaults: passive health check interval cannot be negative"),
        ),
        (
            upstream(json!({"Defaults": {"PassiveHealthCheck": {"EnforcingConsecutive5xx": 101}}})),
            &list(
                "error in upstream defaults: passive health check enforcing_consecutive_5xx must be a percentage between 0 and 100",
            ),
        ),
        (
            upstream(json!({"Defaults": {"PassiveHealthCheck": {"MaxEjectionPercent": 101}}})),
            &list(
                "error in upstream defaults: passive health check max_ejection_percent must be a percentage between 0 and 100",
            ),
        ),
        (
            upstream(json!({"Defaults": {"PassiveHealthCheck": {"BaseEjectionTime": "-1s"}}})),
            &list("error in upstream defaults: passive health check base_ejection_time cannot be negative"),
        ),
        (sd(json!({"EnvoyExtensions": [{}]})), &list("invalid EnvoyExtensions[0]: Name is required")),
        (
            sd(json!({"EnvoyExtensions": [{"Name": "builtin/nope"}]})),
            &list(
                "invalid EnvoyExtensions[0][builtin/nope]: name \"builtin/nope\" is not a built-in extension",
            ),
        ),
        (
            sd(json!({"EnvoyExtensions": [{"Name": "builtin/lua", "EnvoyVersion": ">= x"}]})),
            &list("invalid EnvoyExtensions[0].EnvoyVersion: Malformed constraint: >= x"),
        ),
    ]);
    let ok = read(&sd(json!({"Protocol": "HTTP2", "MeshGateway": {"Mode": "any word"},
        "UpstreamConfig": {"Defaults": {"ConnectTimeoutMs": -5}},
        "EnvoyExtensions": [{"Name": "builtin/wasm", "ConsulVersion": ">= 1.2, < 2.0.0-rc1"}]})))
    .unwrap();
    let EntryBody::ServiceDefaults(b) = &ok.body else { panic!("another kind") };
    assert_eq!(b.protocol, "http2");
    assert_eq!(b.upstream_config.as_ref().unwrap().defaults.as_ref().unwrap().connect_timeout_ms, 0);
    assert_ne!(ok.hash, 0);
}

#[test]
fn proxy_defaults() {
    let pd = |fields: Value| {
        let mut v = entry("proxy-defaults", fields);
        v["Name"] = json!("");
        v
    };
    let logs = |fields: Value| pd(json!({"AccessLogs": fields}));
    check(vec![
        (
            json!({"Kind": "proxy-defaults", "Name": "other"}),
            "invalid name (\"other\"), only \"global\" is supported",
        ),
        (
            pd(json!({"MutualTLSMode": "x"})),
            "Invalid MutualTLSMode \"x\". Must be one of \"\", \"strict\", or \"permissive\".",
        ),
        (pd(json!({"Mode": "x"})), "Invalid Proxy Mode: \"x\""),
        (logs(json!({"Type": "x"})), "invalid access log type: x"),
        (logs(json!({"Type": "file"})), "path must be specified when using file type access logs"),
        (logs(json!({"Path": "/x"})), "path is only valid for file type access logs"),
        (
            logs(json!({"JSONFormat": "{}", "TextFormat": "x"})),
            "cannot specify both access log JSONFormat and TextFormat",
        ),
        (
            logs(json!({"JSONFormat": "{"})),
            "invalid access log json for JSON format: EOF while parsing an object at line 1 column 1",
        ),
        (
            pd(json!({"FailoverPolicy": {"Mode": "x"}})),
            "Failover-policy mode must be one of '', 'sequential', or 'order-by-locality'",
        ),
        (
            pd(json!({"PrioritizeByLocality": {"Mode": "failover"}})),
            "Prioritize-by-locality requires Consul Enterprise ",
        ),
        (
            pd(json!({"EnvoyExtensions": [{"Name": "x"}]})),
            &list("invalid EnvoyExtensions[0][x]: name \"x\" is not a built-in extension"),
        ),
    ]);
    assert_eq!(read(&pd(json!({}))).unwrap().name, "global");
}

#[test]
fn routers_and_splitters() {
    let http = |fields: Value| entry("service-router", json!({"Routes": [{"Match": {"HTTP": fields}}]}));
    let to = |fields: Value| entry("service-router", json!({"Routes": [{}, {"Destination": fields}]}));
    let splits = |list: Value| entry("service-splitter", json!({"Splits": list}));
    check(vec![
        (json!({"Kind": "service-router"}), "Name is required"),
        (http(json!({"PathExact": "x"})), "Route[0] PathExact doesn't start with '/': \"x\""),
        (http(json!({"PathPrefix": "x"})), "Route[0] PathPrefix doesn't start with '/': \"x\""),
        (
            http(json!({"PathPrefix": "/x", "PathRegex": "y"})),
            "Route[0] should only contain at most one of PathExact, PathPrefix, or PathRegex",
        ),
        (http(json!({"Header": [{"Present": true}]})), "Route[0] Header[0] missing required Name field"),
        (
            http(json!({"Header": [{"Name": "a", "Exact": "1", "Prefix": "2"}]})),
            "Route[0] Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex",
        ),
        (http(json!({"QueryParam": [{"Exact": "a"}]})), "Route[0] QueryParam[0] missing required Name field"),
        (
            http(json!({"QueryParam": [{"Name": "a"}]})),
            "Route[0] QueryParam[0] should only contain one of Present, Exact, or Regex",
        ),
        (http(json!({"Methods": ["BOGUS!"]})), "Route[0] Methods contains an invalid method \"BOGUS!\""),
        (http(json!({"Methods": ["GET", "get"]})), "Route[0] Methods contains \"GET\" more than once"),
        (
            to(json!({"PrefixRewrite": "/x"})),
            "Route[1] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix",
        ),
        (to(json!({"RetryOn": ["bogus"]})), "Route[1] contains an invalid retry condition: \"bogus\""),
        (json!({"Kind": "service-splitter", "Splits": [{"Weight": 100}]}), "Name is required"),
        (splits(json!([])), "no splits configured"),
        (splits(json!([{"Weight": 90}])), "the sum of all split weights must be 100, not 90.000000"),
        (
            splits(json!([{"Weight": 150}, {"Weight": -50, "Service": "b"}])),
            "split weight must be between 0 and 100, not 150.000000",
        ),
        (
            splits(json!([{"Weight": 50}, {"Weight": 50, "Service": "x"}])),
            "split destination occurs more than once: service=\"x\", subset=\"\", namespace=\"\", partition=\"\"",
        ),
    ]);
    read(&splits(json!([{"Weight": 90.004}, {"Weight": 9.996, "Service": "b"}]))).unwrap();
}

#[test]
fn resolvers() {
    let r = |fields: Value| entry("service-resolver", fields);
    let redirect = |fields: Value| r(json!({"Redirect": fields}));
    let failover = |fields: Value| r(json!({"Failover": {"*": fields}}));
    let lb = |fields: Value| r(json!({"LoadBalancer": fields}));
    let hash = |fields: Value| lb(json!({"Policy": "maglev", "HashPolicies": [fields]}));
    check(vec![
        (json!({"Kind": "service-resolver"}), "Name is required"),
        (
            r(json!({"Subsets": {"BAD!": {}}})),
            "Subset \"BAD!\" is invalid: must be 63 characters or fewer, begin or end with lower case alphanumeric characters, and contain lower case alphanumeric characters or '-' in between",
        ),
        (r(json!({"DefaultSubset": "x"})), "DefaultSubset \"x\" is not a valid subset"),
        (
            r(json!({"Redirect": {"Service": "a"}, "Failover": {"*": {"Service": "b"}}})),
            "Redirect and Failover cannot both be set",
        ),
        (redirect(json!({})), "Redirect is empty"),
        (redirect(json!({"ServiceSubset": "v1"})), "Redirect.ServiceSubset defined without Redirect.Service"),
        (redirect(json!({"Namespace": "v1"})), "Redirect.Namespace defined without Redirect.Service"),
        (redirect(json!({"Partition": "v1"})), "Redirect.Partition defined without Redirect.Service"),
        (redirect(json!({"Peer": "v1"})), "Redirect.Peer defined without Redirect.Service"),
        (
            redirect(json!({"Service": "a", "Peer": "p", "ServiceSubset": "d"})),
            "Redirect.Peer cannot be set with Redirect.ServiceSubset",
        ),
        (
            redirect(json!({"Service": "a", "Peer": "p", "Partition": "d"})),
            "Redirect.Partition cannot be set with Redirect.Peer",
        ),
        (
            redirect(json!({"Service": "a", "Peer": "p", "Datacenter": "d"})),
            "Redirect.Peer cannot be set with Redirect.Datacenter",
        ),
        (
            redirect(json!({"Service": "a", "Partition": "d"})),
            "Redirect: Setting Partition requires Consul Enterprise",
        ),
        (
            redirect(json!({"Service": "a", "Namespace": "d"})),
            "Redirect: Setting Namespace requires Consul Enterprise",
        ),
        (
            redirect(json!({"SamenessGroup": "d"})),
            "Redirect: Setting SamenessGroup requires Consul Enterprise",
        ),
        (
            redirect(json!({"Service": "x", "ServiceSubset": "v1"})),
            "Redirect.ServiceSubset \"v1\" is not a valid subset of \"x\"",
        ),
        (r(json!({"Failover": {"v1": {"Service": "b"}}})), "Bad Failover[\"v1\"]: not a valid subset subset"),
        (
            failover(json!({})),
            "Bad Failover[\"*\"]: one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required",
        ),
        (
            failover(json!({"ServiceSubset": "v1"})),
            "Bad Failover[\"*\"].ServiceSubset \"v1\" is not a valid subset of \"x\"",
        ),
        (
            failover(json!({"Targets": [{"Service": "a"}], "Datacenters": ["d"]})),
            "Bad Failover[\"*\"]: Targets cannot be set with Datacenters",
        ),
        (
            failover(json!({"Targets": [{"Service": "a"}], "ServiceSubset": "d"})),
            "Bad Failover[\"*\"]: Targets cannot be set with ServiceSubset",
        ),
        (
            failover(json!({"Targets": [{"Service": "a"}], "Service": "d"})),
            "Bad Failover[\"*\"]: Targets cannot be set with Service",
        ),
        (
            failover(json!({"Targets": [{"Peer": "p", "Datacenter": "d"}]})),
            "Bad Failover[\"*\"].Targets[0]: Peer cannot be set with Datacenter",
        ),
        (
            failover(json!({"Targets": [{"Peer": "p", "ServiceSubset": "d"}]})),
            "Bad Failover[\"*\"].Targets[0]: Peer cannot be set with ServiceSubset",
        ),
        (
            failover(json!({"Targets": [{"Namespace": "n"}]})),
            "Bad Failover[\"*\"].Targets[0]: Setting Namespace requires Consul Enterprise",
        ),
        (failover(json!({"Datacenters": [""]})), "Bad Failover[\"*\"].Datacenters: found empty datacenter"),
        (
            failover(json!({"Service": "b", "Policy": {"Mode": "sequential"}})),
            "Bad Failover[\"*\"]: Setting failover policies requires Consul Enterprise",
        ),
        (
            failover(json!({"Service": "b", "SamenessGroup": "g"})),
            "Bad Failover[\"*\"]: Setting SamenessGroup requires Consul Enterprise",
        ),
        (
            r(json!({"PrioritizeByLocality": {"Mode": "failover"}})),
            "Prioritize-by-locality requires Consul Enterprise ",
        ),
        (r(json!({"ConnectTimeout": "-1s"})), "Bad ConnectTimeout '-1s', must be >= 0"),
        (r(json!({"RequestTimeout": "-1s"})), "Bad RequestTimeout '-1s', must be >= 0"),
        (lb(json!({"Policy": "x"})), "Bad LoadBalancer policy: \"x\" is not supported"),
        (
            lb(json!({"Policy": "random", "RingHashConfig": {"MinimumRingSize": 1}})),
            "Bad LoadBalancer configuration. RingHashConfig specified for incompatible load balancing policy \"random\"",
        ),
        (
            lb(json!({"Policy": "random", "LeastRequestConfig": {"ChoiceCount": 1}})),
            "Bad LoadBalancer configuration. LeastRequestConfig specified for incompatible load balancing policy \"random\"",
        ),
        (
            lb(json!({"Policy": "random", "HashPolicies": [{"Field": "header", "FieldValue": "x"}]})),
            "Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: \"random\"",
        ),
        (
            hash(json!({"Field": "bogus", "FieldValue": "x"})),
            "Bad LoadBalancer HashPolicy[0]: \"bogus\" is not a supported field",
        ),
        (
            hash(json!({"Field": "header", "SourceIP": true})),
            "Bad LoadBalancer HashPolicy[0]: A single hash policy cannot hash both a source address and a \"header\"",
        ),
        (
            hash(json!({"FieldValue": "x", "SourceIP": true})),
            "Bad LoadBalancer HashPolicy[0]: A FieldValue cannot be specified when hashing SourceIP",
        ),
        (
            hash(json!({"Field": "header"})),
            "Bad LoadBalancer HashPolicy[0]: Field \"header\" was specified without a FieldValue",
        ),
        (
            hash(json!({"FieldValue": "x"})),
            "Bad LoadBalancer HashPolicy[0]: FieldValue requires a Field to apply to",
        ),
        (
            hash(json!({"Field": "header", "FieldValue": "x", "CookieConfig": {}})),
            "Bad LoadBalancer HashPolicy[0]: cookie_config provided for \"header\"",
        ),
        (
            hash(
                json!({"Field": "cookie", "FieldValue": "x", "CookieConfig": {"Session": true, "TTL": "1s"}}),
            ),
            "Bad LoadBalancer HashPolicy[0]: a session cookie cannot have an associated TTL",
        ),
    ]);
    let text = read(&r(json!({"Subsets": {"v1": {"Filter": "(("}}}))).unwrap_err().to_string();
    assert!(text.starts_with("Filter for subset \"v1\" is not a valid expression: 1:3"), "{text}");
    read(&redirect(json!({"Service": "x"}))).unwrap();
}

#[test]
fn intentions() {
    let from = |fields: Value| entry("service-intentions", json!({"Sources": [fields]}));
    let permit = |fields: Value| from(json!({"Name": "a", "Permissions": [fields]}));
    let http = |fields: Value| permit(json!({"Action": "allow", "HTTP": fields}));
    check(vec![
        (json!({"Kind": "service-intentions", "Sources": []}), "Name is required"),
        (entry("service-intentions", json!({})), "At least one source is required"),
        (
            json!({"Kind": "service-intentions", "Name": "x*", "Sources": [{"Name": "a", "Action": "allow"}]}),
            "Name: wildcard character '*' cannot be used with partial values",
        ),
        (from(json!({"Action": "allow"})), "Sources[0].Name is required"),
        (
            from(json!({"Name": "a*", "Action": "allow"})),
            "Sources[0].Name: wildcard character '*' cannot be used with partial values",
        ),
        (from(json!({"Name": "a", "Action": "x"})), "Sources[0].Action must be set to 'allow' or 'deny'"),
        (
            from(json!({"Name": "a", "Action": "allow", "Type": "y"})),
            "Sources[0].Type must be set to 'consul'",
        ),
        (
            from(json!({"Name": "a", "Action": "allow", "LegacyMeta": {"a": "b"}})),
            "Sources[0].LegacyMeta must be omitted",
        ),
        (
            from(json!({"Name": "a", "Action": "allow", "SamenessGroup": "s"})),
            "Sources[0].SamenessGroup: Sameness groups are a Consul Enterprise feature. ",
        ),
        (
            from(json!({"Name": "a", "Action": "allow", "Description": "d".repeat(513)})),
            "Sources[0].Description exceeds maximum length 512",
        ),
        (
            from(json!({"Name": "a", "Action": "allow", "Permissions": [{"Action": "allow"}]})),
            "Sources[0].Action must be omitted if Permissions are specified",
        ),
        (
            json!({"Kind": "service-intentions", "Name": "*", "Sources": [{"Name": "a", "Permissions": [{"Action": "allow"}]}]}),
            "Sources[0].Permissions cannot be specified on intentions with wildcarded destinations",
        ),
        (
            entry(
                "service-intentions",
                json!({"Sources": [{"Name": "a", "Action": "allow"}, {"Name": "a", "Action": "deny"}]}),
            ),
            "Sources[1] defines \"a\" more than once",
        ),
        (
            permit(json!({"HTTP": {"PathPrefix": "/"}})),
            "Sources[0].Permissions[0].Action must be set to 'allow' or 'deny'",
        ),
        (permit(json!({"Action": "allow"})), "Sources[0].Permissions[0].HTTP is required"),
        (http(json!({})), "Sources[0].Permissions[0].HTTP should not be empty"),
        (
            http(json!({"PathExact": "x"})),
            "Sources[0].Permissions[0].HTTP.PathExact doesn't start with '/': \"x\"",
        ),
        (
            http(json!({"PathPrefix": "x"})),
            "Sources[0].Permissions[0].HTTP.PathPrefix doesn't start with '/': \"x\"",
        ),
        (
            http(json!({"PathPrefix": "/x", "PathRegex": "x"})),
            "Sources[0].Permissions[0].HTTP should only contain at most one of PathExact, PathPrefix, or PathRegex",
        ),
        (
            http(json!({"Header": [{"Exact": "x"}]})),
            "Sources[0].Permissions[0].HTTP.Header[0] missing required Name field",
        ),
        (
            http(json!({"Header": [{"Name": "x"}]})),
            "Sources[0].Permissions[0].HTTP.Header[0] should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex",
        ),
        (
            http(json!({"Header": [{"Name": "x", "Regex": "r", "IgnoreCase": true}]})),
            "Sources[0].Permissions[0].HTTP.Header[0] should set one of Exact, Prefix, Suffix, or Contains when using IgnoreCase",
        ),
        (
            http(json!({"Methods": ["B!"]})),
            "Sources[0].Permissions[0].HTTP.Methods contains an invalid method \"B!\"",
        ),
        (
            http(json!({"Methods": ["GET", "get"]})),
            "Sources[0].Permissions[0].HTTP.Methods contains \"GET\" more than once",
        ),
        (
            entry(
                "service-intentions",
                json!({"JWT": {"Providers": [{}]}, "Sources": [{"Name": "a", "Action": "allow"}]}),
            ),
            "JWT provider name is required",
        ),
    ]);
    let ok = read(&entry("service-intentions", json!({"Sources": [
        {"Name": "*", "Action": "deny"}, {"Name": "a", "Action": "allow", "LegacyID": "id", "Precedence": 1},
    ]})))
    .unwrap();
    let EntryBody::ServiceIntentions(b) = &ok.body else { panic!("another kind") };
    let order: Vec<_> =
        b.sources.iter().map(|s| (s.name.as_str(), s.precedence, s.legacy_id.as_str())).collect();
    assert_eq!(order, [("a", 9, ""), ("*", 8, "")]);
}

#[test]
fn gateways() {
    let gw = |fields: Value| entry("ingress-gateway", fields);
    let listener = |fields: Value| gw(json!({"Listeners": [fields]}));
    let service = |protocol: &str, fields: Value| {
        listener(json!({"Port": 1, "Protocol": protocol, "Services": fields}))
    };
    let tgw = |list: Value| entry("terminating-gateway", json!({"Services": list}));
    let exports = |list: Value| json!({"Kind": "exported-services", "Name": "default", "Services": list});
    let consumer = |fields: Value| exports(json!([{"Name": "a", "Consumers": [fields]}]));
    check(vec![
        (json!({"Kind": "ingress-gateway"}), "Name is required"),
        (
            gw(
                json!({"Listeners": [{"Port": 1, "Services": [{"Name": "a"}]}, {"Port": 1, "Services": [{"Name": "b"}]}]}),
            ),
            "port 1 declared on two listeners",
        ),
        (
            listener(json!({"Port": 0, "Services": [{"Name": "a"}]})),
            "listener port 0 not in the range 1-65535",
        ),
        (
            service("x", json!([{"Name": "a"}])),
            "protocol must be 'tcp', 'http', 'http2', or 'grpc'. 'x' is an unsupported protocol",
        ),
        (service("tcp", json!([])), "No service declared for listener with port 1"),
        (
            service("tcp", json!([{"Name": "a"}, {"Name": "b"}])),
            "Multiple services per listener are only supported for L7 protocols, 'http', 'grpc' and 'http2' (listener on port 1)",
        ),
        (
            service("tcp", json!([{"Name": "*"}])),
            "Wildcard service name is only valid for protocol = 'http' (listener on port 1)",
        ),
        (
            service("tcp", json!([{"Name": "a", "Hosts": ["x.y"]}])),
            "Associating hosts to a service is not supported for the tcp protocol (listener on port 1)",
        ),
        (
            service("http", json!([{"Name": "*", "Hosts": ["x.y"]}])),
            "Associating hosts to a wildcard service is not supported (listener on port 1)",
        ),
        (service("http", json!([{"Name": ""}])), "Service name cannot be blank (listener on port 1)"),
        (
            service("http", json!([{"Name": "a"}, {"Name": "a"}])),
            "Service a cannot be added multiple times (listener on port 1)",
        ),
        (
            service("http", json!([{"Name": "a", "Hosts": ["a.b", "a.b"]}])),
            "Hosts must be unique within a specific listener (listener on port 1)",
        ),
        (
            service("http", json!([{"Name": "a", "Hosts": ["a.*.b"]}])),
            "Host \"a.*.b\" is not valid, a wildcard specifier is only allowed as the leftmost label",
        ),
        (
            service("http", json!([{"Name": "a", "Hosts": ["-a.b"]}])),
            "Host \"-a.b\" must be a valid DNS hostname",
        ),
        (
            gw(
                json!({"TLS": {"Enabled": true}, "Listeners": [{"Port": 1, "Protocol": "http", "Services": [{"Name": "a", "Hosts": ["*"]}]}]}),
            ),
            "Host '*' is not allowed when TLS is enabled, all hosts must be valid DNS records to add as a DNSSAN",
        ),
        (
            service("tcp", json!([{"Name": "a", "RequestHeaders": {"Add": {"a": "b"}}}])),
            "request headers only valid for http, http2 and grpc protocols (service \"a\" on listener on port 1)",
        ),
        (
            service("tcp", json!([{"Name": "a", "ResponseHeaders": {"Remove": ["a"]}}])),
            "response headers only valid for http, http2 and grpc protocols (service \"a\" on listener on port 1)",
        ),
        (
            service("tcp", json!([{"Name": "a", "PassiveHealthCheck": {"Interval": -1}}])),
            "passive health check interval cannot be negative",
        ),
        (
            gw(json!({"Defaults": {"PassiveHealthCheck": {"MaxEjectionPercent": 200}}})),
            "passive health check max_ejection_percent must be a percentage between 0 and 100",
        ),
        (
            listener(json!({"Port": 1, "TLS": {"SDS": {"CertResource": "c"}}})),
            "TLS.SDS.ClusterName is required if CertResource is set (listener on port 1)",
        ),
        (
            listener(json!({"Port": 1, "TLS": {"SDS": {"ClusterName": "c"}}})),
            "TLS.SDS.CertResource is required if ClusterName is set for listener (listener on port 1)",
        ),
        (
            service("http", json!([{"Name": "a", "TLS": {"SDS": {"ClusterName": "c"}}}])),
            "TLS.SDS.CertResource is required if ClusterName is set for service (service \"a\" on listener on port 1)",
        ),
        (
            gw(json!({"TLS": {"TLSMinVersion": "x"}})),
            "no matching TLS version found for x, please specify one of [TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3]",
        ),
        (
            gw(json!({"TLS": {"TLSMinVersion": "TLSv1_3", "TLSMaxVersion": "TLSv1_2"}})),
            "configuring max version TLSv1_2 less than the configured min version TLSv1_3 is invalid",
        ),
        (tgw(json!([{"Name": ""}])), "Service name cannot be blank."),
        (
            tgw(json!([{"Name": "a"}, {"Name": "a"}])),
            "Service \"a\" was specified more than once within a namespace",
        ),
        (
            tgw(json!([{"Name": "a", "CertFile": "x"}])),
            "Service \"a\" must have a CertFile, CAFile, and KeyFile specified for TLS origination",
        ),
        (json!({"Kind": "exported-services", "Name": "x"}), "exported-services Name must be \"default\""),
        (exports(json!([{"Consumers": [{"Peer": "p"}]}])), "Services[0]: service name cannot be empty"),
        (exports(json!([{"Name": "a"}])), "Services[0]: must have at least one consumer"),
        (
            consumer(json!({"Peer": "*"})),
            "Services[0].Consumers[0]: exporting to all peers (wildcard) is not supported",
        ),
        (
            consumer(json!({"Peer": "p", "Partition": "q"})),
            "Services[0].Consumers[0]: must define at most one of Peer, Partition, or SamenessGroup",
        ),
        (
            consumer(json!({"Partition": "q"})),
            "Services[0].Consumers[0]: partitions are an enterprise-only feature",
        ),
        (
            consumer(json!({"SamenessGroup": "q"})),
            "Services[0].Consumers[0]: sameness-groups are an enterprise-only feature",
        ),
        (entry("sameness-group", json!({})), "sameness-groups are an enterprise-only feature"),
        (entry("bound-api-gateway", json!({})), "Permission denied: only writeable by controller"),
    ]);
    read(&consumer(json!({}))).unwrap();
}

#[test]
fn mesh() {
    let tls = |side: &str, fields: Value| json!({"Kind": "mesh", "TLS": {side: fields}});
    let normal =
        |fields: Value| json!({"Kind": "mesh", "HTTP": {"Incoming": {"RequestNormalization": fields}}});
    check(vec![
        (
            tls("Incoming", json!({"TLSMinVersion": "x"})),
            "error in incoming TLS configuration: no matching TLS version found for x, please specify one of [TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3]",
        ),
        (
            tls(
                "Outgoing",
                json!({"TLSMinVersion": "TLSv1_3", "CipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]}),
            ),
            "error in outgoing TLS configuration: configuring CipherSuites is only applicable to connections negotiated with TLS 1.2 or earlier, TLSMinVersion is set to TLSv1_3",
        ),
        (
            normal(json!({"HeadersWithUnderscoresAction": "x"})),
            "error in incoming HTTP configuration: no matching HeadersWithUnderscoresAction value found for x, please specify one of [ALLOW, REJECT_REQUEST, DROP_HEADER]",
        ),
        (
            normal(json!({"PathWithEscapedSlashesAction": "x"})),
            "error in incoming HTTP configuration: no matching PathWithEscapedSlashesAction value found for x, please specify one of [IMPLEMENTATION_SPECIFIC_DEFAULT, KEEP_UNCHANGED, REJECT_REQUEST, UNESCAPE_AND_REDIRECT, UNESCAPE_AND_FORWARD]",
        ),
    ]);
    let text = read(&tls("Incoming", json!({"CipherSuites": ["x"]}))).unwrap_err().to_string();
    assert!(text.contains("no matching TLS Cipher Suite found for x"), "{text}");
    assert_eq!(read(&json!({"Kind": "mesh"})).unwrap().name, "mesh");
}

#[test]
fn api_gateways_and_their_routes() {
    let gw = |list: Value| entry("api-gateway", json!({"Listeners": list}));
    let listener = |fields: Value| {
        let mut v = json!({"Name": "l", "Port": 80, "Protocol": "http"});
        v.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        gw(json!([v]))
    };
    let rule = |fields: Value| entry("http-route", json!({"Rules": [{"Matches": [fields]}]}));
    check(vec![
        (entry("api-gateway", json!({})), "api gateway must have at least one listener"),
        (
            gw(json!([{"Name": "a b", "Port": 80, "Protocol": "http"}])),
            "listener name \"a b\" is invalid, must be at least 1 character and contain only letters, numbers, or dashes",
        ),
        (
            gw(
                json!([{"Name": "l", "Port": 80, "Protocol": "http"}, {"Name": "l", "Port": 81, "Protocol": "http"}]),
            ),
            "found multiple listeners with the name \"l\"",
        ),
        (
            gw(
                json!([{"Name": "a", "Port": 80, "Protocol": "http"}, {"Name": "b", "Port": 80, "Protocol": "tcp"}]),
            ),
            "listeners \"a\" and \"b\" cannot be merged",
        ),
        (
            listener(json!({"Protocol": "x"})),
            "unsupported listener protocol \"x\", must be one of 'tcp', or 'http'",
        ),
        (
            listener(json!({"Protocol": "tcp", "Hostname": "a.b"})),
            "hostname specification is not supported when using TCP",
        ),
        (listener(json!({"Port": 0})), "listener port 0 not in the range 1-65535"),
        (
            listener(json!({"Hostname": "a.*"})),
            "host \"a.*\" is not valid, a wildcard specifier is only allowed as the left-most label",
        ),
        (listener(json!({"Hostname": "a..b"})), "host \"a..b\" must be a valid DNS hostname"),
        (
            listener(json!({"TLS": {"Certificates": [{"Kind": "x", "Name": "c"}]}})),
            "unsupported certificate kind: \"x\", must be 'file-system-certificate' or 'inline-certificate'",
        ),
        (listener(json!({"TLS": {"Certificates": [{}]}})), "certificate reference must have a name"),
        (
            json!({"Kind": "api-gateway", "Listeners": [{"Name": "l", "Port": 80, "Protocol": "http"}]}),
            "Name is required",
        ),
        (entry("http-route", json!({"Hostnames": ["*.a"]})), "host \"*.a\" must not be a wildcard"),
        (entry("http-route", json!({"Hostnames": ["a b"]})), "host \"a b\" must be a valid DNS hostname"),
        (
            entry("http-route", json!({"Parents": [{"Kind": "bogus", "Name": "x"}]})),
            "unsupported parent kind: \"bogus\", must be 'api-gateway'",
        ),
        (
            entry("http-route", json!({"Parents": [{"Name": "x"}, {"Name": "x"}]})),
            "route parents must be unique",
        ),
        (rule(json!({"Method": "B!"})), "Rule[0], Match[0], Method contains an invalid method \"B!\""),
        (
            rule(json!({"Path": {"Match": "bogus", "Value": "/"}})),
            "Rule[0], Match[0], Path, match type should be one of exact, prefix, or regex",
        ),
        (
            rule(json!({"Path": {"Match": "prefix", "Value": "x"}})),
            "Rule[0], Match[0], Path, prefix type match doesn't start with '/': \"x\"",
        ),
        (
            rule(json!({"Headers": [{"Match": "exact"}]})),
            "Rule[0], Match[0], Headers[0], missing required Name field",
        ),
        (
            rule(json!({"Headers": [{"Name": "a", "Match": "x"}]})),
            "Rule[0], Match[0], Headers[0], match type should be one of present, exact, prefix, suffix, or regex",
        ),
        (
            rule(json!({"Query": [{"Match": "exact"}]})),
            "Rule[0], Match[0], Query[0], missing required Name field",
        ),
        (
            rule(json!({"Query": [{"Name": "a", "Match": "prefix"}]})),
            "Rule[0], Match[0], Query[0], match type should be one of present, exact, or regex",
        ),
        (
            entry("tcp-route", json!({"Services": [{"Name": "a"}, {"Name": "b"}]})),
            "tcp-route currently only supports one service",
        ),
        (json!({"Kind": "tcp-route"}), "Name is required"),
        (json!({"Kind": "file-system-certificate"}), "Name is required"),
    ]);
    let ok = read(&entry(
        "http-route",
        json!({"Parents": [{"Name": "g"}], "Status": {"Conditions": [{"Type": "Accepted"}]},
        "Rules": [{"Matches": [{"Method": "get"}], "Services": [{"Name": "a", "Weight": -1}]}]}),
    ))
    .unwrap();
    let EntryBody::HttpRoute(b) = &ok.body else { panic!("another kind") };
    assert_eq!((b.parents[0].kind.as_str(), b.status.conditions.len()), ("api-gateway", 0));
    let m = &b.rules[0].matches[0];
    assert_eq!((m.method.as_str(), m.path.matching.as_str(), m.path.value.as_str()), ("GET", "prefix", "/"));
    assert_eq!(b.rules[0].services[0].weight, 1);
}

#[test]
fn jwt_providers() {
    let keys = |fields: Value| entry("jwt-provider", json!({"JSONWebKeySet": fields}));
    let remote = |fields: Value| {
        let mut v = json!({"URI": "https://example.com/keys"});
        v.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        keys(json!({"Remote": v}))
    };
    let local = json!({"Local": {"JWKS": "e30="}});
    let located =
        |fields: Value| entry("jwt-provider", json!({"JSONWebKeySet": local, "Locations": [fields]}));
    let cluster = |fields: Value| remote(json!({"JWKSCluster": fields}));
    check(vec![
        (json!({"Kind": "jwt-provider", "JSONWebKeySet": local}), "Name is required"),
        (entry("jwt-provider", json!({})), "JSONWebKeySet is required"),
        (keys(json!({})), "must specify exactly one of Local or Remote JSON Web key set"),
        (keys(json!({"Local": {}})), "must specify exactly one of String or filename for local keyset"),
        (keys(json!({"Local": {"JWKS": "%%"}})), "JWKS must be valid base64 encoded string"),
        (keys(json!({"Remote": {}})), "Remote JWKS URI is required"),
        (remote(json!({"URI": "x y"})), "Remote JWKS URI is invalid: parse \"x y\": invalid URI for request"),
        (
            remote(
                json!({"RetryPolicy": {"RetryPolicyBackOff": {"BaseInterval": "2s", "MaxInterval": "1s"}}}),
            ),
            "retry policy backoff's MaxInterval should be greater or equal to BaseInterval",
        ),
        (cluster(json!({"DiscoveryType": "x"})), "unsupported jwks cluster discovery type: \"x\""),
        (
            cluster(json!({"TLSCertificates": {}})),
            "must specify exactly one of: CaCertificateProviderInstance or TrustedCA for JKWS' TLSCertificates",
        ),
        (
            cluster(json!({"TLSCertificates": {"TrustedCA": {}}})),
            "must specify exactly one of: Filename, EnvironmentVariable, InlineString or InlineBytes for JWKS's TrustedCA",
        ),
        (located(json!({})), &list("must set exactly one of: JWT location header, query param or cookie")),
        (located(json!({"Header": {}})), &list("JWT location header name must be specified")),
        (located(json!({"QueryParam": {}})), &list("JWT location query parameter name must be specified")),
        (located(json!({"Cookie": {}})), &list("JWT location cookie name must be specified")),
        (
            entry("jwt-provider", json!({"JSONWebKeySet": local, "Forwarding": {}})),
            "Header name required for forwarding config",
        ),
    ]);
    let ok = read(&entry("jwt-provider", json!({"JSONWebKeySet": local}))).unwrap();
    let EntryBody::JwtProvider(b) = &ok.body else { panic!("another kind") };
    assert_eq!(b.clock_skew_seconds, 30);
}

#[test]
fn certificates_need_both_halves() {
    let cert = |certificate: &str, key: &str| {
        entry("inline-certificate", json!({"Certificate": certificate, "PrivateKey": key}))
    };
    check(vec![
        (cert("x", "y"), "failed to parse private key PEM"),
        (
            cert("x", "-----BEGIN X-----\nAAAA\n-----END X-----\n"),
            "failed to parse private key: not a private key that can be read",
        ),
    ]);
}
