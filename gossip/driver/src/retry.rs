//! Joining until it works.

use crate::{JoinError, driver::Driver, target};
use futures_util::{StreamExt as _, stream};
use std::{net::SocketAddr, time::Duration};
use tokio::time::Instant;

/// Addresses that are dialled at a time.
const DIALLED_AT_ONCE: usize = 8;
/// First and longest wait between the quiet tries that fill the time until the next attempt.
const KNOCK: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A plan of attempts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryJoin {
    /// Targets, resolved anew at each attempt.
    pub targets: Vec<String>,
    /// Wait between two attempts.
    pub interval: Duration,
    /// Attempts after the first one; 0 never gives up.
    pub max: u32,
}

/// Why joining was given up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RetryJoinError {
    /// The number of attempts is used up; the agent should exit.
    #[error("max join {0} retry exhausted, exiting")]
    Exhausted(&'static str),
    /// Gossip has ended.
    #[error("gossip is shut down")]
    Shutdown,
}

/// Joins through each target once.
pub(crate) async fn join(driver: &Driver, targets: &[String]) -> Result<usize, JoinError> {
    let default_port = driver.local_addr.port();
    let mut failures = Vec::new();
    let mut addrs: Vec<(String, SocketAddr)> = Vec::new();
    for target in targets {
        // A name before the address says more than the address that stands for it.
        let named = target.rsplit_once('/').map(|(name, _)| name.to_owned());
        match target::resolve(target, default_port).await {
            Ok(found) => {
                let shown = |to: &SocketAddr| named.clone().unwrap_or_else(|| to.to_string());
                addrs.extend(found.iter().map(|to| (shown(to), *to)));
            }
            Err(why) => failures.push(why),
        }
    }
    if addrs.is_empty() && failures.is_empty() {
        failures.push("No servers to join".to_owned());
    }
    let tried: Vec<(String, Result<(), String>)> = stream::iter(addrs)
        .map(|(shown, to)| async move { (shown, driver.sync(to, true).await.map(drop)) })
        .buffered(DIALLED_AT_ONCE)
        .collect()
        .await;
    let mut joined = 0;
    for (to, result) in tried {
        match result {
            Ok(()) => joined += 1,
            Err(why) => failures.push(format!("Failed to join {to}: {why}")),
        }
    }
    if joined > 0 { Ok(joined) } else { Err(JoinError { failures }) }
}

/// Joins until it works.
///
/// Attempts are made, counted and logged as documented. In the time between two of them the same targets are tried
/// quietly at growing distances: agents that start together find each other as soon as one of them listens, not an
/// interval later.
pub(crate) async fn retry_join(driver: &Driver, plan: &RetryJoin) -> Result<usize, RetryJoinError> {
    let cluster = driver.pool().as_str();
    let mut attempt = 0_u32;
    loop {
        tracing::info!(cluster, targets = ?plan.targets, "Retry join is attempting to join");
        match join(driver, &plan.targets).await {
            Ok(num_agents) => {
                tracing::info!(cluster, num_agents, "Join cluster completed. Synced with initial agents");
                return Ok(num_agents);
            }
            Err(error) => {
                if driver.shutdown().is_triggered() {
                    return Err(RetryJoinError::Shutdown);
                }
                attempt += 1;
                if plan.max > 0 && attempt > plan.max {
                    tracing::error!(cluster, %error, "Join cluster failed");
                    return Err(RetryJoinError::Exhausted(cluster));
                }
                tracing::warn!(cluster, retry_interval = ?plan.interval, %error, "Join cluster failed, will retry");
            }
        }
        let next = Instant::now() + plan.interval;
        let mut knock = KNOCK.0;
        loop {
            let at = (Instant::now() + knock).min(next);
            // A dropped sleep loses nothing.
            tokio::select! {
                biased;
                () = driver.shutdown().wait() => return Err(RetryJoinError::Shutdown),
                () = tokio::time::sleep_until(at) => {}
            }
            if at >= next {
                break;
            }
            if let Ok(num_agents) = join(driver, &plan.targets).await {
                tracing::info!(cluster, num_agents, "Join cluster completed. Synced with initial agents");
                return Ok(num_agents);
            }
            knock = (knock * 2).min(KNOCK.1);
        }
    }
}
