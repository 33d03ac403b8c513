//! One look at a target.

mod dial;
mod docker;
mod grpc;
mod h2ping;
mod http;
mod script;
mod tcp;
mod tls;
mod udp;

use crate::LocalConfig;
use arc_swap::ArcSwap;
use local::ProbeKind;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use types::{
    definition::CheckDefinition,
    record::status::{CRITICAL, PASSING, WARNING},
};

/// Most probes at one time; others wait for their turn.
const RUNNING_MAX: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that a caller sees.
const CALL_OUTPUT_BYTES: usize = 4096;
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a probe found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: &'static str,
    pub(crate) output: String,
}

impl Outcome {
    fn passing(output: impl Into<String>) -> Self {
        Self { status: PASSING, output: output.into() }
    }
    fn warning(output: impl Into<String>) -> Self {
        Self { status: WARNING, output: output.into() }
    }
    fn critical(output: impl Into<String>) -> Self {
        Self { status: CRITICAL, output: output.into() }
    }
}

/// What probes share.
struct Shared {
    tls: tls::TlsSettings,
    docker: docker::Engine,
}

/// Sends the HTTP request of a definition, whatever the answer means: its status and the end of its body. For handlers of watches.
///
/// # Errors
/// There was no answer within the definition's timeout (10 s if it has none).
pub async fn http_call(c: &CheckDefinition) -> Result<(u16, String), String> {
    let wait = if c.timeout.is_zero() { TIMEOUT } else { c.timeout };
    let settings = tls::TlsSettings::new(None);
    match timeout(wait, http::request(c, &settings, CALL_OUTPUT_BYTES)).await {
        Ok(answer) => answer.map(|(status, _reason, body)| (status.as_u16(), body)),
        Err(_elapsed) => Err(timed_out(ProbeKind::Http, c, wait).output),
    }
}

/// Runs probes, a bounded number at a time.
pub(crate) struct Prober {
    shared: ArcSwap<Shared>,
    running: Semaphore,
}

impl Prober {
    pub(crate) fn new(config: &LocalConfig) -> Self {
        Self { shared: ArcSwap::from_pointee(Shared::new(config)), running: Semaphore::new(RUNNING_MAX) }
    }

    pub(crate) fn reconfigure(&self, config: &LocalConfig) {
        self.shared.store(Arc::new(Shared::new(config)));
    }

    /// Runs one probe to its end or its deadline. Cancel safe: dropping the future ends the probe and what it started.
    pub(crate) async fn probe(&self, kind: ProbeKind, c: &CheckDefinition, limit: usize) -> Outcome {
        // The semaphore is never closed.
        let _turn = self.running.acquire().await;
        let shared = self.shared.load_full();
        let patience = |usual| if c.timeout.is_zero() { usual } else { c.timeout };
        let network = patience(TIMEOUT);
        let found = async {
            match kind {
                ProbeKind::Http => http::probe(c, &shared.tls, limit).await,
                ProbeKind::Tcp => tcp::probe(c, &shared.tls).await,
                ProbeKind::Grpc => grpc::probe(c, &shared.tls).await,
                ProbeKind::H2Ping => h2ping::probe(c, &shared.tls).await,
                ProbeKind::Udp => udp::probe(c, network).await,
                ProbeKind::Script => return script::probe(c, patience(SCRIPT_TIMEOUT), limit).await,
                ProbeKind::Docker => return shared.docker.probe(c, limit).await,
                ProbeKind::Ttl | ProbeKind::Alias | ProbeKind::OsService => {
                    Outcome::critical("not implemented")
                }
            }
        };
        match kind {
            // They know their deadline themselves.
            ProbeKind::Script | ProbeKind::Udp => found.await,
            _ => {
                let wait = if kind == ProbeKind::Docker { patience(SCRIPT_TIMEOUT) } else { network };
                timeout(wait, found).await.unwrap_or_else(|_elapsed| timed_out(kind, c, wait))
            }
        }
    }
}

impl Shared {
    fn new(config: &LocalConfig) -> Self {
        Self {
            tls: tls::TlsSettings::new(config.probe_tls.clone()),
            docker: docker::Engine::new(config.docker_host.as_deref(), &config.shell),
        }
    }
}

fn timed_out(kind: ProbeKind, c: &CheckDefinition, wait: Duration) -> Outcome {
    Outcome::critical(match kind {
        ProbeKind::Http => format!(
            "{} {:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            http::verb(&c.method),
            c.http
        ),
        ProbeKind::Tcp => format!("dial tcp {}: i/o timeout", c.tcp),
        ProbeKind::Grpc => format!("gRPC check {}: context deadline exceeded", c.grpc),
        ProbeKind::H2Ping => format!("HTTP2 ping failed: dial tcp {}: i/o timeout", c.h2ping),
        _ => format!("Timed out ({}) running check", local::go_duration(wait)),
    })
}
