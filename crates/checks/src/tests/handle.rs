use super::*;
use crate::{Key, LocalError, Source};
use std::time::Duration;
use types::definition::{CheckDefinition, ServiceDefinition};

pub(crate) fn ttl(id: &str, secs: u64) -> CheckDefinition {
    CheckDefinition {
        id: id.into(),
        name: id.into(),
        ttl: Duration::from_secs(secs),
        ..CheckDefinition::default()
    }
}

pub(crate) fn web() -> ServiceDefinition {
    ServiceDefinition { name: "web".into(), port: 80, checks: vec![ttl("w", 60)], ..Default::default() }
}

pub(crate) async fn put(a: &Agent, d: ServiceDefinition) {
    a.state.register_service(d, Source::Api, false, SecretToken::default()).await.unwrap();
}

async fn put_check(a: &Agent, c: CheckDefinition) {
    a.state.register_check(c, Source::Api, SecretToken::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ttl_checks_pass_and_expire() {
    let a = start().await;
    put(&a, web()).await;
    let status = |s: &LocalState| s.checks()["w"].status.clone();
    assert_eq!(status(&a.state), "critical");
    a.state.update_ttl("w", "passing", "fine").await.unwrap();
    assert_eq!((status(&a.state).as_str(), a.state.checks()["w"].output.as_str()), ("passing", "fine"));
    tokio::time::sleep(Duration::from_secs(50)).await;
    a.state.update_ttl("w", "passing", "still").await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(status(&a.state), "passing");
    a.until(|s| status(s) == "critical").await;
    assert_eq!(a.state.checks()["w"].output, "TTL expired (last output before timeout follows): still");
    a.state.update_ttl("w", "warning", "").await.unwrap();
    assert_eq!(a.state.aggregated("web").unwrap().status, "warning");
}

#[tokio::test(start_paused = true)]
async fn texts_of_ttl_updates() {
    let a = start().await;
    let tcp = CheckDefinition {
        name: "t".into(),
        tcp: "127.0.0.1:1".into(),
        interval: Duration::from_secs(3600),
        ..Default::default()
    };
    put_check(&a, tcp).await;
    put_check(&a, CheckDefinition { output_max_size: 4, ..ttl("n", 9) }).await;
    assert_eq!(
        a.state.update_ttl("t", "passing", "").await,
        Err(LocalError::Internal("CheckID \"t\" does not have associated TTL".into()))
    );
    assert_eq!(a.state.update_ttl("none", "passing", "").await, Err(LocalError::unknown_check("none")));
    assert_eq!(
        a.state.update_ttl("n", "x", "").await,
        Err(LocalError::BadRequest("Invalid check status: 'x'".into()))
    );
    a.state.update_ttl("n", "passing", "abcdef").await.unwrap();
    assert_eq!(a.state.checks()["n"].output, "abcd ... (captured 4 of 6 bytes)");
}

#[tokio::test(start_paused = true)]
async fn aliases_follow_their_service() {
    let a = start().await;
    put(&a, web()).await;
    put_check(&a, CheckDefinition { name: "al".into(), alias_service: "web".into(), ..Default::default() })
        .await;
    a.until(|s| s.checks()["al"].output == "Aliased check \"w\" failing: ").await;
    a.state.update_ttl("w", "passing", "").await.unwrap();
    a.until(|s| s.checks()["al"].status == "passing").await;
    assert_eq!(a.state.checks()["al"].output, "All checks passing.");
    a.state.deregister_check("w").await.unwrap();
    a.until(|s| s.checks()["al"].output == "No checks found.").await;
    a.state.deregister_service("web").await.unwrap();
    a.until(|s| s.checks()["al"].output == "Service web could not be found on node n1").await;
}

#[tokio::test(start_paused = true)]
async fn aliases_of_other_nodes_ask_the_catalog() {
    let a = start().await;
    let c = CheckDefinition { name: "al".into(), alias_node: "n2".into(), ..Default::default() };
    put_check(&a, c).await;
    a.until(|s| s.checks()["al"].status == "critical" || s.checks()["al"].status == "passing").await;
    a.servers.0.lock().checks.insert(
        "x".into(),
        Arc::new(HealthCheck { name: "disk".into(), status: "warning".into(), ..Default::default() }),
    );
    put_check(&a, ttl("bump", 60)).await;
    a.until(|s| s.checks()["al"].status != "passing").await;
}

#[tokio::test(start_paused = true)]
async fn services_critical_for_too_long_are_removed() {
    let a = start().await;
    let mut d = web();
    d.checks[0].deregister_critical_service_after = Duration::from_secs(90);
    put(&a, d).await;
    tokio::time::sleep(Duration::from_secs(80)).await;
    assert!(a.state.services().contains_key("web"));
    a.until(|s| s.services().is_empty()).await;
    a.state.sync_now().await;
    assert!(a.servers.0.lock().services.is_empty());
}

#[tokio::test(start_paused = true)]
async fn api_registrations_outlive_the_agent_and_files_win() {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = || LocalConfig { data_dir: Some(dir.path().into()), ..config() };
    {
        let a = start_with(on_disk(), FileDefinitions::default(), Servers::default()).await;
        put(&a, web()).await;
        put(&a, ServiceDefinition { name: "other".into(), ..Default::default() }).await;
        put_check(&a, ttl("gone", 5)).await;
        a.state.deregister_check("gone").await.unwrap();
        a.state.update_ttl("w", "passing", "fine").await.unwrap();
    }
    let files = FileDefinitions {
        services: vec![ServiceDefinition { name: "other".into(), port: 7, ..Default::default() }],
        checks: vec![],
    };
    {
        let a = start_with(on_disk(), files, Servers::default()).await;
        assert_eq!(a.state.services()["other"].port, 7);
        assert_eq!(a.state.services()["web"].port, 80);
        assert_eq!(a.state.checks()["w"].status, "passing", "the TTL has not run out");
        assert_eq!(a.state.checks().len(), 1);
    }
    let names = std::fs::read_dir(dir.path().join("services")).unwrap().count();
    assert_eq!(names, 1, "what a file defines is not kept twice");
    let a = start_with(on_disk(), FileDefinitions::default(), Servers::default()).await;
    assert_eq!(a.state.services().keys().collect::<Vec<_>>(), ["web"]);
    a.clock.advance_ms(1);
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_states_and_is_all_or_nothing() {
    let mut files = FileDefinitions { services: vec![web()], checks: vec![ttl("n", 600)] };
    let a = start_with(config(), files.clone(), Servers::default()).await;
    a.state.update_ttl("w", "passing", "fine").await.unwrap();
    put(&a, ServiceDefinition { name: "api".into(), ..Default::default() }).await;
    files.checks.clear();
    files.services[0].port = 81;
    a.state.reload(files.clone()).await.unwrap();
    assert_eq!(a.state.services()["web"].port, 81);
    assert_eq!(a.state.checks()["w"].output, "fine");
    assert!(!a.state.checks().contains_key("n") && a.state.services().contains_key("api"));
    files.services.clear();
    files.checks = vec![CheckDefinition { service_id: "none".into(), ..ttl("a", 1) }];
    let error = a.state.reload(files).await.unwrap_err();
    assert_eq!(error.to_string(), "Failed to register check 'a': ServiceID \"none\" does not exist");
    assert!(a.state.services().contains_key("web"));
}

#[tokio::test(start_paused = true)]
async fn hash_and_health_are_found_by_key() {
    let a = start().await;
    put(&a, web()).await;
    assert!(a.state.content_hash("web").is_some() && a.state.content_hash("x").is_none());
    a.state.service_maintenance("web", true, "", SecretToken::default()).await.unwrap();
    let health = a.state.aggregated(Key::from("web")).unwrap();
    assert_eq!((health.status, health.checks.len()), ("maintenance", 2));
    a.state.node_maintenance(true, "r", SecretToken::default()).await.unwrap();
    assert_eq!(a.state.checks()["_node_maintenance"].notes, "r");
    assert!(a.servers.0.lock().checks.contains_key("_node_maintenance"));
}
