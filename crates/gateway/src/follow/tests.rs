//! A follower against an agent that a test plays, on paused time.

use super::*;
use crate::{Limits, State};
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch::Sender;

/// Answers by path (and filter); a change wakes blocked reads.
struct Fake {
    answers: Mutex<HashMap<String, (u16, String)>>,
    index: Sender<u64>,
    reachable: AtomicBool,
    returned: AtomicUsize,
    asked: AtomicUsize,
}

impl AgentApi for Fake {
    fn get<'a>(
        &'a self,
        path: &'a str,
        query: &'a [(&'static str, String)],
        _limit: Duration,
    ) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let value = |name| query.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
            let index: u64 = value("index").unwrap_or("0").parse().unwrap();
            let mut now = self.index.subscribe();
            self.asked.fetch_add(1, Relaxed);
            if self.reachable.load(Relaxed) && index > 0 {
                let wait = value("wait").unwrap().trim_end_matches("ms").parse().unwrap();
                let moved = now.wait_for(|i| *i > index);
                let _ = tokio::time::timeout(Duration::from_millis(wait), moved).await;
            }
            if !self.reachable.load(Relaxed) {
                return Err("refused".to_owned());
            }
            let key = match value("filter") {
                Some(filter) => format!("{path}?{filter}"),
                None => path.to_owned(),
            };
            let index = *self.index.borrow();
            let (status, body) =
                self.answers.lock().get(&key).cloned().unwrap_or((500, "not built yet".to_owned()));
            Ok(Reply { status, index, body: body.into() })
        })
    }
    fn returned(&self) -> BoxFuture<'_, ()> {
        self.returned.fetch_add(1, Relaxed);
        Box::pin(async {})
    }
}

impl Fake {
    fn set(&self, path: &str, body: &str) {
        self.answers.lock().insert(path.to_owned(), (200, body.to_owned()));
        self.index.send_modify(|i| *i += 1);
    }
    fn reach(&self, yes: bool) {
        self.reachable.store(yes, Relaxed);
        self.index.send_modify(|i| *i += 1);
    }
}

fn start() -> (Arc<Fake>, Gateway, Tasks) {
    let fake = Arc::new(Fake {
        answers: Mutex::default(),
        index: Sender::new(1),
        reachable: AtomicBool::new(true),
        returned: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    });
    fake.set("/v1/agent/self", r#"{"Config":{"Datacenter":"dc1"},"DebugConfig":{"DNSDomain":"consul."}}"#);
    fake.set("/v1/catalog/services", r#"{"consul":[],"web":["a"],"web-sidecar-proxy":[]}"#);
    fake.set(
        "/v1/health/service/consul",
        r#"[{"Node":{"Node":"s1","Address":"10.0.0.1"},"Service":{"Address":"","Port":8300},"Checks":null}]"#,
    );
    let seed = RngSeed::fixed(7);
    let (gateway, tasks) = (Gateway::new(Limits::for_open_files(None), seed), Tasks::new(Shutdown::new()));
    let api: Arc<dyn AgentApi> = Arc::<Fake>::clone(&fake);
    let follower = Follower::new(api, gateway.clone(), true, BTreeSet::new(), tasks.clone(), seed);
    tasks.spawn("follower", follower.run());
    (fake, gateway, tasks)
}

fn hosts(gateway: &Gateway, name: &str) -> Option<Vec<String>> {
    gateway.with_table(|t| t.find(name).map(|r| r.backends.iter().map(|p| p.host.clone()).collect()))
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(600);
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const ENDPOINTS: &str = r#"[
  {"Node":{"Address":"10.0.0.5"},"Service":{"Address":"10.0.0.7","Port":21000},"Checks":[{"Status":"passing"}]},
  {"Node":{"Address":"10.0.0.8"},"Service":{"Address":"","Port":21000},"Checks":[{"Status":"warning"}]},
  {"Node":{"Address":"10.0.0.9"},"Service":{"Address":"","Port":21000},"Checks":[{"Status":"critical"}]}]"#;

#[tokio::test(start_paused = true)]
async fn servers_first_then_services_then_other_datacenters() {
    let (fake, gateway, tasks) = start();
    until("servers", || hosts(&gateway, "s1.server.dc1.consul").is_some()).await;
    until("ready", || gateway.state() == State::Ready).await;

    fake.set("/v1/health/connect/web", ENDPOINTS);
    fake.set("/v1/health/connect/web-sidecar-proxy", "[]");
    fake.set("/v1/connect/ca/roots", r#"{"TrustDomain":"ab.consul","Roots":[]}"#);
    let web = "web.default.dc1.internal.ab.consul";
    until("web", || hosts(&gateway, web).is_some()).await;
    assert_eq!(hosts(&gateway, web).unwrap(), ["10.0.0.7", "10.0.0.8"]);

    // Subsets: the agent filters, warnings count where the resolver says so.
    fake.set("/v1/health/connect/web?Service.Meta.v == \"1\"", ENDPOINTS);
    fake.set(
        "/v1/config/service-resolver",
        r#"[{"Kind":"service-resolver","Name":"web","Subsets":{"v1":{"Filter":"Service.Meta.v == \"1\"","OnlyPassing":true}}}]"#,
    );
    let v1 = format!("v1.{web}");
    until("v1", || hosts(&gateway, &v1) == Some(vec!["10.0.0.7".to_owned()])).await;

    fake.set(
        "/v1/internal/federation-states/mesh-gateways",
        r#"{"dc1":[],"dc2":[
          {"Node":{},"Service":{"Address":"10.2.0.1","Port":1,"Meta":{"consul-wan-federation":"1"},
            "TaggedAddresses":{"wan":{"Address":"198.51.100.2","Port":9100}}},"Checks":[{"Status":"passing"}]},
          {"Node":{},"Service":{"Address":"10.2.0.2","Port":1},"Checks":[{"Status":"critical"}]}],"dc3":null}"#,
    );
    until("dc2", || hosts(&gateway, "server.dc2.consul").is_some()).await;
    assert_eq!(hosts(&gateway, "x.default.dc2.internal.ab.consul").unwrap(), ["198.51.100.2"]);
    assert_eq!(hosts(&gateway, "server.dc3.consul"), Some(vec![]));

    fake.set("/v1/catalog/services", "{}");
    until("web is gone", || hosts(&gateway, web).is_none()).await;
    tasks.shutdown().trigger();
    assert!(tasks.join(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn the_last_table_serves_while_the_agent_is_away() {
    let (fake, gateway, _tasks) = start();
    until("ready", || gateway.state() == State::Ready).await;
    fake.reach(false);
    until("it is noticed", || gateway.metrics().agent_away.load(Relaxed) == 1).await;
    let asked = fake.asked.load(Relaxed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let attempts = fake.asked.load(Relaxed) - asked;
    assert!((30..200).contains(&attempts), "five reads back off to 4-8 s: {attempts}");
    assert_eq!(hosts(&gateway, "server.dc1.consul").unwrap(), ["10.0.0.1"]);
    fake.set(
        "/v1/health/service/consul",
        r#"[{"Node":{"Node":"s2","Address":"10.0.0.2"},"Service":{"Port":8300}}]"#,
    );
    assert_eq!(fake.returned.load(Relaxed), 0);
    fake.reach(true);
    until("the new server", || hosts(&gateway, "server.dc1.consul") == Some(vec!["10.0.0.2".to_owned()]))
        .await;
    assert_eq!((fake.returned.load(Relaxed), gateway.metrics().agent_away.load(Relaxed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn more_services_than_connections_take_turns() {
    let (fake, gateway, _tasks) = start();
    let names: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
    let all: Vec<String> = names.iter().map(|n| format!("\"{n}\":[]")).collect();
    for n in &names {
        fake.set(&format!("/v1/health/connect/{n}"), ENDPOINTS);
    }
    fake.set("/v1/connect/ca/roots", r#"{"TrustDomain":"ab.consul"}"#);
    fake.set("/v1/catalog/services", &format!("{{{}}}", all.join(",")));
    until("all", || {
        names.iter().all(|n| hosts(&gateway, &format!("{n}.default.dc1.internal.ab.consul")).is_some())
    })
    .await;
    // A change of one is seen soon, although most reads are not under way at any time.
    fake.set("/v1/health/connect/s299", "[]");
    let changed = tokio::time::Instant::now();
    until("the change", || {
        hosts(&gateway, "s299.default.dc1.internal.ab.consul").is_some_and(|h| h.is_empty())
    })
    .await;
    assert!(changed.elapsed() < Duration::from_secs(8), "{:?}", changed.elapsed());
}
