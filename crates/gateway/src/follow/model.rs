//! Answers of an agent into a [`World`], and which reads that takes. Pure.

use crate::route::{Endpoints, Place, RemoteGateway, Server, World};
use std::collections::{BTreeMap, BTreeSet};

/// Most services whose endpoints are followed; the rest, by name, get no routes.
pub const SERVICES_MAX: usize = 10_000;

/// What the agent says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentSelf {
    /// Its datacenter.
    pub datacenter: String,
    /// DNS domain, without a dot at its end.
    pub domain: String,
}

/// A subset of a service-resolver.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Subset {
    /// Filter expression; empty = all.
    pub filter: String,
    /// Warnings exclude, too.
    pub only_passing: bool,
}

/// What of a service-resolver concerns a gateway.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Resolver {
    /// The subset of the service's plain name; empty = all instances.
    pub default_subset: String,
    /// By name.
    pub subsets: BTreeMap<String, Subset>,
}

/// Instances of one service, or one of its subsets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InstancesOf {
    /// Service.
    pub service: String,
    /// Subset as its resolver defines it, with its name; `None` = all instances.
    pub subset: Option<(String, Subset)>,
}

/// A read that is repeated for as long as it is wanted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Read {
    /// Trust domain.
    Roots,
    /// Servers of the own datacenter.
    Servers,
    /// Gateways of all datacenters.
    Federation,
    /// Names of services.
    Services,
    /// Service-resolvers.
    Resolvers,
    /// Endpoints of a service.
    Endpoints(InstancesOf),
}

/// What a read answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// Read once, at the start.
    Agent(AgentSelf),
    /// `None` while there is no root.
    TrustDomain(Option<String>),
    /// Servers.
    Servers(Vec<Server>),
    /// Gateways by datacenter.
    Federation(BTreeMap<String, Vec<RemoteGateway>>),
    /// Names of services.
    Services(BTreeSet<String>),
    /// Resolvers by service.
    Resolvers(BTreeMap<String, Resolver>),
    /// Healthy endpoints.
    Endpoints(InstancesOf, Vec<Place>),
    /// The agent answered that it does not answer this, or not now.
    Refused(Read),
}

/// All that was answered so far.
#[derive(Default, Debug)]
pub struct Model {
    world: World,
    names: Option<BTreeSet<String>>,
    resolvers: BTreeMap<String, Resolver>,
    endpoints: BTreeMap<InstancesOf, Vec<Place>>,
    /// Reads that were answered, endpoints aside.
    answered: BTreeSet<Read>,
}

impl Model {
    /// Nothing is known but the gateway's own settings (see [`World`]).
    pub fn new(expose_servers: bool, own: BTreeSet<Place>) -> Self {
        Self { world: World { expose_servers, own, ..World::default() }, ..Self::default() }
    }

    /// The world as it is known.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Whether every read was answered, so that an unknown name is unknown and not only early. A refusal is an answer: an agent
    /// may have no trust domain for long, and servers are reached without.
    pub fn complete(&self) -> bool {
        let known = |read: &Read| match read {
            Read::Endpoints(of) => self.endpoints.contains_key(of),
            _ => self.answered.contains(read),
        };
        let wanted = self.wanted();
        !wanted.is_empty() && wanted.iter().all(known)
    }

    /// Takes an answer; answers whether the world changed.
    pub fn apply(&mut self, update: Update) -> bool {
        let before = self.world.clone();
        match update {
            Update::Agent(agent) => {
                self.world.datacenter = agent.datacenter;
                self.world.domain = agent.domain;
            }
            Update::TrustDomain(trust_domain) => {
                self.world.trust_domain = trust_domain;
                self.answered.insert(Read::Roots);
            }
            Update::Servers(servers) => {
                self.world.servers = servers;
                self.answered.insert(Read::Servers);
            }
            Update::Federation(all) => {
                for (datacenter, gateways) in all.iter().filter(|(dc, _)| **dc != self.world.datacenter) {
                    for here in gateways.iter().filter(|g| self.world.own.contains(&g.place)) {
                        tracing::warn!(
                            datacenter,
                            place = %here.place,
                            "a gateway of another datacenter gives this one's address as its WAN address; left out"
                        );
                    }
                }
                self.world.remote = all;
                self.answered.insert(Read::Federation);
            }
            Update::Services(mut names) => {
                self.answered.insert(Read::Services);
                // The servers themselves; they take no mesh connections.
                names.remove("consul");
                if names.len() > SERVICES_MAX {
                    tracing::warn!(
                        services = names.len(),
                        SERVICES_MAX,
                        "too many services; the last have no routes"
                    );
                    names = names.into_iter().take(SERVICES_MAX).collect();
                }
                self.names = Some(names);
                self.rebuild_services();
            }
            Update::Resolvers(resolvers) => {
                self.answered.insert(Read::Resolvers);
                self.resolvers = resolvers;
                self.rebuild_services();
            }
            Update::Endpoints(of, places) => {
                let service = of.service.clone();
                self.endpoints.insert(of, places);
                self.rebuild_service(&service);
            }
            // What was known before stays.
            Update::Refused(Read::Endpoints(of)) => {
                self.endpoints.entry(of).or_default();
            }
            Update::Refused(read) => {
                self.answered.insert(read);
            }
        }
        self.world != before
    }

    /// The reads that are wanted now.
    pub fn wanted(&self) -> BTreeSet<Read> {
        if self.world.datacenter.is_empty() {
            return BTreeSet::new();
        }
        let mut out = BTreeSet::from([Read::Roots, Read::Federation, Read::Services, Read::Resolvers]);
        if self.world.expose_servers {
            out.insert(Read::Servers);
        }
        // Without a trust domain services have no names to be reached by.
        if self.world.trust_domain.is_some() {
            out.extend(self.wanted_endpoints().into_iter().map(Read::Endpoints));
        }
        out
    }

    fn wanted_endpoints(&self) -> BTreeSet<InstancesOf> {
        let names = self.names.iter().flatten();
        names.flat_map(|name| self.reads_of(name)).collect()
    }

    /// All instances, and each subset.
    fn reads_of(&self, service: &str) -> Vec<InstancesOf> {
        let of = |subset| InstancesOf { service: service.to_owned(), subset };
        let subsets = self.resolvers.get(service).into_iter().flat_map(|r| &r.subsets);
        let subsets = subsets.map(|(name, subset)| of(Some((name.clone(), subset.clone()))));
        std::iter::once(of(None)).chain(subsets).collect()
    }

    fn rebuild_services(&mut self) {
        let wanted = self.wanted_endpoints();
        self.endpoints.retain(|of, _| wanted.contains(of));
        self.world.services.clear();
        let services: BTreeSet<String> = self.endpoints.keys().map(|of| of.service.clone()).collect();
        for service in services {
            self.rebuild_service(&service);
        }
    }

    /// Services without any mesh endpoint have no route: most services are no mesh services.
    fn rebuild_service(&mut self, service: &str) {
        let mut found = Endpoints::default();
        for of in self.reads_of(service) {
            let Some(places) = self.endpoints.get(&of) else { continue };
            match of.subset {
                None => found.whole.clone_from(places),
                Some((name, _)) => {
                    found.subsets.insert(name, places.clone());
                }
            }
        }
        // `whole` is replaced below when a default subset stands for the plain name.
        let mesh = !found.whole.is_empty() || found.subsets.values().any(|p| !p.is_empty());
        let default = self.resolvers.get(service).map_or("", |r| r.default_subset.as_str());
        if let Some(places) = found.subsets.get(default) {
            found.whole.clone_from(places);
        }
        let listed = self.names.as_ref().is_some_and(|n| n.contains(service));
        if listed && (mesh || self.world.services.contains_key(service)) {
            self.world.services.insert(service.to_owned(), found);
        } else {
            self.world.services.remove(service);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> Place {
        Place { host: host.to_owned(), port: 1 }
    }

    fn all(service: &str) -> InstancesOf {
        InstancesOf { service: service.to_owned(), subset: None }
    }

    fn started(expose: bool) -> Model {
        let mut m = Model::new(expose, BTreeSet::new());
        assert!(m.wanted().is_empty(), "nothing before the agent has said who it is");
        m.apply(Update::Agent(AgentSelf { datacenter: "dc1".to_owned(), domain: "consul".to_owned() }));
        m
    }

    #[test]
    fn endpoints_are_wanted_once_there_is_a_trust_domain() {
        let mut m = started(true);
        assert!(m.wanted().contains(&Read::Servers) && !started(false).wanted().contains(&Read::Servers));
        m.apply(Update::Services(["web".to_owned(), "consul".to_owned()].into()));
        assert!(!m.wanted().iter().any(|r| matches!(r, Read::Endpoints(_))));
        m.apply(Update::Servers(Vec::new()));
        for read in [Read::Federation, Read::Resolvers, Read::Roots] {
            assert!(!m.complete(), "{read:?} is not answered");
            m.apply(Update::Refused(read));
        }
        assert!(m.complete());
        m.apply(Update::TrustDomain(Some("td".to_owned())));
        assert!(m.wanted().contains(&Read::Endpoints(all("web"))));
        assert!(!m.wanted().contains(&Read::Endpoints(all("consul"))));
        assert!(!m.complete(), "endpoints are not known");
        assert!(m.apply(Update::Endpoints(all("web"), vec![place("a")])));
        assert!(m.complete());
        assert!(!m.apply(Update::Endpoints(all("web"), vec![place("a")])), "nothing new");
        assert_eq!(m.world().services["web"].whole, [place("a")]);
        m.apply(Update::Endpoints(all("web"), vec![]));
        assert!(m.world().services["web"].whole.is_empty(), "known, and nobody is healthy");
        m.apply(Update::Services(BTreeSet::new()));
        assert!(m.world().services.is_empty() && m.endpoints.is_empty());
    }

    #[test]
    fn a_service_outside_the_mesh_has_no_route() {
        let mut m = started(false);
        m.apply(Update::TrustDomain(Some("td".to_owned())));
        m.apply(Update::Services(["db".to_owned()].into()));
        assert!(!m.apply(Update::Endpoints(all("db"), vec![])));
        assert!(m.world().services.is_empty());
    }

    #[test]
    fn subsets_and_the_default_one() {
        let mut m = started(false);
        m.apply(Update::TrustDomain(Some("td".to_owned())));
        m.apply(Update::Services(["web".to_owned()].into()));
        m.apply(Update::Endpoints(all("web"), vec![place("a"), place("b")]));
        let v1 = Subset { filter: "Service.Meta.v == 1".to_owned(), only_passing: true };
        let resolver =
            Resolver { default_subset: "v1".to_owned(), subsets: [("v1".to_owned(), v1.clone())].into() };
        m.apply(Update::Resolvers([("web".to_owned(), resolver)].into()));
        let of_v1 = InstancesOf { service: "web".to_owned(), subset: Some(("v1".to_owned(), v1)) };
        assert!(m.wanted().contains(&Read::Endpoints(of_v1.clone())));
        m.apply(Update::Endpoints(of_v1, vec![place("b")]));
        let web = &m.world().services["web"];
        assert_eq!((&web.whole, &web.subsets["v1"]), (&vec![place("b")], &vec![place("b")]));
        m.apply(Update::Resolvers(BTreeMap::new()));
        let web = &m.world().services["web"];
        assert_eq!((web.whole.len(), web.subsets.len()), (2, 0));
    }

    #[test]
    fn a_refusal_is_an_answer_and_takes_nothing_away() {
        let mut m = started(false);
        m.apply(Update::TrustDomain(Some("td".to_owned())));
        m.apply(Update::Services(["web".to_owned(), "db".to_owned()].into()));
        m.apply(Update::Endpoints(all("web"), vec![place("a")]));
        for of in [all("web"), all("db")] {
            assert!(!m.apply(Update::Refused(Read::Endpoints(of))));
        }
        assert_eq!(m.world().services["web"].whole, [place("a")]);
        for read in [Read::Federation, Read::Resolvers] {
            m.apply(Update::Refused(read));
        }
        assert!(m.complete());
    }

    #[test]
    fn a_late_answer_for_a_service_that_is_gone_changes_nothing() {
        let mut m = started(false);
        m.apply(Update::TrustDomain(Some("td".to_owned())));
        m.apply(Update::Services(BTreeSet::new()));
        assert!(!m.apply(Update::Endpoints(all("web"), vec![place("a")])));
    }
}
