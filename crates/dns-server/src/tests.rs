use crate::{Deps, DnsConfig, DnsServer, Zone, bind};
use arc_swap::ArcSwap;
use hickory_proto::op::Message;
use rpc::Query;
use runtime::{BoxFuture, RngSeed, Shutdown, Tasks, TestClock, TokioNet};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use types::{
    DatacenterName, RequestError,
    query::{Query as Read, QueryMeta, QueryOptions, QueryResponse, QueryResult},
    record::{CheckServiceNode, Node, NodeService},
};

/// A catalog with one service of `instances` instances.
#[derive(Default)]
struct Mock {
    instances: AtomicUsize,
    version: AtomicU64,
    /// Answers only to the asynchronous question, as on a client agent.
    remote: AtomicBool,
    asked: AtomicU64,
}

impl Mock {
    fn rows(&self, query: &Read) -> Result<QueryResponse, RequestError> {
        self.asked.fetch_add(1, SeqCst);
        let result = match query {
            Read::ServiceHealth { service, .. } => {
                let n = if service.as_str() == "web" { self.instances.load(SeqCst) } else { 0 };
                let address = if service.as_str() == "ext" { "host.example.com" } else { "" };
                let n = if service.as_str() == "ext" { 1 } else { n };
                let row = |i: usize| CheckServiceNode {
                    node: Arc::new(Node {
                        name: format!("n{i}").into(),
                        address: format!("10.0.0.{}", i + 1).into(),
                        ..Node::default()
                    }),
                    service: Arc::new(NodeService {
                        service: service.clone(),
                        address: address.into(),
                        port: 80,
                        ..NodeService::default()
                    }),
                    checks: Vec::new(),
                };
                QueryResult::ServiceHealth((0..n).map(row).collect())
            }
            _ => QueryResult::NodeServices(None),
        };
        Ok(QueryResponse { meta: QueryMeta::default(), result })
    }
}

impl Query for Mock {
    fn query(&self, query: Read, _: QueryOptions) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        Box::pin(async move { self.rows(&query) })
    }
    fn query_now(&self, query: &Read, _: &QueryOptions) -> Option<Result<QueryResponse, RequestError>> {
        (!self.remote.load(SeqCst)).then(|| self.rows(query))
    }
    fn version_now(&self, _: &Read, _: &QueryOptions) -> Option<u64> {
        (!self.remote.load(SeqCst)).then(|| self.version.load(SeqCst))
    }
}

struct World {
    mock: Arc<Mock>,
    config: Arc<ArcSwap<DnsConfig>>,
    server: DnsServer,
    tasks: Tasks,
    udp: UdpSocket,
}

impl World {
    async fn new() -> Self {
        let mock = Arc::new(Mock { instances: AtomicUsize::new(2), ..Mock::default() });
        let config = Arc::new(ArcSwap::from_pointee(DnsConfig::default()));
        let tasks = Tasks::new(Shutdown::new());
        let deps = Deps {
            config: Arc::clone(&config),
            query: Arc::clone(&mock) as Arc<dyn Query>,
            net: Arc::new(TokioNet),
            tasks: tasks.clone(),
            seed: RngSeed::fixed(1),
            clock: Arc::new(TestClock::at(77_000)),
        };
        let sockets = bind(&["127.0.0.1:0".parse().unwrap()], 1).unwrap();
        let zone = Zone::new("consul.", "", DatacenterName::new("dc1"), false).unwrap();
        let server = DnsServer::start(sockets, zone, deps).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        udp.connect(server.addrs()[0]).await.unwrap();
        Self { mock, config, server, tasks, udp }
    }

    async fn raw(&self, packet: &[u8]) -> Vec<u8> {
        self.udp.send(packet).await.unwrap();
        let mut buf = vec![0; 65_535];
        let n = timeout(Duration::from_secs(5), self.udp.recv(&mut buf)).await.unwrap().unwrap();
        buf.truncate(n);
        buf
    }

    async fn ask(&self, name: &str) -> Message {
        Message::from_vec(&self.raw(&question(name)).await).unwrap()
    }
}

fn question(name: &str) -> Vec<u8> {
    let mut p = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    p.extend_from_slice(dns::Name::from_text(name).unwrap().wire());
    p.extend_from_slice(&[0, 1, 0, 1]);
    p
}

fn framed(p: &[u8]) -> Vec<u8> {
    [&(p.len() as u16).to_be_bytes()[..], p].concat()
}

#[tokio::test]
async fn views_are_kept_until_the_rows_change() {
    let w = World::new().await;
    assert_eq!(w.ask("web.service.consul").await.answers.len(), 2);
    assert_eq!(w.ask("WEB.service.consul").await.answers.len(), 2);
    assert_eq!(w.mock.asked.load(SeqCst), 1);
    w.mock.instances.store(3, SeqCst);
    w.mock.version.store(1, SeqCst);
    assert_eq!(w.ask("web.service.consul").await.answers.len(), 3);
    assert_eq!(w.mock.asked.load(SeqCst), 2);
    // New settings take effect with the next question.
    w.config.store(Arc::new(DnsConfig { udp_answer_limit: 1, ..DnsConfig::default() }));
    assert_eq!(w.ask("web.service.consul").await.answers.len(), 1);
    assert_eq!(u16::from(w.ask("ghost.service.consul").await.metadata.response_code), 3);
    assert_eq!(u16::from(w.ask("ghost.node.consul").await.metadata.response_code), 3);
    assert_eq!(u16::from(w.ask("example.com").await.metadata.response_code), 5);
}

#[tokio::test]
async fn client_agents_answer_through_the_asynchronous_path() {
    let w = World::new().await;
    w.mock.remote.store(true, SeqCst);
    assert_eq!(w.ask("web.service.consul").await.answers.len(), 2);
    assert_eq!(w.server.counters().read().deferred, 1);
}

#[tokio::test]
async fn tcp_answers_pipelined_questions_in_order() {
    let w = World::new().await;
    let mut s = TcpStream::connect(w.server.addrs()[0]).await.unwrap();
    let mut both = framed(&question("web.service.consul"));
    both.extend(framed(&question("ghost.service.consul")));
    s.write_all(&both).await.unwrap();
    for (answers, code) in [(2, 0), (0, 3)] {
        let mut buf = vec![0; usize::from(s.read_u16().await.unwrap())];
        s.read_exact(&mut buf).await.unwrap();
        let m = Message::from_vec(&buf).unwrap();
        assert_eq!((m.answers.len(), u16::from(m.metadata.response_code)), (answers, code));
    }
    drop(s);
    w.tasks.shutdown().trigger();
    assert!(w.tasks.join(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn malformed_packets_get_an_error_or_nothing() {
    let w = World::new().await;
    let mut damaged = question("web.service.consul");
    damaged.truncate(20);
    assert_eq!(w.raw(&damaged).await[3] & 15, 1);
    w.udp.send(&[1, 2, 3]).await.unwrap();
    assert_eq!(w.ask("web.service.consul").await.answers.len(), 2);
    assert_eq!(w.server.counters().read().malformed, 2);
}

/// Answers each question with its own bytes as a response with one A record, after one that is not for us.
async fn recursor() -> SocketAddr {
    let s = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = s.local_addr().unwrap();
    let tasks = Tasks::new(Shutdown::new());
    tasks.clone().spawn("recursor", async move {
        let _owner = tasks;
        let mut buf = [0; 512];
        while let Ok((n, from)) = s.recv_from(&mut buf).await {
            let mut reply = buf[..n].to_vec();
            reply[2] |= 0x80;
            reply[7] = 1;
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            let mut forged = reply.clone();
            forged[0] ^= 1;
            let _ = s.send_to(&forged, from).await;
            let _ = s.send_to(&reply, from).await;
        }
    });
    addr
}

#[tokio::test]
async fn foreign_names_and_host_names_go_to_recursors() {
    let w = World::new().await;
    w.config.store(Arc::new(DnsConfig { recursors: vec![recursor().await], ..DnsConfig::default() }));
    let m = w.ask("example.com").await;
    assert_eq!((m.metadata.id, m.answers.len()), (0x1234, 1));
    let m = w.ask("ext.service.consul").await;
    assert_eq!(m.answers.len(), 2, "{m:?}");
    assert_eq!(m.answers[1].to_string(), "host.example.com. 0 IN A 192.0.2.1");
    assert!(m.metadata.recursion_available);
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let first = bind(&["127.0.0.1:0".parse().unwrap()], 2).unwrap();
    assert_eq!(first.udp.len(), 2);
    assert!(bind(&first.addrs, 2).is_err());
    let only_udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert!(bind(&[only_udp.local_addr().unwrap()], 1).is_err());
}

#[tokio::test]
async fn recursor_addresses() {
    let ok = crate::resolve_recursors(&["10.0.0.1", "[::1]:5353", "::1", "127.0.0.1:54"]).await.unwrap();
    let text: Vec<_> = ok.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["10.0.0.1:53", "[::1]:5353", "[::1]:53", "127.0.0.1:54"]);
    let error = crate::resolve_recursors(&["not a host"]).await.unwrap_err();
    assert!(error.to_string().starts_with("Invalid recursor address: "), "{error}");
}
