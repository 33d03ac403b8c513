//! What to join: `host`, `host:port`, `ip`, `[v6]`, `[v6]:port`, each perhaps as `name/address`.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How long names may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// Most addresses of one name that are tried.
const ADDRS_MAX: usize = 64;

/// Host and port of a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Addr(SocketAddr),
    Name(String, u16),
}

/// Takes a target apart. The default port is this agent's own.
pub(crate) fn parse(text: &str, default_port: u16) -> Result<Target, String> {
    // Before a slash stands the node's name, which only routing through gateways needs.
    let text = text.rsplit_once('/').map_or(text, |(_, addr)| addr).trim();
    if text.is_empty() {
        return Err("empty address".to_owned());
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(Target::Addr(addr));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(Target::Addr(SocketAddr::new(ip, default_port)));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && !host.is_empty() => match port.parse() {
            Ok(port) => Ok(Target::Name(host.to_owned(), port)),
            Err(_) => Err(format!("invalid port \"{port}\"")),
        },
        Some(_) => Err("too many colons in address".to_owned()),
        None => Ok(Target::Name(text.to_owned(), default_port)),
    }
}

/// The addresses of a target.
pub(crate) async fn resolve(text: &str, default_port: u16) -> Result<Vec<SocketAddr>, String> {
    let failed = |why: String| format!("Failed to resolve {text}: {why}");
    match parse(text, default_port).map_err(failed)? {
        Target::Addr(addr) => Ok(vec![addr]),
        Target::Name(host, port) => {
            let found =
                tokio::time::timeout(LOOKUP_LIMIT, tokio::net::lookup_host((host.as_str(), port))).await;
            let mut addrs: Vec<SocketAddr> = match found {
                Ok(Ok(addrs)) => addrs.collect(),
                Ok(Err(_)) => return Err(failed(format!("lookup {host}: no such host"))),
                Err(_) => return Err(failed(format!("lookup {host}: i/o timeout"))),
            };
            addrs.sort_unstable();
            addrs.dedup();
            addrs.truncate(ADDRS_MAX);
            if addrs.is_empty() { Err(failed(format!("lookup {host}: no such host"))) } else { Ok(addrs) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_understood() {
        let addr = |s: &str| Target::Addr(s.parse().unwrap());
        let name = |s: &str, p| Target::Name(s.to_owned(), p);
        for (text, want) in [
            ("10.0.0.1", addr("10.0.0.1:8301")),
            ("10.0.0.1:9", addr("10.0.0.1:9")),
            ("::1", addr("[::1]:8301")),
            ("[::1]", addr("[::1]:8301")),
            ("[2001:db8::1]:9", addr("[2001:db8::1]:9")),
            ("consul.example", name("consul.example", 8301)),
            ("consul.example:9", name("consul.example", 9)),
            ("node1/10.0.0.1:9", addr("10.0.0.1:9")),
        ] {
            assert_eq!(parse(text, 8301), Ok(want), "{text}");
        }
        for bad in ["", "host:port", "a:b:c", "host:99999"] {
            assert!(parse(bad, 8301).is_err(), "{bad}");
        }
    }
}
