//! Tunnels over real sockets.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{backend, dial, gateway, hello, limits, nobody, table, until};
use gateway::{Limits, Refusal, State, route::Kind};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Takes one connection and reads the hello of `name` from it, byte for byte.
async fn accept(listener: &TcpListener, name: &str) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = vec![0; hello(name).len()];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 22, "the hello passes as it came");
    stream
}

/// Without splice as well: both ways of moving bytes behave alike.
fn both() -> [Limits; 2] {
    [limits(), Limits { pipes_max: 0, ..limits() }]
}

#[tokio::test]
async fn each_name_reaches_its_own_backend() {
    for limits in both() {
        let (gateway, addr) = gateway(limits).await;
        let (one, two, far) = (backend().await, backend().await, backend().await);
        gateway.publish(table(&[far.1], &[("a", one.1), ("b", two.1)]), true);
        assert_eq!(gateway.state(), State::Ready);
        let cases = [
            ("a.server.dc1.consul", &one.0, Kind::LocalServer),
            ("B.Server.dc1.consul", &two.0, Kind::LocalServer),
            ("server.dc2.consul", &far.0, Kind::RemoteServer),
            ("x.server.dc2.consul", &far.0, Kind::RemoteServer),
        ];
        for (name, listener, kind) in cases {
            let before = gateway.metrics().opened(kind);
            let mut client = dial(addr, name).await;
            let mut server = accept(listener, name).await;
            server.write_all(b"hello from behind").await.unwrap();
            let mut got = [0; 17];
            client.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"hello from behind", "{name}");
            assert_eq!(gateway.metrics().opened(kind), before + 1);
        }
        until("tunnels end with their ends", || gateway.metrics().active() == 0).await;
    }
}

/// Several megabytes each way at once, with an end in one direction first.
#[tokio::test]
async fn bytes_pass_whole_and_each_direction_ends_alone() {
    const N: usize = 8 << 20;
    for limits in both() {
        let (gateway, addr) = gateway(limits).await;
        let (listener, server_addr) = backend().await;
        gateway.publish(table(&[], &[("a", server_addr)]), true);
        let name = "a.server.dc1.consul";
        let mut client = dial(addr, name).await;
        let mut server = accept(&listener, name).await;
        let data: Vec<u8> = (0..N).map(|i| u8::try_from(i % 251).unwrap()).collect();

        // The client sends all and ends; the server answers only after that end.
        let sent = data.clone();
        let (mut read, mut write) = client.split();
        let sending = async {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let serving = async {
            let mut got = Vec::new();
            server.read_to_end(&mut got).await.unwrap();
            assert!(got == data, "{} bytes", got.len());
            server.write_all(&got).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let receiving = async {
            let mut got = Vec::new();
            read.read_to_end(&mut got).await.unwrap();
            assert!(got == data, "{} bytes", got.len());
        };
        tokio::join!(sending, serving, receiving);
        until("the tunnel ends", || gateway.metrics().active() == 0).await;
        let text = gateway.prometheus();
        let received = format!(
            "praetor_gateway_received_bytes_total{{route=\"local_server\"}} {}",
            N + hello(name).len()
        );
        let sent = format!("praetor_gateway_sent_bytes_total{{route=\"local_server\"}} {N}");
        assert!(text.contains(&received) && text.contains(&sent), "{text}");
        assert!(text.contains("praetor_gateway_pipes 0\n"), "{text}");
    }
}

#[tokio::test]
async fn a_backend_that_refuses_is_passed_over() {
    let (gateway, addr) = gateway(limits()).await;
    let (listener, good) = backend().await;
    gateway.publish(table(&[nobody().await, nobody().await, good], &[]), true);
    // Enough that a dead one is drawn first now and then.
    for _ in 0..20 {
        let _client = dial(addr, "server.dc2.consul").await;
        accept(&listener, "server.dc2.consul").await;
    }
    let failures = gateway.metrics().connect_failures();
    assert!((1..=2).contains(&failures), "each dead one is met once, then left out: {failures}");
    assert_eq!(gateway.metrics().refusals(Refusal::ConnectFailed), 0);

    // Another table keeps what is known of a backend.
    gateway.publish(table(&[nobody().await, good], &[("a", good)]), true);
    let all_dead = table(&[nobody().await, nobody().await], &[]);
    gateway.publish(all_dead, true);
    for _ in 0..2 {
        let mut client = dial(addr, "server.dc2.consul").await;
        let mut alert = Vec::new();
        client.read_to_end(&mut alert).await.unwrap();
        assert_eq!(
            alert,
            [21, 3, 1, 0, 2, 2, 80],
            "when all are left out all are tried, and then it is said"
        );
    }
    assert_eq!(gateway.metrics().refusals(Refusal::ConnectFailed), 2);
    assert_eq!(gateway.metrics().connect_failures(), failures + 4);
}

/// What a client sends, what it gets, and how it is counted.
#[tokio::test]
async fn who_cannot_be_routed_is_closed_and_counted() {
    let (gateway, addr) = gateway(Limits { preface: Duration::from_millis(200), ..limits() }).await;
    gateway.publish(table(&[], &[]), true);
    let unknown = hello("nowhere.example");
    let mut nameless = hello("a");
    // The extension's type becomes one that nobody knows.
    let at = nameless.windows(5).position(|w| w == [0, 0, 0, 6, 0]).unwrap();
    nameless[at..at + 2].copy_from_slice(&[0x7a, 0x7a]);
    let cases: [(&[u8], Refusal, &[u8]); 6] = [
        (b"GET / HTTP/1.1\r\n\r\n", Refusal::NotTls, b""),
        (b"\x16\x03\x01\x00\x05\x02aaaa", Refusal::Malformed, b""),
        (&unknown, Refusal::UnknownName, &[21, 3, 1, 0, 2, 2, 112]),
        (&nameless, Refusal::NoName, &[21, 3, 1, 0, 2, 2, 112]),
        (&hello("server.dc2.consul"), Refusal::NoBackend, &[21, 3, 1, 0, 2, 2, 80]),
        (&unknown[..50], Refusal::PrefaceTimeout, b""),
    ];
    for (sent, why, answer) in cases {
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(sent).await.unwrap();
        let mut got = Vec::new();
        // Bytes that nobody read turn the end into a reset.
        let _ = client.read_to_end(&mut got).await;
        assert_eq!(got, answer, "{why:?}");
        until(why.label(), || gateway.metrics().refusals(why) == 1).await;
    }
    drop(TcpStream::connect(addr).await.unwrap());
    until("a client that says nothing and goes", || gateway.metrics().refusals(Refusal::PrefaceClosed) == 1)
        .await;
    assert_eq!(gateway.metrics().active(), 0);
}

#[tokio::test]
async fn limits_hold_and_places_come_back() {
    let small = Limits { tunnels_max: 3, tunnels_per_source_max: 2, ..limits() };
    let (gateway, addr) = gateway(small).await;
    let (listener, server) = backend().await;
    gateway.publish(table(&[], &[("a", server)]), true);
    let name = "a.server.dc1.consul";
    let from = |ip: [u8; 4]| async move {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((ip, 0))).unwrap();
        let mut stream = socket.connect(addr).await.unwrap();
        stream.write_all(&hello(name)).await.unwrap();
        stream
    };
    let mut held = Vec::new();
    for ip in [[127, 0, 0, 1], [127, 0, 0, 1], [127, 0, 0, 2]] {
        held.push(from(ip).await);
        held.push(accept(&listener, name).await);
    }
    for (ip, why) in [([127, 0, 0, 3], Refusal::Limit)] {
        let mut late = from(ip).await;
        let _ = late.read_to_end(&mut Vec::new()).await;
        assert_eq!(gateway.metrics().refusals(why), 1);
    }
    held.truncate(4);
    until("the third ends", || gateway.metrics().active() == 2).await;
    let mut greedy = from([127, 0, 0, 1]).await;
    let _ = greedy.read_to_end(&mut Vec::new()).await;
    until("the source's share", || gateway.metrics().refusals(Refusal::SourceLimit) == 1).await;
    let _again = from([127, 0, 0, 3]).await;
    accept(&listener, name).await;
}

#[tokio::test]
async fn a_new_table_leaves_tunnels_alone() {
    let (gateway, addr) = gateway(limits()).await;
    let (listener, server) = backend().await;
    gateway.publish(table(&[], &[("a", server)]), true);
    let mut client = dial(addr, "a.server.dc1.consul").await;
    let mut behind = accept(&listener, "a.server.dc1.consul").await;
    gateway.publish(table(&[], &[]), true);
    behind.write_all(b"x").await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
    let mut late = dial(addr, "a.server.dc1.consul").await;
    late.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(gateway.metrics().refusals(Refusal::UnknownName), 1);
}

#[tokio::test]
async fn draining_lets_tunnels_end_and_closes_the_rest() {
    for cut in [false, true] {
        let (gateway, addr) = gateway(limits()).await;
        let (listener, server) = backend().await;
        gateway.publish(table(&[], &[("a", server)]), true);
        let name = "a.server.dc1.consul";
        let mut client = dial(addr, name).await;
        let mut behind = accept(&listener, name).await;
        let limit = Duration::from_millis(if cut { 100 } else { 60_000 });
        let drain = async { gateway.drain(limit).await };
        let rest = async {
            until("it drains", || gateway.state() == State::Draining).await;
            // Nobody new is let in: the listener is closed.
            while TcpStream::connect(addr).await.is_ok() {
                tokio::task::yield_now().await;
            }
            if cut {
                assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0, "closed at the end of its time");
            } else {
                behind.write_all(b"still served").await.unwrap();
                client.read_exact(&mut [0; 12]).await.unwrap();
                drop((client, behind));
            }
        };
        let (closed, ()) = tokio::join!(drain, rest);
        assert_eq!(closed, u64::from(cut));
        assert!(gateway.ended().is_triggered());
    }
}

/// A reset of one side ends the other.
#[tokio::test]
async fn a_side_that_breaks_ends_the_tunnel() {
    let (gateway, addr) = gateway(limits()).await;
    let (listener, server) = backend().await;
    gateway.publish(table(&[], &[("a", server)]), true);
    let mut client = dial(addr, "a.server.dc1.consul").await;
    let behind = accept(&listener, "a.server.dc1.consul").await;
    behind.set_zero_linger().unwrap();
    drop(behind);
    let _ = client.read_to_end(&mut Vec::new()).await;
    until("the tunnel ends", || gateway.metrics().active() == 0).await;
}
