//! The hash that lets a client wait for a change of one service.
//!
//! It is opaque to most clients, but some compare it between agents. So it is what Consul computes: 64-bit FNV-1 over the
//! service as its Go client declares it, by the rules of the `hashstructure` library: text and numbers by their bytes, lists
//! in order, and structures and maps by exclusive or, so that their order does not matter. Only a proxy's settings, which no
//! client computes by itself, are hashed our own way.

use crate::registry::ServiceEntry;
use sha2::{Digest, Sha256};
use types::{
    Str, codec,
    record::{NodeService, ServiceKind},
};

/// Hexadecimal digits over everything a definition decides; health and raft indexes are not part of it.
pub fn content_hash(entry: &ServiceEntry) -> Str {
    service_hash(&entry.row)
}

/// [`content_hash`] of a row.
pub fn service_hash(row: &NodeService) -> Str {
    Str::from(format!("{:x}", service(row)))
}

fn service(s: &NodeService) -> u64 {
    let weights = structure(
        "AgentWeights",
        &[("Passing", number(s.weights.passing)), ("Warning", number(s.weights.warning))],
    );
    let addresses = s.tagged_addresses.iter().flatten().map(|(name, a)| {
        let address = [("Address", text(&a.address)), ("Port", number(a.port))];
        (text(name), structure("ServiceAddress", &address))
    });
    let shows_proxy = s.kind == ServiceKind::ConnectProxy || s.kind.is_gateway();
    let connect = if s.connect.native {
        structure("AgentServiceConnect", &[("Native", flag(true)), ("SidecarService", nothing())])
    } else {
        nothing()
    };
    structure(
        "AgentService",
        &[
            ("Kind", text(s.kind.as_str())),
            ("ID", text(&s.id)),
            ("Service", text(&s.service)),
            ("Tags", list(s.tags.iter().flatten().map(|t| text(t)))),
            ("Meta", map(s.meta.iter().flatten().map(|(k, v)| (text(k), text(v))))),
            ("Port", number(s.port)),
            ("Address", text(&s.address)),
            ("SocketPath", text(&s.socket_path)),
            ("TaggedAddresses", map(addresses)),
            ("Weights", weights),
            ("EnableTagOverride", flag(s.enable_tag_override)),
            ("CreateIndex", number(0)),
            ("ModifyIndex", number(0)),
            ("ContentHash", text("")),
            ("Proxy", if shows_proxy { proxy(s) } else { nothing() }),
            ("Connect", connect),
            ("PeerName", text(s.peer.as_str())),
        ],
    )
}

/// An absent value: the library hashes it as the number 0.
fn nothing() -> u64 {
    number(0)
}

fn proxy(s: &NodeService) -> u64 {
    let digest = Sha256::digest(codec::encode(&s.proxy).unwrap_or_default());
    digest.iter().take(8).fold(0, |h, b| (h << 8) | u64::from(*b))
}

/// FNV-1: multiply, then mix in (not FNV-1a, which does it the other way round).
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.into_iter().fold(OFFSET, |h, b| h.wrapping_mul(PRIME) ^ u64::from(b))
}

fn text(s: &str) -> u64 {
    fnv(s.bytes())
}

fn number(n: i64) -> u64 {
    fnv(n.to_le_bytes())
}

fn flag(b: bool) -> u64 {
    fnv([u8::from(b)])
}

fn pair(a: u64, b: u64) -> u64 {
    fnv(a.to_le_bytes().into_iter().chain(b.to_le_bytes()))
}

fn list(items: impl Iterator<Item = u64>) -> u64 {
    items.fold(0, pair)
}

fn map(entries: impl Iterator<Item = (u64, u64)>) -> u64 {
    entries.fold(0, |h, (k, v)| h ^ pair(k, v))
}

fn structure(name: &str, fields: &[(&str, u64)]) -> u64 {
    text(name) ^ map(fields.iter().map(|(field, value)| (text(field), *value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        ServiceId, ServiceName,
        record::{ServiceAddress, Weights},
    };

    fn named(id: &str, name: &str) -> NodeService {
        NodeService { id: ServiceId(id.into()), service: ServiceName(name.into()), ..NodeService::default() }
    }

    /// The expected values are what the library answers for the Go client's own types.
    #[test]
    fn the_hash_is_that_of_the_go_library() {
        let simple = NodeService {
            tags: Some(vec!["bar".into(), "baz".into()]),
            port: 8000,
            weights: Weights { passing: 1, warning: 1 },
            ..named("foo", "foo")
        };
        assert_eq!(service(&simple), 0x3e35_2f34_8d44_f7eb);

        let address = |a: &str, port| ServiceAddress { address: a.into(), port };
        let mut full = NodeService {
            port: 80,
            address: "10.0.0.1".into(),
            enable_tag_override: true,
            weights: Weights { passing: 3, warning: 2 },
            meta: Some([("k".into(), "v".into()), ("l".into(), "w".into())].into_iter().collect()),
            tagged_addresses: Some(
                [("lan".into(), address("1.2.3.4", 5)), ("wan".into(), address("5.6.7.8", 9))]
                    .into_iter()
                    .collect(),
            ),
            ..named("a1", "a")
        };
        full.connect.native = true;
        assert_eq!(service(&full), 0x4181_498c_98bd_7914);
    }

    #[test]
    fn a_proxys_settings_count() {
        let mut proxy = NodeService { kind: ServiceKind::ConnectProxy, ..named("p", "p") };
        let before = service(&proxy);
        proxy.proxy = Some(Box::default());
        assert_ne!(service(&proxy), before);
    }
}
