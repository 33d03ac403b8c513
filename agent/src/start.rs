//! Builds the agent: each part after those it needs, sockets first so that a port in use fails before anything runs.

use crate::{
    certificates,
    consensus::{Addresses, HubObserver, PoolTransport, RaftConsensus},
    convert, coordinates,
    data_dir::{DataDir, DataDirError, host_node_id, node_id},
    enroll::{self, Applicant},
    events, members, metering, sockets,
    steady::SteadyClock,
    tunnels, view,
    watches::Watches,
};
use arc_swap::ArcSwap;
use authority::{Authority, Leaves, LeavesDeps, Upkeep};
use checks::{FileDefinitions, LocalState};
use config::RuntimeConfig;
use dns_server::DnsServer;
use federation::{Dialer, WanNet};
use gossip_driver::{GossipHandle, Pool as GossipPool};
use http_api::{HttpServer, Loopback, port::AgentTokenKind};
use leader::Leader;
use raft::{RaftHandle, ServerId};
use rpc::{Datacenters, Pool, ServerList, ServerSide, Service, ViewHub};
use runtime::{Net, RngSeed, Shutdown, Tasks, WallClock};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};
use telemetry::{Logs, Metrics};
use tokio::sync::mpsc;
use types::{SecretToken, Str};

/// Hints for the leader's duties that may wait.
const MEMBER_HINTS: usize = 1024;

/// Why the agent did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A listener.
    #[error("Failed to start {what} listener on {addr}: {source}{}", hint(.source))]
    Listen {
        /// Which.
        what: &'static str,
        /// Where.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// Consensus.
    #[error("Failed to start Raft: {0}")]
    Raft(#[from] raft::StartError),
    /// Gossip.
    #[error("Failed to start {pool} Serf: {source}")]
    Gossip {
        /// Which pool.
        pool: &'static str,
        /// Why.
        source: gossip_driver::StartError,
    },
    /// Certificates, keys and authorities.
    #[error(transparent)]
    Tls(#[from] tls::LoadError),
    /// A definition of a file, or a setting that only shows now.
    #[error("{0}")]
    Setting(String),
}

fn hint(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::AddrInUse => " (another process listens there: stop it, or choose another port)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need the capability CAP_NET_BIND_SERVICE)",
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has that address)",
        _ => "",
    }
}

/// What the agent takes from the world around it.
#[derive(Clone)]
pub struct World {
    /// Sockets of gossip and of the server port.
    pub net: Arc<dyn Net>,
    /// Wall time.
    pub clock: Arc<dyn WallClock>,
    /// Root of all randomness.
    pub seed: RngSeed,
    /// Log output.
    pub logs: Logs,
    /// Where a server keeps Raft's log and snapshots, if not in its data directory.
    pub raft_storage: Option<RaftStorage>,
}

/// Storage of Raft that a simulation can take the power from.
#[derive(Clone)]
pub struct RaftStorage {
    /// Files and who writes them.
    pub storage: raft::storage::Storage,
    /// Size of a log segment, bytes.
    pub segment_bytes: u64,
}

/// The server's own parts.
pub(crate) struct ServerParts {
    pub(crate) consensus: Arc<RaftConsensus>,
    pub(crate) hub: Arc<ViewHub>,
    /// What autopilot remembers of the servers.
    pub(crate) pilot: Arc<leader::Memory>,
    pub(crate) wan: Option<GossipHandle>,
    /// How replication from the primary datacenter goes.
    pub(crate) replication: federation::Status,
    /// Ways through mesh gateways.
    pub(crate) dialer: Option<Arc<Dialer>>,
}

/// A running agent.
pub struct Agent {
    /// Configuration in force; a reload swaps it.
    pub(crate) config: ArcSwap<RuntimeConfig>,
    /// What a reload may replace: where the configuration is read from.
    pub(crate) reloader: Reloader,
    pub(crate) node_id: Str,
    pub(crate) world: World,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
    pub(crate) api_times: metering::ApiTimes,
    pub(crate) lan: GossipHandle,
    pub(crate) server: Option<ServerParts>,
    pub(crate) service: Arc<Service>,
    pub(crate) datacenters: Arc<Datacenters>,
    pub(crate) local: LocalState,
    /// Leaf certificates of services.
    pub(crate) leaves: Arc<Leaves>,
    /// Source of the ids of new things.
    pub(crate) ids: parking_lot::Mutex<rand_chacha::ChaCha8Rng>,
    /// User events that were meant for this agent.
    pub(crate) events: events::Events,
    /// Commands that an operator runs here.
    pub(crate) remote_exec: crate::remote_exec::RemoteExec,
    /// Coordinates that wait to be written.
    pub(crate) gathered: coordinates::Gathered,
    /// Tokens that were set over HTTP.
    pub(crate) tokens: parking_lot::Mutex<BTreeMap<AgentTokenKind, SecretToken>>,
    pub(crate) dns_config: Arc<ArcSwap<dns::DnsConfig>>,
    pub(crate) tls: Arc<tls::Tls>,
    pub(crate) http: std::sync::OnceLock<HttpServer>,
    /// Watches of the configuration; set once, with the server of the API.
    pub(crate) watches: std::sync::OnceLock<Watches>,
    pub(crate) leaving: Shutdown,
    pub(crate) reloading: tokio::sync::Mutex<()>,
    sockets: Vec<PathBuf>,
    _data: Option<DataDir>,
}

/// Reads the configuration anew.
pub type Reloader = Box<dyn Fn() -> Result<(RuntimeConfig, Vec<String>), String> + Send + Sync>;

impl Agent {
    /// Starts everything, in this order: data directory, TLS files, listeners, consensus, Submit and Query, gossip, leader's duties, local
    /// state, HTTP and DNS, joining.
    ///
    /// # Errors
    /// [`StartError`]; what was started ends with `shutdown`.
    pub async fn start(
        config: RuntimeConfig,
        world: World,
        shutdown: Shutdown,
        reloader: Reloader,
    ) -> Result<Arc<Self>, StartError> {
        let tasks = Tasks::new(shutdown);
        let seed = world.seed;
        let steady = SteadyClock::start(&*world.clock);
        let data = config.data_dir.as_deref().map(DataDir::open).transpose()?;
        let node_id = own_node_id(&config, data.as_ref())?;
        let server_id: ServerId =
            node_id.parse().map_err(|e| StartError::Setting(format!("failed to setup node ID: {e}")))?;
        let metrics = start_metrics(&config, &world, &tasks);

        let tls = Arc::new(tls::Tls::load(convert::tls(&config), world.clock.clone())?);
        let http_bound = sockets::bind_http(&config, &tls).await?;
        let dns_sockets =
            dns_server::bind(&config.net.dns, sockets::dns_loops()).map_err(|source| StartError::Listen {
                what: "DNS",
                addr: config.net.dns.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", "),
                source,
            })?;
        let rpc_listener = match config.server {
            true => Some(world.net.listen(config.net.rpc_bind).await.map_err(|source| {
                StartError::Listen { what: "RPC", addr: config.net.rpc_bind.to_string(), source }
            })?),
            false => None,
        };

        let addresses = Arc::<Addresses>::default();
        let list = Arc::new(ServerList::new(seed));
        let source: Option<IpAddr> = Some(config.net.bind).filter(|ip| !ip.is_unspecified());
        let tunnels = tunnels::federate(&config, &world, &tls, source)?;
        let mut pool = Pool::new(world.net.clone(), tls.clone(), source, tasks.clone());
        if let Some((dialer, _)) = &tunnels {
            pool = pool.with_tunnels(dialer.clone());
        }
        let hub = Arc::new(ViewHub::default());
        let consensus = match config.server {
            true => {
                let transport = Arc::new(PoolTransport { pool: pool.clone(), addresses: addresses.clone() });
                let mut raft_config = convert::raft(&config, server_id, data.as_ref());
                let observer = Arc::new(HubObserver(hub.clone()));
                if let Some(data) = &data {
                    crate::recovery::take_up(data, server_id).map_err(StartError::Setting)?;
                }
                let (clock, owner) = (steady.clone(), tasks.clone());
                let raft = match &world.raft_storage {
                    None => RaftHandle::start(raft_config, transport, observer, clock, seed, owner).await?,
                    Some(RaftStorage { storage, segment_bytes }) => {
                        raft_config.segment_bytes = *segment_bytes;
                        let storage = storage.clone();
                        RaftHandle::start_on(raft_config, storage, transport, observer, clock, seed, owner)
                            .await?
                    }
                };
                let meter = metering::LogMeter::new(&metrics);
                Some(RaftConsensus::start(raft, server_id.0, addresses.clone(), &pool, meter, &tasks))
            }
            false => None,
        };
        let authority = consensus.clone().map(|consensus| {
            let clock = world.clock.clone();
            Authority::new(
                convert::authority(&config),
                authority::Deps { hub: hub.clone(), consensus, clock, seed },
            )
        });
        let renewals = Arc::new(rpc::Renewals::default());
        let side = consensus.clone().zip(authority.clone()).map(|(consensus, authority)| ServerSide {
            hub: hub.clone(),
            consensus,
            authority,
            renewals: renewals.clone(),
            clock: world.clock.clone(),
        });
        let datacenters = Arc::new(Datacenters::new(config.node.datacenter.clone(), seed));
        let service = Service::new(
            convert::service(&config),
            side,
            list.clone(),
            datacenters.clone(),
            pool.clone(),
            seed,
        );
        service.limits().set(convert::rates(&config));
        if let Some(listener) = rpc_listener {
            let limit = config.rpc.handshake_timeout;
            let sink = tunnels.as_ref().map(|(_, inbound)| inbound.clone() as Arc<dyn rpc::TunnelSink>);
            rpc::server::serve(listener, tls.clone(), limit, service.clone(), sink, &tasks);
            if let Some((dialer, _)) = &tunnels {
                federation::follow::follow(dialer.clone(), service.clone(), &tasks);
            }
        }

        let keyring = convert::keyring(&config).map_err(StartError::Setting)?;
        let lan_config = convert::gossip(
            GossipPool::Lan,
            &config,
            &node_id,
            config.net.serf_lan_bind,
            config.net.serf_lan_advertise,
            keyring.clone(),
            data.as_ref(),
        );
        let (lan, lan_events) =
            GossipHandle::start(lan_config, world.net.clone(), world.clock.clone(), seed, tasks.clone())
                .await
                .map_err(|source| StartError::Gossip { pool: "LAN", source })?;
        let wan = match (config.server, config.net.serf_wan_bind, config.net.serf_wan_advertise) {
            (true, Some(bind), Some(advertise)) => {
                let wan_config = convert::gossip(
                    GossipPool::Wan,
                    &config,
                    &node_id,
                    bind,
                    advertise,
                    keyring,
                    data.as_ref(),
                );
                let wan_net = match &tunnels {
                    Some((dialer, inbound)) => {
                        WanNet::new(world.net.clone(), dialer.clone(), inbound.clone(), tasks.clone())
                    }
                    None => world.net.clone(),
                };
                let (wan, mut events) =
                    GossipHandle::start(wan_config, wan_net, world.clock.clone(), seed, tasks.clone())
                        .await
                        .map_err(|source| StartError::Gossip { pool: "WAN", source })?;
                let shutdown = tasks.shutdown().clone();
                tasks.spawn("WAN member events", async move {
                    loop {
                        // The pool outlives this task: its events do not end with the agent.
                        let event = tokio::select! {
                            () = shutdown.wait() => return,
                            event = events.recv() => match event { Some(event) => event, None => return },
                        };
                        tracing::info!(pool = "WAN", event = event.as_str(), member = %event.member().name, "member changed");
                    }
                });
                let routes = tunnels.as_ref().map(|(dialer, _)| dialer.routes.clone());
                members::follow_wan(&wan, &lan, &config, datacenters.clone(), routes, &tasks);
                tasks.spawn("datacenters", service.clone().probe_datacenters(tasks.shutdown().clone()));
                Some(wan)
            }
            _ => None,
        };
        if config.auto_encrypt.tls {
            let applicant = Applicant {
                datacenter: config.node.datacenter.clone(),
                node: config.node.name.0.clone(),
                dns_names: config.auto_encrypt.dns_san.clone(),
                addresses: config.auto_encrypt.ip_san.clone(),
                servers: list.clone(),
                pool: pool.clone(),
                tls: tls.clone(),
                clock: world.clock.clone(),
            };
            applicant.start(seed, &tasks);
        }
        if config.auto_encrypt.allow_tls {
            enroll::trust(service.clone(), tls.clone(), &tasks);
        }
        members::follow(&lan, &config, addresses, list, &tasks);
        let (hints, member_events) = mpsc::channel(MEMBER_HINTS);
        members::forward_events(lan_events, &lan, hints, "LAN", &metrics, &tasks);
        let pilot = Arc::<leader::Memory>::default();
        if let Some(consensus) = &consensus {
            let members_of = lan.clone();
            Leader::start(
                convert::leader(&config),
                leader::Deps {
                    submit: service.clone(),
                    query: service.clone(),
                    members: Arc::new(move || members_of.members()),
                    member_events,
                    leadership: consensus.terms(&tasks),
                    membership: consensus.clone(),
                    memory: pilot.clone(),
                    renewals: renewals.clone(),
                    steady: steady.clone(),
                    clock: world.clock.clone(),
                    seed,
                    tasks: tasks.clone(),
                },
            );
            if let Some(authority) = authority {
                let leadership = consensus.terms(&tasks);
                Upkeep::start(authority, service.clone(), service.clone(), leadership, &tasks);
            }
        }

        let replication = federation::Status::default();
        if let Some(consensus) = &consensus {
            federation::start(
                convert::federation(&config),
                federation::Deps {
                    submit: service.clone(),
                    query: service.clone(),
                    datacenters: datacenters.clone(),
                    leadership: consensus.terms(&tasks),
                    clock: world.clock.clone(),
                    seed,
                    tasks: tasks.clone(),
                    status: replication.clone(),
                },
            );
        }

        let counted = lan.clone();
        let mut local = convert::local(&config, &node_id, data.as_ref());
        local.probe_tls = config.tls.for_checks.then(|| tls.clone());
        let local = LocalState::start(
            local,
            FileDefinitions { services: config.services.clone(), checks: config.checks.clone() },
            checks::Ports {
                submit: service.clone(),
                query: service.clone(),
                cluster_size: Arc::new(move || counted.members().len()),
                clock: world.clock.clone(),
                seed,
                tasks: tasks.clone(),
            },
        )
        .await
        .map_err(|e| StartError::Setting(e.to_string()))?;

        let dns_config =
            Arc::new(ArcSwap::from_pointee(convert::dns(&config).await.map_err(StartError::Setting)?));
        let zone = dns::Zone::new(
            &config.dns.domain,
            &config.dns.alt_domain,
            config.node.datacenter.clone(),
            config.net.translate_wan_addrs,
        )
        .map_err(|e| StartError::Setting(e.to_string()))?;
        let dns_deps = dns_server::Deps {
            config: dns_config.clone(),
            query: service.clone(),
            net: world.net.clone(),
            tasks: tasks.clone(),
            seed,
            clock: world.clock.clone(),
        };
        DnsServer::start(dns_sockets, zone, dns_deps).map_err(|source| StartError::Listen {
            what: "DNS",
            addr: String::new(),
            source,
        })?;

        let leaves = Leaves::new(LeavesDeps {
            datacenter: config.node.datacenter.clone(),
            query: service.clone(),
            authority: service.clone(),
            clock: world.clock.clone(),
            seed,
            tasks: tasks.clone(),
        });
        let agent = Arc::new(Self {
            config: ArcSwap::from_pointee(config),
            reloader,
            node_id,
            world: world.clone(),
            tasks: tasks.clone(),
            api_times: metering::ApiTimes::new(&metrics),
            metrics,
            lan,
            server: consensus.map(|consensus| ServerParts {
                consensus,
                hub,
                pilot,
                wan,
                replication,
                dialer: tunnels.map(|(dialer, _)| dialer),
            }),
            service: service.clone(),
            datacenters,
            local,
            leaves,
            ids: parking_lot::Mutex::new(seed.fork("ids")),
            events: events::Events::default(),
            remote_exec: Default::default(),
            gathered: coordinates::Gathered::default(),
            tokens: parking_lot::Mutex::default(),
            dns_config,
            tls,
            http: std::sync::OnceLock::new(),
            watches: std::sync::OnceLock::new(),
            leaving: Shutdown::new(),
            reloading: tokio::sync::Mutex::new(()),
            sockets: http_bound.sockets,
            _data: data,
        });
        let config = agent.config.load_full();
        let http =
            HttpServer::new(convert::http(&config), service.clone(), service, agent.clone(), world.clock);
        for listener in http_bound.listeners {
            tasks.spawn_critical("http", http.clone().serve(listener, tasks.shutdown().clone()));
        }
        // Set once, here.
        let watches = Watches::new(Loopback::new(http.clone(), tasks.shutdown().clone()), tasks.clone());
        watches.set(config::watch::parse_all(&config.watches).map_err(StartError::Setting)?);
        let _ = agent.watches.set(watches);
        let _ = agent.http.set(http);
        view::tell(&agent);
        crate::autopilot::tell(&agent);
        events::start(&agent);
        coordinates::start(&agent);
        metering::start(&agent);
        certificates::start(&agent);
        agent.form_or_join(&config, pool, server_id).await;
        Ok(agent)
    }

    /// Submit and Query of this agent.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Its own services and checks.
    pub fn local(&self) -> &LocalState {
        &self.local
    }

    /// The gossip pool of its datacenter.
    pub fn gossip(&self) -> &GossipHandle {
        &self.lan
    }

    /// Consensus, on a server.
    pub fn raft(&self) -> Option<&RaftHandle> {
        self.server.as_ref().map(|s| s.consensus.raft())
    }

    /// Ends the agent: everything stops within a bound. Call after [`Self::leave_gracefully`] for a graceful end.
    pub async fn stop(&self) {
        self.tasks.shutdown().trigger();
        if let Some(server) = &self.server {
            server.consensus.raft().shutdown().await;
        }
        if !self.tasks.join(std::time::Duration::from_secs(5)).await {
            tracing::warn!("some tasks did not end in time");
        }
        for socket in &self.sockets {
            // It may be gone already.
            let _ = std::fs::remove_file(socket);
        }
    }
}

fn own_node_id(config: &RuntimeConfig, data: Option<&DataDir>) -> Result<Str, StartError> {
    let fresh = || {
        if config.node.disable_host_id { None } else { host_node_id() }
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
    };
    match data {
        Some(data) => Ok(data.node_id(&config.node.id, fresh)?),
        None if config.node.id.is_empty() => Ok(Str::from(fresh())),
        None => node_id(&config.node.id).map_err(|e| {
            StartError::DataDir(DataDirError::NodeId(format!("specified NodeID is invalid: {e}")))
        }),
    }
}

fn start_metrics(config: &RuntimeConfig, world: &World, tasks: &Tasks) -> Metrics {
    let t = &config.telemetry;
    let rules: Vec<String> = t
        .allowed_prefixes
        .iter()
        .map(|p| format!("+{p}"))
        .chain(t.blocked_prefixes.iter().map(|p| format!("-{p}")))
        .collect();
    let (filter, _bad) = telemetry::metrics::PrefixFilter::parse(&t.metrics_prefix, &rules, t.filter_default);
    let metrics = Metrics::new(
        telemetry::MetricsConfig {
            prefix: t.metrics_prefix.to_string(),
            hostname: (!t.disable_hostname).then(telemetry::metrics::hostname),
            filter,
            prometheus_retention: t.prometheus_retention,
            ..telemetry::MetricsConfig::default()
        },
        world.clock.clone(),
    );
    tasks.spawn("metrics", metrics.clone().run(tasks.shutdown().clone()));
    metrics
}
