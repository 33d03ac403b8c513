//! User events, coordinates and prepared queries over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod common;

use common::Running;
use http_api::HttpConfig;
use types::command::Command;

#[tokio::test]
async fn events_are_fired_listed_and_waited_for() {
    let r = Running::start(HttpConfig::default()).await;
    let empty = r.ask("GET", "/v1/event/list", "").await;
    assert_eq!((empty.text(), empty.header("x-consul-index")), ("[]", Some("1")));
    assert!(empty.header("x-consul-lastcontact").is_none());
    let fired = r.ask("PUT", "/v1/event/fire/deploy?node=n1", "hi").await;
    assert!(
        fired.text().contains(r#""Name":"deploy","Payload":"aGk=","NodeFilter":"n1""#),
        "{}",
        fired.text()
    );
    let listed = r.ask("GET", "/v1/event/list?name=deploy", "").await;
    let index = listed.header("x-consul-index").unwrap().to_owned();
    assert_eq!(r.ask("GET", "/v1/event/list?name=other&index=7", "").await.text(), "[]");
    let path = format!("/v1/event/list?index={index}&wait=30s");
    let mut waiting = r.connect().await;
    waiting.send("GET", &path, &[], b"").await;
    // Whether this comes before or after the other has begun to wait, it is told.
    r.ask("PUT", "/v1/event/fire/second", "").await;
    let woken = waiting.answer(false).await;
    assert!(woken.text().contains("second"), "{}", woken.text());
    for (path, status, text) in [
        ("/v1/event/list?index=x", 400, "Invalid index"),
        ("/v1/event/list?wait=x", 400, "Invalid wait time"),
    ] {
        let answer = r.ask("GET", path, "").await;
        assert_eq!((answer.status, answer.text()), (status, text));
    }
    let missing = r.ask("PUT", "/v1/event/fire/", "").await;
    assert_eq!((missing.status, missing.text()), (400, "Missing name"));
    assert_eq!(r.ask("PUT", "/v1/event/fire/x?dc=nope", "").await.text(), "No path to datacenter");
    r.stopped().await;
}

#[tokio::test]
async fn coordinates_are_taken_and_refused() {
    let r = Running::start(HttpConfig::default()).await;
    let all = r.ask("GET", "/v1/coordinate/datacenters", "").await;
    assert!(all.text().starts_with(r#"[{"Datacenter":"dc1","AreaID":"wan","Coordinates":[{"Node":"n1""#));
    let good = r#"{"Node":"n1","Coord":{"Vec":[0.5,0,0,0,0,0,0,0],"Error":1,"Height":1e-5}}"#;
    assert_eq!(r.ask("PUT", "/v1/coordinate/update", good).await.status, 200);
    assert_eq!(r.agent.calls.lock().as_slice(), ["coordinate n1 0.5"]);
    for (body, text) in [
        (r#"{"Node":"n1","Coord":{"Vec":[1]}}"#, "incompatible coordinate"),
        (r#"{"Node":"n1"}"#, "invalid coordinate"),
    ] {
        let answer = r.ask("PUT", "/v1/coordinate/update", body).await;
        assert_eq!((answer.status, answer.text()), (500, text));
    }
    let off = HttpConfig { disable_coordinates: true, ..HttpConfig::default() };
    let r2 = Running::start(off).await;
    for (method, path) in [("GET", "nodes"), ("GET", "node/n1"), ("GET", "datacenters"), ("PUT", "update")] {
        let answer = r2.ask(method, &format!("/v1/coordinate/{path}"), good).await;
        assert_eq!((answer.status, answer.text()), (401, "Coordinate support disabled"), "{path}");
    }
    r.stopped().await;
    r2.stopped().await;
}

#[tokio::test]
async fn queries_are_checked_before_they_are_written() {
    let r = Running::start(HttpConfig::default()).await;
    let id = "c0000000-0000-4000-8000-000000000001";
    for (method, path, body, text) in [
        ("POST", "", "{}", "Invalid prepared query: Must be bound to a session"),
        ("POST", "", r#"{"Name":"b"}"#, "Invalid prepared query: Must provide a Service name to query"),
        ("POST", "", r#"{"ID":"x"}"#, "ID must be empty when creating a new prepared query"),
        (
            "PUT",
            "/x",
            "{}",
            "Prepared Query lookup failed: failed prepared query lookup: index error: UUID must be 36 characters",
        ),
        (
            "DELETE",
            "/",
            "",
            "Prepared Query lookup failed: failed prepared query lookup: index error: UUID must be 36 characters",
        ),
        (
            "POST",
            "",
            r#"{"Name":"b","Service":{"Service":"x"},"DNS":{"TTL":"-1s"}}"#,
            "Invalid prepared query: DNS TTL '-1000000000', must be >=0",
        ),
    ] {
        let answer = r.ask(method, &format!("/v1/query{path}"), body).await;
        assert_eq!((answer.status, answer.text()), (500, text), "{method} {path} {body}");
    }
    assert!(r.state.written.lock().is_empty());
    let made = r.ask("POST", "/v1/query", r#"{"Name":"q","Service":{"Service":"web"}}"#).await;
    assert_eq!(made.text(), r#"{"ID":"b0000000-0000-4000-8000-000000000001"}"#);
    let changed = r
        .ask("PUT", &format!("/v1/query/{id}"), r#"{"ID":"other","Name":"q","Service":{"Service":"db"}}"#)
        .await;
    assert_eq!((changed.status, changed.text()), (200, ""));
    assert_eq!(r.ask("DELETE", &format!("/v1/query/{id}"), "").await.status, 200);
    let written: Vec<String> = r
        .state
        .written
        .lock()
        .iter()
        .map(|(_, _, command)| match command {
            Command::PreparedQuerySet { query, create } => {
                format!("{} {} {create}", query.id, query.service.service)
            }
            Command::PreparedQueryDelete { id } => format!("-{id}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        written,
        ["b0000000-0000-4000-8000-000000000001 web true", &format!("{id} db false"), &format!("-{id}")]
    );
    for path in ["q/execute?limit=x", "q/execute?connect=maybe"] {
        assert_eq!(r.ask("GET", &format!("/v1/query/{path}"), "").await.status, 500, "{path}");
    }
    r.stopped().await;
}
