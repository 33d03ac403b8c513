//! What a gateway registers and where it listens.

use super::place::{self, Address, PORT};
use crate::flags::Parsed;
use ::gateway::route::Place;
use config::sockaddr::IfAddr;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

/// Kind and default name.
pub(super) const KIND: &str = "mesh-gateway";
/// Set to `1` on gateways that take connections for servers.
const FEDERATION: &str = "consul-wan-federation";

/// A gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::commands) struct Plan {
    pub(super) service: String,
    pub(super) id: String,
    pub(super) expose_servers: bool,
    pub(super) listen: BTreeSet<SocketAddr>,
    pub(super) wan: Option<Address>,
    /// What a user should know, and does not keep the gateway from running.
    pub(super) warnings: Vec<String>,
    /// For `/v1/agent/service/register`; `None` when it is registered already.
    pub(super) registration: Option<Value>,
}

impl Plan {
    /// With `-register`.
    pub(super) fn from_flags(flags: &Parsed, interfaces: &[IfAddr]) -> Result<Self, String> {
        let address = |flag: &'static str| {
            let text = flags.text(flag.trim_start_matches('-'));
            (!text.is_empty()).then(|| Address::read(flag, text, interfaces)).transpose()
        };
        let lan = address("-address")?;
        let warnings = lan.iter().filter_map(|a| a.doubt("-address", flags.text("address"))).collect();
        let wan = address("-wan-address")?;
        let service = flags.given("service").filter(|s| !s.is_empty()).unwrap_or(KIND).to_owned();
        let expose_servers = flags.bool("expose-servers");
        if wan.as_ref().is_some_and(|w| w.host.is_empty()) {
            let given = flags.text("wan-address");
            let why = if given.contains("{{") {
                "the interface has no address that others can reach; name another interface, or write the address"
            } else {
                "name the host that other datacenters connect to, as in 203.0.113.7:8443"
            };
            return Err(format!("-wan-address {given:?}: {why}"));
        }
        if expose_servers && wan.is_none() {
            return Err("'-expose-servers' needs '-wan-address': servers and gateways of other datacenters connect to the WAN \
                        address. Give the host:port at which they reach this gateway, such as \
                        -wan-address '{{ GetInterfaceIP \"eth0\" }}:8443'"
                .to_owned());
        }
        let after = flags.given("deregister-after-critical").unwrap_or("6h");
        api::duration::parse(after)
            .map_err(|e| format!("-deregister-after-critical {after:?}: {e}; write a duration such as 6h"))?;
        let named = bind_addresses(flags, interfaces)?;
        let (listen, config) = binding(lan.as_ref(), wan.as_ref(), &named, interfaces)?;
        let registration = registration(&service, lan.as_ref(), wan.as_ref(), expose_servers, config, after);
        Ok(Self {
            id: service.clone(),
            service,
            expose_servers,
            listen,
            wan,
            warnings,
            registration: Some(registration),
        })
    }

    /// The one mesh gateway among the agent's services (the answer of `/v1/agent/services`).
    pub(super) fn from_agent(
        answer: &[u8],
        service: Option<&str>,
        interfaces: &[IfAddr],
    ) -> Result<Self, String> {
        let all: BTreeMap<String, Registered> =
            serde_json::from_slice(answer).map_err(|e| format!("cannot decode the agent's services: {e}"))?;
        let mut found =
            all.into_values().filter(|s| s.kind == KIND && service.is_none_or(|name| s.service == name));
        let hint = "register one with -register";
        let this = found.next().ok_or_else(|| match service {
            Some(name) => format!("No {KIND} service {name:?} registered with this agent; {hint}"),
            None => format!("No {KIND} services registered with this agent; {hint}"),
        })?;
        let others: Vec<String> = found.map(|s| s.service).collect();
        if !others.is_empty() {
            return Err(format!(
                "More than one {KIND} service registered with this agent: {}, {}. Name one with -service",
                this.service,
                others.join(", ")
            ));
        }
        let port = |port: u16| if port == 0 { this.port } else { port };
        let tagged = this.tagged_addresses.get("wan");
        let wan = tagged.map(|t| Address { host: t.address.clone(), port: port(t.port) });
        let lan = Address { host: this.address.clone(), port: this.port };
        let (listen, _) = binding(Some(&lan), wan.as_ref(), &BTreeMap::new(), interfaces)?;
        let expose_servers = this.meta.get(FEDERATION).is_some_and(|v| v == "1");
        Ok(Self {
            service: this.service,
            id: this.id,
            expose_servers,
            listen,
            wan,
            warnings: Vec::new(),
            registration: None,
        })
    }

    /// Where others reach it.
    pub(super) fn own(&self) -> BTreeSet<Place> {
        let listen = self.listen.iter().filter(|at| !at.ip().is_unspecified());
        let listen = listen.map(|at| Place { host: at.ip().to_string(), port: at.port() });
        let wan = self.wan.iter().map(|a| Place { host: a.host.clone(), port: a.port });
        listen.chain(wan).collect()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Registered {
    kind: String,
    #[serde(rename = "ID")]
    id: String,
    service: String,
    address: String,
    port: u16,
    meta: BTreeMap<String, String>,
    tagged_addresses: BTreeMap<String, Tagged>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tagged {
    address: String,
    port: u16,
}

fn bind_addresses(flags: &Parsed, interfaces: &[IfAddr]) -> Result<BTreeMap<String, SocketAddr>, String> {
    let one = |text: &String| {
        let (name, place) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            format!("-bind-address {text:?}: write name=ip:port, such as wan=10.0.0.1:8443")
        })?;
        Ok((name.to_owned(), place::bindable("-bind-address", place, interfaces)?))
    };
    flags.list("bind-address").iter().map(one).collect()
}

/// Where to listen, and what of it a proxy's configuration says.
fn binding(
    lan: Option<&Address>,
    wan: Option<&Address>,
    named: &BTreeMap<String, SocketAddr>,
    interfaces: &[IfAddr],
) -> Result<(BTreeSet<SocketAddr>, Map<String, Value>), String> {
    let config = |key: &str, value: Value| {
        Map::from_iter([("envoy_gateway_no_default_bind".to_owned(), json!(true)), (key.to_owned(), value)])
    };
    if !named.is_empty() {
        let shown: Map<String, Value> = named
            .iter()
            .map(|(name, at)| (name.clone(), json!({ "Address": at.ip().to_string(), "Port": at.port() })))
            .collect();
        let config = config("envoy_gateway_bind_addresses", Value::Object(shown));
        return Ok((named.values().copied().collect(), config));
    }
    let any = |port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let Some(lan) = lan.filter(|a| !a.host.is_empty()) else {
        let port = lan.map_or(PORT, |a| a.port);
        return Ok((BTreeSet::from([any(port)]), Map::new()));
    };
    let here = lan.bindable(interfaces).ok_or_else(|| {
        format!(
            "The LAN address {:?} will not be bindable. Either set a bindable address or override the bind addresses with \
             -bind-address",
            lan.host
        )
    })?;
    Ok(match wan.and_then(|w| w.bindable(interfaces)) {
        Some(there) => {
            (BTreeSet::from([here, there]), config("envoy_gateway_bind_tagged_addresses", json!(true)))
        }
        None => (BTreeSet::from([here]), Map::new()),
    })
}

fn registration(
    service: &str,
    lan: Option<&Address>,
    wan: Option<&Address>,
    expose_servers: bool,
    config: Map<String, Value>,
    after: &str,
) -> Value {
    let (host, port) = lan.map_or(("", PORT), |a| (a.host.as_str(), a.port));
    let both = [("lan", lan.filter(|a| !a.host.is_empty())), ("wan", wan)];
    let tagged: Map<String, Value> = both
        .into_iter()
        .filter_map(|(tag, a)| a.map(|a| (tag.to_owned(), json!({ "Address": a.host, "Port": a.port }))))
        .collect();
    let checked = Address { host: if host.is_empty() { "127.0.0.1" } else { host }.to_owned(), port };
    let mut body = json!({
        "Kind": KIND,
        "ID": service,
        "Name": service,
        "Address": host,
        "Port": port,
        "TaggedAddresses": tagged,
        "Proxy": { "Config": config },
        "Check": {
            "Name": format!("{KIND} listening"),
            "TCP": checked.to_string(),
            "Interval": "10s",
            "DeregisterCriticalServiceAfter": after,
            // It listens before it registers.
            "Status": "passing",
        },
    });
    if expose_servers {
        body["Meta"] = json!({ FEDERATION: "1" });
    }
    body
}

#[cfg(test)]
mod tests;
