//! A real server over mocks of its ports, and a client of raw bytes.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod agent;

pub use agent::MockAgent;

use http_api::{HttpConfig, HttpListener, HttpServer};
use parking_lot::Mutex;
use runtime::{BoxFuture, Shutdown, TestClock};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use types::{
    RequestError, SecretToken,
    command::{Command, CommandResponse},
    query::{Query, QueryMeta, QueryOptions, QueryResponse, QueryResult},
    record::{CheckServiceNode, KvEntry, Node, NodeService, RaftIndex},
};

/// State behind both ports: an index that tests move, one key, one service with as many instances as wanted.
pub struct MockState {
    pub index: watch::Sender<u64>,
    pub instances: AtomicU64,
    pub value: Mutex<Option<bytes::Bytes>>,
    pub asked: Mutex<Vec<(Query, QueryOptions)>>,
    pub written: Mutex<Vec<(Option<String>, String, Command)>>,
    pub refuse: Mutex<Option<RequestError>>,
}

impl MockState {
    fn result(&self, query: &Query) -> QueryResult {
        match query {
            Query::KvGet { key, tenancy } => QueryResult::Kv(self.value.lock().clone().map(|value| {
                Arc::new(KvEntry {
                    key: key.clone(),
                    flags: 0,
                    value,
                    session: None,
                    lock_index: 0,
                    tenancy: tenancy.clone(),
                    index: RaftIndex { create: 3, modify: 4 },
                })
            })),
            Query::KvKeys { .. } => QueryResult::KvKeys(vec![]),
            Query::Nodes { .. } => QueryResult::Nodes(vec![]),
            Query::Services { .. } => QueryResult::Services([("consul".into(), vec![])].into()),
            Query::NodeServices { .. } => QueryResult::NodeServices(None),
            Query::ServiceHealth { .. } => {
                let one = CheckServiceNode {
                    node: Arc::new(Node { name: "n1".into(), ..Node::default() }),
                    service: Arc::new(NodeService { service: "web".into(), ..NodeService::default() }),
                    checks: vec![],
                };
                QueryResult::ServiceHealth(vec![one; self.instances.load(Ordering::SeqCst) as usize])
            }
            Query::CaRoots => QueryResult::CaRoots(Default::default()),
            Query::Coordinates { .. } => QueryResult::Coordinates(vec![]),
            Query::Namespaces { .. } => QueryResult::Namespaces(vec![Arc::default()]),
            _ => QueryResult::Checks(vec![]),
        }
    }

    fn response(&self, query: &Query, options: &QueryOptions) -> Result<QueryResponse, RequestError> {
        self.asked.lock().push((query.clone(), options.clone()));
        if options.datacenter.is_some() {
            return Err(RequestError::NoPathToDatacenter);
        }
        if options.filter.as_deref() == Some("bad") {
            return Err(RequestError::Filter("1:4: no operator".into()));
        }
        if let Some(e) = self.refuse.lock().clone() {
            return Err(e);
        }
        let meta = QueryMeta {
            index: *self.index.borrow(),
            known_leader: true,
            last_contact: Duration::from_millis(7),
            consistency: options.consistency,
            filtered_by_acls: false,
        };
        Ok(QueryResponse { meta, result: self.result(query) })
    }
}

impl rpc::Query for MockState {
    fn query(
        &self,
        query: Query,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        Box::pin(async move {
            let mut index = self.index.subscribe();
            let newer = index.wait_for(|i| *i > options.min_index);
            let _ = tokio::time::timeout(options.max_wait.unwrap_or(Duration::from_secs(300)), newer).await;
            self.response(&query, &options)
        })
    }
    fn query_now(
        &self,
        query: &Query,
        options: &QueryOptions,
    ) -> Option<Result<QueryResponse, RequestError>> {
        (options.min_index == 0).then(|| self.response(query, options))
    }
    fn version_now(&self, _query: &Query, options: &QueryOptions) -> Option<u64> {
        (options.min_index == 0 && options.datacenter.is_none()).then(|| *self.index.borrow())
    }
}

impl rpc::Submit for MockState {
    fn submit(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        command: Command,
    ) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>> {
        let call = (datacenter.map(str::to_owned), token.expose().to_owned(), command);
        Box::pin(async move {
            if let Some(e) = self.refuse.lock().clone() {
                return Err(e);
            }
            self.written.lock().push(call);
            Ok((9, CommandResponse::Bool(true)))
        })
    }
}

/// A running server.
pub struct Running {
    pub addr: SocketAddr,
    pub state: Arc<MockState>,
    pub agent: Arc<MockAgent>,
    pub server: HttpServer,
    pub shutdown: Shutdown,
    task: tokio::task::JoinSet<()>,
}

impl Running {
    pub async fn start(config: HttpConfig) -> Self {
        let state = Arc::new(MockState {
            index: watch::channel(5).0,
            instances: AtomicU64::new(1),
            value: Mutex::new(Some(bytes::Bytes::from_static(b"hi"))),
            asked: Mutex::default(),
            written: Mutex::default(),
            refuse: Mutex::default(),
        });
        let agent = Arc::new(MockAgent::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let clock = Arc::new(TestClock::at(1));
        let server = HttpServer::new(config, state.clone(), state.clone(), agent.clone(), clock);
        let shutdown = Shutdown::new();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(server.clone().serve(HttpListener::Tcp(listener), shutdown.clone()));
        Self { addr, state, agent, server, shutdown, task }
    }

    pub async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.addr).await.unwrap(), buffer: Vec::new() }
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_with(method, path, &[], body.as_bytes()).await
    }

    pub async fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut c = self.connect().await;
        c.send(method, path, headers, body).await;
        c.answer(method == "HEAD").await
    }

    pub async fn stopped(mut self) {
        self.shutdown.trigger();
        while self.task.join_next().await.is_some() {}
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
        for (k, v) in headers {
            head.push_str(&format!("{k}: {v}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.raw(head.as_bytes()).await;
        self.raw(body).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn fill(&mut self) -> usize {
        let mut chunk = [0; 4096];
        let n = self.stream.read(&mut chunk).await.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..n]);
        n
    }

    /// Reads until the server closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads one answer with a known length.
    pub async fn answer(&mut self, head_only: bool) -> Answer {
        let end = loop {
            if let Some(i) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break i;
            }
            assert!(self.fill().await > 0, "closed early: {}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.map(|l| l.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let len: usize = answer.header("content-length").map_or(0, |n| n.parse().unwrap());
        if !head_only {
            while self.buffer.len() < len {
                assert!(self.fill().await > 0, "closed in the body");
            }
            answer.body = self.buffer.drain(..len).collect();
        }
        answer
    }
}
