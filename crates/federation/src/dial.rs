//! Opening tunnels: one gateway after the other until a server on the far side has taken our certificate.

use crate::{
    gateways::{Candidate, Endpoint, Gateways, Record, Records, Tier},
    names::{ANY, Route, Routes, stands_for_a_name},
};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rand_chacha::ChaCha8Rng;
use rpc::{Tunnel, Tunnels, tunnel};
use runtime::{BoxFuture, Net, RngSeed, Stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tls::{Lane, Refused, Tls, server_name};
use tokio::time::{Instant, timeout};
use types::Str;

/// How long one gateway may take, lookup of its name, connection and handshake each.
const STEP_LIMIT: Duration = Duration::from_secs(3);
/// How long all gateways together may take.
const OPEN_LIMIT: Duration = Duration::from_secs(12);
/// A tunnel that is not the best one is used this long before a better way is looked for.
const SECOND_BEST_FOR: Duration = Duration::from_secs(20);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// A server of another datacenter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Target {
    /// Node name, folded; `*` for any.
    pub node: Str,
    /// Datacenter, folded.
    pub datacenter: Str,
}

impl Target {
    /// The name that it carries and that gateways go by (SNI).
    pub fn server_name(&self, domain: &str) -> String {
        let any = server_name(&self.datacenter, domain);
        if self.node.as_str() == ANY { any } else { format!("{}.{any}", self.node.to_ascii_lowercase()) }
    }
}

/// An open connection.
pub struct Opened {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// The gateway that carries it.
    pub through: Candidate,
    /// When to look for a better way; `None`: it is the best one.
    pub until: Option<Instant>,
    /// To be kept while it is used.
    pub held: Held,
}

/// What the dialer needs.
pub struct DialerConfig {
    /// DNS domain, which names of servers end in.
    pub domain: Str,
    /// Address to connect from.
    pub source: Option<IpAddr>,
}

/// Opens tunnels; shared by requests and gossip.
pub struct Dialer {
    config: DialerConfig,
    net: Arc<dyn Net>,
    tls: Arc<Tls>,
    /// The gateways known now.
    pub(crate) gateways: ArcSwap<Gateways>,
    /// The ways of addresses that stand for names.
    pub routes: Arc<Routes>,
    records: Mutex<Records>,
    rng: Mutex<ChaCha8Rng>,
    in_use: Arc<InUse>,
}

/// The tunnels that are open, by the order in which they were opened.
#[derive(Default)]
struct InUse(Mutex<(u64, OpenTunnels)>);

type OpenTunnels = BTreeMap<u64, (Target, Lane, Candidate)>;

/// Takes a tunnel off the list when it ends.
pub struct Held(u64, Arc<InUse>);

impl Drop for Held {
    fn drop(&mut self) {
        self.1.0.lock().1.remove(&self.0);
    }
}

impl InUse {
    fn hold(self: &Arc<Self>, target: &Target, lane: Lane, through: &Candidate) -> Held {
        let mut list = self.0.lock();
        list.0 += 1;
        let id = list.0;
        list.1.insert(id, (target.clone(), lane, through.clone()));
        Held(id, self.clone())
    }
}

/// One gateway on the way to a datacenter, for people.
#[derive(Clone, PartialEq, Debug)]
pub struct GatewayView {
    /// The gateway.
    pub candidate: Candidate,
    /// How tunnels through it went.
    pub record: Record,
    /// Servers whose tunnels it carries now.
    pub carries: usize,
}

impl Dialer {
    /// A dialer that knows `gateways`.
    pub fn new(
        config: DialerConfig,
        net: Arc<dyn Net>,
        tls: Arc<Tls>,
        gateways: Gateways,
        seed: RngSeed,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            net,
            tls,
            gateways: ArcSwap::from_pointee(gateways),
            routes: Arc::default(),
            records: Mutex::default(),
            rng: Mutex::new(seed.fork("federation gateways")),
            in_use: Arc::default(),
        })
    }

    /// Opens a tunnel, within a bound of time for all gateways together.
    ///
    /// # Errors
    /// [`Refused::Io`] names every gateway that was tried and why it did not do; [`Refused::Tls`] when the server and we do
    /// not trust each other, whichever gateway is between.
    pub async fn open(&self, target: &Target, lane: Lane) -> Result<Opened, Refused> {
        let known = self.gateways.load().to(&target.datacenter);
        if known.is_empty() {
            let why = format!(
                "no mesh gateway leads to datacenter {}: none is registered with consul-wan-federation=1, in good health and with an address that is known here",
                target.datacenter
            );
            return Err(io::Error::other(why).into());
        }
        let best = known.iter().map(|c| c.tier).min().unwrap_or(Tier::Primary);
        let list =
            self.records.lock().order(Instant::now(), &target.datacenter, known, &mut *self.rng.lock());
        let by = Instant::now() + OPEN_LIMIT;
        let (mut failures, mut distrust) = (String::new(), None);
        for through in list {
            if Instant::now() >= by {
                break;
            }
            match self.through(&through.endpoint, target, lane).await {
                Ok(stream) => {
                    self.records.lock().worked(Instant::now(), &through.endpoint, &target.datacenter);
                    let held = self.in_use.hold(target, lane, &through);
                    let until = (through.tier > best).then(|| Instant::now() + SECOND_BEST_FOR);
                    tracing::debug!(gateway = %through.endpoint, tier = through.tier.as_str(), ?target, ?lane, "tunnel opened");
                    return Ok(Opened { stream, through, until, held });
                }
                Err(error) => {
                    // Whoever refuses certificates is behind the gateway, which has done its part.
                    if let Refused::Io(e) = &error {
                        let why = Str::from(e.to_string());
                        self.records.lock().failed(
                            Instant::now(),
                            &through.endpoint,
                            &target.datacenter,
                            why,
                        );
                    }
                    let tier = through.tier.as_str();
                    // Writing to a string cannot fail.
                    let _ok = write!(
                        failures,
                        "{}{} ({tier}): {error}",
                        if failures.is_empty() { "" } else { "; " },
                        through.endpoint
                    );
                    if let Refused::Tls(why) = error {
                        distrust.get_or_insert_with(|| {
                            format!(
                                "{} through {}: {why}",
                                target.server_name(&self.config.domain),
                                through.endpoint
                            )
                        });
                    }
                }
            }
        }
        Err(match distrust {
            Some(why) => Refused::Tls(why),
            None => io::Error::other(format!(
                "no mesh gateway leads to {}: {failures}",
                target.server_name(&self.config.domain)
            ))
            .into(),
        })
    }

    async fn through(
        &self,
        gateway: &Endpoint,
        target: &Target,
        lane: Lane,
    ) -> Result<Box<dyn Stream>, Refused> {
        let stream = self.connect(gateway).await?;
        let name = target.server_name(&self.config.domain);
        let handshake = async {
            let mut stream = self.tls.connect_tunnel(stream, &name, lane).await?;
            tunnel::taken(&mut stream).await?;
            Ok(stream)
        };
        match timeout(STEP_LIMIT, handshake).await {
            Ok(Err(Refused::Io(e)))
                if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
            {
                let why =
                    "it ended the connection: it knows no way to that name, or the server behind it is away";
                Err(io::Error::other(why).into())
            }
            Ok(done) => done,
            Err(_elapsed) => Err(io::Error::other("it answers, but no server behind it does in time").into()),
        }
    }

    async fn connect(&self, gateway: &Endpoint) -> io::Result<Box<dyn Stream>> {
        let addresses: Vec<SocketAddr> = match gateway.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, gateway.port)],
            Err(_name) => {
                let lookup = tokio::net::lookup_host((gateway.host.as_str(), gateway.port));
                match timeout(STEP_LIMIT, lookup).await {
                    Ok(Ok(found)) => found.take(ADDRESSES_MAX).collect(),
                    Ok(Err(_)) => return Err(io::Error::other("no such host")),
                    Err(_elapsed) => return Err(io::Error::other("its name could not be looked up in time")),
                }
            }
        };
        let mut last = io::Error::other("no such host");
        for to in addresses {
            match self.net.connect(self.config.source, to, STEP_LIMIT).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(match last.kind() {
            io::ErrorKind::TimedOut => io::Error::other("no answer in time"),
            io::ErrorKind::ConnectionRefused => io::Error::other("connection refused"),
            _ => last,
        })
    }

    /// The tunnel that was opened last does not answer, although nobody closed it.
    pub fn silent(&self, target: &Target, lane: Lane) {
        let newest =
            self.in_use.0.lock().1.values().rev().find(|(t, l, _)| t == target && *l == lane).cloned();
        if let Some((_, _, through)) = newest {
            tracing::warn!(gateway = %through.endpoint, datacenter = %target.datacenter, "a tunnel fell silent, trying another mesh gateway");
            let why = Str::new_static("a tunnel through it fell silent");
            self.records.lock().failed(Instant::now(), &through.endpoint, &target.datacenter, why);
        }
    }

    /// The gateways to a datacenter, the preferred ones first.
    pub fn view(&self, datacenter: &str) -> Vec<GatewayView> {
        let key = types::names::fold(datacenter);
        let (records, open) = (self.records.lock(), self.in_use.0.lock());
        let all = self.gateways.load().to(datacenter).into_iter();
        all.map(|candidate| {
            let carried =
                open.1.values().filter(|(t, _, c)| t.datacenter == key && c.endpoint == candidate.endpoint);
            let carries = carried.map(|(t, ..)| t).collect::<BTreeSet<_>>().len();
            GatewayView { record: records.of(&candidate.endpoint, &key), carries, candidate }
        })
        .collect()
    }

    fn target(&self, to: SocketAddr) -> Option<Target> {
        match self.routes.find(to) {
            Some(Route::Tunnel(target)) => Some(target),
            _ => None,
        }
    }
}

impl Tunnels for Dialer {
    fn leads_to(&self, to: SocketAddr) -> bool {
        stands_for_a_name(to)
    }

    fn open(&self, to: SocketAddr) -> BoxFuture<'_, Result<Tunnel, Refused>> {
        Box::pin(async move {
            let target =
                self.target(to).ok_or_else(|| io::Error::other("this server is not known any more"))?;
            let Opened { stream, until, held, .. } = self.open(&target, Lane::Requests).await?;
            Ok(Tunnel { stream, until, held: Some(Box::new(held)) })
        })
    }

    fn stalled(&self, to: SocketAddr) {
        if let Some(target) = self.target(to) {
            self.silent(&target, Lane::Requests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers() {
        let target = |node: &str| Target { node: node.into(), datacenter: "dc2".into() };
        assert_eq!(target("node1").server_name("consul."), "node1.server.dc2.consul");
        assert_eq!(target("*").server_name("consul"), "server.dc2.consul");
    }
}
