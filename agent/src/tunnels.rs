//! What a server needs to reach other datacenters through mesh gateways.

use crate::start::{StartError, World};
use config::RuntimeConfig;
use federation::{Dialer, Inbound};
use std::{net::IpAddr, sync::Arc};

/// Ways out to other datacenters, and what comes in on them.
pub(crate) type Tunnels = (Arc<Dialer>, Arc<Inbound>);

/// What connects servers of other datacenters through mesh gateways, where that is configured.
pub(crate) fn federate(
    config: &RuntimeConfig,
    world: &World,
    tls: &Arc<tls::Tls>,
    source: Option<IpAddr>,
) -> Result<Option<Tunnels>, StartError> {
    if !config.server || !config.connect.mesh_gateway_wan_federation {
        return Ok(None);
    }
    let setting = |why: String| {
        StartError::Setting(format!("'connect.enable_mesh_gateway_wan_federation = true': {why}"))
    };
    tls.can_tunnel().map_err(|why| setting(why.to_owned()))?;
    if config.net.serf_wan_bind.is_none() {
        return Err(setting("it needs the WAN pool, which ports.serf_wan = -1 turns off".to_owned()));
    }
    if let Some(part) =
        [config.node.name.as_str(), &config.node.datacenter].into_iter().find(|n| n.contains('.'))
    {
        return Err(setting(format!(
            "gateways go by names, and {part:?} has a dot in it; rename the node or the datacenter"
        )));
    }
    let configured = config.join.primary_gateways.iter().map(|text| federation::Endpoint::parse(text));
    let configured: Vec<_> = configured
        .collect::<Result<_, _>>()
        .map_err(|why| StartError::Setting(format!("primary_gateways: {why}")))?;
    let node = &config.node;
    if configured.is_empty() && node.datacenter != node.primary_datacenter {
        tracing::warn!(primary = %node.primary_datacenter, "this secondary datacenter has no primary_gateways: it cannot find its primary until it knows a gateway there");
    }
    let gateways = federation::Gateways::new(&node.datacenter, &node.primary_datacenter, configured);
    let settings = federation::DialerConfig { domain: config.dns.domain.clone(), source };
    let dialer = Dialer::new(settings, world.net.clone(), tls.clone(), gateways, world.seed);
    Ok(Some((dialer, Inbound::new())))
}
