//! The `agent` command: configuration, logs, start, signals, end.

use crate::{
    Agent,
    start::{StartError, World},
};
use config::RuntimeConfig;
use runtime::{RngSeed, Shutdown, SystemClock, TokioNet};
use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use telemetry::{Level, LogConfig, Logs};
use tokio::signal::unix::{SignalKind, signal};
use types::API_LEVEL;

/// How long a graceful leave may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// Why the process ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Asked to over the API, after a graceful leave.
    Left,
    /// By a signal; whether the leave should be graceful.
    Signal { graceful: bool },
    /// A part failed.
    Failed,
}

/// Runs the agent with the arguments after `agent`; answers the exit code.
pub fn agent_command(args: Vec<String>) -> i32 {
    crate::memory::no_huge_pages();
    let flags = match config::flags::parse(&args) {
        Ok(flags) => flags,
        Err(text) => {
            say(&format!("==> {text}"), true);
            return 1;
        }
    };
    let built = match config::load::load(&flags) {
        Ok(built) => built,
        Err(e) => {
            say(&format!("==> {e}"), true);
            return 1;
        }
    };
    let config = built.config;
    if let Err(text) = config::startup::log_level(&config.log.level) {
        say(&format!("==> {text}"), true);
        return 1;
    }
    let level = config.log.level.parse::<Level>().unwrap_or(Level::Info);
    let logs = match start_logs(&config, level) {
        Ok(logs) => logs,
        Err(e) => {
            say(&format!("==> {e}"), true);
            return 1;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            say(&format!("==> cannot start the runtime: {e}"), true);
            return 1;
        }
    };
    let reloader = Box::new(move || {
        config::load::load(&flags).map(|built| (built.config, built.warnings)).map_err(|e| e.to_string())
    });
    let code = runtime.block_on(run(config, built.warnings, logs.clone(), reloader));
    tracing::info!("Exit code: code={code}");
    logs.flush();
    // What still runs is either detached on purpose or stuck; the process ends either way.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

fn say(text: &str, error: bool) {
    // Nobody may be reading any more; then there is nobody to tell.
    let _ = if error { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") };
}

fn start_logs(config: &RuntimeConfig, level: Level) -> Result<Logs, telemetry::logs::LogError> {
    let log = &config.log;
    let file = log.file.as_deref().map(|path| telemetry::logs::FileConfig {
        path: PathBuf::from(path),
        rotate_after: log.rotate_duration,
        rotate_bytes: log.rotate_bytes,
        max_files: log.rotate_max_files,
    });
    let syslog = match log.syslog {
        true => Some(log.syslog_facility.parse().map_err(|e: telemetry::logs::UnknownFacility| {
            telemetry::logs::LogError::Syslog(io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))
        })?),
        false => None,
    };
    telemetry::logs::init(
        &LogConfig { level, json: log.json, stdout: true, file, syslog },
        Arc::new(SystemClock),
    )
}

async fn run(
    config: RuntimeConfig,
    warnings: Vec<String>,
    logs: Logs,
    reloader: crate::start::Reloader,
) -> i32 {
    if let Err(text) = config::startup::check(&config) {
        tracing::error!("Error starting agent: error=\"{text}\"");
        return 1;
    }
    let pid_file = match PidFile::write(config.process.pid_file.clone()) {
        Ok(file) => file,
        Err(text) => {
            tracing::error!("Error starting agent: error=\"{text}\"");
            return 1;
        }
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return 1;
        }
    };
    let json = config.log.json;
    let banner = banner(&config);
    let process = config.process.clone();
    let world = World {
        net: Arc::new(TokioNet),
        clock: Arc::new(SystemClock),
        seed: RngSeed::from_os(),
        logs,
        raft_storage: None,
    };
    let shutdown = Shutdown::new();
    if !json {
        say("==> Starting Consul agent...", false);
    }
    let started = Agent::start(config, world, shutdown.clone(), reloader).await;
    let agent = match started {
        Ok(agent) => agent,
        Err(error) => {
            report_start_failure(&error);
            shutdown.trigger();
            return 1;
        }
    };
    if !json {
        say(&banner.replace("@NODE_ID@", &agent.node_id), false);
        say("==> Log data will now stream in as it occurs:\n", false);
    }
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!("Praetor agent running!");
    notify_ready();
    let end = wait_for_end(&agent, &shutdown, &mut signals, &process).await;
    let code = finish(&agent, end, &mut signals).await;
    drop(pid_file);
    code
}

fn report_start_failure(error: &StartError) {
    tracing::error!("Error starting agent: error=\"{error}\"");
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn wait_for_end(
    agent: &Arc<Agent>,
    shutdown: &Shutdown,
    signals: &mut Signals,
    process: &config::settings::ProcessSettings,
) -> End {
    loop {
        // Each branch can be dropped: signals and tokens keep what they have not delivered.
        tokio::select! {
            () = agent.leaving.wait() => return End::Left,
            () = shutdown.wait() => return End::Failed,
            _ = signals.interrupt.recv() => {
                tracing::info!("Caught: signal=interrupt");
                return End::Signal { graceful: !process.skip_leave_on_interrupt };
            }
            _ = signals.terminate.recv() => {
                tracing::info!("Caught: signal=terminated");
                return End::Signal { graceful: process.leave_on_terminate };
            }
            _ = signals.hangup.recv() => {
                tracing::info!("Caught: signal=hangup, reloading configuration");
                if let Err(error) = agent.reload_config().await {
                    tracing::error!(%error, "Reload config failed");
                }
            }
        }
    }
}

async fn finish(agent: &Arc<Agent>, end: End, signals: &mut Signals) -> i32 {
    let code = match end {
        End::Left => 0,
        End::Failed => 1,
        End::Signal { graceful: false } => {
            tracing::info!("Graceful shutdown disabled. Exiting");
            1
        }
        End::Signal { graceful: true } => {
            tracing::info!("Gracefully shutting down agent...");
            tokio::select! {
                () = agent.leave_gracefully() => {
                    tracing::info!("Graceful exit completed");
                    0
                }
                () = tokio::time::sleep(LEAVE_LIMIT) => {
                    tracing::error!("Timeout on graceful leave. Exiting");
                    1
                }
                _ = signals.interrupt.recv() => 1,
                _ = signals.terminate.recv() => 1,
            }
        }
    };
    agent.stop().await;
    code
}

fn banner(config: &RuntimeConfig) -> String {
    let ports = &config.net.ports;
    let port = |p: Option<u16>| p.map_or(-1, i64::from);
    let client: Vec<_> = config.net.client.iter().map(ToString::to_string).collect();
    let rows = [
        ("Version", format!("{API_LEVEL} (Praetor {})", env!("CARGO_PKG_VERSION"))),
        ("Build Date", crate::stats::BUILD_DATE.to_owned()),
        ("Node ID", "@NODE_ID@".to_owned()),
        ("Node name", format!("'{}'", config.node.name)),
        (
            "Datacenter",
            format!("'{}' (Segment: '{}')", config.node.datacenter, if config.server { "<all>" } else { "" }),
        ),
        ("Server", format!("{} (Bootstrap: {})", config.server, config.bootstrap)),
        (
            "Client Addr",
            format!(
                "[{}] (HTTP: {}, HTTPS: {}, gRPC: {}, gRPC-TLS: {}, DNS: {})",
                client.join(" "),
                port(ports.http),
                port(ports.https),
                port(ports.grpc),
                port(ports.grpc_tls),
                port(ports.dns)
            ),
        ),
        (
            "Cluster Addr",
            format!("{} (LAN: {}, WAN: {})", config.net.advertise_lan, ports.serf_lan, port(ports.serf_wan)),
        ),
        ("Gossip Encryption", (!config.gossip.encrypt.is_empty()).to_string()),
        ("ACL Enabled", config.acl.enabled.to_string()),
        ("ACL Default Policy", config.acl.default_policy.to_string()),
        ("HTTPS TLS", tls_row(&config.tls.https, "")),
        (
            "Internal RPC TLS",
            tls_row(
                &config.tls.internal_rpc,
                &format!(" (Verify Hostname: {})", config.tls.verify_server_hostname),
            ),
        ),
    ];
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 5;
    rows.iter().fold(String::new(), |mut out, (label, value)| {
        out.push_str(&format!("{label:>width$}: {value}\n"));
        out
    })
}

fn tls_row(part: &config::settings::TlsListener, more: &str) -> String {
    format!(
        "Verify Incoming: {}, Verify Outgoing: {}{more}, Min Version: {}",
        part.verify_incoming, part.verify_outgoing, part.min_version
    )
}

/// Tells systemd that the agent is ready, when it wants to know.
fn notify_ready() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent =
        std::os::unix::net::UnixDatagram::unbound().and_then(|s| s.send_to(b"READY=1", PathBuf::from(path)));
    if let Err(error) = sent {
        tracing::debug!(%error, "failed to notify the service manager");
    }
}

/// The pid file; removed at a clean end.
struct PidFile(Option<PathBuf>);

impl PidFile {
    fn write(path: Option<PathBuf>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self(None)) };
        let mut file = std::fs::File::create(&path).map_err(|e| format!("Could not open pid file: {e}"))?;
        write!(file, "{}", std::process::id()).map_err(|e| format!("Could not write to pid file: {e}"))?;
        Ok(Self(Some(path)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It may be gone already.
            let _ = std::fs::remove_file(path);
        }
    }
}
