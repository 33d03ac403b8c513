//! Addresses, ports and listeners.

use super::{ConfigError, Env, Reader, rule};
use crate::{
    settings::{ListenAddr, NetSettings, PortRange, PortSettings, UnixSocketSettings},
    sockaddr::{self, IfAddr, is_private},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use types::Str;

/// Templates over the interfaces of this host.
pub(super) struct Expander<'a> {
    r: &'a Reader<'a>,
    interfaces: &'a [IfAddr],
}

impl<'a> Expander<'a> {
    pub(super) fn new(r: &'a Reader<'a>, env: &'a Env<'a>) -> Self {
        Self { r, interfaces: &env.interfaces }
    }

    /// The words of an expanded text.
    pub(super) fn words(&self, text: &str) -> Result<Vec<String>, sockaddr::TemplateError> {
        let expanded = sockaddr::expand(text, self.interfaces)?;
        Ok(expanded.split_whitespace().map(str::to_owned).collect())
    }

    /// The words of the setting `key`; a bad template is noted.
    fn words_of(&self, key: &str, text: &str) -> Vec<String> {
        self.words(text).unwrap_or_else(|e| {
            self.r.error(format!("{key}: error parsing {}: {e}", crate::quote(text)));
            Vec::new()
        })
    }

    /// Addresses and sockets of a setting; bad ones are noted.
    fn listeners(&self, key: &str) -> Vec<Place> {
        let words = self.words_of(key, self.r.text(key));
        words
            .iter()
            .filter_map(|w| {
                let place = Place::parse(w);
                if place.is_none() {
                    self.r.error(format!("{key}: invalid ip address: {w}"));
                }
                place
            })
            .collect()
    }

    /// The only address of a setting; `None` if unset or bad, the latter noted.
    fn one(&self, key: &str) -> Option<IpAddr> {
        let words = self.words_of(key, self.r.text(key));
        let word = match words.as_slice() {
            [] => return None,
            [one] => one,
            many => {
                self.r.error(format!("{key}: multiple addresses found: {}", many.join(" ")));
                return None;
            }
        };
        match Place::parse(word) {
            Some(Place::Ip(ip)) => Some(ip),
            Some(Place::Unix(_)) => {
                self.r.error(format!("{key} cannot be a unix socket"));
                None
            }
            None => {
                self.r.error(format!("{key}: invalid ip address: {word}"));
                None
            }
        }
    }

    /// Join targets: templates are expanded, cloud queries stay as they are.
    pub(super) fn targets(&self, key: &str) -> Vec<Str> {
        let mut out = Vec::new();
        for item in self.r.texts(key) {
            if item.contains("provider=") {
                out.push(item);
            } else {
                out.extend(self.words_of(key, &item).into_iter().map(Str::from));
            }
        }
        out
    }
}

#[derive(Clone)]
enum Place {
    Ip(IpAddr),
    Unix(PathBuf),
}

impl Place {
    fn parse(word: &str) -> Option<Self> {
        if let Some(path) = word.strip_prefix("unix://") {
            return Some(Self::Unix(PathBuf::from(path)));
        }
        // The one address that may stand in brackets.
        let word = if word == "[::]" { "::" } else { word };
        word.parse().ok().map(Self::Ip)
    }
    fn at(&self, port: u16) -> ListenAddr {
        match self {
            Self::Ip(ip) => ListenAddr::Tcp(SocketAddr::new(*ip, port)),
            Self::Unix(p) => ListenAddr::Unix(p.clone()),
        }
    }
}

/// A port: `None` = off.
fn port(r: &Reader<'_>, name: &str, default: i64) -> Option<u16> {
    let key = format!("ports.{name}");
    let n = r.int(&key, default);
    if n <= 0 {
        return None;
    }
    u16::try_from(n).map_err(|_too_large| r.error(format!("{key}: invalid port: {n}"))).ok()
}

fn range(r: &Reader<'_>, name: &str, min: i64, max: i64) -> Result<PortRange, ConfigError> {
    let (min_key, max_key) = (format!("{name}_min_port"), format!("{name}_max_port"));
    let range =
        PortRange { min: port(r, &min_key, min).unwrap_or(0), max: port(r, &max_key, max).unwrap_or(0) };
    if range.max < range.min {
        return Err(rule(format!("{min_key} must be less than {max_key}. To disable, set both to zero.")));
    }
    Ok(range)
}

fn ports(r: &Reader<'_>, server: bool) -> Result<PortSettings, ConfigError> {
    // A port above the range was noted; any number serves until then.
    let required = |name: &str, default: i64, text: &str| {
        if r.int(&format!("ports.{name}"), default) <= 0 {
            return Err(rule(text));
        }
        Ok(port(r, name, default).unwrap_or(1))
    };
    let server_port =
        required("server", i64::from(types::DEFAULT_SERVER_PORT), "server-port must be greater than zero")?;
    let serf_lan = required("serf_lan", 8301, "serf-lan-port must be greater than zero")?;
    range(r, "proxy", 20000, 20255)?;
    Ok(PortSettings {
        dns: port(r, "dns", 8600),
        http: port(r, "http", 8500),
        https: port(r, "https", -1),
        grpc: port(r, "grpc", -1),
        grpc_tls: port(r, "grpc_tls", if server { 8503 } else { -1 }),
        serf_lan,
        serf_wan: port(r, "serf_wan", 8302),
        server: server_port,
        sidecar: range(r, "sidecar", 21000, 21255)?,
        expose: range(r, "expose", 21500, 21755)?,
    })
}

fn bind_addr(x: &Expander<'_>) -> Result<IpAddr, ConfigError> {
    // Whatever is wrong with a template here, the address is said to be missing.
    let words = x.words(x.r.text_or("bind_addr", "0.0.0.0")).unwrap_or_default();
    match words.as_slice() {
        [] => Err(rule("bind_addr cannot be empty")),
        [one] => match Place::parse(one) {
            Some(Place::Ip(ip)) => Ok(ip),
            Some(Place::Unix(_)) => Err(rule("bind_addr cannot be a unix socket")),
            None => Err(rule("bind_addr cannot be empty")),
        },
        _ => Err(rule(
            "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.",
        )),
    }
}

/// The address to advertise when none is configured and the listener takes all.
fn detect(env: &Env<'_>, v6: bool) -> Result<IpAddr, ConfigError> {
    let up = || env.interfaces.iter().filter(|i| i.up);
    let outer: Vec<&IfAddr> = up().filter(|i| !i.loopback).collect();
    let candidates: Vec<&IfAddr> = if outer.is_empty() { up().collect() } else { outer };
    let mut found: Vec<IpAddr> = candidates
        .iter()
        .map(|i| i.ip)
        .filter(|ip| if v6 { ip.is_ipv6() && !is_private(*ip) } else { ip.is_ipv4() && is_private(*ip) })
        .collect();
    found.sort_unstable();
    found.dedup();
    let what = if v6 { "public IPv6" } else { "private IPv4" };
    let many = if v6 { "public IPv6" } else { "private IPv4" };
    match found.as_slice() {
        [] => Err(rule(format!("No {what} address found"))),
        [one] => Ok(*one),
        _ => Err(rule(format!(
            "Multiple {many} addresses found. Please configure one with 'bind' and/or 'advertise'."
        ))),
    }
}

pub(super) fn net(r: &Reader<'_>, env: &Env<'_>, server: bool) -> Result<NetSettings, ConfigError> {
    let x = Expander::new(r, env);
    let ports = ports(r, server)?;
    let bind = bind_addr(&x)?;
    let advertise_lan = match x.one("advertise_addr") {
        Some(ip) => ip,
        None if !bind.is_unspecified() => bind,
        // A bad value was noted already; what stands in for it is never used.
        None if r.is_set("advertise_addr") && !r.text("advertise_addr").is_empty() => {
            Ipv4Addr::LOCALHOST.into()
        }
        None => detect(env, bind.is_ipv6())?,
    };
    let advertise_wan = x.one("advertise_addr_wan").unwrap_or(advertise_lan);
    let tagged_addresses = tagged_addresses(&x, advertise_lan, advertise_wan)?;

    let client: Vec<IpAddr> = if r.is_set("client_addr") {
        x.listeners("client_addr")
            .into_iter()
            .filter_map(|p| match p {
                Place::Ip(ip) => Some(ip),
                Place::Unix(_) => {
                    r.error("client_addr cannot be a unix socket");
                    None
                }
            })
            .collect()
    } else {
        vec![Ipv4Addr::LOCALHOST.into()]
    };
    if client.is_empty() {
        r.warn("client_addr is empty, client services (DNS, HTTP, HTTPS, GRPC) will not be listening for connections");
    }
    let listen = |key: &str, port: Option<u16>| -> Vec<ListenAddr> {
        let own = x.listeners(key);
        let Some(port) = port else { return Vec::new() };
        if own.is_empty() {
            client.iter().map(|ip| ListenAddr::Tcp(SocketAddr::new(*ip, port))).collect()
        } else {
            own.iter().map(|p| p.at(port)).collect()
        }
    };
    let dns_places = listen("addresses.dns", ports.dns);
    let mut dns = Vec::new();
    let mut dns_socket = false;
    for place in dns_places {
        match place {
            ListenAddr::Tcp(a) => dns.push(a),
            ListenAddr::Unix(_) => dns_socket = true,
        }
    }
    if dns_socket {
        return Err(rule("DNS address cannot be a unix socket"));
    }
    let serf_lan = x.one("serf_lan").unwrap_or(bind);
    let serf_wan = x.one("serf_wan").unwrap_or(bind);
    Ok(NetSettings {
        bind,
        advertise_lan,
        advertise_wan,
        rpc_bind: SocketAddr::new(bind, ports.server),
        rpc_advertise: SocketAddr::new(advertise_lan, ports.server),
        serf_lan_bind: SocketAddr::new(serf_lan, ports.serf_lan),
        serf_lan_advertise: SocketAddr::new(advertise_lan, ports.serf_lan),
        serf_wan_bind: ports.serf_wan.map(|p| SocketAddr::new(serf_wan, p)),
        serf_wan_advertise: ports.serf_wan.map(|p| SocketAddr::new(advertise_wan, p)),
        dns,
        http: listen("addresses.http", ports.http),
        https: listen("addresses.https", ports.https),
        grpc: listen("addresses.grpc", ports.grpc),
        grpc_tls: listen("addresses.grpc_tls", ports.grpc_tls),
        client,
        ports,
        unix_sockets: UnixSocketSettings {
            user: r.str("unix_sockets.user"),
            group: r.str("unix_sockets.group"),
            mode: r.str("unix_sockets.mode"),
        },
        tagged_addresses,
        translate_wan_addrs: r.bool("translate_wan_addrs", false),
    })
}

fn tagged_addresses(x: &Expander<'_>, lan: IpAddr, wan: IpAddr) -> Result<BTreeMap<Str, Str>, ConfigError> {
    let mut out = x.r.text_map("tagged_addresses");
    let mut put =
        |name: &'static str, ip: IpAddr| out.insert(Str::new_static(name), Str::from(ip.to_string()));
    put("lan", lan);
    put("wan", wan);
    for (key, name, v4, main) in [
        ("advertise_addr_ipv4", "lan_ipv4", true, lan),
        ("advertise_addr_ipv6", "lan_ipv6", false, lan),
        ("advertise_addr_wan_ipv4", "wan_ipv4", true, wan),
        ("advertise_addr_wan_ipv6", "wan_ipv6", false, wan),
    ] {
        match x.one(key) {
            Some(ip) if ip.is_ipv4() == v4 => {
                put(name, ip);
            }
            Some(_) => {
                let family = if v4 { "ipv4" } else { "ipv6" };
                return Err(rule(format!("{key} must be an {family} address")));
            }
            None if main.is_ipv4() == v4 => {
                put(name, main);
            }
            None => {}
        }
    }
    Ok(out)
}

/// Recursors after expansion, each once.
pub(super) fn recursors(x: &Expander<'_>) -> Result<Vec<Str>, ConfigError> {
    let mut out: Vec<Str> = Vec::new();
    for item in x.r.texts("recursors") {
        let words = x
            .words(&item)
            .map_err(|e| rule(format!("Invalid DNS recursor template {}: {e}", crate::quote(&item))))?;
        for word in words {
            if word.starts_with("unix://") {
                return Err(rule(format!("DNS Recursors cannot be unix sockets: {word}")));
            }
            let word = Str::from(word);
            if !out.contains(&word) {
                out.push(word);
            }
        }
    }
    Ok(out)
}

/// Listeners that are told apart by network, address and port.
pub(super) fn unique(net: &NetSettings) -> Result<(), ConfigError> {
    let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
    let mut add = |key: String, shown: String, name: &'static str| {
        if let Some(other) = seen.insert(key, name) {
            return Err(rule(format!("{name} address {shown} already configured for {other}")));
        }
        Ok(())
    };
    for a in &net.dns {
        add(format!("tcp:{a}"), a.to_string(), "DNS")?;
    }
    for (list, name) in [(&net.http, "HTTP"), (&net.https, "HTTPS")] {
        for a in list {
            let shown = match a {
                ListenAddr::Tcp(a) => a.to_string(),
                ListenAddr::Unix(p) => p.display().to_string(),
            };
            let network = if matches!(a, ListenAddr::Tcp(_)) { "tcp" } else { "unix" };
            add(format!("{network}:{shown}"), shown, name)?;
        }
    }
    add(format!("tcp:{}", net.rpc_advertise), net.rpc_advertise.to_string(), "RPC Advertise")?;
    add(format!("tcp:{}", net.serf_lan_advertise), net.serf_lan_advertise.to_string(), "Serf Advertise LAN")?;
    if let Some(a) = net.serf_wan_advertise {
        add(format!("tcp:{a}"), a.to_string(), "Serf Advertise WAN")?;
    }
    Ok(())
}
