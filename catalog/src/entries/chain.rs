//! Following the chain of one service.

use super::graph::{Checked, View, is_http};
use std::collections::BTreeSet;
use types::{
    Str,
    entry::{Failover, ServiceResolver},
    names::fold,
};

/// Most splitters within each other, and most redirects in a row: far beyond any use, and what it costs to follow a chain
/// stays bounded.
const STEPS_MAX: usize = 64;

/// Looks at the chain that begins at a service.
pub(super) fn check(view: &View<'_>, service: &str) -> Checked {
    Chain { view, start: service, protocol: view.protocol(service), done: BTreeSet::new() }.check()
}

/// A place that a resolver leads to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Target {
    service: Str,
    subset: Str,
    datacenter: Str,
    peer: Str,
}

impl Target {
    fn of(service: &str, subset: &str) -> Self {
        Self {
            service: Str::new(service),
            subset: Str::new(subset),
            datacenter: Str::default(),
            peer: Str::default(),
        }
    }

    /// Another place, named relative to this one.
    fn to(&self, service: &Str, subset: &Str, datacenter: &Str, peer: &Str) -> Self {
        let mut out = self.clone();
        if !service.is_empty() && fold(service) != fold(&self.service) {
            out.service = service.clone();
            out.subset = Str::default();
        }
        if !subset.is_empty() {
            out.subset = subset.clone();
        }
        if !datacenter.is_empty() {
            out.datacenter = datacenter.clone();
        }
        if !peer.is_empty() {
            out.peer = peer.clone();
            out.datacenter = Str::default();
        }
        out
    }
}

/// A chain on its way.
struct Chain<'v, 'a> {
    view: &'v View<'a>,
    start: &'v str,
    protocol: &'v str,
    /// Services whose splitters were followed.
    done: BTreeSet<Str>,
}

impl Chain<'_, '_> {
    fn check(&mut self) -> Checked {
        let mut splitting = Vec::new();
        if let Some(router) = self.view.router(self.start) {
            self.advanced()?;
            for d in router.routes.iter().filter_map(|r| r.destination.as_ref()) {
                let service = if d.service.is_empty() { self.start } else { d.service.as_str() };
                if d.service_subset.is_empty() {
                    self.split_or_resolve(service, &mut splitting)?;
                } else {
                    self.resolve(Target::of(service, &d.service_subset), true)?;
                }
            }
        }
        self.split_or_resolve(self.start, &mut splitting)
    }

    /// Routing and splitting need HTTP.
    fn advanced(&self) -> Checked {
        if is_http(self.protocol) {
            return Ok(());
        }
        Err(format!(
            "discovery chain {:?} uses a protocol {:?} that does not permit advanced routing or splitting behavior",
            self.start, self.protocol
        ))
    }

    /// All services of a chain speak one protocol.
    fn join(&self, service: &str) -> Checked {
        let protocol = self.view.protocol(service);
        if protocol == self.protocol {
            return Ok(());
        }
        Err(format!(
            "discovery chain {:?} uses inconsistent protocols; service {service:?} has {protocol:?} which is not {:?}",
            self.start, self.protocol
        ))
    }

    fn split_or_resolve(&mut self, service: &str, splitting: &mut Vec<Str>) -> Checked {
        let Some(splitter) = self.view.splitter(service) else {
            return self.resolve(Target::of(service, ""), true);
        };
        let own = fold(service);
        if splitting.contains(&own) {
            let mut circle = splitting.clone();
            circle.push(own);
            return Err(format!("detected circular reference: [{}]", circle.join(" -> ")));
        }
        if splitting.len() >= STEPS_MAX {
            return Err(format!(
                "discovery chain {:?} has more than {STEPS_MAX} splitters within each other",
                self.start
            ));
        }
        if !self.done.insert(own.clone()) {
            return Ok(());
        }
        self.join(service)?;
        self.advanced()?;
        splitting.push(own.clone());
        for s in &splitter.splits {
            let to = if s.service.is_empty() { service } else { s.service.as_str() };
            if s.service_subset.is_empty() && fold(to) != own {
                self.split_or_resolve(to, splitting)?;
            } else {
                self.resolve(Target::of(to, &s.service_subset), true)?;
            }
        }
        splitting.pop();
        Ok(())
    }

    fn resolve(&self, mut target: Target, with_failover: bool) -> Checked {
        let mut seen = Vec::<Target>::new();
        loop {
            if !target.peer.is_empty() {
                // What it speaks and has is known there.
                return Ok(());
            }
            if seen.contains(&target) {
                let circle: Vec<&str> = seen.iter().chain([&target]).map(|t| t.service.as_str()).collect();
                return Err(format!("detected circular resolver redirect: [{}]", circle.join(" -> ")));
            }
            if seen.len() >= STEPS_MAX {
                return Err(format!(
                    "discovery chain {:?} has more than {STEPS_MAX} redirects in a row",
                    self.start
                ));
            }
            self.join(&target.service)?;
            let Some(resolver) = self.view.resolver(&target.service) else {
                return no_subset(&target);
            };
            self.external(&target.service, resolver)?;
            if let Some(r) = &resolver.redirect {
                let to = target.to(&r.service, &r.service_subset, &r.datacenter, &r.peer);
                if to != target {
                    seen.push(target);
                    target = to;
                    continue;
                }
            }
            if target.subset.is_empty() && !resolver.default_subset.is_empty() {
                target.subset = resolver.default_subset.clone();
            }
            if !target.subset.is_empty() && !resolver.subsets.contains_key(&target.subset) {
                return no_subset(&target);
            }
            let failover = resolver.failover.get(&target.subset).or_else(|| resolver.failover.get("*"));
            if let Some(f) = failover.filter(|_| with_failover) {
                self.fall_back(&target, f)?;
            }
            return Ok(());
        }
    }

    fn fall_back(&self, from: &Target, f: &Failover) -> Checked {
        let none = Str::default();
        if f.targets.is_empty() {
            return self.resolve(from.to(&f.service, &f.service_subset, &none, &none), false);
        }
        f.targets.iter().try_for_each(|t| {
            self.resolve(from.to(&t.service, &t.service_subset, &t.datacenter, &t.peer), false)
        })
    }

    /// A service outside the mesh is only found by its name.
    fn external(&self, service: &str, resolver: &ServiceResolver) -> Checked {
        let outside = self.view.defaults(service).is_some_and(|d| !d.external_sni.is_empty());
        let what = if resolver.redirect.is_some() {
            "redirects"
        } else if !resolver.subsets.is_empty() {
            "subsets"
        } else if !resolver.failover.is_empty() {
            "failover"
        } else {
            return Ok(());
        };
        if outside {
            return Err(format!(
                "service {service:?} has an external SNI set; cannot define {what} for external services"
            ));
        }
        Ok(())
    }
}

fn no_subset(target: &Target) -> Checked {
    if target.subset.is_empty() {
        return Ok(());
    }
    Err(format!(
        "service {:?} does not have a subset named {:?}",
        target.service.as_str(),
        target.subset.as_str()
    ))
}
