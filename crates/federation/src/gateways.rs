//! Which mesh gateways lead to a datacenter, and in which order they are tried. Pure: time and randomness are arguments.

use rand::{RngCore, seq::SliceRandom};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use types::{
    Str,
    names::fold,
    record::{CheckServiceNode, FederationState, status},
};

/// Metadata of gateways that lead to servers.
const FEDERATES: (&str, &str) = ("consul-wan-federation", "1");
/// First and longest time for which a gateway that failed is tried last.
const PENALTY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// Gateways and datacenters that are remembered for having failed.
const REMEMBERED_MAX: usize = 1024;

/// Host and port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    /// Address or name, without brackets.
    pub host: Str,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Endpoint {
    /// Reads `host:port`, `[v6]:port`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is not an address of a mesh gateway: {why}");
        if text.contains("provider=") {
            return Err(wrong("discovery through a provider is not built, name the gateways"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("it has no port, give host:port"))?;
        let port = port.parse().map_err(|_e| wrong("its port is not a number up to 65535"))?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        match (bare, host.contains(':')) {
            (None, true) => Err(wrong("an IPv6 address stands in brackets, [address]:port")),
            _ if host.is_empty() || port == 0 => Err(wrong("host or port is missing, give host:port")),
            _ => Ok(Self { host: Str::new(bare.unwrap_or(host)), port }),
        }
    }
}

/// Where a gateway stands, in the order in which they are preferred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// In our own datacenter.
    Local,
    /// In the datacenter to be reached.
    Remote,
    /// Configured as `primary_gateways`.
    Configured,
    /// In the primary datacenter, which passes on to the others.
    Primary,
}

impl Tier {
    /// The word for logs and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Configured => "configured",
            Self::Primary => "primary",
        }
    }
}

/// A gateway to try.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// Where it stands.
    pub tier: Tier,
    /// Where to connect to.
    pub endpoint: Endpoint,
}

/// All gateways that are known.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Gateways {
    own: Str,
    primary: Str,
    /// `primary_gateways`
    configured: Vec<Endpoint>,
    local: Vec<Endpoint>,
    remote: BTreeMap<Str, Vec<Endpoint>>,
}

impl Gateways {
    /// None known but those configured.
    pub fn new(own: &str, primary: &str, configured: Vec<Endpoint>) -> Self {
        Self { own: fold(own), primary: fold(primary), configured, ..Self::default() }
    }

    /// The same with what the datacenters tell. Gateways with a critical check do not count, nor do those that are not for
    /// servers.
    pub fn with_states(&self, states: &[Arc<FederationState>]) -> Self {
        let mut next = Self { local: Vec::new(), remote: BTreeMap::new(), ..self.clone() };
        for state in states {
            let (dc, usable) = (state.key(), state.mesh_gateways.iter().filter(|g| is_usable(g)));
            if dc == self.own {
                next.local = sorted(usable.filter_map(|g| address(g, "lan")));
            } else {
                next.remote.insert(dc, sorted(usable.filter_map(|g| address(g, "wan"))));
            }
        }
        next
    }

    /// Gateways that lead to a server of `datacenter`, the preferred ones first.
    pub fn to(&self, datacenter: &str) -> Vec<Candidate> {
        let datacenter = fold(datacenter);
        let remote = |dc: &Str| self.remote.get(dc).map(Vec::as_slice).unwrap_or_default();
        let mut tiers = vec![(Tier::Local, self.local.as_slice()), (Tier::Remote, remote(&datacenter))];
        if datacenter == self.primary {
            tiers.push((Tier::Configured, &self.configured));
        } else if self.own != self.primary {
            tiers.push((Tier::Primary, remote(&self.primary)));
            tiers.push((Tier::Primary, &self.configured));
        }
        let mut seen = BTreeSet::new();
        let all = tiers.into_iter().flat_map(|(tier, list)| list.iter().map(move |e| (tier, e)));
        all.filter(|(_, e)| seen.insert((*e).clone()))
            .map(|(tier, e)| Candidate { tier, endpoint: e.clone() })
            .collect()
    }

    /// Datacenters that tell of gateways.
    pub fn datacenters(&self) -> impl Iterator<Item = &Str> {
        self.remote.keys()
    }
}

impl fmt::Display for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut put = |name: &str, list: &[Endpoint]| {
            let shown: Vec<_> = list.iter().map(Endpoint::to_string).collect();
            write!(f, "{name}=[{}] ", shown.join(" "))
        };
        put("local", &self.local)?;
        put("configured", &self.configured)?;
        self.remote.iter().try_for_each(|(dc, list)| put(dc, list))
    }
}

fn sorted(list: impl Iterator<Item = Endpoint>) -> Vec<Endpoint> {
    let set: BTreeSet<_> = list.collect();
    set.into_iter().collect()
}

fn is_usable(gateway: &CheckServiceNode) -> bool {
    let meta = gateway.service.meta.as_ref();
    meta.and_then(|m| m.get(FEDERATES.0)).is_some_and(|v| v == FEDERATES.1)
        && gateway.checks.iter().all(|c| c.status.as_str() != status::CRITICAL)
}

/// The address of a gateway under a tag, or what it says without the tag.
fn address(gateway: &CheckServiceNode, tag: &str) -> Option<Endpoint> {
    let (node, service) = (&gateway.node, &gateway.service);
    if let Some(tagged) = service.tagged_addresses.as_ref().and_then(|t| t.get(tag))
        && !tagged.address.is_empty()
    {
        let port = if tagged.port == 0 { service.port } else { tagged.port };
        return Some(Endpoint { host: tagged.address.clone(), port: u16::try_from(port).ok()? });
    }
    let of_node = || node.tagged_addresses.as_ref().and_then(|t| t.get(tag)).unwrap_or(&node.address);
    let host = if service.address.is_empty() { of_node() } else { &service.address };
    Some(Endpoint { host: host.clone(), port: u16::try_from(service.port).ok()? }).filter(|e| e.port != 0)
}

/// How tunnels through one gateway to one datacenter went.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Record {
    /// Failures since it worked last.
    pub failures: u32,
    /// When it is tried again like the others.
    pub until: Option<Instant>,
    /// Why it failed last.
    pub last_error: Str,
    /// When it worked last.
    pub worked: Option<Instant>,
}

/// What is remembered of gateways.
#[derive(Clone, Default, Debug)]
pub struct Records(BTreeMap<(Endpoint, Str), Record>);

impl Records {
    /// What is known of a gateway on the way to a datacenter.
    pub fn of(&self, endpoint: &Endpoint, datacenter: &Str) -> Record {
        self.0.get(&(endpoint.clone(), datacenter.clone())).cloned().unwrap_or_default()
    }

    /// A tunnel was opened.
    pub fn worked(&mut self, now: Instant, endpoint: &Endpoint, datacenter: &Str) {
        let record = self.entry(endpoint, datacenter);
        *record = Record {
            worked: Some(now),
            last_error: std::mem::take(&mut record.last_error),
            ..Record::default()
        };
    }

    /// No tunnel came about, or one fell silent. It is tried last for a time that doubles with each failure.
    pub fn failed(&mut self, now: Instant, endpoint: &Endpoint, datacenter: &Str, error: Str) {
        let record = self.entry(endpoint, datacenter);
        let penalty = PENALTY.0.saturating_mul(1 << record.failures.min(8)).min(PENALTY.1);
        record.failures = record.failures.saturating_add(1);
        (record.until, record.last_error) = (Some(now + penalty), error);
    }

    fn entry(&mut self, endpoint: &Endpoint, datacenter: &Str) -> &mut Record {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, r| r.failures > 0);
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.entry((endpoint.clone(), datacenter.clone())).or_default()
    }

    /// The order in which to try: gateways that failed lately come last, else nearer ones first, and chance decides among equals.
    pub fn order(
        &self,
        now: Instant,
        datacenter: &Str,
        mut list: Vec<Candidate>,
        rng: &mut dyn RngCore,
    ) -> Vec<Candidate> {
        list.shuffle(rng);
        let out = |c: &Candidate| self.of(&c.endpoint, datacenter).until.is_some_and(|until| now < until);
        list.sort_by_key(|c| (out(c), c.tier));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use types::record::{HealthCheck, Map, Node, NodeService, ServiceAddress};

    fn gateway(name: &str, lan: &str, wan: &str, healthy: bool) -> CheckServiceNode {
        let at = |text: &str| {
            let (address, port) = text.rsplit_once(':').unwrap();
            ServiceAddress { address: address.into(), port: port.parse().unwrap() }
        };
        let service = NodeService {
            id: name.into(),
            port: 8443,
            meta: Some(Map::from([(FEDERATES.0.into(), FEDERATES.1.into())])),
            tagged_addresses: Some([("lan".into(), at(lan)), ("wan".into(), at(wan))].into()),
            ..NodeService::default()
        };
        let status = if healthy { "warning" } else { "critical" };
        CheckServiceNode {
            node: Arc::new(Node { address: "192.0.2.9".into(), ..Node::default() }),
            service: Arc::new(service),
            checks: vec![Arc::new(HealthCheck { status: status.into(), ..HealthCheck::default() })],
        }
    }

    fn state(dc: &str, gateways: Vec<CheckServiceNode>) -> Arc<FederationState> {
        Arc::new(FederationState {
            datacenter: dc.into(),
            mesh_gateways: gateways,
            ..FederationState::default()
        })
    }

    fn shown(list: &[Candidate]) -> Vec<String> {
        list.iter().map(|c| format!("{} {}", c.tier.as_str(), c.endpoint)).collect()
    }

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn a_secondary_goes_through_its_own_gateways_then_theirs_then_those_of_the_primary() {
        let fresh = Gateways::new("dc2", "dc1", vec![endpoint("gw.example:443")]);
        assert_eq!(shown(&fresh.to("dc1")), ["configured gw.example:443"]);
        assert_eq!(shown(&fresh.to("dc3")), ["primary gw.example:443"]);
        let known = fresh.with_states(&[
            state("DC1", vec![gateway("a", "10.1.0.1:8443", "198.51.100.1:443", true)]),
            state(
                "dc2",
                vec![
                    gateway("b", "10.2.0.1:8443", "198.51.100.2:443", true),
                    gateway("c", "10.2.0.2:8443", "198.51.100.3:443", false),
                ],
            ),
            state("dc3", vec![gateway("d", "10.3.0.1:8443", "[2001:db8::3]:443", true)]),
        ]);
        assert_eq!(
            shown(&known.to("dc1")),
            ["local 10.2.0.1:8443", "remote 198.51.100.1:443", "configured gw.example:443"]
        );
        assert_eq!(known.to("dc3").len(), 4);
        assert_eq!(shown(&known.to("dc3"))[2], "primary 198.51.100.1:443");
        // What is gone from the states is forgotten, what is configured stays.
        assert_eq!(known.with_states(&[]), fresh);
    }

    #[test]
    fn the_primary_never_passes_through_another_datacenter() {
        let known = Gateways::new("dc1", "dc1", vec![]).with_states(&[
            state("dc1", vec![gateway("a", "10.1.0.1:8443", "198.51.100.1:443", true)]),
            state("dc2", vec![gateway("b", "10.2.0.1:8443", "198.51.100.2:443", true)]),
        ]);
        assert_eq!(shown(&known.to("dc2")), ["local 10.1.0.1:8443", "remote 198.51.100.2:443"]);
        assert_eq!(shown(&known.to("dc9")), ["local 10.1.0.1:8443"]);
    }

    #[test]
    fn gateways_for_services_alone_do_not_count() {
        let mut other = gateway("a", "10.1.0.1:8443", "198.51.100.1:443", true);
        Arc::make_mut(&mut other.service).meta = None;
        assert!(
            Gateways::new("dc1", "dc1", vec![])
                .with_states(&[state("dc2", vec![other])])
                .to("dc2")
                .is_empty()
        );
    }

    #[test]
    fn an_address_without_tags_is_that_of_service_or_node() {
        let mut row = gateway("a", "10.1.0.1:1", "198.51.100.1:2", true);
        let service = Arc::make_mut(&mut row.service);
        service.tagged_addresses = None;
        assert_eq!(address(&row, "wan"), Some(endpoint("192.0.2.9:8443")));
        Arc::make_mut(&mut row.service).address = "gw.example".into();
        assert_eq!(address(&row, "wan"), Some(endpoint("gw.example:8443")));
        Arc::make_mut(&mut row.service).port = 0;
        assert_eq!(address(&row, "wan"), None);
    }

    #[test]
    fn who_failed_is_tried_last_until_its_time_is_over() {
        let (mut records, mut rng) = (Records::default(), rand_chacha::ChaCha8Rng::seed_from_u64(1));
        let dc = Str::new("dc1");
        let list = vec![
            Candidate { tier: Tier::Remote, endpoint: endpoint("b:1") },
            Candidate { tier: Tier::Local, endpoint: endpoint("a:1") },
        ];
        let now = Instant::now();
        let mut first =
            |records: &Records, at| records.order(at, &dc, list.clone(), &mut rng)[0].endpoint.to_string();
        assert_eq!(first(&records, now), "a:1");
        records.failed(now, &endpoint("a:1"), &dc, "refused".into());
        assert_eq!(first(&records, now), "b:1");
        assert_eq!(first(&records, now + PENALTY.0), "a:1");
        records.failed(now, &endpoint("a:1"), &dc, "refused".into());
        assert_eq!(first(&records, now + PENALTY.0), "b:1", "the time doubles");
        records.failed(now, &endpoint("b:1"), &dc, "refused".into());
        assert_eq!(first(&records, now), "a:1", "all failed: as if none had");
        records.worked(now, &endpoint("a:1"), &dc);
        assert_eq!(records.of(&endpoint("a:1"), &dc).failures, 0);
        assert_eq!(
            records.of(&endpoint("a:1"), &"dc2".into()),
            Record::default(),
            "each way is judged alone"
        );
    }

    #[test]
    fn endpoints_are_read_or_refused_with_a_reason() {
        assert_eq!(endpoint("[2001:db8::1]:443").to_string(), "[2001:db8::1]:443");
        for (bad, why) in [
            ("10.0.0.1", "no port"),
            ("10.0.0.1:99999", "port"),
            ("10.0.0.1:0", "missing"),
            (":443", "missing"),
            ("2001:db8::1:443", "brackets"),
            ("provider=aws tag_key=x", "provider"),
        ] {
            let said = Endpoint::parse(bad).unwrap_err();
            assert!(said.contains(why) && said.contains(bad), "{bad}: {said}");
        }
    }
}
