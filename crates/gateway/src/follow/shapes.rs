//! What is read from the JSON of an agent's answers. Fields that are missing or null are taken for empty.

use super::model::{AgentSelf, Resolver, Subset};
use crate::route::{Place, RemoteGateway, Server};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// Null as the default.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Option::deserialize(d).map(Option::unwrap_or_default)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    #[serde(deserialize_with = "nullable")]
    node: Node,
    #[serde(deserialize_with = "nullable")]
    service: Service,
    #[serde(deserialize_with = "nullable")]
    checks: Vec<Check>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    node: String,
    address: String,
    #[serde(deserialize_with = "nullable")]
    tagged_addresses: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    address: String,
    port: u32,
    #[serde(deserialize_with = "nullable")]
    tagged_addresses: BTreeMap<String, Tagged>,
    #[serde(deserialize_with = "nullable")]
    meta: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tagged {
    address: String,
    port: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    status: String,
}

impl Row {
    /// `None` for addresses that nobody can connect to.
    fn place(host: &str, port: u32) -> Option<Place> {
        let port = u16::try_from(port).ok().filter(|p| *p != 0)?;
        (!host.is_empty()).then(|| Place { host: host.to_owned(), port })
    }

    fn lan(&self) -> Option<Place> {
        let host = if self.service.address.is_empty() { &self.node.address } else { &self.service.address };
        Self::place(host, self.service.port)
    }

    /// The service's WAN address, else its own; else the node's.
    fn wan(&self) -> Option<Place> {
        let tagged = self.service.tagged_addresses.get("wan");
        if let Some(wan) = tagged.filter(|t| !t.address.is_empty()) {
            return Self::place(&wan.address, if wan.port == 0 { self.service.port } else { wan.port });
        }
        let node = || self.node.tagged_addresses.get("wan").unwrap_or(&self.node.address);
        let host = if self.service.address.is_empty() { node() } else { &self.service.address };
        Self::place(host, self.service.port)
    }

    fn no_check(&self, bad: &[&str]) -> bool {
        !self.checks.iter().any(|c| bad.contains(&c.status.as_str()))
    }
}

fn decode<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, String> {
    let value: Option<T> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    Ok(value.unwrap_or_default())
}

/// `/v1/agent/self`.
pub(super) fn agent_self(body: &[u8]) -> Result<AgentSelf, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Answer {
        config: Config,
        debug_config: Debug,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Config {
        datacenter: String,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Debug {
        #[serde(rename = "DNSDomain")]
        domain: String,
    }
    let answer: Answer = decode(body)?;
    if answer.config.datacenter.is_empty() {
        return Err("it does not say its datacenter".to_owned());
    }
    let domain = answer.debug_config.domain.trim_end_matches('.');
    let domain = if domain.is_empty() { "consul" } else { domain }.to_owned();
    Ok(AgentSelf { datacenter: answer.config.datacenter, domain })
}

/// `/v1/connect/ca/roots`.
pub(super) fn trust_domain(body: &[u8]) -> Result<Option<String>, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Answer {
        trust_domain: String,
    }
    let answer: Answer = decode(body)?;
    Ok(Some(answer.trust_domain).filter(|t| !t.is_empty()))
}

/// `/v1/health/service/consul`. Those that fail stay: a server is asked for by name, and says itself whether it can be reached.
pub(super) fn servers(body: &[u8]) -> Result<Vec<Server>, String> {
    let rows: Vec<Row> = decode(body)?;
    let server = |r: &Row| Some(Server { node: r.node.node.clone(), place: r.lan()? });
    Ok(rows.iter().filter_map(server).collect())
}

/// `/v1/internal/federation-states/mesh-gateways`: gateways with a check that is critical are left out.
pub(super) fn federation(body: &[u8]) -> Result<BTreeMap<String, Vec<RemoteGateway>>, String> {
    let all: BTreeMap<String, Option<Vec<Row>>> = decode(body)?;
    let gateway = |r: &Row| {
        let serves_servers = r.service.meta.get("consul-wan-federation").is_some_and(|v| v == "1");
        Some(RemoteGateway { place: r.wan()?, serves_servers })
    };
    let of = |rows: Option<Vec<Row>>| {
        let rows = rows.unwrap_or_default();
        rows.iter().filter(|r| r.no_check(&["critical"])).filter_map(gateway).collect()
    };
    Ok(all.into_iter().map(|(dc, rows)| (dc, of(rows))).collect())
}

/// `/v1/catalog/services`.
pub(super) fn services(body: &[u8]) -> Result<BTreeSet<String>, String> {
    let all: BTreeMap<String, serde::de::IgnoredAny> = decode(body)?;
    Ok(all.into_keys().collect())
}

/// `/v1/config/service-resolver`.
pub(super) fn resolvers(body: &[u8]) -> Result<BTreeMap<String, Resolver>, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Entry {
        name: String,
        #[serde(deserialize_with = "nullable")]
        default_subset: String,
        #[serde(deserialize_with = "nullable")]
        subsets: BTreeMap<String, SubsetShape>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct SubsetShape {
        filter: String,
        only_passing: bool,
    }
    let all: Vec<Entry> = decode(body)?;
    let resolver = |e: Entry| {
        let subset = |(name, s): (String, SubsetShape)| {
            (name, Subset { filter: s.filter, only_passing: s.only_passing })
        };
        let subsets = e.subsets.into_iter().map(subset).collect();
        (e.name, Resolver { default_subset: e.default_subset, subsets })
    };
    Ok(all.into_iter().map(resolver).collect())
}

/// `/v1/health/connect/<service>`: who is healthy.
pub(super) fn endpoints(body: &[u8], only_passing: bool) -> Result<Vec<Place>, String> {
    let rows: Vec<Row> = decode(body)?;
    let bad: &[&str] = if only_passing { &["critical", "warning"] } else { &["critical"] };
    Ok(rows.iter().filter(|r| r.no_check(bad)).filter_map(Row::lan).collect())
}
