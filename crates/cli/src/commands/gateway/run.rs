//! From the flags to the end of the process.

use super::{
    super::{Failure, Outcome},
    Wanted,
    api::{Agent, check_federation, read},
    plan::Plan,
};
use crate::{
    client::{AgentLink, Settings},
    io::Io,
    text::os_words,
};
use ::gateway::{
    Gateway, admin,
    follow::{AgentApi, Follower},
};
use runtime::{RngSeed, Shutdown, SystemClock, Tasks};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{Signal, SignalKind, signal},
};

/// How long connections and the registration wait for the first routes, so that no early connection finds none.
const FIRST_ROUTES: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Patience with tasks at the end.
const END_LIMIT: Duration = Duration::from_secs(2);

pub(super) fn run(wanted: Wanted, settings: Settings, io: &mut Io<'_>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("cannot start: {e}")))?;
    let outcome = runtime.block_on(serve(wanted, settings, io));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve(wanted: Wanted, settings: Settings, io: &mut Io<'_>) -> Outcome {
    let tasks = Tasks::new(Shutdown::new());
    let link = AgentLink::new(settings, tasks.clone())
        .map_err(|e| Failure::new(format!("Error connecting to Consul agent: {e}")))?;
    let (agent, plan) = prepare(link, wanted.plan, wanted.service.as_deref()).await?;
    plan.warnings.iter().for_each(|w| io.warn(w));
    let agent = Arc::new(agent);

    let seed = RngSeed::from_os();
    let gateway = Gateway::new(wanted.limits, seed);
    let mut listeners = Vec::new();
    for at in &plan.listen {
        listeners.push(listen(*at, "-address, -wan-address or -bind-address")?);
    }
    let admin_listener = wanted.admin.map(|at| listen(at, "-admin-bind")).transpose()?;
    let mut signals = Signals::new()?;
    telemetry::logs::init(&wanted.log, Arc::new(SystemClock))
        .map_err(|e| Failure::new(format!("cannot write logs: {e}")))?;

    if let Some(listener) = admin_listener {
        admin::serve(&gateway, listener, &tasks);
    }
    let api: Arc<dyn AgentApi> = Arc::<Agent>::clone(&agent);
    let follower = Follower::new(api, gateway.clone(), plan.expose_servers, plan.own(), tasks.clone(), seed);
    tasks.spawn_critical("follower", follower.run());

    // A signal before the registration ends the process as well.
    let failed = tokio::select! {
        () = signals.next() => None,
        () = gateway.ended().wait() => Some(Failure::new("the gateway failed; the log says why")),
        () = tasks.shutdown().wait() => Some(Failure::new("the gateway failed; the log says why")),
        never = registered(&agent, &gateway, &plan, listeners, io) => Some(never),
    };
    end(&agent, &gateway, &tasks, wanted.drain, &mut signals).await;
    failed.map_or(Ok(()), Err)
}

/// Asks the agent what has to be known before anything is opened.
async fn prepare(
    link: AgentLink,
    plan: Option<Plan>,
    service: Option<&str>,
) -> Result<(Agent, Plan), Failure> {
    let agent_self = read(&link, "/v1/agent/self", &[]).await?;
    let plan = match plan {
        Some(plan) => plan,
        None => {
            let services = read(&link, "/v1/agent/services", &link.tenancy()).await?;
            Plan::from_agent(&services.body, service, &config::load::interfaces()).map_err(Failure::new)?
        }
    };
    if plan.expose_servers {
        check_federation(&agent_self.body, link.shown())?;
    }
    Ok((Agent::new(link, plan.clone()), plan))
}

fn listen(at: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    let open = || {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|e: std::io::Error| {
        let what = match e.kind() {
            std::io::ErrorKind::AddrInUse => "Another process listens there: end it, or choose another port",
            std::io::ErrorKind::AddrNotAvailable => "This host has no such address: choose another",
            std::io::ErrorKind::PermissionDenied => "This user may not open that port: choose one above 1023",
            _ => "Choose another address",
        };
        Failure {
            hint: Some(format!("{what} with {flag}.")),
            ..Failure::new(format!("cannot listen on {at}: {}", os_words(&e)))
        }
    })
}

/// Opens the doors and registers once there are routes, and then never answers unless that fails. Who connects before waits with
/// the kernel: a gateway that was there a moment ago is still known to others.
async fn registered(
    agent: &Agent,
    gateway: &Gateway,
    plan: &Plan,
    listeners: Vec<TcpListener>,
    io: &mut Io<'_>,
) -> Failure {
    if tokio::time::timeout(FIRST_ROUTES, gateway.complete()).await.is_err() {
        tracing::warn!("no complete routes within {FIRST_ROUTES:?}; going on without");
    }
    for listener in listeners {
        gateway.listen(listener);
    }
    if let Err(e) = agent.register().await {
        return Failure::request(format!("Error registering service {:?}", plan.service))(e);
    }
    if plan.registration.is_some() {
        io.say(format!("Registered service: {}", plan.service));
    }
    let places: Vec<String> = plan.listen.iter().map(ToString::to_string).collect();
    let routes = gateway.with_table(::gateway::route::Table::len);
    tracing::info!(service = plan.service, listening = places.join(", "), routes, "the mesh gateway serves");
    std::future::pending().await
}

/// First nobody is sent here any more, then nobody is let in, then those who are in have their time.
async fn end(agent: &Agent, gateway: &Gateway, tasks: &Tasks, drain: Duration, signals: &mut Signals) {
    match agent.deregister().await {
        Ok(true) => tracing::info!("deregistered"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "cannot deregister; the agent will find the port closed"),
    }
    let open = gateway.metrics().active();
    tracing::info!(tunnels = open, ?drain, "taking no more connections");
    // A second signal: whoever sends it does not want to wait.
    let closed = tokio::select! {
        closed = gateway.drain(drain) => closed,
        () = signals.next() => gateway.drain(Duration::ZERO).await,
    };
    tracing::info!(closed, "the mesh gateway ends");
    tasks.shutdown().trigger();
    tasks.join(END_LIMIT).await;
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|e| Failure::new(format!("cannot listen to signals: {e}")));
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
