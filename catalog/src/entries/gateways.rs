//! Which services a gateway stands for or exposes.

use super::EntryTable;
use crate::{catalog::ServiceTable, scope::Scope, store::Store};
use std::collections::BTreeMap;
use types::{
    Str, Tenancy,
    entry::{ConfigEntry, EntryBody, EntryKey, EntryKind},
    names::fold,
    query::GatewayService,
    record::ServiceKind,
};

/// Stands for every service that fits.
const ANY: &str = "*";
/// The servers' own service is never behind a gateway.
const SERVERS: &str = "consul";

/// Rows of one gateway in the order of service and port, and their index.
pub(crate) fn gateway_services(
    store: &Store,
    tenancy: &Tenancy,
    gateway: &str,
) -> (Vec<GatewayService>, u64) {
    let scope = Scope { tenancy: tenancy.clone(), peer: Default::default() };
    let services = store.catalog.services.get(&scope);
    let Some(table) = store.entries.get(&scope) else { return (Vec::new(), 0) };
    let index = [EntryKind::IngressGateway, EntryKind::TerminatingGateway, EntryKind::ServiceDefaults]
        .into_iter()
        .map(|k| table.kind_index(k))
        .chain(services.map(|s| s.rows_index))
        .max();
    let mut rows = BTreeMap::new();
    for kind in [EntryKind::IngressGateway, EntryKind::TerminatingGateway] {
        if let Some(entry) = table.get(&EntryKey::new(kind, gateway)) {
            add(table, services, entry, &mut rows);
        }
    }
    (rows.into_values().collect(), index.unwrap_or(0))
}

/// Folded names of the ingress gateways that expose a service.
pub(crate) fn exposing_gateways(store: &Store, scope: &Scope, service: &str) -> Vec<Str> {
    let Some(table) = store.entries.get(scope) else { return Vec::new() };
    let services = store.catalog.services.get(scope);
    let wanted = fold(service);
    let exposes = |entry: &ConfigEntry| {
        let mut rows = BTreeMap::new();
        add(table, services, entry, &mut rows);
        rows.into_keys().any(|(name, _)| name == wanted)
    };
    table.list(Some(EntryKind::IngressGateway)).filter(|e| exposes(e)).map(|e| fold(&e.name)).collect()
}

type Rows = BTreeMap<(Str, i64), GatewayService>;

fn add(table: &EntryTable, services: Option<&ServiceTable>, entry: &ConfigEntry, rows: &mut Rows) {
    let mut put = |row: GatewayService| {
        let key = (fold(&row.service), row.port);
        // What is named itself counts before what a wildcard adds.
        if !row.from_wildcard || !rows.contains_key(&key) {
            rows.insert(key, row);
        }
    };
    let common = GatewayService { gateway: entry.name.clone(), index: entry.index, ..Default::default() };
    match &entry.body {
        EntryBody::IngressGateway(b) => {
            let common = GatewayService { gateway_kind: ServiceKind::IngressGateway, ..common };
            for l in &b.listeners {
                for s in &l.services {
                    let row = GatewayService {
                        service: s.name.clone(),
                        port: l.port,
                        protocol: l.protocol.clone(),
                        hosts: s.hosts.clone(),
                        ..common.clone()
                    };
                    if s.name != ANY {
                        put(row);
                        continue;
                    }
                    for name in services.into_iter().flat_map(in_mesh) {
                        put(GatewayService { service: name, from_wildcard: true, ..row.clone() });
                    }
                }
            }
        }
        EntryBody::TerminatingGateway(b) => {
            let common = GatewayService { gateway_kind: ServiceKind::TerminatingGateway, ..common };
            let destinations = destinations(table);
            for s in &b.services {
                let row = GatewayService {
                    service: s.name.clone(),
                    ca_file: s.ca_file.clone(),
                    cert_file: s.cert_file.clone(),
                    key_file: s.key_file.clone(),
                    sni: s.sni.clone(),
                    auto_host_rewrite: !s.disable_auto_host_rewrite,
                    ..common.clone()
                };
                if s.name != ANY {
                    put(row);
                    continue;
                }
                for (name, word) in services
                    .into_iter()
                    .flat_map(outside_mesh)
                    .map(|name| (name, ""))
                    .chain(destinations.iter().map(|name| (name.clone(), "destination")))
                {
                    let service_kind = Str::new_static(word);
                    put(GatewayService { service: name, service_kind, from_wildcard: true, ..row.clone() });
                }
            }
        }
        _ => {}
    }
}

/// Names of ordinary services with an instance in the mesh.
fn in_mesh(services: &ServiceTable) -> Vec<Str> {
    services
        .connect
        .iter()
        .filter(|(folded, _)| folded.as_str() != SERVERS)
        .filter_map(|(folded, group)| {
            let stands_for = group.instances.values().next().map(|i| {
                let proxied = i.service.proxy.as_ref().map(|p| p.destination_service_name.clone());
                proxied.filter(|n| !n.is_empty()).unwrap_or_else(|| i.service.service.0.clone())
            })?;
            Some(if fold(&stands_for) == *folded { stands_for } else { folded.clone() })
        })
        .collect()
}

/// Names of ordinary services with an instance that is not in the mesh by itself.
fn outside_mesh(services: &ServiceTable) -> Vec<Str> {
    services
        .groups
        .iter()
        .filter(|(folded, _)| folded.as_str() != SERVERS)
        .filter_map(|(_, group)| {
            let plain = |s: &types::record::NodeService| s.kind == ServiceKind::Typical && !s.connect.native;
            group.instances.values().find(|i| plain(&i.service)).map(|i| i.service.service.0.clone())
        })
        .collect()
}

/// Names of services outside that have addresses of their own.
fn destinations(table: &EntryTable) -> Vec<Str> {
    let has = |e: &ConfigEntry| matches!(&e.body, EntryBody::ServiceDefaults(b) if b.destination.is_some());
    table.list(Some(EntryKind::ServiceDefaults)).filter(|e| has(e)).map(|e| e.name.clone()).collect()
}
