//! A thousand idle tunnels and one whose client never reads: the others do not feel them, and memory stays bounded.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it measured")]

mod common;

use common::{dial, gateway, hello, limits, table, until};
use gateway::route::Kind;
use runtime::{Shutdown, Tasks};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

const IDLE: usize = 1_000;

/// This process's resident memory, KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Answers each byte after the hello of `name` with itself.
fn echo(tasks: &Tasks, listener: TcpListener, name: &'static str) {
    let owner = tasks.clone();
    tasks.spawn("echo listener", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            owner.spawn("echo", async move {
                let mut head = vec![0; hello(name).len()];
                let _ = stream.read_exact(&mut head).await;
                drop(head);
                let mut byte = [0];
                while stream.read(&mut byte).await.is_ok_and(|n| n == 1) {
                    let _ = stream.write_all(&byte).await;
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_tunnels_and_one_that_never_reads() {
    const NAME: &str = "echo.server.dc1.consul";
    const FLOOD: &str = "flood.server.dc1.consul";
    let limits = limits();
    assert!(limits.tunnels_max as usize > IDLE + 10, "open files: raise ulimit -n to 8192");
    let (gateway, addr) = gateway(limits).await;
    let tasks = Tasks::new(Shutdown::new());
    let (listener, echoes) = common::backend().await;
    let (flood, floods) = common::backend().await;
    echo(&tasks, listener, NAME);
    gateway.publish(table(&[], &[("echo", echoes), ("flood", floods)]), true);

    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(dial(addr, NAME).await);
    }
    until("all are open", || gateway.metrics().opened(Kind::LocalServer) == IDLE as u64).await;
    let each = resident().saturating_sub(before) / IDLE as u64;
    println!("{each} KiB of memory for each idle tunnel, its client and its backend");
    assert!(each < 48, "{each} KiB for each idle tunnel");
    assert!(gateway.prometheus().contains("praetor_gateway_pipes 0\n"), "idle tunnels hold no pipe");

    // The server of the one that never reads sends for as long as it can.
    let deaf = dial(addr, FLOOD).await;
    let (mut server, _) = flood.accept().await.unwrap();
    let full = resident();
    let block = vec![7; 1 << 20];
    let mut sent = 0_usize;
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(500), server.write(&block)).await {
        sent += n.unwrap();
        assert!(sent < 256 << 20, "nobody reads, and still {sent} bytes are taken");
    }
    let grown = resident().saturating_sub(full);
    println!(
        "{} MiB wait in the kernel for one that never reads, the process grew by {grown} KiB",
        sent >> 20
    );
    assert!(grown < 4 << 10, "{grown} KiB");

    // All others are served meanwhile, and fast.
    let started = Instant::now();
    for stream in &mut idle {
        stream.write_all(b"x").await.unwrap();
        let mut byte = [0];
        tokio::time::timeout(common::PATIENCE, stream.read_exact(&mut byte)).await.unwrap().unwrap();
    }
    let took = started.elapsed();
    println!("{IDLE} round trips beside it in {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(gateway.metrics().active(), IDLE as u64 + 1);

    drop((deaf, server, idle));
    until("all have ended", || gateway.metrics().active() == 0).await;
    tasks.shutdown().trigger();
}
