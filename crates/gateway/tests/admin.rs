//! What operators see.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{gateway, limits, table};
use gateway::admin;
use runtime::{Shutdown, Tasks};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn ask(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn readiness_metrics_and_routes() {
    let (gateway, _) = gateway(limits()).await;
    let tasks = Tasks::new(Shutdown::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    admin::serve(&gateway, listener, &tasks);

    assert!(ask(addr, "GET /ready").await.starts_with("HTTP/1.1 503 "));
    let server = common::nobody().await;
    gateway.publish(table(&[], &[("a", server)]), true);
    assert!(ask(addr, "GET /ready").await.starts_with("HTTP/1.1 200 "));
    let routes = ask(addr, "GET /routes").await;
    let (_, body) = routes.split_once("\r\n\r\n").unwrap();
    let routes: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(routes["a.server.dc1.consul"]["Backends"][0], server.to_string());
    assert_eq!(routes["*.server.dc2.consul"]["Route"], "remote_server");
    assert!(ask(addr, "GET /metrics").await.contains("\npraetor_gateway_ready 1\n"));
    assert!(ask(addr, "GET /").await.starts_with("HTTP/1.1 404 "));
    assert!(ask(addr, "POST /ready").await.starts_with("HTTP/1.1 405 "));
    gateway.drain(Duration::ZERO).await;
    assert!(ask(addr, "GET /ready").await.contains("draining"));
    tasks.shutdown().trigger();
    assert!(tasks.join(Duration::from_secs(5)).await);
}
