//! `CONSUL_HTTP_ADDR` in all its forms.

use std::path::PathBuf;

/// Where the agent listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// A parsed address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) target: Target,
    /// `None` = not said by the address.
    pub(crate) tls: Option<bool>,
    /// Path in front of `/v1`.
    pub(crate) prefix: String,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").map_or((None, text), |(s, r)| (Some(s), r));
        let tls = match scheme {
            Some("unix") => {
                let target = Target::Unix(rest.into());
                return Ok(Self { target, tls: Some(false), prefix: String::new() });
            }
            Some("https") => Some(true),
            Some("http" | "tcp") | None => None,
            Some(other) => return Err(format!("Unknown protocol scheme: {other}")),
        };
        let (place, prefix) = rest.split_once('/').map_or((rest, ""), |(p, x)| (p, x.trim_end_matches('/')));
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        let (host, port) = split_port(place)?;
        let port = match port {
            Some(port) => port.parse().map_err(|_why| format!("address {place}: invalid port {port:?}"))?,
            None if scheme.is_none() => 8500,
            None if tls == Some(true) => 443,
            None => 80,
        };
        Ok(Self { target: Target::Tcp { host, port }, tls, prefix })
    }
}

fn split_port(place: &str) -> Result<(String, Option<&str>), String> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or_else(|| format!("address {place}: missing ']' in address"))?;
        return Ok((host.to_owned(), after.strip_prefix(':')));
    }
    match place.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Ok((place.to_owned(), None)),
        Some((host, port)) => Ok((if host.is_empty() { "127.0.0.1" } else { host }.to_owned(), Some(port))),
        None => Ok((place.to_owned(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let tcp = |host: &str, port| Target::Tcp { host: host.to_owned(), port };
        for (text, target, tls, prefix) in [
            ("10.0.0.1:8501", tcp("10.0.0.1", 8501), None, ""),
            ("http://consul.example/base/", tcp("consul.example", 80), None, "/base"),
            ("https://x:8443", tcp("x", 8443), Some(true), ""),
            ("[::1]:8500", tcp("::1", 8500), None, ""),
            ("localhost", tcp("localhost", 8500), None, ""),
            (":8500", tcp("127.0.0.1", 8500), None, ""),
            ("unix:///run/c.sock", Target::Unix("/run/c.sock".into()), Some(false), ""),
        ] {
            assert_eq!(
                Address::parse(text),
                Ok(Address { target, tls, prefix: prefix.to_owned() }),
                "{text}"
            );
        }
        assert_eq!(Address::parse("ftp://x").unwrap_err(), "Unknown protocol scheme: ftp");
        assert!(Address::parse("x:port").unwrap_err().contains("invalid port"));
    }
}
