//! What can be selected from each record type.

use crate::schema::{Record, Schema, Selectable, Type, View};
use std::sync::LazyLock;
use types::{
    Str,
    entry::{ConfigEntry, EntryBody, ServiceDefaults},
    member::Member,
    record::{
        AccessLogs, CheckServiceNode, EnvoyExtension, ExposeConfig, ExposePath, HealthCheck,
        MeshGatewayConfig, Node, NodeService, ServiceAddress, ServiceConnect, ServiceNode, ServiceProxy,
        TransparentProxy, Upstream, Weights,
    },
};

/// Lists a type's fields once: name, type, and how it is read.
macro_rules! selectable {
    ($record:ty { $($name:literal $type:expr => |$it:ident| $view:expr;)* }) => {
        impl Selectable for $record {
            fn schema() -> &'static Schema {
                const SCHEMA: &Schema = &[$(($name, $type)),*];
                SCHEMA
            }
        }
        impl Record for $record {
            fn field(&self, place: usize) -> View<'_> {
                type Read = for<'a> fn(&'a $record) -> View<'a>;
                const READ: &[Read] = &[$(|$it| $view),*];
                READ[place](self)
            }
        }
    };
}

use Type::{Address, AddressMap, Boolean, Integer, List, Map, Struct, Structs, Text};

/// A service without a proxy block shows an empty one.
static NO_PROXY: LazyLock<ServiceProxy> = LazyLock::new(ServiceProxy::default);
static NO_TRANSPARENT_PROXY: LazyLock<TransparentProxy> = LazyLock::new(TransparentProxy::default);
static NO_ACCESS_LOGS: LazyLock<AccessLogs> = LazyLock::new(AccessLogs::default);

fn proxy(service: &NodeService) -> &ServiceProxy {
    service.proxy.as_deref().unwrap_or(&NO_PROXY)
}
fn tags(service: &NodeService) -> &[Str] {
    service.tags.as_deref().unwrap_or_default()
}

static NO_DEFAULTS: LazyLock<ServiceDefaults> = LazyLock::new(ServiceDefaults::default);

/// Only service-defaults can be filtered; other kinds show none of its fields.
fn defaults(entry: &ConfigEntry) -> &ServiceDefaults {
    match &entry.body {
        EntryBody::ServiceDefaults(b) => b,
        _ => &NO_DEFAULTS,
    }
}

selectable!(ConfigEntry {
    "Kind" Text => |e| View::Text(e.kind().as_str());
    "Name" Text => |e| View::Text(&e.name);
    "Protocol" Text => |e| View::Text(&defaults(e).protocol);
    "Mode" Text => |e| View::Text(&defaults(e).mode);
    "TransparentProxy" Struct(TransparentProxy::schema) => |e| View::Struct(&defaults(e).transparent_proxy);
    "MutualTLSMode" Text => |e| View::Text(&defaults(e).mutual_tls_mode);
    "MeshGateway" Struct(MeshGatewayConfig::schema) => |e| View::Struct(&defaults(e).mesh_gateway);
    "Expose" Struct(ExposeConfig::schema) => |e| View::Struct(&defaults(e).expose);
    "ExternalSNI" Text => |e| View::Text(&defaults(e).external_sni);
    "MaxInboundConnections" Integer => |e| View::Integer(defaults(e).max_inbound_connections);
    "LocalConnectTimeoutMs" Integer => |e| View::Integer(defaults(e).local_connect_timeout_ms);
    "LocalRequestTimeoutMs" Integer => |e| View::Integer(defaults(e).local_request_timeout_ms);
    "BalanceInboundConnections" Text => |e| View::Text(&defaults(e).balance_inbound_connections);
    "EnvoyExtensions" Structs(EnvoyExtension::schema) => |e| View::Structs(&defaults(e).envoy_extensions);
    "Meta" Map => |e| View::Map(Some(&e.meta));
});

selectable!(Node {
    "ID" Text => |n| View::Text(&n.id);
    "Node" Text => |n| View::Text(&n.name);
    "Address" Text => |n| View::Text(&n.address);
    "Datacenter" Text => |n| View::Text(&n.datacenter);
    "Partition" Text => |n| View::Text(n.tenancy.partition());
    "PeerName" Text => |n| View::Text(n.peer.as_str());
    "TaggedAddresses" Map => |n| View::Map(n.tagged_addresses.as_ref());
    "Meta" Map => |n| View::Map(n.meta.as_ref());
});

selectable!(ServiceNode {
    "ID" Text => |s| View::Text(&s.node.id);
    "Node" Text => |s| View::Text(&s.node.name);
    "Address" Text => |s| View::Text(&s.node.address);
    "Datacenter" Text => |s| View::Text(&s.node.datacenter);
    "TaggedAddresses" Map => |s| View::Map(s.node.tagged_addresses.as_ref());
    "NodeMeta" Map => |s| View::Map(s.node.meta.as_ref());
    "ServiceKind" Text => |s| View::Text(s.service.kind.as_str());
    "ServiceID" Text => |s| View::Text(&s.service.id);
    "ServiceName" Text => |s| View::Text(&s.service.service);
    "ServiceTags" List => |s| View::List(tags(&s.service));
    "ServiceAddress" Text => |s| View::Text(&s.service.address);
    "ServiceTaggedAddresses" AddressMap => |s| View::AddressMap(s.service.tagged_addresses.as_ref());
    "ServiceMeta" Map => |s| View::Map(s.service.meta.as_ref());
    "ServicePort" Integer => |s| View::Integer(s.service.port);
    "ServiceSocketPath" Text => |s| View::Text(&s.service.socket_path);
    "ServiceWeights" Struct(Weights::schema) => |s| View::Struct(&s.service.weights);
    "ServiceEnableTagOverride" Boolean => |s| View::Boolean(s.service.enable_tag_override);
    "ServiceProxy" Struct(ServiceProxy::schema) => |s| View::Struct(proxy(&s.service));
    "ServiceConnect" Struct(ServiceConnect::schema) => |s| View::Struct(&s.service.connect);
    "PeerName" Text => |s| View::Text(s.service.peer.as_str());
});

// Serves the agent's own services as well: the two have the same selectors.
selectable!(NodeService {
    "Kind" Text => |s| View::Text(s.kind.as_str());
    "ID" Text => |s| View::Text(&s.id);
    "Service" Text => |s| View::Text(&s.service);
    "Tags" List => |s| View::List(tags(s));
    "Address" Text => |s| View::Text(&s.address);
    "TaggedAddresses" AddressMap => |s| View::AddressMap(s.tagged_addresses.as_ref());
    "Meta" Map => |s| View::Map(s.meta.as_ref());
    "Port" Integer => |s| View::Integer(s.port);
    "SocketPath" Text => |s| View::Text(&s.socket_path);
    "Weights" Struct(Weights::schema) => |s| View::Struct(&s.weights);
    "EnableTagOverride" Boolean => |s| View::Boolean(s.enable_tag_override);
    "Proxy" Struct(ServiceProxy::schema) => |s| View::Struct(proxy(s));
    "Connect" Struct(ServiceConnect::schema) => |s| View::Struct(&s.connect);
    "PeerName" Text => |s| View::Text(s.peer.as_str());
});

selectable!(HealthCheck {
    "Node" Text => |c| View::Text(&c.node);
    "CheckID" Text => |c| View::Text(&c.check_id);
    "Name" Text => |c| View::Text(&c.name);
    "Status" Text => |c| View::Text(&c.status);
    "Notes" Text => |c| View::Text(&c.notes);
    "Output" Text => |c| View::Text(&c.output);
    "ServiceID" Text => |c| View::Text(&c.service_id);
    "ServiceName" Text => |c| View::Text(&c.service_name);
    "ServiceTags" List => |c| View::List(&c.service_tags);
    "Type" Text => |c| View::Text(&c.kind);
    "Interval" Text => |c| View::Text(&c.interval);
    "Timeout" Text => |c| View::Text(&c.timeout);
    "ExposedPort" Integer => |c| View::Integer(c.exposed_port);
    "PeerName" Text => |c| View::Text(c.peer.as_str());
});

selectable!(CheckServiceNode {
    "Node" Struct(Node::schema) => |i| View::Struct(&*i.node);
    "Service" Struct(NodeService::schema) => |i| View::Struct(&*i.service);
    "Checks" Structs(HealthCheck::schema) => |i| View::Structs(&i.checks);
});

selectable!(Weights {
    "Passing" Integer => |w| View::Integer(w.passing);
    "Warning" Integer => |w| View::Integer(w.warning);
});

selectable!(ServiceConnect {
    "Native" Boolean => |c| View::Boolean(c.native);
});

selectable!(ServiceAddress {
    "Address" Text => |a| View::Text(&a.address);
    "Port" Integer => |a| View::Integer(a.port);
});

selectable!(ServiceProxy {
    "DestinationServiceName" Text => |p| View::Text(&p.destination_service_name);
    "DestinationServiceID" Text => |p| View::Text(&p.destination_service_id);
    "LocalServiceAddress" Text => |p| View::Text(&p.local_service_address);
    "LocalServicePort" Integer => |p| View::Integer(p.local_service_port);
    "LocalServiceSocketPath" Text => |p| View::Text(&p.local_service_socket_path);
    "Mode" Text => |p| View::Text(&p.mode);
    "MeshGateway" Struct(MeshGatewayConfig::schema) => |p| View::Struct(&p.mesh_gateway);
    "TransparentProxy" Struct(TransparentProxy::schema) =>
        |p| View::Struct(p.transparent_proxy.as_ref().unwrap_or(&NO_TRANSPARENT_PROXY));
    "Expose" Struct(ExposeConfig::schema) => |p| View::Struct(&p.expose);
    "Upstreams" Structs(Upstream::schema) => |p| View::Structs(&p.upstreams);
    "EnvoyExtensions" Structs(EnvoyExtension::schema) => |p| View::Structs(&p.envoy_extensions);
    "AccessLogs" Struct(AccessLogs::schema) =>
        |p| View::Struct(p.access_logs.as_ref().unwrap_or(&NO_ACCESS_LOGS));
});

selectable!(MeshGatewayConfig {
    "Mode" Text => |m| View::Text(&m.mode);
});

selectable!(TransparentProxy {
    "OutboundListenerPort" Integer => |t| View::Integer(t.outbound_listener_port);
    "DialedDirectly" Boolean => |t| View::Boolean(t.dialed_directly);
});

selectable!(ExposeConfig {
    "Checks" Boolean => |e| View::Boolean(e.checks);
    "Paths" Structs(ExposePath::schema) => |e| View::Structs(&e.paths);
});

selectable!(ExposePath {
    "ListenerPort" Integer => |e| View::Integer(e.listener_port);
    "Path" Text => |e| View::Text(&e.path);
    "LocalPathPort" Integer => |e| View::Integer(e.local_path_port);
    "Protocol" Text => |e| View::Text(&e.protocol);
    "ParsedFromCheck" Boolean => |e| View::Boolean(e.parsed_from_check);
});

selectable!(Upstream {
    "DestinationType" Text => |u| View::Text(&u.destination_type);
    "DestinationNamespace" Text => |u| View::Text(&u.destination_namespace);
    "DestinationPartition" Text => |u| View::Text(&u.destination_partition);
    "DestinationPeer" Text => |u| View::Text(&u.destination_peer);
    "DestinationName" Text => |u| View::Text(&u.destination_name);
    "Datacenter" Text => |u| View::Text(&u.datacenter);
    "LocalBindAddress" Text => |u| View::Text(&u.local_bind_address);
    "LocalBindPort" Integer => |u| View::Integer(u.local_bind_port);
    "LocalBindSocketPath" Text => |u| View::Text(&u.local_bind_socket_path);
    "LocalBindSocketMode" Text => |u| View::Text(&u.local_bind_socket_mode);
    "MeshGateway" Struct(MeshGatewayConfig::schema) => |u| View::Struct(&u.mesh_gateway);
});

selectable!(EnvoyExtension {
    "Name" Text => |e| View::Text(&e.name);
    "Required" Boolean => |e| View::Boolean(e.required);
    "ConsulVersion" Text => |e| View::Text(&e.consul_version);
    "EnvoyVersion" Text => |e| View::Text(&e.envoy_version);
});

selectable!(AccessLogs {
    "Enabled" Boolean => |a| View::Boolean(a.enabled);
    "DisableListenerLogs" Boolean => |a| View::Boolean(a.disable_listener_logs);
    "Type" Text => |a| View::Text(&a.kind);
    "Path" Text => |a| View::Text(&a.path);
    "JSONFormat" Text => |a| View::Text(&a.json_format);
    "TextFormat" Text => |a| View::Text(&a.text_format);
});

/// Protocol numbers that members show; every agent of ours speaks the same.
const PROTOCOL: [i64; 6] = [1, 5, 2, 2, 5, 4];

selectable!(Member {
    "Name" Text => |m| View::Text(&m.name);
    "Addr" Address => |m| View::Address(m.addr.ip());
    "Port" Integer => |m| View::Integer(i64::from(m.addr.port()));
    "Tags" Map => |m| View::Map(Some(&m.tags));
    "Status" Integer => |m| View::Integer(m.status as i64);
    "ProtocolMin" Integer => |_m| View::Integer(PROTOCOL[0]);
    "ProtocolMax" Integer => |_m| View::Integer(PROTOCOL[1]);
    "ProtocolCur" Integer => |_m| View::Integer(PROTOCOL[2]);
    "DelegateMin" Integer => |_m| View::Integer(PROTOCOL[3]);
    "DelegateMax" Integer => |_m| View::Integer(PROTOCOL[4]);
    "DelegateCur" Integer => |_m| View::Integer(PROTOCOL[5]);
});
