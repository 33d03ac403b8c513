//! `connect gateway`: the built-in mesh gateway.

mod api;
mod place;
mod plan;
mod run;

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Settings,
    flags::{Flag, Kind},
};
use ::gateway::{Limits, raise_open_files};
use plan::Plan;
use std::{net::SocketAddr, time::Duration};
use telemetry::{Level, LogConfig};

/// Default of `-drain`.
const DRAIN: Duration = Duration::from_secs(10);

pub(super) static COMMAND: Command = Command {
    path: "connect gateway",
    synopsis: "Run the built-in mesh gateway",
    usage: "-mesh [options]",
    about: "Runs a mesh gateway: it takes TLS connections, reads the server name (SNI) of\n\
            their first bytes, and carries them, without decrypting anything, to the\n\
            servers and mesh services of its datacenter, and to the gateways of others.\n\
            Routes follow the catalog of the agent that it is told to ask. Runs until\n\
            SIGTERM or SIGINT; then it deregisters what it registered, takes no more\n\
            connections, and lets those it has end.\n\
            \n\
            A gateway that joins datacenters:\n\
            \n\
              praetor connect gateway -mesh -register -expose-servers \\\n\
                -address '{{ GetInterfaceIP \"lo\" }}:9100' \\\n\
                -wan-address '{{ GetInterfaceIP \"eth0\" }}:9100'\n\
            \n\
            Without -register the one mesh gateway that the agent has is served.",
    flags: &[
        Flag::new("mesh", Kind::Bool, "A mesh gateway; the only kind that is built in."),
        Flag::new("register", Kind::Bool, "Register it with the agent, and deregister it at the end."),
        Flag::new("service", Kind::Text, "Name and id of the service, mesh-gateway by default."),
        Flag::new(
            "address",
            Kind::Text,
            "LAN address to register and listen on, ip:port or a template; :8443 by default.",
        ),
        Flag::new(
            "wan-address",
            Kind::Text,
            "Address that other datacenters connect to, host:port or a template.",
        ),
        Flag::new("bind-address", Kind::List, "Listen here instead, as name=ip:port. May be repeated."),
        Flag::new(
            "expose-servers",
            Kind::Bool,
            "Take connections for servers, too (federation through gateways). Needs -register.",
        ),
        Flag::new(
            "deregister-after-critical",
            Kind::Text,
            "Time after which the agent removes a gateway that cannot be reached, 6h by default.",
        ),
        Flag::new("admin-bind", Kind::Text, "Serve /metrics, /ready and /routes on this ip:port."),
        Flag::new("drain", Kind::Text, "Time that open tunnels have at the end, 10s by default."),
        Flag::new(
            "max-tunnels",
            Kind::Uint,
            "Most tunnels at a time; by default what open files allow, 16384 at most.",
        ),
        Flag::new(
            "max-tunnels-per-source",
            Kind::Uint,
            "Most of them from one IP address; unbounded by default.",
        ),
        Flag::new("hello-timeout", Kind::Text, "Time for a client's TLS hello, 10s by default."),
        Flag::new("connect-timeout", Kind::Text, "Time for one backend to take a connection, 5s by default."),
        Flag::new("no-splice", Kind::Bool, "Copy bytes in place of moving them within the kernel."),
        Flag::new("log-level", Kind::Text, "TRACE, DEBUG, INFO, WARN or ERR; INFO if not given."),
        Flag::new("log-json", Kind::Bool, "Log JSON lines."),
    ],
    common: Common::ClientPartition,
    run: command,
};

/// Everything that was asked for and does not need the agent.
pub(super) struct Wanted {
    /// `None` without `-register`: the agent knows.
    pub(super) plan: Option<Plan>,
    /// `-service`, if given.
    pub(super) service: Option<String>,
    pub(super) admin: Option<SocketAddr>,
    pub(super) drain: Duration,
    pub(super) limits: Limits,
    pub(super) log: LogConfig,
}

fn command(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let wanted = wanted(session).map_err(Failure::new)?;
    let settings = {
        let Session { flags, env, io, .. } = session;
        Settings::read(flags, env, |warning| io.warn(warning))
            .map_err(|e| Failure::new(format!("Error connecting to Consul agent: {e}")))?
    };
    run::run(wanted, settings, session.io)
}

fn wanted(session: &Session<'_, '_>) -> Result<Wanted, String> {
    let flags = &session.flags;
    let (mesh, register, expose) = (flags.bool("mesh"), flags.bool("register"), flags.bool("expose-servers"));
    if expose && !mesh {
        return Err("'-expose-servers' can only be used for mesh gateways".to_owned());
    }
    if expose && !register {
        return Err("'-expose-servers' requires '-register'".to_owned());
    }
    if !mesh {
        return Err("No gateway specified: -mesh is required, and mesh is the only kind that is built in. Other kinds run \
                    in Envoy."
            .to_owned());
    }
    let interfaces = config::load::interfaces();
    let plan = register.then(|| Plan::from_flags(flags, &interfaces)).transpose()?;
    let mut limits = Limits::for_open_files(raise_open_files());
    if let Some(max) = flags.number::<u64>("max-tunnels") {
        limits.tunnels_max = tunnels("max-tunnels", max, limits.tunnels_max)?;
    }
    if let Some(max) = flags.number::<u64>("max-tunnels-per-source") {
        limits.tunnels_per_source_max = tunnels("max-tunnels-per-source", max, limits.tunnels_max)?;
    }
    limits.preface = time(session, "hello-timeout", limits.preface)?;
    limits.connect = time(session, "connect-timeout", limits.connect)?;
    if limits.preface.is_zero() || limits.connect.is_zero() {
        return Err("-hello-timeout and -connect-timeout must be longer than 0s".to_owned());
    }
    if flags.bool("no-splice") {
        limits.pipes_max = 0;
    }
    let admin = flags.given("admin-bind").map(|text| place::bindable("-admin-bind", text, &interfaces));
    let level: Level = flags
        .given("log-level")
        .unwrap_or("INFO")
        .parse()
        .map_err(|e: telemetry::logs::UnknownLevel| format!("-log-level: {e}"))?;
    Ok(Wanted {
        plan,
        service: flags.given("service").filter(|s| !s.is_empty()).map(str::to_owned),
        admin: admin.transpose()?,
        drain: time(session, "drain", DRAIN)?,
        limits,
        log: LogConfig { level, json: flags.bool("log-json"), ..LogConfig::default() },
    })
}

fn tunnels(flag: &str, given: u64, most: u32) -> Result<u32, String> {
    match u32::try_from(given) {
        Ok(0) => Err(format!("-{flag} must be at least 1")),
        Ok(n) if n <= most => Ok(n),
        _ => Err(format!(
            "-{flag} {given}: at most {most} are possible here; for more, raise the bound of open files (ulimit -n)"
        )),
    }
}

fn time(session: &Session<'_, '_>, flag: &str, default: Duration) -> Result<Duration, String> {
    let Some(text) = session.flags.given(flag) else { return Ok(default) };
    ::api::duration::parse(text)
        .map_err(|e| format!("-{flag} {text:?}: {e}; write a duration such as 10s or 1m"))
}
