//! Submit and Query for one agent: local on servers, forwarded otherwise.

mod desk;
mod execute;
mod operator;
mod remote;
mod snapshot;

use crate::{
    blocking::{blocking_query, is_narrowed, run, version},
    consensus::Consensus,
    datacenters::Datacenters,
    hub::ViewHub,
    limits::{self, RateLimits},
    message::{Answer, DeskRequest, Enrolled, FederationView, Request, Response, StatusAnswer},
    pool::Pool,
    ports,
    renewals::Renewals,
    report::AutopilotReport,
    servers::ServerList,
};
use catalog::topics_of;
use runtime::{BoxFuture, RngSeed, WallClock};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;
use types::{
    DatacenterName, RequestError, SecretToken, Str, Tenancy,
    ca::{CaAnswer, CaRequest},
    command::{Command, CommandResponse},
    query::{Consistency, Query, QueryMeta, QueryOptions, QueryResponse},
    record::Session,
};

/// How often a write may be passed on before a server gives up on leader hints.
const HOPS_MAX: u8 = 3;
/// Smallest pause between attempts while there is no leader; the real wake-up is the change of leadership.
const RETRY_PAUSE: Duration = Duration::from_millis(25);
/// How long one attempt at a write may wait for its answer.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Limits of the service.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// The datacenter that applies what all of them share.
    pub primary: DatacenterName,
    /// How long a request waits for a leader (`performance.rpc_hold_timeout`).
    pub hold: Duration,
    /// Wait of a blocking query that names none.
    pub default_wait: Duration,
    /// Longest wait.
    pub max_wait: Duration,
}

/// The part that only servers have.
pub struct ServerSide {
    /// Published state.
    pub hub: Arc<ViewHub>,
    /// Consensus.
    pub consensus: Arc<dyn Consensus>,
    /// The certificate authority, which acts while this server leads.
    pub authority: Arc<dyn ports::Authority>,
    /// Renewals of sessions, which count while this server leads.
    pub renewals: Arc<Renewals>,
    /// Wall time, for the names of archives.
    pub clock: Arc<dyn WallClock>,
}

/// Submit and Query of one agent.
pub struct Service {
    config: ServiceConfig,
    server: Option<ServerSide>,
    servers: Arc<ServerList>,
    datacenters: Arc<Datacenters>,
    pool: Pool,
    jitter: parking_lot::Mutex<rand_chacha::ChaCha8Rng>,
    view: std::sync::OnceLock<Tell<FederationView>>,
    report: std::sync::OnceLock<Tell<AutopilotReport>>,
    snapshots: snapshot::Snapshots,
    limits: RateLimits,
    desk: std::sync::OnceLock<Arc<dyn ports::Desk>>,
}

type Tell<T> = Box<dyn Fn() -> Option<T> + Send + Sync>;

impl Service {
    /// Builds it; `server` is `None` on client agents.
    pub fn new(
        config: ServiceConfig,
        server: Option<ServerSide>,
        servers: Arc<ServerList>,
        datacenters: Arc<Datacenters>,
        pool: Pool,
        seed: RngSeed,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            server,
            servers,
            datacenters,
            pool,
            jitter: parking_lot::Mutex::new(seed.fork("query jitter")),
            view: std::sync::OnceLock::new(),
            report: std::sync::OnceLock::new(),
            snapshots: snapshot::Snapshots::default(),
            limits: RateLimits::default(),
            desk: std::sync::OnceLock::new(),
        })
    }

    /// Limits on what clients may ask; a reload sets them anew.
    pub fn limits(&self) -> &RateLimits {
        &self.limits
    }

    /// Counts a request of a client of this agent's API, before it is looked at.
    ///
    /// # Errors
    /// [`RequestError::RateLimited`], [`RequestError::Overloaded`].
    pub fn admit(&self, writes: bool) -> Result<(), RequestError> {
        match &self.server {
            Some(_) => self.limits.takes(writes, Instant::now()),
            None => self.limits.sends(Instant::now()),
        }
    }

    fn is_own(&self, dc: Option<&str>) -> bool {
        dc.is_none_or(|dc| dc.is_empty() || dc.eq_ignore_ascii_case(&self.config.datacenter))
    }

    /// Leader and peers of a datacenter (`None` = the own one), as this agent or a server it asks knows them.
    ///
    /// # Errors
    /// When no server there answers.
    pub async fn status(&self, datacenter: Option<&str>) -> Result<StatusAnswer, RequestError> {
        let request = || Request::Status { datacenter: datacenter.map(Str::new) };
        let answer = match &self.server {
            None => self.ask_any_server(&request(), Instant::now() + self.config.hold).await?,
            Some(s) => match self.place(datacenter)? {
                Some(remote) => self.ask_remote(&remote, &request()).await?,
                None => {
                    let leader = s.consensus.leadership().leader;
                    return Ok(StatusAnswer { leader, peers: s.consensus.peers() });
                }
            },
        };
        match answer {
            Response::Status(s) => Ok(s),
            other => Err(unexpected(&other)),
        }
    }

    /// Names of all datacenters, the own one first, then by distance.
    ///
    /// # Errors
    /// On a client, when no server answers.
    pub async fn datacenters(&self) -> Result<Vec<DatacenterName>, RequestError> {
        if self.server.is_some() {
            return Ok(self.datacenters.by_distance());
        }
        match self.ask_any_server(&Request::Datacenters, Instant::now() + self.config.hold).await? {
            Response::Datacenters(names) => Ok(names),
            other => Err(unexpected(&other)),
        }
    }

    /// How many datacenters this agent knows by itself.
    pub fn known_datacenters(&self) -> usize {
        self.datacenters.remotes().len() + 1
    }

    /// Begins the time to live of a session anew; answers the session, `None` when there is none (any more).
    ///
    /// # Errors
    /// When there is no leader.
    pub async fn renew_session(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        tenancy: Tenancy,
        id: Str,
    ) -> Result<Option<Arc<Session>>, RequestError> {
        let datacenter = datacenter.map(Str::new);
        let request =
            Request::RenewSession { datacenter: datacenter.clone(), token: token.clone(), tenancy, id };
        match self.leader_request(datacenter.as_deref(), request).await? {
            Response::Session(session) => Ok(session),
            other => Err(unexpected(&other)),
        }
    }

    /// Renews a session as the leader: that it leads is confirmed first, so that whoever leads next has not begun to count
    /// before this answer.
    async fn renew_here(
        &self,
        server: &ServerSide,
        tenancy: &Tenancy,
        id: &Str,
    ) -> Result<Option<Arc<Session>>, RequestError> {
        server.consensus.read_point().await?;
        let query = Query::Session { tenancy: tenancy.clone(), id: id.clone() };
        let (result, _) = catalog::run_query(&server.hub.load(), &query, &[]);
        let types::query::QueryResult::Sessions(found) = result else { return Ok(None) };
        Ok(found
            .into_iter()
            .next()
            .filter(|s| s.ttl_ns == 0 || server.renewals.renew(tenancy, id, Instant::now())))
    }

    /// Sends a request that only the leader of a datacenter answers, waiting for one within the hold time.
    async fn leader_request(&self, datacenter: Option<&str>, request: Request) -> Answer {
        let deadline = Instant::now() + self.config.hold;
        if self.server.is_some()
            && let Some(remote) = self.place(datacenter)?
        {
            return self.ask_remote(&remote, &request).await;
        }
        loop {
            let attempt = match &self.server {
                Some(s) if s.consensus.leadership().is_leader => {
                    self.handle_here(s, request.clone(), deadline).await
                }
                Some(s) => match s.consensus.leadership().leader {
                    Some(leader) => self.call_within(leader, &request, deadline).await,
                    None => Err(RequestError::NoLeader),
                },
                None => return self.ask_any_server(&request, deadline).await,
            };
            match attempt {
                Err(e) if e.is_transient() && e.outcome() == types::Outcome::NotApplied => {
                    self.wait_for_leader(deadline).await?;
                }
                other => return other,
            }
        }
    }

    /// Sleeps until leadership changes or a short pause is over; fails once the deadline has passed.
    async fn wait_for_leader(&self, deadline: Instant) -> Result<(), RequestError> {
        if Instant::now() + RETRY_PAUSE >= deadline {
            return Err(RequestError::NoLeader);
        }
        match &self.server {
            Some(s) => {
                let mut rx = s.consensus.leadership_changes();
                tokio::select! {
                    // Either way the caller looks again.
                    _ = rx.changed() => {}
                    () = tokio::time::sleep(RETRY_PAUSE * 4) => {}
                }
            }
            None => tokio::time::sleep(RETRY_PAUSE).await,
        }
        Ok(())
    }

    async fn call_within(&self, to: SocketAddr, request: &Request, deadline: Instant) -> Answer {
        self.call_there(to, None, request, deadline).await
    }

    /// Asks a server of `datacenter` (`None` = the own one).
    async fn call_there(
        &self,
        to: SocketAddr,
        datacenter: Option<&str>,
        request: &Request,
        deadline: Instant,
    ) -> Answer {
        let begun = Instant::now();
        match tokio::time::timeout_at(deadline, self.pool.call(to, datacenter, request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err({
                self.pool.stalled(to, begun);
                RequestError::Transport {
                    text: Str::from(format!("no answer from {to} in time")),
                    sent: true,
                }
            }),
        }
    }

    /// Asks servers in turn until one answers with something that is not transient.
    async fn ask_any_server(&self, request: &Request, deadline: Instant) -> Answer {
        let is_read =
            !matches!(request, Request::Submit { .. } | Request::Desk { request: DeskRequest::Fire(_), .. });
        let answer_by = match request {
            Request::Query { options, .. } if options.min_index > 0 => {
                let wait = options.max_wait.unwrap_or(self.config.default_wait);
                Instant::now() + wait + wait / 8 + self.config.hold
            }
            Request::Submit { .. } => deadline.max(Instant::now() + WRITE_LIMIT),
            _ => deadline,
        };
        loop {
            let Some(server) = self.servers.pick() else {
                if Instant::now() + RETRY_PAUSE >= deadline || self.servers.is_settled_empty() {
                    return Err(RequestError::NoServers);
                }
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            };
            match self.call_within(server, request, answer_by).await {
                Err(e @ RequestError::Transport { .. }) => {
                    tracing::debug!(%server, error = %e, "server did not answer, trying another");
                    self.servers.failed(server);
                    if !(is_read || e.outcome() == types::Outcome::NotApplied) {
                        return Err(RequestError::Unknown);
                    }
                    if Instant::now() + RETRY_PAUSE >= deadline {
                        return Err(e);
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(e @ (RequestError::ShuttingDown | RequestError::NotLeader)) => {
                    self.servers.failed(server);
                    if Instant::now() + RETRY_PAUSE >= deadline {
                        return Err(e);
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    async fn submit_inner(
        &self,
        datacenter: Option<Str>,
        token: SecretToken,
        command: Command,
        hops: u8,
    ) -> Result<(u64, CommandResponse), RequestError> {
        let deadline = Instant::now() + self.config.hold;
        let Some(server) = &self.server else {
            let request = Request::Submit { datacenter, token, command, hops };
            return submit_answer(self.ask_any_server(&request, deadline).await?);
        };
        // What all datacenters share is written in the primary one, whichever was asked.
        let datacenter = if command.is_global() { Some(self.config.primary.0.clone()) } else { datacenter };
        if let Some(remote) = self.place(datacenter.as_deref())? {
            let request = Request::Submit { datacenter, token, command, hops };
            return submit_answer(self.ask_remote(&remote, &request).await?);
        }
        loop {
            let leadership = server.consensus.leadership();
            let attempt = if leadership.is_leader {
                server.consensus.propose(command.clone()).await
            } else {
                match leadership.leader {
                    Some(leader) if hops < HOPS_MAX => {
                        let request = Request::Submit {
                            datacenter: datacenter.clone(),
                            token: token.clone(),
                            command: command.clone(),
                            hops: hops + 1,
                        };
                        self.call_within(leader, &request, Instant::now() + WRITE_LIMIT)
                            .await
                            .and_then(submit_answer)
                    }
                    Some(_) => return Err(RequestError::NotLeader),
                    None => Err(RequestError::NoLeader),
                }
            };
            match attempt {
                Ok((_, CommandResponse::Refused(text))) => return Err(RequestError::Refused(text)),
                Ok(done) => return Ok(done),
                Err(e) if e.outcome() == types::Outcome::Unknown => return Err(RequestError::Unknown),
                Err(e) if e.is_transient() => self.wait_for_leader(deadline).await?,
                Err(e) => return Err(e),
            }
        }
    }

    /// A future of its own for each way to an answer: many of those who wait here at a time do so on the state of this
    /// server, and what they hold is small.
    fn query_inner(
        &self,
        query: Query,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        match query {
            Query::Execute(asked) => Box::pin(async move {
                let fails_over = self.fails_over(&asked, &options);
                let response = self.query_once(Query::Execute(asked.clone()), options.clone()).await?;
                Ok(self.executed(*asked, options, response, fails_over).await)
            }),
            query => self.query_once(query, options),
        }
    }

    fn query_once(
        &self,
        query: Query,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        let remote = match &self.server {
            None => None,
            Some(server) => match self.place(options.datacenter.as_deref()) {
                Ok(None) => return Box::pin(self.query_own(server, query, options)),
                Ok(remote) => remote,
                Err(e) => return Box::pin(std::future::ready(Err(e))),
            },
        };
        Box::pin(async move {
            let request = Request::Query { query, options };
            let answer = match remote {
                None => self.ask_any_server(&request, Instant::now() + self.config.hold).await?,
                Some(remote) => self.ask_remote(&remote, &request).await?,
            };
            match answer {
                Response::Query(r) => Ok(r),
                other => Err(unexpected(&other)),
            }
        })
    }

    /// Answers from the state of this server.
    async fn query_own(
        &self,
        server: &ServerSide,
        query: Query,
        options: QueryOptions,
    ) -> Result<QueryResponse, RequestError> {
        let hold = Instant::now() + self.config.hold;
        let deadline = Instant::now() + self.wait(&options);
        loop {
            match self.query_here(server, &query, &options, deadline, hold).await {
                Err(e) if e.is_transient() && !matches!(e, RequestError::Overloaded) => {
                    self.wait_for_leader(hold.max(deadline.min(hold + self.config.hold))).await?;
                }
                other => return other,
            }
        }
    }

    /// Time that a blocking query may park, with up to a sixteenth of jitter so that many do not return at once.
    fn wait(&self, options: &QueryOptions) -> Duration {
        if options.min_index == 0 {
            return Duration::ZERO;
        }
        let wait = options
            .max_wait
            .filter(|w| !w.is_zero())
            .unwrap_or(self.config.default_wait)
            .min(self.config.max_wait);
        let sixteenth = u64::try_from(wait.as_millis() / 16).unwrap_or(0);
        wait + Duration::from_millis(rand::Rng::random_range(&mut *self.jitter.lock(), 0..=sixteenth))
    }

    /// The leader confirms a read point; this server answers once it has applied it.
    async fn reach_point_of(
        &self,
        server: &ServerSide,
        leader: Option<SocketAddr>,
        hold: Instant,
    ) -> Result<(), RequestError> {
        let leader = leader.ok_or(RequestError::NoLeader)?;
        let asked = Box::pin(self.call_within(leader, &Request::ReadPoint, hold));
        let Response::ReadPoint(point) = asked.await? else {
            return Err(RequestError::Malformed("read point".into()));
        };
        tokio::time::timeout_at(hold, server.hub.wait_applied(point))
            .await
            .map_err(|_elapsed| RequestError::NoLeader)
    }

    /// Waits until this server has every write that was acknowledged before.
    async fn reach_read_point(&self, server: &ServerSide, hold: Instant) -> Result<(), RequestError> {
        let leadership = server.consensus.leadership();
        if leadership.is_leader {
            let point = tokio::time::timeout_at(hold, server.consensus.read_point());
            return point.await.map_err(|_elapsed| RequestError::NoLeader)?.map(|_point| ());
        }
        self.reach_point_of(server, leadership.leader, hold).await
    }

    async fn query_here(
        &self,
        server: &ServerSide,
        query: &Query,
        options: &QueryOptions,
        deadline: Instant,
        hold: Instant,
    ) -> Result<QueryResponse, RequestError> {
        let consensus = &*server.consensus;
        let too_stale = options.max_stale.is_some_and(|max| consensus.last_contact() > max);
        let consistency = match options.consistency {
            _ if too_stale => Consistency::Default,
            Consistency::Default if faults::on(faults::Fault::StaleReadByDefault) => Consistency::Stale,
            asked => asked,
        };
        let mut leads = None;
        if consistency != Consistency::Stale {
            let leadership = consensus.leadership();
            if leadership.is_leader {
                tokio::time::timeout_at(hold, consensus.read_point())
                    .await
                    .map_err(|_elapsed| RequestError::NoLeader)??;
                leads = Some((leadership.term, consensus.leadership_changes()));
            } else {
                self.reach_point_of(server, leadership.leader, hold).await?;
            }
        }
        let (result, index) = blocking_query(&server.hub, query, options, deadline, leads).await?;
        Ok(QueryResponse { meta: meta(consensus, index, consistency), result })
    }

    /// Answers a request that came over the server port, or from this agent.
    async fn handle_here(&self, server: &ServerSide, request: Request, deadline: Instant) -> Answer {
        match request {
            Request::Submit { datacenter, token, command, hops } => {
                let (index, response) = self.submit_inner(datacenter, token, command, hops).await?;
                Ok(Response::Submit(index, response))
            }
            Request::Query { query, options } => self.query_inner(query, options).await.map(Response::Query),
            Request::ReadPoint => {
                let point = tokio::time::timeout_at(deadline, server.consensus.read_point())
                    .await
                    .map_err(|_elapsed| RequestError::NoLeader)??;
                Ok(Response::ReadPoint(point))
            }
            Request::Status { datacenter } => self.status(datacenter.as_deref()).await.map(Response::Status),
            Request::Desk { datacenter, token, request } => {
                Box::pin(self.desk(datacenter.as_deref(), &token, request)).await.map(Response::Desk)
            }
            Request::Datacenters => Ok(Response::Datacenters(self.datacenters.by_distance())),
            Request::RemoveServer { datacenter, id } if self.is_own(datacenter.as_deref()) => {
                server.consensus.remove_server(id).await.map(|()| Response::Ok)
            }
            Request::RemoveServer { datacenter, id } => {
                Box::pin(self.remove_server(datacenter.as_deref(), id)).await.map(|()| Response::Ok)
            }
            Request::TransferLeader { to } => {
                server.consensus.transfer_leader(to).await.map(|()| Response::Ok)
            }
            Request::RaftConfiguration { datacenter }
                if self.is_own(datacenter.as_deref()) && server.consensus.leadership().is_leader =>
            {
                Ok(Response::RaftConfiguration(server.consensus.configuration()))
            }
            Request::Federation { datacenter }
                if self.is_own(datacenter.as_deref()) && server.consensus.leadership().is_leader =>
            {
                self.own_view().map(Response::Federation)
            }
            Request::Federation { datacenter } => {
                Box::pin(self.federation(datacenter.as_deref(), false)).await.map(Response::Federation)
            }
            Request::Autopilot { datacenter }
                if self.is_own(datacenter.as_deref()) && server.consensus.leadership().is_leader =>
            {
                let report = self.report.get().and_then(|report| report());
                report.map(Response::Autopilot).ok_or(RequestError::NotLeader)
            }
            Request::Autopilot { datacenter } => {
                Box::pin(self.autopilot(datacenter.as_deref())).await.map(Response::Autopilot)
            }
            Request::PromiseBootstrap { servers } => {
                Ok(Response::Promise(server.consensus.promise_bootstrap(&servers)))
            }
            Request::Enroll { csr } => {
                let told = self.pool.enrollment().ok_or_else(|| {
                    RequestError::Refused(Str::new_static("auto_encrypt.allow_tls is not set on this server"))
                })?;
                let request = CaRequest::Enroll { csr };
                let answer = ports::Authority::authority(self, None, &SecretToken::default(), request);
                let CaAnswer::Leaf(cert) = Box::pin(answer).await? else {
                    return Err(RequestError::Malformed("certificate expected".into()));
                };
                let tls::Enrollment { authorities, verify_server_hostname } = told;
                Ok(Response::Enrolled(Enrolled { cert, authorities, verify_server_hostname }))
            }
            Request::Authority { datacenter, token, request }
                if self.is_own(datacenter.as_deref()) && server.consensus.leadership().is_leader =>
            {
                server.authority.authority(None, &token, request).await.map(Response::Authority)
            }
            Request::Authority { datacenter, token, request } => {
                let request = Request::Authority { datacenter: datacenter.clone(), token, request };
                Box::pin(self.leader_request(datacenter.as_deref(), request)).await
            }
            request @ (Request::SnapshotOpen { .. } | Request::SnapshotNext { .. }) => {
                self.handle_snapshot(request).await
            }
            Request::RenewSession { datacenter, tenancy, id, .. }
                if self.is_own(datacenter.as_deref()) && server.consensus.leadership().is_leader =>
            {
                let renewed = self.renew_here(server, &tenancy, &id);
                let renewed = tokio::time::timeout_at(deadline, renewed);
                renewed.await.map_err(|_elapsed| RequestError::NoLeader)?.map(Response::Session)
            }
            Request::RenewSession { datacenter, token, tenancy, id } => {
                Box::pin(self.renew_session(datacenter.as_deref(), &token, tenancy, id))
                    .await
                    .map(Response::Session)
            }
            Request::RaftConfiguration { datacenter } => {
                Box::pin(self.raft_configuration(datacenter.as_deref()))
                    .await
                    .map(Response::RaftConfiguration)
            }
        }
    }
}

fn meta(consensus: &dyn Consensus, index: u64, consistency: Consistency) -> QueryMeta {
    let leadership = consensus.leadership();
    QueryMeta {
        index: index.max(1),
        known_leader: leadership.leader.is_some(),
        last_contact: if consistency == Consistency::Stale {
            consensus.last_contact()
        } else {
            Duration::ZERO
        },
        consistency,
        filtered_by_acls: false,
    }
}

fn submit_answer(response: Response) -> Result<(u64, CommandResponse), RequestError> {
    match response {
        Response::Submit(_, CommandResponse::Refused(text)) => Err(RequestError::Refused(text)),
        Response::Submit(index, response) => Ok((index, response)),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(response: &Response) -> RequestError {
    let what = match response {
        Response::Submit(..) => "submit",
        Response::Query(_) => "query",
        Response::ReadPoint(_) => "read point",
        Response::Status(_) => "status",
        Response::Datacenters(_) => "datacenters",
        Response::Ok => "ok",
        Response::RaftConfiguration(_) => "raft configuration",
        Response::Promise(_) => "promise",
        Response::Federation(_) => "federation",
        Response::Authority(_) => "authority",
        Response::Enrolled(_) => "enrolled",
        Response::Session(_) => "session",
        Response::SnapshotOpened(_) => "snapshot",
        Response::SnapshotPiece(_) => "piece of a snapshot",
        Response::Desk(_) => "desk",
        Response::Autopilot(_) => "autopilot",
    };
    RequestError::Malformed(Str::from(format!("unexpected answer of kind {what}")))
}

impl ports::Submit for Service {
    fn submit(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        command: Command,
    ) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>> {
        let (datacenter, token) = (datacenter.map(Str::new), token.clone());
        Box::pin(self.submit_inner(datacenter, token, command, 0))
    }
}

impl ports::Authority for Service {
    fn authority(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        request: CaRequest,
    ) -> BoxFuture<'_, Result<CaAnswer, RequestError>> {
        let datacenter = datacenter.map(Str::new);
        let request = Request::Authority { datacenter: datacenter.clone(), token: token.clone(), request };
        Box::pin(async move {
            match self.leader_request(datacenter.as_deref(), request).await? {
                Response::Authority(answer) => Ok(answer),
                other => Err(unexpected(&other)),
            }
        })
    }
}

impl ports::Query for Service {
    fn query(
        &self,
        query: Query,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        self.query_inner(query, options)
    }

    fn query_now(
        &self,
        query: &Query,
        options: &QueryOptions,
    ) -> Option<Result<QueryResponse, RequestError>> {
        // What is executed may need other datacenters.
        if matches!(query, Query::Execute(_)) {
            return None;
        }
        let server = self.readable_now(options)?;
        let store = server.hub.load();
        Some(run(&store, query, options).map(|(result, index)| QueryResponse {
            meta: meta(&*server.consensus, index, options.consistency),
            result,
        }))
    }

    fn version_now(&self, query: &Query, options: &QueryOptions) -> Option<u64> {
        if matches!(query, Query::Execute(_)) {
            return None;
        }
        let server = self.readable_now(options)?;
        Some(version(&server.hub.load(), &topics_of(query, is_narrowed(options))))
    }
}

impl Service {
    /// The local state, if it is fresh enough for these options without waiting.
    fn readable_now(&self, options: &QueryOptions) -> Option<&ServerSide> {
        let server = self.server.as_ref()?;
        if options.min_index > 0 || !self.is_own(options.datacenter.as_deref()) {
            return None;
        }
        match options.consistency {
            Consistency::Stale => match options.max_stale {
                Some(max) if server.consensus.last_contact() > max => None,
                _ => Some(server),
            },
            Consistency::Default | Consistency::Consistent => {
                let point = server.consensus.read_point_now()?;
                (server.hub.applied() >= point).then_some(server)
            }
        }
    }
}

impl crate::server::Handler for Service {
    fn handle(&self, request: Request) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match &self.server {
                Some(server) => {
                    if let Some(writes) = limits::counts(&request) {
                        self.limits.takes(writes, Instant::now())?;
                    }
                    let deadline = Instant::now() + self.config.hold;
                    self.handle_here(server, request, deadline).await
                }
                None => Err(RequestError::NoServers),
            }
        })
    }

    fn handle_raft(&self, request: bytes::Bytes) -> BoxFuture<'_, bytes::Bytes> {
        match &self.server {
            Some(server) => server.consensus.handle_raft(request),
            None => Box::pin(std::future::ready(bytes::Bytes::new())),
        }
    }
}
