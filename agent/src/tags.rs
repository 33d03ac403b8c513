//! What this agent says of itself in gossip. Keys and values are those that programs read from the members list.

use config::RuntimeConfig;
use std::collections::BTreeMap;
use types::{API_LEVEL, Str};

/// Tags of the LAN pool.
pub fn lan(config: &RuntimeConfig, node_id: &str) -> BTreeMap<Str, Str> {
    let mut tags = BTreeMap::new();
    let mut put = |key: &str, value: String| {
        tags.insert(Str::new(key), Str::from(value));
    };
    put("role", if config.server { "consul" } else { "node" }.into());
    put("dc", config.node.datacenter.to_string());
    put("segment", String::new());
    put("id", node_id.into());
    put("vsn", "2".into());
    put("vsn_min", "2".into());
    put("vsn_max", "3".into());
    put("build", build());
    put("acls", if config.acl.enabled { "1" } else { "0" }.into());
    if config.server {
        put("port", config.net.rpc_advertise.port().to_string());
        put("raft_vsn", "3".into());
        put("ft_fs", "1".into());
        put("ft_si", "1".into());
        if config.bootstrap {
            put("bootstrap", "1".into());
        }
        if config.bootstrap_expect > 0 {
            put("expect", config.bootstrap_expect.to_string());
        }
        if config.node.read_replica {
            put("nonvoter", "1".into());
            put("read_replica", "1".into());
        }
        if let Some(port) = config.net.ports.grpc {
            put("grpc_port", port.to_string());
        }
        if let Some(port) = config.net.ports.grpc_tls {
            put("grpc_tls_port", port.to_string());
        }
        if let Some(wan) = config.net.serf_wan_advertise {
            put("wan_join_port", wan.port().to_string());
        }
    }
    tags
}

/// Tags of the WAN pool.
pub fn wan(config: &RuntimeConfig, node_id: &str) -> BTreeMap<Str, Str> {
    let mut tags = lan(config, node_id);
    tags.remove("wan_join_port");
    tags.insert(Str::new_static(federation::names::PRIMARY_TAG), config.node.primary_datacenter.0.clone());
    if config.connect.mesh_gateway_wan_federation
        && let Some(addr) = config.net.serf_wan_advertise
    {
        // The member itself goes by an address that stands for its name.
        tags.insert(Str::new_static(federation::names::ADDRESS_TAG), Str::from(addr.to_string()));
    }
    tags
}

/// Version text of the members list: the API level, with our own version after it.
pub fn build() -> String {
    format!("{API_LEVEL}:praetor{}", env!("CARGO_PKG_VERSION").replace('.', ""))
}
