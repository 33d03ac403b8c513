//! `auto_encrypt`: a client agent gets its certificate from the servers, and servers trust the authority that signed it.

use connect_ca::{Identity, KeyPair, SpiffeId, key_pem, leaf_csr};
use rand::Rng as _;
use rpc::{Pool, Query as _, ServerList, Service};
use runtime::{RngSeed, Tasks, WallClock};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tls::{Learned, Tls};
use types::{
    DatacenterName, SecretToken, Str,
    query::{Consistency, Query, QueryOptions, QueryResult},
};

/// The trust domain is not known before the first certificate, and the servers write in the right one.
const ANY_TRUST_DOMAIN: &str = "unknown.consul";
/// How long a server may take for a certificate.
const LIMIT: Duration = Duration::from_secs(15);
/// Pause after a failure, doubled up to the second value.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// How often the wall clock is looked at while nothing is due.
const LOOK: Duration = Duration::from_secs(600);

/// What a client agent asks with.
pub struct Applicant {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// Own node name.
    pub node: Str,
    /// `auto_encrypt.dns_san`
    pub dns_names: Vec<Str>,
    /// `auto_encrypt.ip_san`
    pub addresses: Vec<IpAddr>,
    /// Servers that gossip knows.
    pub servers: Arc<ServerList>,
    /// Connections.
    pub pool: Pool,
    /// Where the certificate goes.
    pub tls: Arc<Tls>,
    /// Its times.
    pub clock: Arc<dyn WallClock>,
}

impl Applicant {
    /// Gets a certificate as soon as a server is known, and a new one before it ends, until the agent ends.
    pub fn start(self, seed: RngSeed, tasks: &Tasks) {
        let stop = tasks.shutdown().clone();
        tasks.spawn_critical("auto_encrypt", async move {
            tokio::select! {
                () = stop.wait() => {}
                () = self.run(seed) => {}
            }
        });
    }

    async fn run(self, seed: RngSeed) {
        let mut rng = seed.fork("auto_encrypt");
        let (mut pause, mut told) = (RETRY.0, String::new());
        loop {
            let Some(server) = self.servers.pick() else {
                // Gossip finds them.
                tokio::time::sleep(RETRY.0).await;
                continue;
            };
            match self.apply(server).await {
                Ok((after, before)) => {
                    tracing::info!(
                        "certificate for connections to servers received, valid until {before} (Unix time)"
                    );
                    (pause, told) = (RETRY.0, String::new());
                    let at = authority::renew_at(after, before, rng.random());
                    loop {
                        let now = i64::try_from(self.clock.unix_ms() / 1000).unwrap_or(i64::MAX);
                        let left = at.saturating_sub(now);
                        if left <= 0 {
                            break;
                        }
                        tokio::time::sleep(Duration::from_secs(left.unsigned_abs()).min(LOOK)).await;
                    }
                }
                Err(why) => {
                    if told != why {
                        tracing::warn!(
                            "auto_encrypt: no certificate from the servers yet, trying again: {why}"
                        );
                        told = why;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Validity of the certificate that is now in use.
    async fn apply(&self, server: SocketAddr) -> Result<(i64, i64), String> {
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let id = SpiffeId {
            trust_domain: ANY_TRUST_DOMAIN.to_owned(),
            who: Identity::Agent {
                partition: "default".to_owned(),
                datacenter: self.datacenter.to_string(),
                node: self.node.to_string(),
            },
        };
        let names: Vec<_> =
            ["localhost".to_owned()].into_iter().chain(self.dns_names.iter().map(Str::to_string)).collect();
        let own = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let addresses: Vec<IpAddr> = own.into_iter().chain(self.addresses.iter().copied()).collect();
        let csr = leaf_csr(&key, &id, &names, &addresses).map_err(|e| e.to_string())?;
        let asked = tokio::time::timeout(LIMIT, self.pool.enroll(server, Str::from(csr))).await;
        let enrolled = match asked {
            Ok(Ok(enrolled)) => enrolled,
            Ok(Err(e)) => {
                self.servers.failed(server);
                return Err(e.to_string());
            }
            Err(_elapsed) => {
                self.servers.failed(server);
                return Err(format!("no answer from {server} in time"));
            }
        };
        let key = key_pem(&key).ok_or("the key has no text form")?;
        let (after, before) = (enrolled.cert.valid_after, enrolled.cert.valid_before);
        let learned = Learned {
            server_authorities: enrolled.authorities,
            client_authorities: Vec::new(),
            own: Some((enrolled.cert.cert_pem, SecretToken::new(key))),
            verify_server_hostname: enrolled.verify_server_hostname,
        };
        self.tls.learn(learned).map_err(|e| e.to_string())?;
        Ok((after, before))
    }
}

/// Has a server take certificates of the mesh's authority as those of clients, and follow its roots, until the agent ends.
pub fn trust(service: Arc<Service>, tls: Arc<Tls>, tasks: &Tasks) {
    let stop = tasks.shutdown().clone();
    tasks.spawn_critical("auto_encrypt", async move {
        let (mut index, mut pause) = (0, RETRY.0);
        loop {
            let options =
                QueryOptions { consistency: Consistency::Stale, min_index: index, ..QueryOptions::default() };
            let answer = tokio::select! {
                () = stop.wait() => return,
                answer = service.query(Query::CaRoots, options) => answer,
            };
            let failed = match answer {
                Ok(answer) => {
                    index = answer.meta.index;
                    let QueryResult::CaRoots(roots) = answer.result else { continue };
                    let client_authorities = roots.roots.into_iter().map(|r| r.root_cert).collect();
                    tls.learn(Learned { client_authorities, ..Learned::default() })
                        .err()
                        .map(|e| e.to_string())
                }
                Err(e) => Some(e.to_string()),
            };
            let Some(why) = failed else {
                pause = RETRY.0;
                continue;
            };
            tracing::debug!("auto_encrypt: cannot follow the roots of the certificate authority: {why}");
            index = 0;
            tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY.1);
        }
    });
}
