//! Two datacenters and an agent, without a network: consensus is a store that applies at once.

use crate::{Authority, AuthorityConfig, Deps, Leaves, LeavesDeps, Upkeep, upkeep::prune_once};
use bytes::Bytes;
use catalog::{ApplyCtx, ChangeSet, Store};
use connect_ca::{
    Csr, KeyPair, RootParams, SpiffeId, default_config, first_ca, leaf_csr, trust_domain, verify_chain,
};
use parking_lot::Mutex;
use rpc::{Authority as _, Consensus, Leadership, ViewHub, message::RaftConfiguration};
use runtime::{BoxFuture, RngSeed, Shutdown, Tasks, WallClock};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use types::{
    Opaque, RequestError, SecretToken, Str,
    ca::{CSR_RATE_LIMITED, CaAnswer, CaRequest, CaRoots, CaUpdate, SignedLeaf},
    command::{Command, CommandResponse},
    query::{Query as Read, QueryMeta, QueryOptions, QueryResponse, QueryResult},
};

const ID: &str = "6f6a0c1e-0000-4000-8000-000000000001";
const BEGIN: i64 = 1_760_000_000;

/// Wall time that goes with tokio's.
struct Clock(Instant);

impl WallClock for Clock {
    fn unix_ms(&self) -> u64 {
        BEGIN.unsigned_abs() * 1000 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

struct Log {
    hub: Arc<ViewHub>,
    store: Mutex<Store>,
    leadership: watch::Sender<Leadership>,
}

impl Consensus for Log {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>> {
        let mut store = self.store.lock();
        let mut changes = ChangeSet::new();
        let ctx = ApplyCtx { index: store.index() + 1, proposed_at_ms: 0 };
        let answer = store.apply(&ctx, &command, &mut changes);
        self.hub.publish(Arc::new(store.clone()), &changes);
        Box::pin(async move { Ok((ctx.index, answer)) })
    }
    fn read_point_now(&self) -> Option<u64> {
        Some(self.store.lock().index())
    }
    fn read_point(&self) -> BoxFuture<'_, Result<u64, RequestError>> {
        Box::pin(async { Ok(self.store.lock().index()) })
    }
    fn handle_raft(&self, request: Bytes) -> BoxFuture<'_, Bytes> {
        Box::pin(async { request })
    }
    fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }
    fn leadership_changes(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }
    fn last_contact(&self) -> Duration {
        Duration::ZERO
    }
    fn peers(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
    fn configuration(&self) -> RaftConfiguration {
        RaftConfiguration::default()
    }
    fn remove_server(&self, _id: u128) -> BoxFuture<'_, Result<(), RequestError>> {
        Box::pin(async { Ok(()) })
    }
    fn promise_bootstrap(&self, _servers: &[u128]) -> bool {
        false
    }
    fn transfer_leader(&self, _to: Option<u128>) -> BoxFuture<'_, Result<(), RequestError>> {
        Box::pin(async { Ok(()) })
    }
}

/// One datacenter of one server.
struct Dc {
    log: Arc<Log>,
    desk: Arc<Authority>,
    /// The primary, or itself.
    primary: Option<Arc<Self>>,
    cut_off: AtomicBool,
    signed: AtomicU32,
}

impl Dc {
    async fn new(name: &str, primary: Option<Arc<Self>>) -> Arc<Self> {
        let hub = Arc::new(ViewHub::default());
        let log = Arc::new(Log {
            hub: hub.clone(),
            store: Mutex::default(),
            leadership: watch::channel(Leadership::default()).0,
        });
        let config = AuthorityConfig {
            datacenter: name.into(),
            primary: primary.as_ref().map_or(name, |_| "dc1").into(),
            enabled: true,
            ca_config: None,
            token: SecretToken::default(),
        };
        let clock = Arc::new(Clock(Instant::now()));
        let deps = Deps { hub, consensus: log.clone(), clock, seed: RngSeed::fixed(3) };
        let desk = Authority::new(config, deps);
        let dc =
            Arc::new(Self { log, desk, primary, cut_off: AtomicBool::new(false), signed: AtomicU32::new(0) });
        if dc.primary.is_none() {
            let (config, settings) = default_config(ID, None).unwrap();
            let params =
                RootParams { cluster_id: ID.into(), name_id: "x".into(), serial_number: 5, now: BEGIN };
            let ca = first_ca(&params, config, &settings).unwrap();
            let set = Command::CaSet { expect_index: 0, config: ca.config, state: ca.state, roots: ca.roots };
            dc.log.propose(set).await.unwrap();
        }
        dc
    }

    fn roots(&self) -> CaRoots {
        match catalog::run_query(&self.log.store.lock(), &Read::CaRoots, &[]).0 {
            QueryResult::CaRoots(roots) => roots,
            other => panic!("{other:?}"),
        }
    }

    fn trusted(&self) -> Vec<Str> {
        self.roots().roots.into_iter().map(|r| r.root_cert).collect()
    }

    async fn sign(&self, dc: &str) -> Result<SignedLeaf, RequestError> {
        let key = KeyPair::generate().unwrap();
        let id = SpiffeId::service(&trust_domain(ID), "default", dc, "web");
        self.request(CaRequest::Sign { csr: leaf_csr(&key, &id, &[], &[]).unwrap().into() }).await.map(|a| {
            let CaAnswer::Leaf(leaf) = a else { panic!("{a:?}") };
            leaf
        })
    }

    async fn request(&self, request: CaRequest) -> Result<CaAnswer, RequestError> {
        self.desk.authority(None, &SecretToken::default(), request).await
    }

    async fn configure(&self, config: &str, force: bool) -> Result<CaAnswer, RequestError> {
        self.request(CaRequest::Configure(CaUpdate {
            provider: "consul".into(),
            config: Opaque::from_json(&json(config)),
            force_without_cross_signing: force,
        }))
        .await
    }

    fn at(&self, datacenter: Option<&str>) -> Result<&Self, RequestError> {
        match (datacenter, &self.primary) {
            (Some("dc1"), Some(primary)) => {
                if self.cut_off.load(Ordering::SeqCst) {
                    Err(RequestError::DatacenterUnreachable)
                } else {
                    Ok(primary)
                }
            }
            _ => Ok(self),
        }
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

impl rpc::Query for Dc {
    fn query(
        &self,
        query: Read,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        Box::pin(async move {
            let dc = self.at(options.datacenter.as_deref())?;
            let deadline = Instant::now() + options.max_wait.unwrap_or(Duration::from_secs(300));
            let hub = &dc.log.hub;
            let (result, index) =
                rpc::blocking::blocking_query(hub, &query, &options, deadline, None).await?;
            Ok(QueryResponse { meta: QueryMeta { index, ..QueryMeta::default() }, result })
        })
    }
    fn query_now(&self, _: &Read, _: &QueryOptions) -> Option<Result<QueryResponse, RequestError>> {
        None
    }
    fn version_now(&self, _: &Read, _: &QueryOptions) -> Option<u64> {
        None
    }
}

impl rpc::Authority for Dc {
    fn authority(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        request: CaRequest,
    ) -> BoxFuture<'_, Result<CaAnswer, RequestError>> {
        let token = token.clone();
        let dc = self.at(datacenter);
        Box::pin(async move {
            let dc = dc?;
            dc.signed.fetch_add(1, Ordering::SeqCst);
            dc.desk.authority(None, &token, request).await
        })
    }
}

fn good(leaf: &SignedLeaf, roots: &[Str]) -> bool {
    let now = leaf.valid_after + 120;
    verify_chain(&leaf.cert_pem, roots.iter().map(Str::as_str), now).is_ok()
}

fn words<T: std::fmt::Debug>(result: Result<T, RequestError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn leaves_are_signed_with_serial_and_index() {
    let dc = Dc::new("dc1", None).await;
    let (a, b) = (dc.sign("dc1").await.unwrap(), dc.sign("DC1").await);
    assert!(good(&a, &dc.trusted()));
    assert_eq!((a.serial_number.as_str(), a.index), ("01", dc.log.store.lock().index() - 1));
    assert_eq!(b.unwrap().serial_number, "02");
    assert_eq!(a.signing_key_id, dc.roots().roots[0].signing_key_id);
    assert_eq!(words(dc.sign("dc2").await), "SPIFFE ID in CSR from a different datacenter: dc2, we are dc1");
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_signed_is_refused() {
    let dc = Dc::new("dc1", None).await;
    let key = KeyPair::generate().unwrap();
    let sign = |uri: &str, names: &[String]| {
        let csr = leaf_csr(&key, &SpiffeId::parse(uri).unwrap(), names, &[]).unwrap();
        dc.request(CaRequest::Sign { csr: csr.into() })
    };
    let web = format!("spiffe://{ID}.consul/ns/default/dc/dc1/svc/web");
    let words = |r: Result<CaAnswer, RequestError>| r.unwrap_err().to_string();
    let other = "spiffe://other.consul/ns/default/dc/dc1/svc/web";
    assert!(words(sign(other, &[]).await).contains("different trust domain"));
    assert!(words(sign(&web, &["server.dc1.consul".into()]).await).contains("the name of a server"));
    for no_leaf in ["/agent/server/dc/dc1", "/agent/client/dc/dc1/id/n1", ""] {
        let uri = format!("spiffe://{ID}.consul{no_leaf}");
        assert!(words(sign(&uri, &[]).await).contains("must be a service or a mesh gateway"));
    }
    // Agents do not know the trust domain yet.
    let enroll = |uri: &str| {
        let csr = leaf_csr(&key, &SpiffeId::parse(uri).unwrap(), &["localhost".into()], &[]).unwrap();
        dc.request(CaRequest::Enroll { csr: csr.into() })
    };
    assert!(words(enroll(&web).await).contains("must be an agent"));
    let CaAnswer::Leaf(agent) = enroll("spiffe://dummy.consul/agent/client/dc/dc1/id/n1").await.unwrap()
    else {
        panic!("no leaf")
    };
    assert_eq!(agent.uri, format!("spiffe://{ID}.consul/agent/client/dc/dc1/id/n1"));
    let bad = dc.request(CaRequest::Sign { csr: "x".into() }).await;
    assert!(words(bad).starts_with("failed to parse CSR"));
    let none = Dc::new("dc2", Some(dc.clone())).await;
    assert!(words(none.request(CaRequest::SignIntermediate { csr: "x".into() }).await).contains("parse CSR"));
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_are_told_so() {
    let dc = Dc::new("dc1", None).await;
    dc.configure(r#"{"CSRMaxPerSecond": 1}"#, false).await.unwrap();
    assert!(dc.sign("dc1").await.is_ok());
    assert_eq!(words(dc.sign("dc1").await), CSR_RATE_LIMITED);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(dc.sign("dc1").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_root_is_rotated_and_the_old_one_forgotten() {
    let dc = Dc::new("dc1", None).await;
    let before = dc.roots();
    dc.configure(r#"{"LeafCertTTL":"48h"}"#, false).await.unwrap();
    assert_eq!(dc.roots(), before, "settings alone change no root");
    let index = dc.log.store.lock().index();
    dc.configure(r#"{"LeafCertTTL":"48h"}"#, false).await.unwrap();
    assert_eq!(dc.log.store.lock().index(), index, "the same again is nothing");

    let old = dc.sign("dc1").await.unwrap();
    dc.configure(r#"{"LeafCertTTL":"48h","PrivateKeyBits":384}"#, false).await.unwrap();
    let after = dc.roots();
    assert_eq!(after.roots.len(), 2);
    assert!(!after.roots[0].active && after.roots[0].rotated_out_at >= BEGIN);
    assert_eq!((after.roots[1].active, after.roots[1].intermediate_certs.len()), (true, 1));
    assert_eq!(after.active_root_id, after.roots[1].id);
    let new = dc.sign("dc1").await.unwrap();
    let old_root = [before.roots[0].root_cert.clone()];
    assert!(good(&new, &old_root) && good(&new, &dc.trusted()[1..]) && good(&old, &dc.trusted()));

    dc.configure(r#"{"LeafCertTTL":"48h"}"#, true).await.unwrap();
    assert!(dc.roots().roots[2].intermediate_certs.is_empty());
    tokio::time::advance(Duration::from_secs(95 * 3600)).await;
    prune_once(&dc.desk).await.unwrap();
    assert_eq!(dc.roots().roots.len(), 3);
    tokio::time::advance(Duration::from_secs(2 * 3600)).await;
    prune_once(&dc.desk).await.unwrap();
    assert_eq!(dc.roots().roots.len(), 1);

    let why = words(dc.configure(r#"{"LeafCertTTL":"1m"}"#, false).await);
    assert!(why.starts_with("error configuring provider: leaf cert TTL"), "{why}");
}

/// Waits on paused time until something holds.
async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("in vain: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_secondary_follows_its_primary() {
    let one = Dc::new("dc1", None).await;
    let two = Dc::new("dc2", Some(one.clone())).await;
    two.cut_off.store(true, Ordering::SeqCst);
    let tasks = Tasks::new(Shutdown::new());
    let (_leads, leadership) = watch::channel(Some(1));
    Upkeep::start(two.desk.clone(), two.clone(), two.clone(), leadership, &tasks);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let why = words(two.sign("dc2").await);
    assert!(why.contains("primary datacenter is unreachable"), "{why}");
    assert!(two.log.store.lock().ca().is_none(), "nothing half-made");

    two.cut_off.store(false, Ordering::SeqCst);
    until("an authority", || two.log.store.lock().ca().is_some()).await;
    assert_eq!(two.roots().trust_domain, one.roots().trust_domain);
    assert_eq!(two.trusted(), one.trusted());
    let leaf = two.sign("dc2").await.unwrap();
    assert!(good(&leaf, &one.trusted()));
    assert_eq!(leaf.cert_pem.matches("BEGIN CERTIFICATE").count(), 2);

    one.configure(r#"{"PrivateKeyBits":384}"#, false).await.unwrap();
    until("the new root", || two.roots().active_root_id == one.roots().active_root_id).await;
    let newer = two.sign("dc2").await.unwrap();
    assert_ne!(newer.signing_key_id, leaf.signing_key_id);
    assert!(good(&newer, &one.trusted()[..1]) && good(&newer, &one.trusted()[1..]), "old and new trust");
    assert!(good(&leaf, &two.trusted()));

    // Half a year later, also while nothing changes.
    let key = two.roots().roots[1].signing_key_id.clone();
    tokio::time::advance(Duration::from_secs(4400 * 3600)).await;
    until("a new intermediate", || two.roots().roots[1].signing_key_id != key).await;

    let why = words(two.configure(r#"{"PrivateKey":"SECRET"}"#, false).await);
    assert!(why.contains("primary datacenter") && !why.contains("SECRET"), "{why}");
    two.configure(r#"{"LeafCertTTL":"2h"}"#, false).await.unwrap();
    let short = two.sign("dc2").await.unwrap();
    assert_eq!(short.valid_before - short.valid_after, 7200);
    let begun = Instant::now();
    two.configure(r#"{"LeafCertTTL":"2h","PrivateKeyBits":384}"#, false).await.unwrap();
    until("a larger key", || two.roots().roots[1].signing_key_id != short.signing_key_id).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    tasks.shutdown().trigger();
    assert!(tasks.join(Duration::from_secs(5)).await);
}

fn leaves(dc: &Arc<Dc>, tasks: &Tasks) -> Arc<Leaves> {
    Leaves::new(LeavesDeps {
        datacenter: "dc1".into(),
        query: dc.clone(),
        authority: dc.clone(),
        clock: dc.desk.clock.clone(),
        seed: RngSeed::fixed(4),
        tasks: tasks.clone(),
    })
}

#[tokio::test(start_paused = true)]
async fn an_agent_keeps_its_leaves_current() {
    let dc = Dc::new("dc1", None).await;
    let tasks = Tasks::new(Shutdown::new());
    let leaves = leaves(&dc, &tasks);
    let token = SecretToken::default();
    let get = async |index: u64, wait: u64| {
        leaves.get("default", "web", &token, index, Duration::from_secs(wait)).await.unwrap()
    };
    let (first, hit) = get(0, 0).await;
    assert!(!hit && first.private_key_pem.expose().starts_with("-----BEGIN EC PRIVATE KEY-----"));
    assert!(!format!("{first:?}").contains("PRIVATE"));
    assert_eq!(first.cert.uri, format!("spiffe://{ID}.consul/ns/default/dc/dc1/svc/web"));
    let (again, hit) = get(0, 0).await;
    assert!(hit && again == first);
    let (same, _) = get(first.cert.index, 60).await;
    assert_eq!(same, first, "nothing newer in time");

    // A new root: whoever asks gets a new leaf at once, whoever waits within the window.
    dc.configure(r#"{"PrivateKeyBits":384}"#, false).await.unwrap();
    let begun = Instant::now();
    let (second, _) = get(first.cert.index, 600).await;
    assert!(second.cert.index > first.cert.index && begun.elapsed() <= Duration::from_secs(31));
    dc.configure("{}", false).await.unwrap();
    let (third, hit) = get(0, 0).await;
    assert!(!hit && third.cert.index > second.cert.index);

    // Renewed by itself between six and nine tenths of its life.
    let (begun, life) = (Instant::now(), third.cert.valid_before - third.cert.valid_after);
    let (fourth, _) = get(third.cert.index, 400_000).await;
    assert!(fourth.cert.index > third.cert.index);
    let tenths = begun.elapsed().as_secs() * 10 / life.unsigned_abs();
    assert!((5..=9).contains(&tenths), "{tenths}");

    // Forgotten when unused.
    let asked = dc.signed.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2000 * 3600)).await;
    assert!(dc.signed.load(Ordering::SeqCst) <= asked + 2);
    assert!(!get(0, 0).await.1);
    tasks.shutdown().trigger();
    assert!(tasks.join(Duration::from_secs(5)).await);
}

#[tokio::test(start_paused = true)]
async fn the_first_leaf_fails_plainly_and_an_old_one_is_kept() {
    let dc = Dc::new("dc1", None).await;
    let tasks = Tasks::new(Shutdown::new());
    let leaves = leaves(&dc, &tasks);
    dc.configure(r#"{"CSRMaxPerSecond": 0.001}"#, false).await.unwrap();
    let token = SecretToken::default();
    let get = async |name: &str| leaves.get("default", name, &token, 0, Duration::ZERO).await;
    let web = get("web").await.unwrap().0;
    assert_eq!(words(get("db").await), CSR_RATE_LIMITED);
    dc.configure(r#"{"CSRMaxPerSecond": 0.001, "PrivateKeyBits": 384}"#, false).await.unwrap();
    let (kept, hit) = get("web").await.unwrap();
    assert!(hit && kept == web, "no better one can be had now");
    // It comes once the authority has time.
    let newer = leaves.get("default", "web", &token, web.cert.index, Duration::from_secs(7200)).await;
    assert!(newer.unwrap().0.cert.index > web.cert.index);
    assert!(Csr::parse("x").is_err());
    tasks.shutdown().trigger();
}
