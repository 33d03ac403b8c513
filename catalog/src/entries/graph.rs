//! What entries demand of each other.
//!
//! A service's *chain* begins at its router, goes through splitters and ends at resolvers, which may redirect or fall back
//! to others. All services of a chain must speak one protocol, and only HTTP can be routed or split.

use super::{EntryTable, chain};
use std::collections::{BTreeMap, BTreeSet};
use types::{
    Str,
    entry::{
        EntryBody, EntryKey, EntryKind, MESH_NAME, PROXY_DEFAULTS_NAME, ServiceDefaults, ServiceIntentions,
        ServiceResolver, ServiceRouter, ServiceSplitter,
    },
    names::fold,
    validate::error_list,
};

pub(super) type Checked = Result<(), String>;

/// Protocol of a service that says nothing about it.
const PLAIN: &str = "tcp";

pub(super) fn is_http(protocol: &str) -> bool {
    matches!(protocol, "http" | "http2" | "grpc")
}

/// Looks at everything that depends on the entry of `key`, which is the only one that differs between the tables.
pub(super) fn check(before: &EntryTable, after: &EntryTable, key: &EntryKey) -> Checked {
    let view = View::new(after);
    match key.kind {
        EntryKind::ServiceDefaults => {
            permissive(after, key)?;
            view.check_services(affected(after, &key.name))
        }
        EntryKind::ProxyDefaults => {
            permissive(after, key)?;
            view.check_services(all_services(after))
        }
        EntryKind::ServiceRouter | EntryKind::ServiceSplitter | EntryKind::ServiceResolver => {
            // What the entry led to before is none of its concern any more: only who leads here is.
            view.check_services(affected(after, &key.name))
        }
        EntryKind::ServiceIntentions => {
            known_providers(after, key)?;
            view.check_intentions(&key.name)
        }
        EntryKind::IngressGateway | EntryKind::TerminatingGateway => {
            gateway_clash(after, key)?;
            view.check_ingress(&key.name)
        }
        EntryKind::JwtProvider if after.get(key).is_none() => unused_provider(before, key),
        EntryKind::Mesh
        | EntryKind::JwtProvider
        | EntryKind::ExportedServices
        | EntryKind::SamenessGroup
        | EntryKind::ApiGateway
        | EntryKind::BoundApiGateway
        | EntryKind::HttpRoute
        | EntryKind::TcpRoute
        | EntryKind::InlineCertificate
        | EntryKind::FileSystemCertificate => Ok(()),
    }
}

/// Proxies may take unencrypted traffic only where the mesh says so.
fn permissive(table: &EntryTable, key: &EntryKey) -> Checked {
    let mode = match table.get(key).map(|e| &e.body) {
        Some(EntryBody::ServiceDefaults(b)) => &b.mutual_tls_mode,
        Some(EntryBody::ProxyDefaults(b)) => &b.mutual_tls_mode,
        _ => return Ok(()),
    };
    let mesh = table.get(&EntryKey::new(EntryKind::Mesh, MESH_NAME)).map(|e| &e.body);
    let allowed = matches!(mesh, Some(EntryBody::Mesh(m)) if m.allow_enabling_permissive_mutual_tls);
    if mode == "permissive" && !allowed {
        return Err(
            "cannot set MutualTLSMode=permissive because AllowEnablingPermissiveMutualTLS=false in the mesh \
                    config entry"
                .to_owned(),
        );
    }
    Ok(())
}

/// A gateway is of one kind.
fn gateway_clash(table: &EntryTable, key: &EntryKey) -> Checked {
    let other = if key.kind == EntryKind::IngressGateway {
        EntryKind::TerminatingGateway
    } else {
        EntryKind::IngressGateway
    };
    match (table.get(key), table.get(&EntryKey { kind: other, name: key.name.clone() })) {
        (Some(entry), Some(_)) => Err(format!(
            "cannot create a \"{}\" config entry with name {:?}, a \"{other}\" config entry with that name already exists",
            key.kind,
            entry.name.as_str()
        )),
        _ => Ok(()),
    }
}

/// Providers that intentions ask for.
fn providers(b: &ServiceIntentions) -> BTreeSet<&Str> {
    let of_permissions = b.sources.iter().flat_map(|s| &s.permissions).filter_map(|p| p.jwt.as_ref());
    b.jwt.iter().chain(of_permissions).flat_map(|j| &j.providers).map(|p| &p.name).collect()
}

fn known_providers(table: &EntryTable, key: &EntryKey) -> Checked {
    let Some(EntryBody::ServiceIntentions(b)) = table.get(key).map(|e| &e.body) else { return Ok(()) };
    let missing: Vec<String> = providers(b)
        .into_iter()
        .filter(|name| table.get(&EntryKey::new(EntryKind::JwtProvider, name)).is_none())
        .map(|name| format!("Referenced JWT Provider does not exist. Provider Name: {name}"))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(error_list(missing.iter())) }
}

fn unused_provider(before: &EntryTable, key: &EntryKey) -> Checked {
    let Some(provider) = before.get(key) else { return Ok(()) };
    for entry in before.list(Some(EntryKind::ServiceIntentions)) {
        let EntryBody::ServiceIntentions(b) = &entry.body else { continue };
        if providers(b).into_iter().any(|name| fold(name) == key.name) {
            return Err(format!(
                "cannot delete jwt provider config entry referenced by an intention. Provider name: {}, intention name: {}",
                provider.name, entry.name
            ));
        }
    }
    Ok(())
}

/// Services that an entry leads to, folded.
fn leads_to(body: &EntryBody, own: &str) -> Vec<Str> {
    let or_own = |name: &Str| if name.is_empty() { Str::new(own) } else { fold(name) };
    match body {
        EntryBody::ServiceRouter(b) => {
            b.routes.iter().filter_map(|r| r.destination.as_ref()).map(|d| or_own(&d.service)).collect()
        }
        EntryBody::ServiceSplitter(b) => b.splits.iter().map(|s| or_own(&s.service)).collect(),
        EntryBody::ServiceResolver(b) => {
            let failovers = b.failover.values();
            let targets = failovers.clone().flat_map(|f| &f.targets).map(|t| or_own(&t.service));
            let plain = failovers.map(|f| or_own(&f.service));
            b.redirect.iter().map(|r| or_own(&r.service)).chain(targets).chain(plain).collect()
        }
        _ => Vec::new(),
    }
}

const CHAIN_KINDS: [EntryKind; 3] =
    [EntryKind::ServiceRouter, EntryKind::ServiceSplitter, EntryKind::ServiceResolver];

/// A service and all whose chains may reach it.
fn affected(table: &EntryTable, service: &str) -> BTreeSet<Str> {
    let mut reached_from = BTreeMap::<Str, Vec<Str>>::new();
    for entry in CHAIN_KINDS.into_iter().flat_map(|k| table.list(Some(k))) {
        let own = fold(&entry.name);
        for to in leads_to(&entry.body, &own) {
            reached_from.entry(to).or_default().push(own.clone());
        }
    }
    let mut out = BTreeSet::from([Str::new(service)]);
    let mut todo = vec![Str::new(service)];
    while let Some(next) = todo.pop() {
        for from in reached_from.get(&next).into_iter().flatten() {
            if out.insert(from.clone()) {
                todo.push(from.clone());
            }
        }
    }
    out
}

/// Every service that an entry says something about that could break.
fn all_services(table: &EntryTable) -> BTreeSet<Str> {
    let named = CHAIN_KINDS.into_iter().chain([EntryKind::ServiceDefaults, EntryKind::ServiceIntentions]);
    let mut out: BTreeSet<Str> = named.flat_map(|k| table.list(Some(k))).map(|e| fold(&e.name)).collect();
    for entry in table.list(Some(EntryKind::IngressGateway)) {
        if let EntryBody::IngressGateway(b) = &entry.body {
            out.extend(b.listeners.iter().flat_map(|l| &l.services).map(|s| fold(&s.name)));
        }
    }
    out
}

/// The entries of a table, ready to follow chains.
pub(super) struct View<'a> {
    table: &'a EntryTable,
    default_protocol: Str,
}

macro_rules! body {
    ($view:expr, $kind:ident, $name:expr) => {
        match $view.table.get(&EntryKey::new(EntryKind::$kind, $name)).map(|e| &e.body) {
            Some(EntryBody::$kind(b)) => Some(&**b),
            _ => None,
        }
    };
}

impl<'a> View<'a> {
    fn new(table: &'a EntryTable) -> Self {
        let defaults = table.get(&EntryKey::new(EntryKind::ProxyDefaults, PROXY_DEFAULTS_NAME));
        let protocol = match defaults.map(|e| &e.body) {
            Some(EntryBody::ProxyDefaults(b)) => {
                b.config.as_ref().and_then(|c| c.to_json().get("protocol")?.as_str().map(fold))
            }
            _ => None,
        };
        let default_protocol = protocol.filter(|p| !p.is_empty()).unwrap_or(Str::new_static(PLAIN));
        Self { table, default_protocol }
    }

    pub(super) fn defaults(&self, service: &str) -> Option<&'a ServiceDefaults> {
        body!(self, ServiceDefaults, service)
    }
    pub(super) fn router(&self, service: &str) -> Option<&'a ServiceRouter> {
        body!(self, ServiceRouter, service)
    }
    pub(super) fn splitter(&self, service: &str) -> Option<&'a ServiceSplitter> {
        body!(self, ServiceSplitter, service)
    }
    pub(super) fn resolver(&self, service: &str) -> Option<&'a ServiceResolver> {
        body!(self, ServiceResolver, service)
    }

    /// The protocol that a service speaks.
    pub(super) fn protocol(&self, service: &str) -> &str {
        match self.defaults(service) {
            Some(d) if d.protocol.is_empty() => PLAIN,
            Some(d) => &d.protocol,
            None => &self.default_protocol,
        }
    }

    fn check_services(&self, services: BTreeSet<Str>) -> Checked {
        for service in &services {
            chain::check(self, service)?;
            self.check_intentions(service)?;
        }
        for gateway in self.table.list(Some(EntryKind::IngressGateway)) {
            let EntryBody::IngressGateway(b) = &gateway.body else { continue };
            if b.listeners.iter().flat_map(|l| &l.services).any(|s| services.contains(&fold(&s.name))) {
                self.check_ingress(&fold(&gateway.name))?;
            }
        }
        Ok(())
    }

    /// Permissions look at requests, which only HTTP has.
    fn check_intentions(&self, service: &str) -> Checked {
        let Some(b) = body!(self, ServiceIntentions, service) else { return Ok(()) };
        let protocol = self.protocol(service);
        if !is_http(protocol) && b.sources.iter().any(|s| !s.permissions.is_empty()) {
            return Err(format!(
                "service {service:?} has protocol {protocol:?}, which is incompatible with L7 intentions permissions"
            ));
        }
        Ok(())
    }

    /// A listener speaks the protocol of what is behind it.
    fn check_ingress(&self, gateway: &str) -> Checked {
        let Some(b) = body!(self, IngressGateway, gateway) else { return Ok(()) };
        for l in &b.listeners {
            for s in l.services.iter().filter(|s| s.name != "*") {
                let protocol = self.protocol(&s.name);
                if protocol != l.protocol {
                    return Err(format!(
                        "service {:?} has protocol {protocol:?}, which does not match defined listener protocol {:?}",
                        s.name.as_str(),
                        l.protocol.as_str()
                    ));
                }
            }
        }
        Ok(())
    }
}
