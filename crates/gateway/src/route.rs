//! From a server name to backends.
//!
//! A [`Table`] is built from plain values ([`World`]) whenever one of them changes, and never changed itself. Names are looked up
//! in a fixed order: services of other datacenters, servers of other datacenters by name, servers of the own datacenter by name,
//! any server of the own datacenter, services of the own datacenter, any server of another datacenter.
//!
//! Differs from Consul: any server of the own datacenter is reachable before its federation state is known, and names with
//! capital letters in the catalog work, as all names are compared in lower case.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

/// Where to connect: an IP address or a DNS name, and a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// IP address or DNS name.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A server of the own datacenter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Node name.
    pub node: String,
    /// Its server port.
    pub place: Place,
}

/// A mesh gateway of another datacenter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteGateway {
    /// Its WAN address.
    pub place: Place,
    /// Whether it says that it takes connections for servers.
    pub serves_servers: bool,
}

/// Endpoints of one service of the own datacenter that take mesh connections and are healthy.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// Of the service without a subset.
    pub whole: Vec<Place>,
    /// By name of the subset.
    pub subsets: BTreeMap<String, Vec<Place>>,
}

/// All that a table is made of.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct World {
    /// Own datacenter.
    pub datacenter: String,
    /// DNS domain of servers, without a dot at its end.
    pub domain: String,
    /// Trust domain; while it is unknown there are no routes for services.
    pub trust_domain: Option<String>,
    /// Whether connections for servers are taken.
    pub expose_servers: bool,
    /// Where this gateway itself is reached. A gateway of another datacenter that names one of these would lead back here, and
    /// round again, so it is left out.
    pub own: BTreeSet<Place>,
    /// Servers of the own datacenter.
    pub servers: Vec<Server>,
    /// Gateways of other datacenters, by datacenter.
    pub remote: BTreeMap<String, Vec<RemoteGateway>>,
    /// Services of the own datacenter, by name.
    pub services: BTreeMap<String, Endpoints>,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A service of another datacenter, through a gateway there.
    RemoteService,
    /// A server of another datacenter, through a gateway there.
    RemoteServer,
    /// A server of the own datacenter.
    LocalServer,
    /// A service of the own datacenter.
    LocalService,
}

impl Kind {
    /// All, in the order of their labels' use.
    pub const ALL: [Self; 4] =
        [Self::RemoteService, Self::RemoteServer, Self::LocalServer, Self::LocalService];

    /// Its name in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::RemoteService => "remote_service",
            Self::RemoteServer => "remote_server",
            Self::LocalServer => "local_server",
            Self::LocalService => "local_service",
        }
    }

    /// Its place in [`Kind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Where connections for one name go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// What they are for.
    pub kind: Kind,
    /// Who may take them; empty when the name is known and nobody is healthy.
    pub backends: Arc<[Place]>,
}

/// All routes.
#[derive(Default, Debug)]
pub struct Table {
    /// `<dc>.internal.<td>`: services of other datacenters.
    remote_services: HashMap<String, Route>,
    /// `server.<dc>.<domain>` of other datacenters, and any one below.
    remote_servers: HashMap<String, Route>,
    /// Servers of the own datacenter, one and any.
    local_servers: HashMap<String, Route>,
    /// Services and subsets of the own datacenter.
    local_services: HashMap<String, Route>,
}

impl Table {
    /// The routes of a world. Names that appear twice after folding to lower case share their backends.
    pub fn new(world: &World) -> Self {
        let mut out = Self::default();
        let lower = str::to_ascii_lowercase;
        let (own, domain) = (lower(&world.datacenter), lower(&world.domain));
        let trust_domain = world.trust_domain.as_deref().map(lower);
        for (datacenter, gateways) in world.remote.iter().map(|(dc, g)| (lower(dc), g)) {
            if datacenter == own {
                continue;
            }
            let gateways: Vec<&RemoteGateway> =
                gateways.iter().filter(|g| !world.own.contains(&g.place)).collect();
            if let Some(trust_domain) = &trust_domain {
                let places = gateways.iter().map(|g| &g.place);
                add(
                    &mut out.remote_services,
                    format!("{datacenter}.internal.{trust_domain}"),
                    Kind::RemoteService,
                    places,
                );
            }
            if world.expose_servers {
                // A gateway that does not say so may be an old one; it is better than none.
                let any_says = gateways.iter().any(|g| g.serves_servers);
                let places = gateways.iter().filter(|g| g.serves_servers || !any_says).map(|g| &g.place);
                add(
                    &mut out.remote_servers,
                    format!("server.{datacenter}.{domain}"),
                    Kind::RemoteServer,
                    places,
                );
            }
        }
        if world.expose_servers {
            let any = format!("server.{own}.{domain}");
            for server in &world.servers {
                let one = format!("{}.{any}", lower(&server.node));
                add(&mut out.local_servers, one, Kind::LocalServer, [&server.place].into_iter());
            }
            if !world.servers.is_empty() {
                add(&mut out.local_servers, any, Kind::LocalServer, world.servers.iter().map(|s| &s.place));
            }
        }
        if let Some(trust_domain) = &trust_domain {
            for (service, endpoints) in &world.services {
                let name = format!("{}.default.{own}.internal.{trust_domain}", lower(service));
                for (subset, places) in &endpoints.subsets {
                    let subset = format!("{}.{name}", lower(subset));
                    add(&mut out.local_services, subset, Kind::LocalService, places.iter());
                }
                add(&mut out.local_services, name, Kind::LocalService, endpoints.whole.iter());
            }
        }
        out
    }

    /// The route of a name, which is in lower case.
    pub fn find(&self, name: &str) -> Option<&Route> {
        below(name)
            .find_map(|suffix| self.remote_services.get(suffix))
            .or_else(|| below(name).find_map(|suffix| self.remote_servers.get(suffix)))
            .or_else(|| self.local_servers.get(name))
            .or_else(|| self.local_services.get(name))
            .or_else(|| self.remote_servers.get(name))
    }

    /// Every name that is routed, as a pattern, with its route; sorted.
    pub fn patterns(&self) -> BTreeMap<String, &Route> {
        let wild = |(name, route)| (format!("*.{name}"), route);
        let exact = |(name, route): (&String, _)| (name.clone(), route);
        let remote = self.remote_services.iter().map(wild).chain(self.remote_servers.iter().map(wild));
        let local = self.local_servers.iter().chain(&self.local_services).chain(&self.remote_servers);
        remote.chain(local.map(exact)).collect()
    }

    /// Every place that a route leads to.
    pub fn places(&self) -> BTreeSet<&Place> {
        let maps = [&self.remote_services, &self.remote_servers, &self.local_servers, &self.local_services];
        maps.into_iter().flat_map(HashMap::values).flat_map(|r| r.backends.iter()).collect()
    }

    /// How many names are routed.
    pub fn len(&self) -> usize {
        self.remote_services.len()
            + self.remote_servers.len()
            + self.local_servers.len()
            + self.local_services.len()
    }

    /// Whether nothing is routed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What remains of a name after one label, after two, and so on.
fn below(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.bytes().enumerate().filter(|(at, b)| *b == b'.' && *at > 0);
    dots.filter_map(|(at, _)| name.get(at + 1..))
}

fn add<'a>(
    routes: &mut HashMap<String, Route>,
    name: String,
    kind: Kind,
    places: impl Iterator<Item = &'a Place>,
) {
    let mut all: BTreeSet<Place> = places.cloned().collect();
    if let Some(before) = routes.get(&name) {
        all.extend(before.backends.iter().cloned());
    }
    routes.insert(name, Route { kind, backends: all.into_iter().collect() });
}

#[cfg(test)]
mod tests;
