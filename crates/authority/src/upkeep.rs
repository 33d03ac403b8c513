//! What the leader does by itself.

use crate::{
    desk::{Authority, Stored, refused},
    follow::{Step, cluster_id, local_roots, next_step},
    unix_s,
};
use connect_ca::{Settings, default_config, intermediate_csr, new_key, take_intermediate, trust_domain};
use rpc::Query;
use runtime::Tasks;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use types::{
    RequestError, Str,
    ca::{CaAnswer, CaRequest, CaRoots},
    query::{Query as Read, QueryOptions, QueryResult},
};

/// How often old roots are looked for.
const PRUNE_PERIOD: Duration = Duration::from_secs(3600);
/// Longest wait for a change of the primary's roots; after it the own authority is looked at again.
const ROOTS_WAIT: Duration = Duration::from_secs(300);
/// Shortest time between two questions to the primary.
const ASK_PERIOD: Duration = Duration::from_secs(1);
/// Pause after a failure, doubled up to the second value.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));

/// Duties of the authority while its server leads.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep;

impl Upkeep {
    /// Starts the task, which waits for leadership. Must be called within a tokio runtime.
    pub fn start(
        authority: Arc<Authority>,
        query: Arc<dyn Query>,
        remote: Arc<dyn rpc::Authority>,
        mut leadership: watch::Receiver<Option<u64>>,
        tasks: &Tasks,
    ) {
        if !authority.config.enabled {
            return;
        }
        let stop = tasks.shutdown().clone();
        tasks.spawn_critical("certificate authority", async move {
            loop {
                let leads = leadership.borrow_and_update().is_some();
                let duties = async {
                    match (leads, authority.config.is_primary()) {
                        (false, _) => std::future::pending().await,
                        (true, true) => prune(&authority).await,
                        (true, false) => follow(&authority, &*query, &*remote).await,
                    }
                };
                // Dropping the duties midway is harmless: every change is one write.
                tokio::select! {
                    biased;
                    () = stop.wait() => return,
                    changed = leadership.changed() => if changed.is_err() { return },
                    () = duties => {}
                }
            }
        });
    }
}

/// Forgets roots under which no leaf lives any more.
async fn prune(authority: &Authority) {
    let mut ticks = interval(PRUNE_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = prune_once(authority).await {
            tracing::warn!(%error, "cannot forget old roots, trying again later");
        }
    }
}

pub(crate) async fn prune_once(authority: &Authority) -> Result<(), RequestError> {
    let _one = authority.changing.lock().await;
    let Some(mut stored) = authority.stored().await? else { return Ok(()) };
    let settings = Settings::of(&stored.config).map_err(refused)?;
    let keep_s = i64::try_from(settings.leaf_ttl.as_secs()).unwrap_or(i64::MAX).saturating_mul(2);
    let now = unix_s(&*authority.clock);
    let before = stored.roots.len();
    stored.roots.retain(|r| r.active || now.saturating_sub(r.rotated_out_at) <= keep_s);
    if stored.roots.len() < before {
        tracing::info!(count = before - stored.roots.len(), "forgetting roots that were rotated out");
        let expect = stored.config.index.modify;
        authority.store(expect, stored).await?;
    }
    Ok(())
}

/// Follows the primary until leadership ends.
async fn follow(authority: &Authority, query: &dyn Query, remote: &dyn rpc::Authority) {
    let (mut index, mut pause) = (0, RETRY.0);
    loop {
        let begun = Instant::now();
        // Dropping a look midway is harmless: it ends in one write.
        let looked = tokio::select! {
            looked = follow_once(authority, query, remote, index) => looked,
            () = authority.reconfigured.notified() => {
                index = 0;
                continue;
            }
        };
        match looked {
            Ok(seen) => {
                (index, pause) = (seen, RETRY.0);
                tokio::time::sleep_until(begun + ASK_PERIOD).await;
            }
            Err(error) => {
                let primary = &authority.config.primary;
                let why = match error {
                    RequestError::DatacenterUnreachable
                    | RequestError::NoPathToDatacenter
                    | RequestError::Transport { .. } => {
                        format!("primary datacenter is unreachable: {primary}: {error}")
                    }
                    other => format!("primary datacenter {primary}: {other}"),
                };
                if authority.set_problem(&why) {
                    tracing::warn!("certificate authority cannot follow the primary, trying again: {why}");
                }
                index = 0;
                sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

/// One look at the primary's roots, once they are newer than `index`; their index.
async fn follow_once(
    authority: &Authority,
    query: &dyn Query,
    remote: &dyn rpc::Authority,
    index: u64,
) -> Result<u64, RequestError> {
    let config = &authority.config;
    let options = QueryOptions {
        datacenter: Some(config.primary.clone()),
        min_index: index,
        max_wait: Some(ROOTS_WAIT),
        token: config.token.clone(),
        ..QueryOptions::default()
    };
    let answer = query.query(Read::CaRoots, options).await?;
    let QueryResult::CaRoots(primary) = answer.result else {
        return Err(RequestError::Malformed("roots expected".into()));
    };
    let _one = authority.changing.lock().await;
    let stored = authority.stored().await?;
    let settings = match &stored {
        Some(stored) => Settings::of(&stored.config),
        None => default_config("", config.ca_config.as_ref()).map(|(_, settings)| settings),
    }
    .map_err(refused)?;
    let expect = stored.as_ref().map_or(0, |s| s.config.index.modify);
    match (next_step(stored.as_ref(), &primary, &settings, unix_s(&*authority.clock)), stored) {
        (Step::NoRoot, _) => return Err(refused("it has no certificate authority yet")),
        (Step::Roots(roots), Some(stored)) => {
            authority.store(expect, Stored { roots, ..stored }).await?;
            tracing::info!("roots of the primary datacenter taken over");
        }
        (Step::Intermediate(why), stored) => {
            let new = intermediate(authority, remote, &primary, &settings, stored).await?;
            authority.store(expect, new).await?;
            tracing::info!(%why, primary = %config.primary, "certificate authority signed by the primary datacenter");
        }
        (Step::Wait | Step::Roots(_), _) => {}
    }
    if authority.set_problem("") {
        tracing::info!("certificate authority follows the primary");
    }
    Ok(answer.meta.index)
}

/// An authority that the primary signed, ready to be stored.
async fn intermediate(
    authority: &Authority,
    remote: &dyn rpc::Authority,
    primary: &CaRoots,
    settings: &Settings,
    stored: Option<Stored>,
) -> Result<Stored, RequestError> {
    let config = &authority.config;
    let id = cluster_id(primary);
    let key = new_key(settings.key).map_err(refused)?;
    let csr = intermediate_csr(&key, id, &authority.name_id()).map_err(refused)?;
    let request = CaRequest::SignIntermediate { csr: Str::from(csr) };
    let answer = remote.authority(Some(&config.primary), &config.token, request).await?;
    let CaAnswer::Intermediate(pem) = answer else {
        return Err(RequestError::Malformed("intermediate authority expected".into()));
    };
    let root = primary.roots.iter().find(|r| r.active).ok_or_else(|| refused("it has no active root"))?;
    let now = unix_s(&*authority.clock);
    let (signer, state) =
        take_intermediate(&pem, &key, &trust_domain(id), &root.root_cert, now).map_err(refused)?;
    let roots = local_roots(primary, &pem, signer.key_id());
    let mut new = match stored {
        Some(stored) => stored.config,
        None => default_config(id, config.ca_config.as_ref()).map_err(refused)?.0,
    };
    new.cluster_id = Str::new(id);
    Ok(Stored { config: new, state, roots })
}
