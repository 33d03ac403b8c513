//! `cargo run --release -p gossip-driver --example pool -- --agents 63 --kill 5`: starts agents at once on this machine,
//! all joining the first ones by retry, encrypted, and prints the seconds until all see all, and, after some are
//! killed at once, until all others see exactly these failed.

use gossip_driver::{DriverConfig, GossipHandle, Key, Keyring, Pool, RetryJoin};
use runtime::{RngSeed, Shutdown, SystemClock, Tasks, TokioNet};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;
use types::member::MemberStatus;

fn argument(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).and_then(|v| v.parse().ok()).unwrap_or(default)
}

async fn until(handles: &[GossipHandle], status: MemberStatus, n: usize) -> bool {
    let all = async {
        for h in handles {
            let mut changes = h.member_changes();
            while h.members().iter().filter(|m| m.status == status).count() != n {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.is_ok()
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program that prints its findings")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (agents, kill) = (argument("--agents", 63), argument("--kill", 5));
    let seeds: Vec<SocketAddr> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let (mut handles, mut owners) = (Vec::new(), Vec::new());
    for i in 0..agents {
        let bind = seeds.get(i).copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = DriverConfig::new(Pool::Lan, format!("agent-{i:04}"), bind);
        config.keyring = Some(Keyring::new(Key::from_bytes(&[7; 32])?));
        config.tags.insert("role".into(), "node".into());
        let tasks = Tasks::new(Shutdown::new());
        let (handle, _events) = GossipHandle::start(
            config,
            Arc::new(TokioNet),
            Arc::new(SystemClock),
            RngSeed::from_os(),
            tasks.clone(),
        )
        .await?;
        let plan = RetryJoin {
            targets: seeds.iter().map(ToString::to_string).collect(),
            interval: Duration::from_secs(30),
            max: 0,
        };
        let joining = handle.clone();
        tasks.spawn("retry join", async move {
            let _ = joining.retry_join(plan).await;
        });
        handles.push(handle);
        owners.push(tasks);
    }
    let formed = until(&handles, MemberStatus::Alive, agents).await;
    let formed_s = start.elapsed().as_secs_f64();
    let bytes: u64 = handles.iter().map(|h| h.counters().bytes_out).sum();
    let start = Instant::now();
    for tasks in owners.iter().rev().take(kill) {
        tasks.shutdown().trigger();
        tasks.join(Duration::from_secs(5)).await;
    }
    let rest = &handles[..agents - kill];
    let seen = until(rest, MemberStatus::Failed, kill).await;
    let seen_s = start.elapsed().as_secs_f64();
    let others = rest
        .iter()
        .flat_map(|h| {
            h.members().iter().filter(|m| m.status == MemberStatus::Alive).count().checked_sub(agents - kill)
        })
        .count();
    println!(
        "agents={agents} formed={formed} all_see_all_s={formed_s:.2} killed={kill} seen={seen} seen_by_all_s={seen_s:.2} right={others}/{} bytes_per_agent={}",
        rest.len(),
        bytes / agents as u64,
    );
    Ok(())
}
