//! Addresses as flags give them: templates, `ip`, `ip:port`, `host:port`.

use config::sockaddr::{IfAddr, expand};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Port of an address that has none.
pub(super) const PORT: u16 = 8443;

/// An address of a gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    /// IP address or DNS name; empty = all of this host's.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads what `flag` was given.
    pub(super) fn read(flag: &str, given: &str, interfaces: &[IfAddr]) -> Result<Self, String> {
        let is_template = given.contains("{{");
        let text = expand(given, interfaces).map_err(|e| format!("{flag}: {e}"))?;
        let text = text.trim();
        let fail = |why: &str| {
            let from = if is_template { format!(" (from {given:?})") } else { String::new() };
            format!("{flag} {text:?}{from}: {why}")
        };
        if text.contains(char::is_whitespace) {
            return Err(fail("these are several addresses; choose one, with GetInterfaceIP or a limit of 1"));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Self { host: ip.to_string(), port: PORT }.usable().map_err(|e| fail(&e));
        }
        let split = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, after)) => after.strip_prefix(':').map(|port| (host, port)),
            None => text.rsplit_once(':'),
        };
        let (host, port) = match split {
            Some((host, port)) if !host.contains(':') || text.starts_with('[') => (host, port),
            _ if is_template && text.is_empty() => return Err(fail(&no_result(interfaces))),
            _ => {
                return Err(fail(&format!(
                    "there is no port; write host:port, such as {}:{PORT}",
                    example(text)
                )));
            }
        };
        if is_template && host.is_empty() && !names_an_interface(given, interfaces) {
            return Err(fail(&no_result(interfaces)));
        }
        let bad_port = || fail("the port must be a number from 1 to 65535, as in 10.0.0.1:8443");
        let port = port.parse::<u16>().ok().filter(|p| *p != 0).ok_or_else(bad_port)?;
        Self { host: host.to_owned(), port }.usable().map_err(|e| fail(&e))
    }

    /// What to say of a template of an interface that has no address for others, such as `lo`.
    pub(super) fn doubt(&self, flag: &str, given: &str) -> Option<String> {
        let empty = given.contains("{{") && self.host.is_empty();
        empty.then(|| {
            format!(
                "{flag} {given:?}: the interface has no address that others can reach; listening on all addresses of this host, \
                 port {}. Name an address, such as 127.0.0.1:{0}, to listen on that alone.",
                self.port
            )
        })
    }

    /// Nobody can connect to an unspecified address.
    fn usable(self) -> Result<Self, String> {
        match self.ip() {
            Some(ip) if ip.is_unspecified() => {
                Err("others cannot connect to it; name an address of this host, and listen \
                 elsewhere with -bind-address"
                    .to_owned())
            }
            _ => Ok(self),
        }
    }

    /// The IP address if it is one.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The socket address to listen on if this host has it.
    pub(super) fn bindable(&self, interfaces: &[IfAddr]) -> Option<SocketAddr> {
        let ip = self.ip()?;
        let loopback = matches!(ip, IpAddr::V4(v4) if v4.is_loopback());
        (loopback || interfaces.iter().any(|i| i.ip == ip)).then(|| SocketAddr::new(ip, self.port))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn example(text: &str) -> &str {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    if plain { text } else { "10.0.0.1" }
}

/// Whether a name in quotes, which may be a regular expression, is that of an interface.
fn names_an_interface(template: &str, interfaces: &[IfAddr]) -> bool {
    let quoted = template.split(['"', '`']).skip(1).step_by(2);
    let known = |name: &str| match regex::Regex::new(name) {
        Ok(pattern) => interfaces.iter().any(|i| pattern.is_match(&i.name)),
        Err(_) => false,
    };
    quoted.into_iter().any(known)
}

fn no_result(interfaces: &[IfAddr]) -> String {
    let all: Vec<String> = interfaces.iter().map(|i| format!("{} {}", i.name, i.ip)).collect();
    format!("the template gives no address on this host, whose addresses are: {}", all.join(", "))
}

/// An address to listen on, which may be all of this host's.
pub(super) fn bindable(flag: &str, given: &str, interfaces: &[IfAddr]) -> Result<SocketAddr, String> {
    let text = expand(given, interfaces).map_err(|e| format!("{flag}: {e}"))?;
    let text = text.trim().replace("localhost:", "127.0.0.1:");
    let found = match text.strip_prefix(':') {
        Some(port) if !given.contains("{{") => {
            port.parse().ok().map(|port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        _ => text.parse().ok(),
    };
    found.ok_or_else(|| {
        let why = if given.contains("{{") {
            no_result(interfaces)
        } else {
            "write ip:port, such as 127.0.0.1:19000".to_owned()
        };
        format!("{flag} {given:?}: {why}")
    })
}
