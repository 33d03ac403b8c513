//! What the leader of a datacenter does for the others: it tells them its gateways, and in a secondary one keeps the shared
//! configuration like that of the primary.

use crate::{
    replicate::{Kind, tell_the_same, told},
    status::Status,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rpc::{Datacenters, Query, Submit};
use runtime::{RngSeed, Tasks, WallClock};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use types::{
    DatacenterName, RequestError, SecretToken, Str, Tenancy,
    command::Command,
    query::{Query as Read, QueryOptions, QueryResponse, QueryResult},
    record::{CheckServiceNode, FederationState, ServiceKind},
};

/// How long one question to the primary may wait for news. Longer saves nothing, and a way that died unseen is noticed later.
const NEWS_WAIT: Duration = Duration::from_secs(30);
/// How often everything is compared although nothing new was heard; repairs what a restored snapshot undid.
const COMPARE_INTERVAL: Duration = Duration::from_secs(600);
/// After which time a datacenter's own gateways are compared again although nothing changed.
const PUBLISH_WAIT: Duration = Duration::from_secs(15);
/// Smallest pause between two rounds of one duty.
const PACE: Duration = Duration::from_secs(1);
/// Rounds that may follow each other at once.
const BURST: u32 = 5;
/// First and longest wait after failures.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// How often the primary forgets datacenters that are gone.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);
/// A write to the primary comes back by replication; until then it is not repeated.
const ECHO_LIMIT: Duration = Duration::from_secs(10);

/// Which datacenter this is, and which one leads them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// The one whose configuration all share.
    pub primary: DatacenterName,
    /// Token for reading and writing there.
    pub token: SecretToken,
}

impl Settings {
    /// Whether this is the primary datacenter.
    pub fn is_primary(&self) -> bool {
        self.datacenter == self.primary
    }
}

/// What the duties need.
pub struct Deps {
    /// Writes.
    pub submit: Arc<dyn Submit>,
    /// Reads.
    pub query: Arc<dyn Query>,
    /// The others.
    pub datacenters: Arc<Datacenters>,
    /// `Some(term)` while this server leads.
    pub leadership: watch::Receiver<Option<u64>>,
    /// Wall time.
    pub clock: Arc<dyn WallClock>,
    /// Root of randomness.
    pub seed: RngSeed,
    /// Owner.
    pub tasks: Tasks,
    /// Where progress is told.
    pub status: Status,
}

/// Starts the duties; they rest while another server leads.
pub fn start(settings: Settings, deps: Deps) {
    let tasks = deps.tasks.clone();
    tasks.spawn_critical("federation duties", async move {
        let stop = deps.tasks.shutdown().clone();
        let mut leadership = deps.leadership.clone();
        let duties = Duties { settings, deps };
        loop {
            let leads = leadership.borrow_and_update().is_some();
            let work = async {
                if leads {
                    duties.run().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            // Dropping the work midway is harmless: what was sent runs to its end by itself, and the next leader compares
            // everything.
            tokio::select! {
                biased;
                () = stop.wait() => return,
                changed = leadership.changed() => if changed.is_err() { return },
                () = work => {}
            }
            duties.deps.status.clear();
        }
    });
}

struct Duties {
    settings: Settings,
    deps: Deps,
}

/// Lets a few rounds through at once, then one in [`PACE`].
struct Pacer {
    credit: u32,
    at: Instant,
}

impl Pacer {
    fn new() -> Self {
        Self { credit: BURST, at: Instant::now() }
    }

    async fn turn(&mut self) {
        let earned = u32::try_from(self.at.elapsed().as_millis() / PACE.as_millis()).unwrap_or(BURST);
        if earned > 0 {
            self.credit = (self.credit + earned).min(BURST);
            self.at = Instant::now();
        }
        if self.credit == 0 {
            sleep(PACE).await;
        } else {
            self.credit -= 1;
        }
    }
}

impl Duties {
    async fn run(&self) {
        if self.settings.is_primary() {
            tokio::join!(self.publish(), self.prune());
        } else {
            let [entries, states] = Kind::ALL.map(|kind| self.replicate(kind));
            tokio::join!(self.publish(), entries, states);
        }
    }

    fn rng(&self, name: &str) -> ChaCha8Rng {
        self.deps.seed.fork(&format!("federation {name}"))
    }

    async fn ask(
        &self,
        query: Read,
        datacenter: Option<&DatacenterName>,
        after: u64,
        wait: Duration,
    ) -> Result<QueryResponse, RequestError> {
        let options = QueryOptions {
            datacenter: datacenter.cloned(),
            min_index: after,
            max_wait: Some(wait),
            token: self.settings.token.clone(),
            ..QueryOptions::default()
        };
        self.deps.query.query(query, options).await
    }

    async fn back_off(&self, failures: u32, rng: &mut ChaCha8Rng) {
        let wait = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(BACK_OFF.1);
        sleep(wait.mul_f64(rng.random_range(0.75..1.0))).await;
    }

    /// Keeps one kind like that of the primary.
    async fn replicate(&self, kind: Kind) {
        let (mut after, mut pacer, mut rng) = (0, Pacer::new(), self.rng(kind.as_str()));
        let (status, mut compared) = (&self.deps.status, Instant::now());
        loop {
            pacer.turn().await;
            if compared.elapsed() >= COMPARE_INTERVAL {
                (after, compared) = (0, Instant::now());
            }
            match self.replicate_once(kind, after).await {
                Ok(index) => {
                    if status.succeeded(kind, index) {
                        tracing::info!(kind = kind.as_str(), index, primary = %self.settings.primary, "replication works again");
                    }
                    after = index;
                }
                Err(error) => {
                    let failures = status.failed(kind, Str::from(error.to_string()));
                    if failures == 1 {
                        tracing::warn!(kind = kind.as_str(), primary = %self.settings.primary, %error, "replication from the primary datacenter failed, trying again");
                    } else {
                        tracing::debug!(kind = kind.as_str(), failures, %error, "replication from the primary datacenter failed again");
                    }
                    // What was read may be half applied; everything is compared anew.
                    after = 0;
                    self.back_off(failures, &mut rng).await;
                }
            }
        }
    }

    /// One round; the index of the primary that this datacenter is like now.
    async fn replicate_once(&self, kind: Kind, after: u64) -> Result<u64, RequestError> {
        let remote = self.ask(kind.query(), Some(&self.settings.primary), after, NEWS_WAIT).await?;
        let index = remote.meta.index;
        if index == after {
            return Ok(index);
        }
        let local = self.ask(kind.query(), None, 0, Duration::ZERO).await?;
        let commands = kind.plan(&local.result, &remote.result).ok_or_else(|| {
            RequestError::Malformed("the primary datacenter answered another question".into())
        })?;
        for command in commands {
            self.deps.submit.submit(None, &self.settings.token, command).await?;
        }
        // The primary was restored from a backup: its index counts from there.
        Ok(if index < after { 0 } else { index })
    }

    /// Tells the primary the gateways of this datacenter.
    async fn publish(&self) {
        let (mut after, mut pacer, mut rng, mut failures) = (0, Pacer::new(), self.rng("publish"), 0);
        let mut sent: Option<(Vec<CheckServiceNode>, Instant)> = None;
        loop {
            pacer.turn().await;
            match self.publish_once(&mut after, &mut sent).await {
                Ok(()) => {
                    if std::mem::take(&mut failures) > 0 {
                        tracing::info!(primary = %self.settings.primary, "the primary datacenter knows the mesh gateways of this one again");
                    }
                }
                Err(error) => {
                    failures += 1;
                    (after, sent) = (0, None);
                    if failures == 1 {
                        tracing::warn!(primary = %self.settings.primary, %error, "cannot tell the primary datacenter the mesh gateways of this one, trying again");
                    }
                    self.back_off(failures, &mut rng).await;
                }
            }
        }
    }

    async fn publish_once(
        &self,
        after: &mut u64,
        sent: &mut Option<(Vec<CheckServiceNode>, Instant)>,
    ) -> Result<(), RequestError> {
        let kind = Read::KindHealth { tenancy: Tenancy::default(), kind: ServiceKind::MeshGateway };
        let found = self.ask(kind, None, *after, PUBLISH_WAIT).await?;
        *after = found.meta.index;
        let QueryResult::ServiceHealth(rows) = found.result else { return Ok(()) };
        let gateways = told(&rows);
        let own = Read::FederationState { datacenter: self.settings.datacenter.clone() };
        let stored = match self.ask(own, None, 0, Duration::ZERO).await?.result {
            QueryResult::FederationState(stored) => stored,
            _ => None,
        };
        if stored.is_some_and(|s| tell_the_same(&s.mesh_gateways, &gateways)) {
            *sent = None;
            return Ok(());
        }
        if sent.as_ref().is_some_and(|(rows, at)| tell_the_same(rows, &gateways) && at.elapsed() < ECHO_LIMIT)
        {
            return Ok(());
        }
        let state = Box::new(FederationState {
            datacenter: self.settings.datacenter.clone(),
            mesh_gateways: gateways.clone(),
            updated_at_ms: self.deps.clock.unix_ms(),
            ..FederationState::default()
        });
        self.deps.submit.submit(None, &self.settings.token, Command::FederationStateSet { state }).await?;
        *sent = Some((gateways, Instant::now()));
        Ok(())
    }

    /// Forgets datacenters that no server has been seen of for days.
    async fn prune(&self) {
        loop {
            sleep(PRUNE_INTERVAL).await;
            let known = self.deps.datacenters.by_distance();
            let Ok(answer) = self.ask(Read::FederationStates, None, 0, Duration::ZERO).await else {
                continue;
            };
            let QueryResult::FederationStates(states) = answer.result else { continue };
            for state in states.iter().filter(|s| !known.iter().any(|dc| dc.folded() == s.key())) {
                let datacenter = state.datacenter.clone();
                tracing::info!(%datacenter, "no server of this datacenter is known any more, forgetting its mesh gateways");
                let command = Command::FederationStateDelete { datacenter };
                if let Err(error) = self.deps.submit.submit(None, &self.settings.token, command).await {
                    tracing::warn!(%error, "cannot forget the mesh gateways of a datacenter, trying again in an hour");
                }
            }
        }
    }
}
