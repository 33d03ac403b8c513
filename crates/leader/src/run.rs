//! The loop: starts with leadership, ends with it.

use crate::{
    authority,
    autopilot::{Action, MembershipView, mistakes, plan_membership, server_id},
    expiry::Expiry,
    members::{MemberEvent, Members},
    membership::{Membership, MembershipError},
    reconcile::{deregister, plan_member},
    stability::Memory,
};
use rand::RngCore;
use rpc::{Query, Renewals, Submit};
use runtime::{RngSeed, Tasks, WallClock};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use types::{
    DatacenterName, NodeName, PeerName, RequestError, SecretToken, Str, Tenancy,
    command::{AutopilotConfig, Command, CommandResponse},
    member::Member,
    query::{Consistency, NodeState, Query as Read, QueryOptions, QueryResult},
    record::SERF_HEALTH,
};

/// Pause before a failed pass is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Writes that go into one log entry.
pub(crate) const BATCH_MAX: usize = 64;
/// Member events handled together.
const EVENTS_MAX: usize = 256;
/// Full passes in a row in which a node with a gossip check must lack its member before it is taken for reaped.
const MISSING_PASSES: u32 = 2;
/// Samples of the log index that are kept to find out how old a deletion is.
const TOMBSTONE_SAMPLES: u32 = 5;

/// Settings of the leader's duties.
#[derive(Clone, Debug)]
pub struct LeaderConfig {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// Own node name: this server never removes itself.
    pub node_name: Str,
    /// Period of the full comparison of members and catalog.
    pub reconcile_interval: Duration,
    /// Period of autopilot's pass.
    pub autopilot_interval: Duration,
    /// Age from which deletions are forgotten.
    pub tombstone_ttl: Duration,
    /// Number of servers that the cluster was formed with (`bootstrap_expect`, 1 with `bootstrap`): up to that many become
    /// voters without the stabilization time.
    pub bootstrap_expect: u32,
    /// Autopilot's settings, stored if the cluster has none yet.
    pub autopilot: AutopilotConfig,
    /// Whether the root of the certificate authority is made here: `connect.enabled`, and this is the primary datacenter.
    pub makes_root: bool,
    /// `connect.ca_provider`
    pub ca_provider: Str,
    /// `connect.ca_config.cluster_id`, the UUID of the trust domain; `None` makes one.
    pub ca_cluster_id: Option<Str>,
    /// `connect.ca_config` as a JSON object, merged over the defaults.
    pub ca_config: Option<types::Opaque>,
    /// Configuration entries to create where there is none of that kind and name, ready to be stored.
    pub config_entries: Vec<types::entry::ConfigEntry>,
    /// Token of the leader's own writes.
    pub token: SecretToken,
}

impl LeaderConfig {
    /// Defaults for a datacenter and a node.
    pub fn new(datacenter: DatacenterName, node_name: impl AsRef<str>) -> Self {
        Self {
            datacenter,
            node_name: Str::new(node_name),
            reconcile_interval: Duration::from_secs(60),
            autopilot_interval: Duration::from_secs(2),
            tombstone_ttl: Duration::from_secs(15 * 60),
            bootstrap_expect: 0,
            autopilot: AutopilotConfig::default(),
            makes_root: true,
            ca_provider: Str::default(),
            ca_cluster_id: None,
            ca_config: None,
            config_entries: Vec::new(),
            token: SecretToken::default(),
        }
    }
}

/// What the duties are given.
pub struct Deps {
    /// Writes.
    pub submit: Arc<dyn Submit>,
    /// Reads.
    pub query: Arc<dyn Query>,
    /// The LAN pool.
    pub members: Arc<dyn Members>,
    /// Its changes; the sender drops events when it is full and sends [`MemberEvent::Resync`] afterwards.
    pub member_events: mpsc::Receiver<MemberEvent>,
    /// `Some(term)` while this server leads.
    pub leadership: watch::Receiver<Option<u64>>,
    /// The Raft configuration.
    pub membership: Arc<dyn Membership>,
    /// What autopilot remembers of the servers.
    pub memory: Arc<Memory>,
    /// Renewals of sessions.
    pub renewals: Arc<Renewals>,
    /// Time that does not jump, the one that proposals carry: keys live by it.
    pub steady: Arc<dyn WallClock>,
    /// Wall time, for certificates.
    pub clock: Arc<dyn WallClock>,
    /// Source of the trust domain's UUID and of serial numbers.
    pub seed: RngSeed,
    /// Owner of the loop.
    pub tasks: Tasks,
}

/// The leader's duties.
#[derive(Clone, Copy, Debug)]
pub struct Leader;

impl Leader {
    /// Starts the loop, which waits for leadership. Must be called within a tokio runtime.
    pub fn start(config: LeaderConfig, deps: Deps) -> Self {
        let tasks = deps.tasks.clone();
        tasks.spawn_critical("leader", run(config, deps));
        Self
    }
}

async fn run(config: LeaderConfig, deps: Deps) {
    let Deps { submit, query, members, mut member_events, mut leadership, .. } = deps;
    let (membership, renewals, clock, seed, tasks) =
        (deps.membership, deps.renewals, deps.clock, deps.seed, deps.tasks);
    let (steady, memory) = (deps.steady, deps.memory);
    let stop = tasks.shutdown().clone();
    let mut rng = seed.fork("leader");
    loop {
        let leads = leadership.borrow_and_update().is_some();
        if leads {
            tracing::info!("leading: duties start");
            memory.clear();
            let mut duties = Duties {
                config: &config,
                submit: submit.as_ref(),
                query: query.as_ref(),
                members: members.as_ref(),
                membership: membership.as_ref(),
                clock: clock.as_ref(),
                rng: &mut rng,
                memory: &memory,
                mistakes: BTreeSet::new(),
                missing: BTreeMap::new(),
                samples: VecDeque::new(),
                started: Instant::now(),
            };
            let expiry = Expiry {
                submit: submit.as_ref(),
                query: query.as_ref(),
                renewals: &renewals,
                clock: steady.as_ref(),
                token: &config.token,
            };
            // Dropping the duties midway is harmless: a write that was sent runs to its end by itself, and whoever leads
            // next begins with a full pass.
            tokio::select! {
                biased;
                () = stop.wait() => return,
                changed = leadership.changed() => if changed.is_err() { return },
                () = duties.run(&mut member_events) => {}
                () = expiry.run() => {}
            }
            tracing::info!("duties of the leader end");
        } else {
            tokio::select! {
                biased;
                () = stop.wait() => return,
                changed = leadership.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Whether a duty can go on.
enum Halt {
    /// Leadership was lost: wait for the next term.
    Lost,
    /// Something failed that may work later.
    Later(RequestError),
}

impl From<RequestError> for Halt {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotLeader | RequestError::ShuttingDown => Self::Lost,
            other => Self::Later(other),
        }
    }
}

struct Duties<'a, R> {
    config: &'a LeaderConfig,
    submit: &'a dyn Submit,
    query: &'a dyn Query,
    members: &'a dyn Members,
    membership: &'a dyn Membership,
    clock: &'a dyn WallClock,
    rng: &'a mut R,
    memory: &'a Memory,
    /// Those already logged.
    mistakes: BTreeSet<String>,
    /// Nodes with a gossip check but without a member, and for how many passes.
    missing: BTreeMap<NodeName, u32>,
    /// When which log index was the last one.
    samples: VecDeque<(Instant, u64)>,
    started: Instant,
}

impl<R: RngCore> Duties<'_, R> {
    /// Returns when this server does not lead any more, as far as it can tell. The watch that this future runs beside says so
    /// when a term has ended; when it says nothing, leadership was kept after all (a handover that nobody took), and the caller
    /// begins again.
    async fn run(&mut self, events: &mut mpsc::Receiver<MemberEvent>) {
        // What is in the channel is older than the full pass below.
        while events.try_recv().is_ok() {}
        loop {
            match self.establish().await {
                Ok(()) => break,
                Err(Halt::Lost) => return sleep(RETRY).await,
                Err(Halt::Later(error)) => {
                    tracing::warn!(%error, "leader could not take up its duties, trying again");
                    sleep(RETRY).await;
                }
            }
        }
        let tick = |period: Duration| {
            let mut t = interval(period.max(Duration::from_millis(1)));
            t.set_missed_tick_behavior(MissedTickBehavior::Delay);
            t
        };
        let mut full = tick(self.config.reconcile_interval);
        let mut pilot = tick(self.config.autopilot_interval);
        let mut tombstones = tick(self.config.tombstone_ttl / TOMBSTONE_SAMPLES);
        let mut open = true;
        loop {
            // Each branch only waits; the work is done below, outside the select.
            let outcome = tokio::select! {
                event = events.recv(), if open => match event {
                    Some(first) => self.on_events(first, events).await,
                    None => { open = false; Ok(()) }
                },
                _ = pilot.tick() => self.autopilot().await,
                _ = full.tick() => self.full_pass().await,
                _ = tombstones.tick() => self.reap_tombstones().await,
            };
            match outcome {
                Ok(()) => {}
                Err(Halt::Lost) => return sleep(RETRY).await,
                Err(Halt::Later(error)) => {
                    tracing::warn!(%error, "a duty of the leader failed, trying again");
                    sleep(RETRY).await;
                    full.reset_immediately();
                }
            }
        }
    }

    async fn write(&self, command: Command) -> Result<(u64, CommandResponse), Halt> {
        Ok(self.submit.submit(None, &self.config.token, command).await?)
    }

    /// A read of this server's own state, which the barrier of [`Self::establish`] has brought up to the term's start.
    async fn read(&self, query: Read) -> Result<QueryResult, Halt> {
        let options = QueryOptions {
            consistency: Consistency::Stale,
            token: self.config.token.clone(),
            ..QueryOptions::default()
        };
        let answer = match self.query.query_now(&query, &options) {
            Some(answer) => answer,
            None => self.query.query(query, options).await,
        };
        Ok(answer?.result)
    }

    /// What must be true before anything else: the state is current, settings and the authority exist.
    async fn establish(&mut self) -> Result<(), Halt> {
        // A restore that another leader had begun is not gone on with.
        let (index, _) = self.write(Command::RestoreAbort).await?;
        self.samples.push_back((Instant::now(), index));
        if let QueryResult::Autopilot(_, stored) = self.read(Read::Autopilot).await?
            && stored.modify == 0
        {
            self.write(Command::AutopilotSet { config: self.config.autopilot.clone(), cas: Some(0) }).await?;
        }
        if self.config.makes_root && matches!(self.read(Read::CaConfig).await?, QueryResult::CaConfig(None)) {
            let (id, overrides) = (self.config.ca_cluster_id.as_ref(), self.config.ca_config.as_ref());
            match authority::first_root(
                &self.config.ca_provider,
                id,
                overrides,
                self.clock.unix_ms(),
                self.rng,
            ) {
                Ok(command) => {
                    self.write(command).await?;
                    tracing::info!("certificate authority initialized");
                }
                // A human must act, and all other duties go on.
                Err(error) => tracing::error!(%error, "cannot initialize the certificate authority"),
            }
        }
        self.bootstrap_entries().await
    }

    /// Creates the configured entries that do not exist. One that does not fit to what is stored is for a human to look at.
    async fn bootstrap_entries(&mut self) -> Result<(), Halt> {
        for entry in &self.config.config_entries {
            let (kind, name) = (entry.kind(), entry.name.clone());
            let query = Read::ConfigEntry { tenancy: entry.tenancy.clone(), kind, name: name.clone() };
            if !matches!(self.read(query).await?, QueryResult::ConfigEntry(None)) {
                continue;
            }
            let command = Command::ConfigEntrySet { entry: Box::new(entry.clone()), cas: Some(0) };
            match self.write(command).await {
                Ok(_) => tracing::info!(%kind, %name, "configuration entry created"),
                Err(Halt::Later(error @ RequestError::Refused(_))) => {
                    tracing::error!(%kind, %name, %error, "cannot create the configured entry");
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    async fn rows(&self, node: &str) -> Result<NodeState, Halt> {
        let query = Read::NodeState { tenancy: Tenancy::default(), node: NodeName::new(node) };
        match self.read(query).await? {
            QueryResult::NodeState(rows) => Ok(rows),
            _ => Err(Halt::Later(RequestError::Malformed("node state expected".into()))),
        }
    }

    async fn on_events(
        &mut self,
        first: MemberEvent,
        events: &mut mpsc::Receiver<MemberEvent>,
    ) -> Result<(), Halt> {
        let mut changed = BTreeSet::new();
        let mut reaped = BTreeSet::new();
        let mut next = Some(first);
        while let Some(event) = next.take() {
            match event {
                MemberEvent::Changed(member) => changed.insert(member.name),
                MemberEvent::Reaped(member) => reaped.insert(member.name),
                MemberEvent::Resync => return self.full_pass().await,
            };
            if changed.len() + reaped.len() < EVENTS_MAX {
                next = events.try_recv().ok();
            }
        }
        // An event is a hint; what the pool says now decides.
        let pool = self.members.members();
        let mut writes = Vec::new();
        for member in pool.iter() {
            // A member that is back was not reaped for good.
            if !reaped.remove(&member.name) && !changed.contains(&member.name) {
                continue;
            }
            writes.extend(self.plan(member).await?);
        }
        for name in &reaped {
            let rows = self.rows(name).await?;
            writes.extend(deregister(name, &rows, &self.config.node_name));
        }
        self.write_all(writes).await?;
        self.autopilot().await
    }

    async fn plan(&self, member: &Member) -> Result<Option<Command>, Halt> {
        let rows = self.rows(&member.name).await?;
        Ok(plan_member(member, &rows, &self.config.datacenter, &self.config.node_name))
    }

    async fn write_all(&self, writes: Vec<Command>) -> Result<(), Halt> {
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            let mut batch: Vec<_> = writes.by_ref().take(BATCH_MAX).collect();
            let command = if batch.len() == 1 { batch.remove(0) } else { Command::Batch(batch) };
            match self.write(command).await {
                Ok((_, CommandResponse::Batch(answers))) => {
                    for answer in answers {
                        if let CommandResponse::Refused(text) = answer {
                            tracing::warn!(%text, "catalog refused the row of a member");
                        }
                    }
                }
                Ok(_) => {}
                // A refused row (a name conflict) must not keep the others from being written.
                Err(Halt::Later(RequestError::Refused(text))) => {
                    tracing::warn!(%text, "catalog refused the row of a member");
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    /// Compares every member with the catalog, and finds nodes whose members were reaped unseen.
    async fn full_pass(&mut self) -> Result<(), Halt> {
        let pool = self.members.members();
        let mut writes = Vec::new();
        for member in pool.iter() {
            writes.extend(self.plan(member).await?);
        }
        let known: BTreeSet<Str> = pool.iter().map(|m| types::names::fold(&m.name)).collect();
        let any = Read::ChecksInState {
            tenancy: Tenancy::default(),
            peer: PeerName::default(),
            state: "any".into(),
        };
        if let QueryResult::Checks(checks) = self.read(any).await? {
            let orphans: BTreeSet<NodeName> = checks
                .iter()
                .filter(|c| c.check_id.as_str() == SERF_HEALTH && !known.contains(&c.node.folded()))
                .map(|c| c.node.clone())
                .collect();
            self.missing.retain(|node, _| orphans.contains(node));
            for node in orphans {
                let passes = self.missing.entry(node.clone()).or_default();
                *passes += 1;
                if *passes >= MISSING_PASSES {
                    let rows = self.rows(&node).await?;
                    writes.extend(deregister(&node, &rows, &self.config.node_name));
                }
            }
        }
        self.write_all(writes).await
    }

    async fn autopilot(&mut self) -> Result<(), Halt> {
        let QueryResult::Autopilot(config, _) = self.read(Read::Autopilot).await? else { return Ok(()) };
        let (pool, servers) = (self.members.members(), self.membership.servers());
        let health = servers.iter().filter_map(|s| Some((s.id, self.membership.health(s.id)?))).collect();
        let mut metadata = BTreeMap::new();
        if !config.redundancy_zone_tag.is_empty() {
            for server in pool.iter().filter(|m| m.server().is_some()) {
                let meta = self.rows(&server.name).await?.node.and_then(|node| node.meta.clone());
                metadata.insert(server.name.clone(), meta.unwrap_or_default());
            }
        }
        let view = MembershipView {
            members: &pool,
            servers: &servers,
            health: &health,
            own_id: self.membership.own_id(),
            datacenter: &self.config.datacenter,
            config: &config,
            bootstrap_expect: self.config.bootstrap_expect,
            metadata: &metadata,
        };
        let mistakes = mistakes(&view);
        for text in mistakes.difference(&self.mistakes) {
            tracing::error!("{text}");
        }
        self.mistakes = mistakes;
        let actions = self.memory.with(|stability, now_ms| plan_membership(&view, stability, now_ms));
        for action in actions {
            let node = pool.iter().find(|m| server_id(m.tag("id")) == Some(action.server()));
            let node = node.map_or("", |m| m.name.as_str());
            tracing::info!(node, "changing the raft configuration: {action}");
            let done = match action {
                Action::AddLearner(id, addr) => self.membership.add_learner(id, addr).await,
                Action::Promote(id) => self.membership.promote(id).await,
                Action::Demote(id) => self.membership.demote(id).await,
                Action::Remove(id, _) => self.membership.remove(id).await,
            };
            match done {
                Ok(()) => {}
                Err(MembershipError::NotLeader) => return Err(Halt::Lost),
                // The next pass decides anew.
                Err(error) => {
                    tracing::warn!(%error, node, "raft configuration not changed: {action}");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Forgets deletions that are older than the time to live. The write's own index is the next sample of the log's age.
    async fn reap_tombstones(&mut self) -> Result<(), Halt> {
        let old = |(at, _): &(Instant, u64)| at.elapsed() >= self.config.tombstone_ttl;
        let up_to = self.samples.iter().take_while(|s| old(s)).last().map(|s| s.1);
        let (index, _) = match up_to {
            Some(up_to) => self.write(Command::ReapTombstones { up_to }).await?,
            None if self.samples.len() <= 1
                && self.started.elapsed() < self.config.tombstone_ttl / TOMBSTONE_SAMPLES =>
            {
                return Ok(());
            }
            None => self.write(Command::Noop).await?,
        };
        self.samples.retain(|s| up_to.is_none_or(|up_to| s.1 > up_to));
        self.samples.push_back((Instant::now(), index));
        Ok(())
    }
}
