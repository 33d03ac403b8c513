//! Which of its addresses a row is answered with.

use crate::name::Name;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use types::{
    Str,
    record::{Map, Node, NodeService},
};

/// An address as a row gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Ip(IpAddr),
    /// A host name to answer with an alias.
    Host(Name),
}

impl Target {
    fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(ip) => Some(Self::Ip(ip)),
            Err(_) => Name::from_text(text).map(Self::Host),
        }
    }
}

/// The choices for the three groups of record types.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Choice {
    /// For A.
    pub v4: Option<Ipv4Addr>,
    /// For AAAA.
    pub v6: Option<Ipv6Addr>,
    /// For every other type.
    pub any: Option<Target>,
    /// Text that `any` was made from.
    pub any_text: Str,
    /// A host name that stands for the row when there is no address for the type.
    pub host: Option<Name>,
}

fn choose<'a>(address: &'a str, tagged: impl Fn(&str) -> Option<&'a str>, wan: bool) -> Option<Choice> {
    let tag = |key: &str| tagged(key).filter(|a| !a.is_empty());
    let (mut default, mut v4, mut v6) = (address, tag("lan_ipv4"), tag("lan_ipv6"));
    if wan {
        default = tag("wan").unwrap_or(default);
        v4 = tag("wan_ipv4").or(v4);
        v6 = tag("wan_ipv6").or(v6);
    }
    let any_text = v6.or(v4).unwrap_or(default);
    if any_text.is_empty() && default.is_empty() {
        return None;
    }
    let for_v4 = Target::parse(v4.unwrap_or(default));
    let for_v6 = Target::parse(v6.unwrap_or(default));
    let any = Target::parse(any_text);
    let host = [&any, &for_v4, &for_v6].into_iter().flatten().find_map(|t| match t {
        Target::Host(name) => Some(name.clone()),
        Target::Ip(_) => None,
    });
    Some(Choice {
        v4: match for_v4 {
            Some(Target::Ip(IpAddr::V4(ip))) => Some(ip),
            _ => None,
        },
        v6: match for_v6 {
            Some(Target::Ip(IpAddr::V6(ip))) => Some(ip),
            _ => None,
        },
        any,
        any_text: Str::new(any_text),
        host,
    })
}

fn map_tag<'a>(tags: Option<&'a Map>, key: &str) -> Option<&'a str> {
    tags?.get(key).map(Str::as_str)
}

/// Choice for a node.
pub(crate) fn of_node(node: &Node, wan: bool) -> Choice {
    choose(&node.address, |key| map_tag(node.tagged_addresses.as_ref(), key), wan).unwrap_or_default()
}

/// Choice for an instance by its own addresses; `None` when it has none, so that the node's count.
pub(crate) fn of_service(service: &NodeService, wan: bool) -> Option<Choice> {
    let tags = service.tagged_addresses.as_ref();
    choose(&service.address, |key| tags?.get(key).map(|a| a.address.as_str()), wan)
}

/// Port of an instance.
pub(crate) fn port(service: &NodeService, wan: bool) -> u16 {
    let wan_port =
        service.tagged_addresses.as_ref().filter(|_| wan).and_then(|t| t.get("wan")).map_or(0, |a| a.port);
    let port = if wan_port == 0 { service.port } else { wan_port };
    u16::try_from(port).unwrap_or(0)
}
