//! The server as a client sees it.

mod common;

use common::Running;
use http_api::HttpConfig;
use std::time::Duration;
use types::{
    command::{Command, KvOp},
    query::{Consistency, Query},
    record::{HealthCheck, NodeService, status},
};

async fn server() -> Running {
    Running::start(HttpConfig { node_name: "me".into(), ..HttpConfig::default() }).await
}

#[tokio::test]
async fn routing_outside_and_inside_the_api() {
    let s = server().await;
    let root = s.ask("GET", "/", "").await;
    assert_eq!(root.status, 200);
    assert!(root.text().starts_with("Consul Agent: UI disabled.") && root.header("vary").is_none());
    let unknown = s.ask("GET", "/v1/nope", "").await;
    assert_eq!(
        (unknown.status, unknown.text()),
        (404, "Invalid URL path: not a recognized HTTP API endpoint\n")
    );
    assert!(unknown.header("x-consul-default-acl-policy").is_none());
    assert!(s.ask("GET", "/nope", "").await.text().contains("ensure the path starts with '/v1/'"));
    let dirty = s.ask("GET", "/v1//catalog/nodes?a=b", "").await;
    assert_eq!((dirty.status, dirty.header("location")), (307, Some("/v1/catalog/nodes?a=b")));
    assert_eq!(dirty.header("content-type"), Some("text/html; charset=utf-8"));
    let write = s.ask("PUT", "/v1/kv//lead", "v").await;
    assert_eq!((write.status, write.header("location")), (307, Some("/v1/kv/lead")));
    assert_eq!((write.header("content-type"), write.body.len()), (None, 0));
    assert_eq!(s.ask("GET", "/v1/kv", "").await.header("location"), Some("/v1/kv/"));
    let bad = s.ask("GET", "/v1/kv/a%00b", "").await;
    assert_eq!((bad.status, bad.body.len(), bad.header("vary")), (400, 0, None));
    assert_eq!(s.ask("GET", "/v1/kv/a%zz", "").await.status, 400);
    let query = s.ask("GET", "/v1/catalog/nodes?x=%zz", "").await;
    assert_eq!((query.status, query.body.len()), (500, 0));
    assert_eq!(query.header("content-type"), Some("text/plain; charset=utf-8"));
    let pprof = s.ask("GET", "/debug/pprof/", "").await;
    assert_eq!((pprof.status, pprof.header("vary")), (404, Some("Accept-Encoding")));
}

#[tokio::test]
async fn methods_and_options() {
    let s = server().await;
    let head = s.ask("HEAD", "/v1/status/leader", "").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("OPTIONS,GET")));
    for (method, path, allow) in [
        ("POST", "/v1/kv/x", "OPTIONS,GET,PUT,DELETE"),
        ("GET", "/v1/catalog/register", "OPTIONS,PUT"),
        ("TRACE", "/v1/status/leader", "OPTIONS,GET"),
        ("PATCH", "/v1/txn", "OPTIONS,PUT"),
        ("PATCH", "/v1/query/q", "GET,PUT,DELETE"),
        ("PATCH", "/v1/query", "OPTIONS,GET,POST"),
    ] {
        let a = s.ask(method, path, "").await;
        assert_eq!((a.status, a.header("allow")), (405, Some(allow)), "{method} {path}");
        assert_eq!(a.text(), format!("method {method} not allowed"));
    }
    let o = s.ask("OPTIONS", "/v1/operator/keyring", "").await;
    assert_eq!((o.status, o.body.len()), (200, 0));
    assert_eq!(o.header("allow"), Some("OPTIONS,GET,POST,PUT,DELETE"));
    let acl = s.ask("GET", "/v1/acl/tokens", "").await;
    assert_eq!((acl.status, acl.text()), (401, "ACL support disabled"));
    let later = s.ask("GET", "/v1/peerings", "").await;
    assert_eq!((later.status, later.text()), (500, "not built yet: cluster peering"));
}

#[tokio::test]
async fn query_options_reach_the_state() {
    let s = server().await;
    for (query, text) in [
        ("index=-1", "Invalid index"),
        ("wait=abc", "Invalid wait time"),
        ("wait=10", "Invalid wait time"),
        ("stale&consistent", "Cannot specify ?stale with ?consistent, conflicting semantics."),
        ("cached&consistent", "Cannot specify ?cached with ?consistent, conflicting semantics."),
        ("max_stale=abc", "Invalid max_stale value \"abc\""),
    ] {
        let a = s.ask("GET", &format!("/v1/catalog/nodes?{query}"), "").await;
        assert_eq!((a.status, a.text()), (400, text), "{query}");
        assert!(a.header("x-consul-index").is_none());
    }
    assert!(s.state.asked.lock().is_empty());
    s.ask(
        "GET",
        "/v1/catalog/nodes?stale&near=_agent&node-meta=a:b&node-meta=c&filter=Node+%3D%3D+x&wait=20m&dc=DC1",
        "",
    )
    .await;
    s.ask("GET", "/v1/catalog/nodes?max_stale=3s&ns=Team&partition=p&token=t", "").await;
    let asked = s.state.asked.lock().clone();
    let (_, first) = &asked[0];
    assert_eq!((first.consistency, first.near.as_str()), (Consistency::Stale, "me"));
    assert_eq!(first.node_meta, [("a".into(), "b".into()), ("c".into(), "".into())]);
    assert_eq!(first.filter.as_deref(), Some("Node == x"));
    assert_eq!(first.max_wait, Some(Duration::from_secs(600)));
    assert_eq!(first.datacenter, None);
    // Who owns what is asked for must exist.
    let (owner, _) = &asked[1];
    assert!(matches!(owner, Query::Namespaces { .. }), "{owner:?}");
    let (query, second) = &asked[2];
    assert_eq!(second.max_stale, Some(Duration::from_secs(3)));
    assert_eq!(second.token.expose(), "t");
    assert!(format!("{query:?}").contains("p/team"));
}

#[tokio::test]
async fn tokens_come_from_three_places() {
    let s = server().await;
    for (path, headers) in [
        ("/v1/kv/x?token=a", vec![("X-Consul-Token", "b"), ("Authorization", "Bearer c")]),
        ("/v1/kv/x", vec![("X-Consul-Token", "a"), ("Authorization", "Bearer c")]),
        ("/v1/kv/x", vec![("Authorization", "bearer a")]),
    ] {
        s.ask_with("PUT", path, &headers, b"v").await;
        assert_eq!(s.state.written.lock().pop().unwrap().1, "a");
    }
}

#[tokio::test]
async fn headers_of_reads_and_of_their_failures() {
    let s = server().await;
    let a = s.ask("GET", "/v1/catalog/services?pretty", "").await;
    assert_eq!(a.text(), "{\n    \"consul\": []\n}\n");
    for (name, value) in [
        ("x-consul-index", "5"),
        ("x-consul-knownleader", "true"),
        ("x-consul-lastcontact", "7"),
        ("x-consul-effective-consistency", "leader"),
        ("x-consul-query-backend", "blocking-query"),
        ("x-consul-default-acl-policy", "allow"),
        ("vary", "Accept-Encoding"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(a.header(name), Some(value), "{name}");
    }
    let far = s.ask("GET", "/v1/catalog/nodes?dc=nope", "").await;
    assert_eq!((far.status, far.text()), (500, "No path to datacenter"));
    assert_eq!(
        (far.header("x-consul-index"), far.header("x-consul-knownleader")),
        (Some("1"), Some("false"))
    );
    let far = s.ask("GET", "/v1/health/service/web?dc=nope", "").await;
    assert_eq!((far.status, far.header("x-consul-index")), (500, None));
    let filter = s.ask("GET", "/v1/health/checks/web?filter=bad", "").await;
    assert_eq!(filter.status, 500);
    assert_eq!(filter.text(), "Failed to create boolean expression evaluator: 1:4: no operator");
    assert_eq!(s.ask("GET", "/v1/catalog/node/ghost", "").await.text(), "null");
    assert_eq!(s.ask("GET", "/v1/catalog/gateway-services/x", "").await.text(), "[]");
    assert_eq!(s.ask("GET", "/v1/health/service/", "").await.text(), "Missing service name");
    assert_eq!(
        s.ask("GET", "/v1/health/service/x?passing=maybe", "").await.text(),
        "Invalid value for ?passing"
    );
    assert_eq!(s.ask("GET", "/v1/status/leader?dc=nope", "").await.text(), "No path to datacenter");
}

#[tokio::test]
async fn keys() {
    let s = server().await;
    let a = s.ask("GET", "/v1/kv/a/b%2Fc", "").await;
    assert_eq!(
        a.text(),
        r#"[{"LockIndex":0,"Key":"a/b/c","Flags":0,"Value":"aGk=","CreateIndex":3,"ModifyIndex":4}]"#
    );
    assert!(a.header("x-consul-effective-consistency").is_none());
    let raw = s.ask("GET", "/v1/kv/a?raw", "").await;
    assert_eq!((raw.text(), raw.header("content-type")), ("hi", Some("text/plain")));
    assert_eq!(raw.header("content-security-policy"), Some("sandbox"));
    *s.state.value.lock() = None;
    let none = s.ask("GET", "/v1/kv/none", "").await;
    assert_eq!((none.status, none.body.len(), none.header("content-type")), (404, 0, None));
    assert_eq!(none.header("x-consul-index"), Some("5"));
    assert_eq!(s.ask("GET", "/v1/kv/zzz?keys", "").await.status, 404);
    assert_eq!(s.ask("GET", "/v1/kv/?keys", "").await.text(), "[]");
    assert_eq!(s.ask("GET", "/v1/kv/", "").await.text(), "Missing key name");
    assert_eq!(s.ask("PUT", "/v1/kv/%2Flead?flags=18446744073709551615&cas=0", "v").await.text(), "true");
    let (_, _, command) = s.state.written.lock().pop().unwrap();
    let Command::Kv { op: KvOp::Cas { key, flags, index, value }, .. } = command else {
        panic!("{command:?}")
    };
    assert_eq!((key.as_str(), flags, index, &value[..]), ("/lead", u64::MAX, 0, &b"v"[..]));
    let conflict = s.ask("PUT", "/v1/kv/a?cas=1&acquire=x", "v").await;
    assert_eq!((conflict.status, conflict.text()), (400, "Conflicting flags: acquire=x&cas=1\n"));
    assert_eq!(
        s.ask("DELETE", "/v1/kv/a?recurse&cas=1", "").await.text(),
        "Conflicting flags: cas=1&recurse=\n"
    );
    let flags = s.ask("PUT", "/v1/kv/a?flags=-1", "v").await;
    assert_eq!((flags.status, flags.text()), (500, "strconv.ParseUint: parsing \"-1\": invalid syntax"));
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let s = server().await;
    let max = HttpConfig::default().kv_max_value_size;
    let a = s.ask_with("PUT", "/v1/kv/big", &[], &vec![b'x'; max + 1]).await;
    assert_eq!(a.status, 413);
    assert_eq!(
        a.text(),
        "Request body(524289 bytes) too large, max size: 524288 bytes. See https://developer.hashicorp.com/docs/agent/config/\
         config-files#kv_max_value_size."
    );
    assert_eq!(s.ask_with("PUT", "/v1/kv/big", &[], &vec![b'x'; max]).await.text(), "true");
    // Announced too large to be worth reading: refused without waiting for it.
    let mut c = s.connect().await;
    c.raw(b"PUT /v1/catalog/register HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n").await;
    assert_eq!(c.answer(false).await.status, 413);
}

#[tokio::test]
async fn malformed_bodies() {
    let s = server().await;
    for (path, body, text) in [
        ("/v1/agent/service/register", "", "Request decode failed: EOF"),
        ("/v1/agent/service/register", "{", "Request decode failed: unexpected EOF"),
        ("/v1/agent/service/register", "null", "Missing service name"),
        (
            "/v1/agent/service/register",
            r#"{"Name":"x","B":1}"#,
            "Request decode failed: json: unknown field \"B\"",
        ),
        ("/v1/agent/service/register", r#"{"Name":"x","Address":"::"}"#, "Invalid service address"),
        (
            "/v1/agent/service/register",
            r#"{"Name":"x","Check":{"Name":"c"}}"#,
            "Invalid check: TTL must be > 0 for TTL checks",
        ),
        ("/v1/agent/check/register", "{}", "Missing check name"),
        ("/v1/agent/check/update/x", r#"{"Status":"up"}"#, "Invalid check status: 'up'"),
        (
            "/v1/catalog/register",
            "[]",
            "Request decode failed: json: cannot unmarshal array into Go value of type structs.RegisterRequest",
        ),
        (
            "/v1/operator/autopilot/configuration",
            r#"{"Bogus":1}"#,
            "Error parsing autopilot config: json: unknown field \"Bogus\"",
        ),
    ] {
        let a = s.ask("PUT", path, body).await;
        assert_eq!((a.status, a.text()), (400, text), "{path} {body}");
    }
    assert!(s.agent.calls.lock().is_empty() && s.state.written.lock().is_empty());
    let unknown = s.ask("PUT", "/v1/agent/service/deregister/none", "").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn the_agent_is_called_with_what_was_asked() {
    let s = server().await;
    let headers = [("X-Consul-Token", "tok")];
    for (path, body) in [
        ("/v1/agent/service/register?replace-existing-checks", r#"{"Name":"web"}"#),
        ("/v1/agent/check/pass/service:a/b:1?note=fine", ""),
        ("/v1/agent/maintenance?enable=true&reason=why", ""),
        ("/v1/agent/force-leave/n9?prune", ""),
        ("/v1/agent/join/10.0.0.1?wan=1", ""),
    ] {
        let a = s.ask_with("PUT", path, &headers, body.as_bytes()).await;
        assert_eq!((a.status, a.body.len()), (200, 0), "{path}: {}", a.text());
    }
    assert_eq!(
        *s.agent.calls.lock(),
        [
            "register web true tok",
            "ttl service:a/b:1 passing fine",
            "maintenance true why",
            "force-leave n9 true false",
            "join 10.0.0.1 true"
        ]
    );
    assert_eq!(s.ask("PUT", "/v1/agent/maintenance", "").await.text(), "Missing value for enable");
    assert_eq!(
        s.ask("PUT", "/v1/agent/maintenance?enable=x", "").await.text(),
        "Invalid value for enable: \"x\""
    );
    assert_eq!(s.ask("GET", "/v1/agent/members?wan=1", "").await.text(), "null");
    assert_eq!(s.ask("GET", "/v1/agent/members?filter=Nope==x", "").await.status, 500);
    assert_eq!(s.ask("GET", "/v1/agent/monitor?loglevel=bogus", "").await.text(), "Unknown log level: bogus");
    let metrics = s.ask("GET", "/v1/agent/metrics?format=prometheus", "").await;
    assert!(metrics.status == 200 && metrics.header("x-consul-reason").is_some());
    assert_eq!(s.ask("GET", "/v1/operator/autopilot/health", "").await.status, 429);
}

#[tokio::test]
async fn a_monitor_streams() {
    let s = server().await;
    let mut c = s.connect().await;
    c.raw(b"GET /v1/agent/monitor?loglevel=debug HTTP/1.0\r\nHost: x\r\n\r\n").await;
    let text = String::from_utf8(c.rest().await).unwrap();
    assert!(text.ends_with("Debug: one line\n"), "{text}");
}

#[tokio::test]
async fn health_for_load_balancers() {
    let s = server().await;
    s.agent.put(NodeService { id: "w1".into(), service: "web".into(), ..NodeService::default() });
    let path = "/v1/agent/health/service/id/w1";
    assert_eq!(s.ask("GET", path, "").await.status, 200);
    for (word, code) in [(status::WARNING, 429), (status::CRITICAL, 503)] {
        s.agent.put_check(HealthCheck {
            check_id: "c".into(),
            service_id: "w1".into(),
            status: word.into(),
            ..HealthCheck::default()
        });
        let a = s.ask("GET", path, "").await;
        assert_eq!((a.status, a.header("x-consul-reason")), (code, Some(word)));
        let a = s.ask("GET", "/v1/agent/health/service/name/web?format=text", "").await;
        assert_eq!((a.status, a.text(), a.header("content-type")), (code, word, Some("text/plain")));
    }
    let none = s.ask("GET", "/v1/agent/health/service/id/none", "").await;
    assert_eq!(
        (none.status, none.text()),
        (404, r#"{"AggregatedStatus":"critical","Service":null,"Checks":null}"#)
    );
    assert_eq!(s.ask("GET", "/v1/agent/health/service/name/none", "").await.text(), "[]");
    assert_eq!(s.ask("GET", "/v1/agent/health/service/id/", "").await.text(), "Missing serviceID");
}

#[tokio::test]
async fn waiting_for_another_hash() {
    let s = server().await;
    s.agent.put(NodeService { id: "w1".into(), service: "web".into(), port: 1, ..NodeService::default() });
    let first = s.ask("GET", "/v1/agent/service/w1", "").await;
    let hash = first.header("x-consul-contenthash").unwrap().to_owned();
    assert!(first.header("x-consul-index").is_none());
    let mut waiting = s.connect().await;
    waiting.send("GET", &format!("/v1/agent/service/w1?hash={hash}&wait=5m"), &[], b"").await;
    s.agent.put(NodeService { id: "w1".into(), service: "web".into(), port: 2, ..NodeService::default() });
    let second = waiting.answer(false).await;
    assert!(second.text().contains("\"Port\":2"));
    assert_ne!(second.header("x-consul-contenthash"), Some(hash.as_str()));
    assert_eq!(s.ask("GET", "/v1/agent/service/none", "").await.text(), "unknown service ID: none");
}

#[tokio::test]
async fn blocked_reads_wake_and_share_their_answer() {
    let s = server().await;
    let path = "/v1/health/service/web?index=5&wait=5m";
    let (mut a, mut b) = (s.connect().await, s.connect().await);
    a.send("GET", path, &[], b"").await;
    b.send("GET", path, &[], b"").await;
    s.state.index.send_replace(6);
    for c in [&mut a, &mut b] {
        let r = c.answer(false).await;
        assert_eq!((r.status, r.header("x-consul-index")), (200, Some("6")));
    }
    // The kept answer belongs to a version: a later one is made anew.
    let asked = s.state.asked.lock().len();
    let one = s.ask("GET", "/v1/health/service/web", "").await;
    assert_eq!(s.ask("GET", "/v1/health/service/web", "").await.body, one.body);
    assert_eq!(s.state.asked.lock().len(), asked + 1);
    s.state.instances.store(3, std::sync::atomic::Ordering::SeqCst);
    s.state.index.send_replace(7);
    assert!(s.ask("GET", "/v1/health/service/web", "").await.body.len() > 2 * one.body.len());
}

#[tokio::test]
async fn the_agents_cache() {
    let s = server().await;
    let miss = s.ask("GET", "/v1/health/service/web?cached", "").await;
    assert_eq!((miss.header("x-cache"), miss.header("age")), (Some("MISS"), None));
    let hit = s.ask("GET", "/v1/health/service/web?cached", "").await;
    assert_eq!((hit.header("x-cache"), hit.header("age")), (Some("HIT"), Some("0")));
    let fresh =
        s.ask_with("GET", "/v1/health/service/web?cached", &[("Cache-Control", "max-age=0")], b"").await;
    assert_eq!(fresh.header("x-cache"), Some("MISS"));
    let bad =
        s.ask_with("GET", "/v1/health/service/web?cached", &[("Cache-Control", "max-age=x")], b"").await;
    assert_eq!((bad.status, bad.text()), (400, "Invalid Cache-Control header."));
    let mut waiting = s.connect().await;
    waiting.send("GET", "/v1/health/service/web?cached&index=5", &[], b"").await;
    s.state.index.send_replace(8);
    let woken = waiting.answer(false).await;
    assert_eq!((woken.header("x-consul-index"), woken.header("x-cache")), (Some("8"), Some("HIT")));
    let roots = s.ask("GET", "/v1/agent/connect/ca/roots", "").await;
    assert_eq!((roots.status, roots.header("x-cache")), (200, Some("MISS")));
}

#[tokio::test]
async fn large_answers_are_compressed_when_asked() {
    let s = server().await;
    s.state.instances.store(20, std::sync::atomic::Ordering::SeqCst);
    let plain = s.ask("GET", "/v1/health/service/web", "").await;
    assert!(plain.header("content-encoding").is_none() && plain.body.len() > 1400);
    let gzip = s.ask_with("GET", "/v1/health/service/web", &[("Accept-Encoding", "gzip")], b"").await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip.body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let small = s.ask_with("GET", "/v1/catalog/services", &[("Accept-Encoding", "gzip")], b"").await;
    assert!(small.header("content-encoding").is_none());
}

#[tokio::test]
async fn configured_guards_and_headers() {
    let s = Running::start(HttpConfig {
        block_endpoints: vec!["/v1/agent/monitor".into()],
        allow_write_http_from: types::net::Cidr::parse("10.0.0.0/8").into_iter().collect(),
        response_headers: vec![("X-Mine".into(), "yes".into())],
        ui_path: Some("/ui/".into()),
        ..HttpConfig::default()
    })
    .await;
    let blocked = s.ask("GET", "/v1/agent/monitor", "").await;
    assert_eq!((blocked.status, blocked.text()), (403, "Endpoint is blocked by agent configuration"));
    assert_eq!(blocked.header("x-mine"), Some("yes"));
    let write = s.ask("PUT", "/v1/kv/x", "v").await;
    assert_eq!((write.status, write.text()), (403, "Access is restricted"));
    assert_eq!(s.ask("OPTIONS", "/v1/kv/x", "").await.status, 200);
    assert_eq!(s.ask("GET", "/", "").await.header("location"), Some("/ui/"));
    assert!(s.ask("GET", "/ui/", "").await.text().contains("<html"));
    s.server.reconfigure(HttpConfig { dev_mode: true, ..HttpConfig::default() });
    assert_eq!(s.ask("PUT", "/v1/kv/x", "v").await.text(), "true\n");
}

#[tokio::test]
async fn connections_are_counted_by_client() {
    let s = Running::start(HttpConfig { max_conns_per_client: 2, ..HttpConfig::default() }).await;
    let (mut a, _b) = (s.connect().await, s.connect().await);
    let mut extra = s.connect().await;
    let refused = extra.answer(false).await;
    assert_eq!((refused.status, refused.header("connection")), (429, Some("close")));
    assert!(refused.text().starts_with("Too many connections"));
    assert!(extra.rest().await.is_empty());
    a.send("GET", "/v1/status/leader", &[], b"").await;
    assert_eq!(a.answer(false).await.text(), "\"127.0.0.1:8300\"");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let s = server().await;
    let mut c = s.connect().await;
    let one = "GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n";
    let two = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv";
    let three = "GET /v1/catalog/datacenters HTTP/1.1\r\nHost: x\r\n\r\n";
    c.raw(format!("{one}{two}{three}").as_bytes()).await;
    assert_eq!(c.answer(false).await.text(), "\"127.0.0.1:8300\"");
    assert_eq!(c.answer(false).await.text(), "true");
    assert_eq!(c.answer(false).await.text(), "[\"dc1\"]");
}

#[tokio::test]
async fn slow_heads_and_bodies_do_not_hold_a_connection() {
    let s = Running::start(HttpConfig {
        header_read_timeout: Duration::from_millis(50),
        body_read_timeout: Duration::from_millis(50),
        ..HttpConfig::default()
    })
    .await;
    let mut c = s.connect().await;
    c.raw(b"GET /v1/status/leader HTT").await;
    c.rest().await;
    let mut c = s.connect().await;
    c.raw(b"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").await;
    let late = c.answer(false).await;
    assert_eq!((late.status, late.text()), (408, "Request body did not arrive in time"));
}

#[tokio::test]
async fn the_end_releases_those_who_wait() {
    let s = server().await;
    let mut c = s.connect().await;
    c.send("GET", "/v1/kv/a?index=5&wait=10m", &[], b"").await;
    // The wait has begun once another request on the same state was answered.
    s.ask("GET", "/v1/status/leader", "").await;
    s.stopped().await;
    let rest = String::from_utf8(c.rest().await).unwrap();
    assert!(rest.is_empty() || rest.ends_with("agent is shutting down"), "{rest}");
}

#[tokio::test]
async fn keyring_failures_are_listed() {
    let s = server().await;
    let pool = |wan, dc: &str, node: &str| http_api::port::KeyringPool {
        wan,
        datacenter: dc.into(),
        messages: [(node.into(), "no key".into())].into(),
        error: "1/1 nodes reported failure".into(),
        ..Default::default()
    };
    *s.agent.pools.lock() = vec![pool(true, "dc1", "n1.dc1"), pool(false, "dc1", "n1")];
    let a = s.ask("GET", "/v1/operator/keyring", "").await;
    assert_eq!(a.status, 500);
    assert_eq!(
        a.text(),
        "4 errors occurred:\n\t* WAN error: 1/1 nodes reported failure\n\t* n1.dc1: no key\n\t* dc1 (LAN) error: 1/1 nodes \
         reported failure\n\t* n1: no key\n\n"
    );
    let range = s.ask("GET", "/v1/operator/keyring?relay-factor=9", "").await;
    assert_eq!(range.text(), "Invalid relay-factor: Relay factor must be in range: [0, 5]");
}

#[tokio::test]
async fn coordinates_describe_failures_and_not_what_is_missing() {
    let s = server().await;
    let missing = s.ask("GET", "/v1/coordinate/node/none", "").await;
    assert_eq!((missing.status, missing.header("x-consul-index")), (404, None));
    let zipped = s.ask_with("GET", "/v1/coordinate/node/none", &[("accept-encoding", "gzip")], b"").await;
    assert!(zipped.status == 404 && zipped.header("x-consul-index").is_some());
    let list = s.ask("GET", "/v1/coordinate/nodes", "").await;
    assert!(list.text() == "[]" && list.header("x-consul-index").is_some());
}

#[tokio::test]
async fn rows_of_peers_cannot_be_registered() {
    let s = server().await;
    let body = r#"{"Node":"n","Address":"1.2.3.4","PeerName":"p"}"#;
    let a = s.ask("PUT", "/v1/catalog/register", body).await;
    assert_eq!((a.status, a.text()), (500, "cannot register requests with PeerName in them"));
}

#[tokio::test]
async fn the_authority_is_configured_and_leaves_are_handed_out() {
    let s = server().await;
    let leaf = s.ask("GET", "/v1/agent/connect/ca/leaf/web?index=6", "").await;
    assert_eq!(
        (leaf.status, leaf.header("x-consul-index"), leaf.header("x-cache")),
        (200, Some("7"), Some("HIT"))
    );
    assert_eq!(leaf.header("x-consul-knownleader"), None);
    assert!(leaf.text().contains(r#""Service":"web""#), "{}", leaf.text());
    let bad = s.ask("GET", "/v1/agent/connect/ca/leaf/web?index=x", "").await;
    assert_eq!((bad.status, bad.text()), (400, "Invalid index"));

    let put = async |body: &str| {
        let a = s.ask("PUT", "/v1/connect/ca/configuration?dc=dc2", body).await;
        (a.status, a.text().to_owned())
    };
    assert_eq!(put(r#"{"Provider":"consul","Config":{"LeafCertTTL":"9h"}}"#).await, (200, String::new()));
    assert_eq!(*s.agent.calls.lock(), [r#"ca Some("dc2") {"LeafCertTTL":"9h"}"#]);
    assert_eq!(put(r#"{"Provider":"x"}"#).await, (500, "unknown CA provider".into()));
    assert_eq!(put(r#"{"Bogus":1}"#).await.0, 400);

    let authorize =
        async |body: &str| s.ask("POST", "/v1/agent/connect/authorize", body).await.text().to_owned();
    assert_eq!(authorize(r#"{"Target":"web"}"#).await, "ClientCertURI not a valid Connect identifier");
    let server = r#"{"Target":"web","ClientCertURI":"spiffe://a.consul/agent/server/dc/dc1"}"#;
    assert_eq!(authorize(server).await, "ClientCertURI not a valid Service identifier");
}
