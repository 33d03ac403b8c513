use super::{
    handle::{put, web},
    *,
};
use crate::Source;
use std::time::Duration;
use types::definition::ServiceDefinition;

#[tokio::test(start_paused = true)]
async fn a_registration_is_in_the_catalog_when_it_is_answered() {
    let a = start().await;
    put(&a, web()).await;
    {
        let c = a.servers.0.lock();
        assert_eq!(c.services["web"].port, 80);
        assert_eq!(c.checks["w"].status, "critical");
        assert_eq!(c.node.as_ref().unwrap().address, "10.0.0.1");
    }
    a.state.deregister_service("web").await.unwrap();
    assert!(a.servers.0.lock().services.is_empty() && a.servers.0.lock().checks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn lost_servers_are_caught_up_with() {
    let servers = Servers::default();
    servers.0.lock().down = true;
    let a = start_with(config(), FileDefinitions::default(), servers).await;
    put(&a, web()).await;
    assert!(a.servers.0.lock().services.is_empty(), "answered nevertheless");
    a.servers.0.lock().down = false;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(a.servers.0.lock().services.contains_key("web"));
}

#[tokio::test(start_paused = true)]
async fn what_others_did_to_our_rows_is_repaired() {
    let a = start().await;
    put(&a, web()).await;
    {
        let mut c = a.servers.0.lock();
        c.services.clear();
        let stray = |id: &str| Arc::new(NodeService { id: id.into(), ..Default::default() });
        c.services.insert("stray".into(), stray("stray"));
        c.services.insert("consul".into(), stray("consul"));
        let serf = HealthCheck { check_id: "serfHealth".into(), ..Default::default() };
        c.checks.insert("serfHealth".into(), Arc::new(serf));
    }
    a.state.sync_full_soon();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let c = a.servers.0.lock();
    assert_eq!(c.services.keys().collect::<Vec<_>>(), ["consul", "web"]);
    assert!(c.checks.contains_key("serfHealth") && c.checks.contains_key("w"));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_agent_writes_nothing() {
    let a = start().await;
    put(&a, web()).await;
    let before = a.servers.0.lock().writes.len();
    tokio::time::sleep(Duration::from_secs(50)).await;
    a.state.sync_full_soon();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(a.servers.0.lock().writes.len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_row_does_not_hold_up_others() {
    let a = start().await;
    let bad = SecretToken::new("bad");
    a.servers.0.lock().forbidden_token = Some(bad.clone());
    let d = ServiceDefinition { name: "denied".into(), ..Default::default() };
    a.state.register_service(d, Source::Api, false, bad).await.unwrap();
    put(&a, web()).await;
    let c = a.servers.0.lock();
    assert!(c.services.contains_key("web") && !c.services.contains_key("denied"));
}

#[tokio::test(start_paused = true)]
async fn many_changes_travel_together() {
    let a = start().await;
    a.state.sync_now().await;
    a.state.pause();
    for n in 0..200 {
        put(&a, ServiceDefinition { name: format!("s{n}").into(), ..Default::default() }).await;
    }
    let before = a.servers.0.lock().writes.len();
    a.state.resume();
    a.state.sync_now().await;
    let c = a.servers.0.lock();
    assert_eq!(c.services.len(), 200);
    assert_eq!(c.writes.len() - before, 4, "batches");
}

#[tokio::test(start_paused = true)]
async fn changed_metadata_of_the_node_is_synced() {
    let a = start().await;
    a.state.sync_now().await;
    let mut c = config();
    c.node.meta = [("rack".into(), "r1".into())].into();
    a.state.reconfigure(c);
    a.state.sync_now().await;
    let meta = a.servers.0.lock().node.as_ref().unwrap().meta.clone();
    assert_eq!(meta.unwrap()["rack"], "r1");
}
