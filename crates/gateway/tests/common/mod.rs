//! A gateway on real sockets, and clients that speak enough TLS to be routed.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test")]

use gateway::{
    Gateway, Limits,
    route::{Place, RemoteGateway, Server, Table, World},
};
use runtime::RngSeed;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first flight of a TLS client that asks for `name`.
pub fn hello(name: &str) -> Vec<u8> {
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    wire
}

/// A gateway that listens, and its address.
pub async fn gateway(limits: Limits) -> (Gateway, SocketAddr) {
    let gateway = Gateway::new(limits, RngSeed::fixed(3));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    gateway.listen(listener);
    (gateway, addr)
}

pub fn limits() -> Limits {
    Limits::for_open_files(gateway::raise_open_files())
}

pub fn place(addr: SocketAddr) -> Place {
    Place { host: addr.ip().to_string(), port: addr.port() }
}

/// Routes: `server.dc2.consul` to `backends`, `<name>.server.dc1.consul` to each of `servers`.
pub fn table(backends: &[SocketAddr], servers: &[(&str, SocketAddr)]) -> Table {
    let gateways = backends.iter().map(|a| RemoteGateway { place: place(*a), serves_servers: true });
    let server = |(node, addr): &(&str, SocketAddr)| Server { node: (*node).to_owned(), place: place(*addr) };
    Table::new(&World {
        datacenter: "dc1".to_owned(),
        domain: "consul".to_owned(),
        expose_servers: true,
        servers: servers.iter().map(server).collect(),
        remote: [("dc2".to_owned(), gateways.collect())].into(),
        ..World::default()
    })
}

/// A socket that listens.
pub async fn backend() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// An address where nobody listens.
pub async fn nobody() -> SocketAddr {
    backend().await.1
}

/// A connection through the gateway whose hello is sent.
pub async fn dial(gateway: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(&hello(name)).await.unwrap();
    stream
}

/// Waits for a condition.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
