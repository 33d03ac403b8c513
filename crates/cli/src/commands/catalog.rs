//! `catalog datacenters`, `catalog nodes`, `catalog services`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    table::{columns, row},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) static DATACENTERS: Command = Command {
    path: "catalog datacenters",
    synopsis: "Lists all known datacenters",
    usage: "[options]",
    about: "Lists the names of all known datacenters, nearest first.",
    flags: &[],
    common: Common::Server,
    run: datacenters,
};

pub(super) static NODES: Command = Command {
    path: "catalog nodes",
    synopsis: "Lists all nodes in the given datacenter",
    usage: "[options]",
    about: "Lists the nodes of a datacenter, all of them or those that a query names.",
    flags: &[
        Flag::new("detailed", Kind::Bool, "Show tagged addresses and metadata, and ids in full."),
        Flag::new("near", Kind::Text, "Sort by round-trip time from this node; _agent is the agent asked."),
        Flag::new("node-meta", Kind::Map, "Only nodes with this metadata. May be repeated."),
        Flag::new("service", Kind::Text, "Only nodes with this service."),
        Flag::new("filter", Kind::Text, "Only nodes for which this expression holds; @file and - read it."),
    ],
    common: Common::ServerPartition,
    run: nodes,
};

pub(super) static SERVICES: Command = Command {
    path: "catalog services",
    synopsis: "Lists all registered services in a datacenter",
    usage: "[options]",
    about: "Lists the names of the services of a datacenter.",
    flags: &[
        Flag::new("node", Kind::Text, "Only services of this node (name or id)."),
        Flag::new("node-meta", Kind::Map, "Only services of nodes with this metadata. May be repeated."),
        Flag::new("tags", Kind::Bool, "Show the tags of each service."),
    ],
    common: Common::ServerTenancy,
    run: services,
};

fn datacenters(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let client = session.client()?;
    let answer = client.get("/v1/catalog/datacenters", Query::new());
    let names: Option<Vec<String>> =
        answer.and_then(|a| a.json()).map_err(Failure::request("Error listing datacenters"))?;
    for name in names.unwrap_or_default() {
        session.io.say(name);
    }
    Ok(())
}

/// A node, as `/v1/catalog/nodes` or `/v1/catalog/service` shows it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default, rename = "ID")]
    id: String,
    node: String,
    address: String,
    #[serde(default)]
    datacenter: String,
    tagged_addresses: Option<BTreeMap<String, String>>,
    #[serde(alias = "NodeMeta")]
    meta: Option<BTreeMap<String, String>>,
}

fn nodes(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let filter = session.filter()?;
    let client = session.client()?;
    let mut query = Query::new().with_some("near", session.flags.text("near")).with_some("filter", &filter);
    for pair in session.flags.list("node-meta") {
        query = query.with("node-meta", pair.replacen('=', ":", 1));
    }
    let path = match session.flags.text("service") {
        "" => "/v1/catalog/nodes".to_owned(),
        service => format!("/v1/catalog/service/{service}"),
    };
    let answer = client.get(&path, client.scoped(query));
    let found: Option<Vec<Node>> =
        answer.and_then(|a| a.json()).map_err(Failure::request("Error listing nodes"))?;
    let mut seen = HashSet::new();
    // A node with several instances of the service is one node.
    let found: Vec<Node> =
        found.unwrap_or_default().into_iter().filter(|n| seen.insert(n.node.clone())).collect();
    if found.is_empty() {
        session.io.warn("No nodes match the given query - try expanding your search.");
        return Ok(());
    }
    let detailed = session.flags.bool("detailed");
    let mut rows = vec![if detailed {
        row(["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"])
    } else {
        row(["Node", "ID", "Address", "DC"])
    }];
    for n in &found {
        rows.push(if detailed {
            let (tagged, meta) = (pairs(n.tagged_addresses.as_ref()), pairs(n.meta.as_ref()));
            row([&n.node, &n.id, &n.address, &n.datacenter, &tagged, &meta])
        } else {
            let short = n.id.split('-').next().unwrap_or_default();
            row([&n.node, short, &n.address, &n.datacenter])
        });
    }
    session.io.say(columns(&rows));
    Ok(())
}

fn pairs(map: Option<&BTreeMap<String, String>>) -> String {
    map.into_iter().flatten().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", ")
}

fn services(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let client = session.client()?;
    let found = match session.flags.text("node") {
        "" => all_services(session, &client),
        node => services_of(&client, node),
    }
    .map_err(Failure::request("Error listing services"))?;
    if found.is_empty() {
        session.io.warn("No services match the given query - try expanding your search.");
        return Ok(());
    }
    if !session.flags.bool("tags") {
        for name in found.keys() {
            session.io.say(name);
        }
        return Ok(());
    }
    let width = found.keys().map(|n| n.chars().count() + 4).max().unwrap_or(0).max(10);
    for (name, tags) in &found {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        session.io.say(format!("{name:width$}{}", tags.join(",")));
    }
    Ok(())
}

/// Names with all their tags.
type Names = BTreeMap<String, BTreeSet<String>>;

fn all_services(
    session: &Session<'_, '_>,
    client: &crate::client::Client,
) -> Result<Names, crate::client::ClientError> {
    let mut query = Query::new();
    for pair in session.flags.list("node-meta") {
        query = query.with("node-meta", pair.replacen('=', ":", 1));
    }
    client.get("/v1/catalog/services", client.scoped(query))?.json()
}

fn services_of(client: &crate::client::Client, node: &str) -> Result<Names, crate::client::ClientError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        services: Option<BTreeMap<String, Service>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Service {
        service: String,
        tags: Option<Vec<String>>,
    }
    let answer = client.get(&format!("/v1/catalog/node/{node}"), client.scoped(Query::new()))?;
    let answer: Option<Answer> = answer.json()?;
    let mut out = Names::new();
    for service in answer.and_then(|a| a.services).unwrap_or_default().into_values() {
        out.entry(service.service).or_default().extend(service.tags.unwrap_or_default());
    }
    Ok(out)
}
